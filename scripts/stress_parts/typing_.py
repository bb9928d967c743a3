"""Random keys every 0 to 30 ms in fields, layers and dialogs: each field ends with the text that was typed."""

from functools import partial

from helpers.lab_terminal import Lab
from helpers.typing_model import Typist

from stress_parts.frame import Case, Part, Trial
from stress_parts.screens import measure

UNORDERED = """
from textual.app import App
from mnist_tui.tui.app import LabApp
LabApp.on_event = App.on_event
"""
"""Without the queue of keys, as textual handles them."""


def cases(trial: Trial) -> list[Case]:
    """Bursts of keys, and a look at what an idle screen sends afterwards."""
    state = trial.folder / "state"
    lab = Lab(trial.folder, "--preset", "iter5", before=trial.sabotage or "", size=(120, 40), XDG_STATE_HOME=str(state))
    trial.exits.callback(lab.close)
    lab.wait_for("t trains")
    typist = Typist(lab, state, trial.random, slowest=0.002 if trial.sabotage else 0.03)
    bursts = [Case(f"burst {index + 1}", partial(_type, typist)) for index in range(trial.size)]
    return [*bursts, Case("afterwards", partial(_rest, lab, typist))]


def _type(typist: Typist) -> str:
    difference = typist.type_somewhere()
    assert not difference, f"{difference}\n{typist.lab.text()}"
    return f"{typist.typed} keys, every field holds what was typed"


def _rest(lab: Lab, typist: Typist) -> str:
    rate, share = measure(lab, 3)
    assert rate < 2, f"an idle screen sends {rate:.1f} kB/s afterwards"
    return (
        f"{typist.typed} keys, every field holds what was typed; afterwards {rate:.2f} kB/s and {share:.0%} of a core"
    )


PART = Part(cases, full=150, quick=8, controls={"without the queue of keys": UNORDERED}, has_end=True)
