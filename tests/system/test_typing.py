"""Fast typing in a real terminal: every text field holds what a plain text field would hold, and then it is quiet."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from helpers.lab_terminal import PRESET, HungError, Lab
from helpers.typing_model import DOWN, F4, KEYS, PlainText, Typist

UNORDERED = """
from textual.app import App
from mnist_tui.tui.app import LabApp
LabApp.on_event = App.on_event
"""
"""Without the queue of keys, as textual handles them."""


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """The laboratory in a terminal."""
    labs = []

    def open_lab(*arguments: str, before: str = "") -> Lab:
        state = str(tmp_path / "state")
        lab = Lab(tmp_path, *arguments, before=before, size=(120, 40), warm=True, XDG_STATE_HOME=state)
        labs.append(lab)
        return lab

    yield open_lab
    for lab in labs:
        lab.close()


def traffic(lab: Lab, seconds: float = 2.0) -> tuple[float, float]:
    """Kilobytes a second and share of a core, a moment after the last key."""
    typist = Typist(lab, Path(), random.Random())
    typist.read(1.5)
    process = psutil.Process(lab.child())
    written, busy = len(lab.output), sum(process.cpu_times()[:2])
    typist.read(seconds)
    return (len(lab.output) - written) / seconds / 1000, (sum(process.cpu_times()[:2]) - busy) / seconds


def test_random_keys_in_fields_layers_and_dialogs(opened: Callable[..., Lab], tmp_path: Path) -> None:
    """Characters, deletions and moves at 0 to 30 ms a key, in bursts too; scripts/stress.py types 5,000."""
    lab = opened("--preset", "iter5")
    lab.wait_for("t trains")
    typist = Typist(lab, tmp_path / "state", random.Random(1))
    while typist.typed < 600:
        assert typist.type_somewhere() == {}
    kilobytes, share = traffic(lab)

    assert kilobytes < 2
    assert share < 0.5


def rate_field(lab: Lab) -> str:
    """What stands in the field of the learning rate."""
    line = next(line for line in lab.screen.display if "  lr  " in line)
    return " ".join(line[:32].replace("•", " ").split()[2:])


def test_the_rate_is_what_was_typed(opened: Callable[..., Lab], tmp_path: Path) -> None:
    """Deleted key by key and typed anew, twice; nothing comes back from an older draft."""
    lab = opened("--preset", "iter5")
    lab.wait_for("t trains")
    typist = Typist(lab, tmp_path, random.Random())
    lab.press(F4 + DOWN * 4 + KEYS["end"])
    typist.read(0.5)
    for rate, delay in (("0123", 0.0), ("0456", 0.033)):
        for key in [*[KEYS["backspace"]] * 6, *rate]:
            lab.press(key)
            typist.read(delay)
        lab.wait(lambda rate=rate: rate_field(lab) == rate, 10)  # type: ignore[misc]
        typist.read(1.0)

        assert rate_field(lab) == rate  # It stays so.


EXPECTED = "0.05"
BURST = ["0", ".", "0", "0", "7", "backspace", "backspace", "3", "backspace", "5"]


def asked_rate(lab: Lab) -> str:
    """What stands in the dialog that asks for another learning rate; "" where it is not open."""
    lines = lab.screen.display
    hints = [index for index, line in enumerate(lines) if "From the next step on" in line]
    return (lines[hints[0] + 1][lines[hints[0]].index("From") :].split() or [""])[0] if hints else ""


def typed_rate(lab: Lab, delay: float, seconds: float = 20) -> str:
    """The burst in that dialog, while a run is trained; what it shows then, or after so many seconds."""
    typist = Typist(lab, Path(), random.Random())
    lab.press("l" + KEYS["end"] + KEYS["backspace"] * 12)
    for key in BURST:
        lab.press(KEYS.get(key, key))
        typist.read(delay)
    with suppress(HungError):
        lab.wait(lambda: asked_rate(lab) == EXPECTED, seconds)
    typist.read(0.3)  # It stays so.
    typed = asked_rate(lab)
    lab.press("\x1b")
    typist.read(0.4)
    return typed


def trained(opened: Callable[..., Lab], folder: Path, before: str = "") -> Lab:
    """The laboratory while it trains for some seconds."""
    (folder / "many.toml").write_text(PRESET.format(epochs=60))
    lab = opened("--preset", "many.toml", "--dataset", "digits", "--start", before=before)
    lab.wait(lambda: list(folder.glob("runs/*/steps.jsonl")))
    return lab


def test_backspace_comes_in_its_turn(opened: Callable[..., Lab], tmp_path: Path) -> None:
    """In a dialog that is typed into as soon as it is asked for, beside a run."""
    lab = trained(opened, tmp_path)
    plain = PlainText()
    for key in BURST:
        plain.press(key)
    shown = [typed_rate(lab, delay) for delay in (0.0, 0.0, 0.02, 0.05)]

    assert shown == [EXPECTED] * 4
    assert plain.text == EXPECTED


def test_without_the_queue_it_does_not(opened: Callable[..., Lab], tmp_path: Path) -> None:
    """The control: letters overtake the keys that are bound, and the test above sees it."""
    lab = trained(opened, tmp_path, before=UNORDERED)
    shown = [typed_rate(lab, 0.0, seconds=1) for _ in range(3)]

    assert shown != [EXPECTED] * 3


def test_enter_in_the_search_leads_back_to_the_keys(opened: Callable[..., Lab], tmp_path: Path) -> None:
    """README's first minute, in one burst: search, pick, train."""
    lab = opened("--preset", "iter5", "--dataset", "digits", "--set", "epochs=1")
    lab.wait_for("t trains")
    lab.press("/iter4\rt")
    lab.wait(lambda: list(tmp_path.glob("runs/*-iter4-*/run.json")))

    assert "iter4" in lab.screen.display[0]
