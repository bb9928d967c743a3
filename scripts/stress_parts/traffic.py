"""Output to the terminal and CPU time: with each dialog and mode open, idle and while iter5 trains."""

from collections.abc import Callable
from functools import partial

from helpers.lab_terminal import Lab

from stress_parts.frame import Case, Part, Trial
from stress_parts.screens import (
    DOWN,
    ESCAPE,
    F2,
    F3,
    F4,
    HOME,
    LEFT,
    PAGE_DOWN,
    PAGE_UP,
    RIGHT,
    measure,
    move_cost,
    press_slowly,
)

DIALOGS = {"help": "?", "zoom": "z", "palette": "\x10", "optimizers": F4 + DOWN * 3 + "\r", "rate": "l"}
"""The keys that open each dialog; the one for the learning rate opens only while a run is trained."""
MATRIX = "4" + "\x1b[<0;5;2M" + "\x1b[<0;5;2m"
"""Analyse, and a click on its first view."""
MODES = {"Runs": "2", "Compare": "3", "Analyse": MATRIX, "Mistakes": "4a", "Draw": "5"}
"""The keys that open each mode."""
MOVES = {
    "Down between fields": (F4, [DOWN]),
    "F2, F3": ("", [F2, F3]),
    "Right in the matrix": (MATRIX + HOME, [RIGHT, LEFT]),
    "Right between mistakes": ("4a", [RIGHT]),
    "a page of mistakes": ("4a", [PAGE_DOWN, PAGE_UP]),
    "Right with the pen down": ("5 ", [RIGHT]),
}
"""The keys to begin with, and those whose cost is measured."""
MOST_IDLE, MOST_TRAINING, MOST_MOVE = 10.0, 40.0, 25.0
"""Kilobytes a second, and kilobytes of a move."""
WASTEFUL = """
from types import SimpleNamespace
from textual.drivers.linux_driver import LinuxDriver
from mnist_tui.tui import app, repaint
del repaint.LeanScreen._compositor_refresh, repaint.LeanScreen.is_current
repaint.LeanScreen.focused._repaint = True
app.DiffDriver = type("PlainDriver", (LinuxDriver,), {"memory": SimpleNamespace(forget=lambda: None)})
"""
"""Repaints, and writes to the terminal, as textual does."""


class _Traffic:
    """One laboratory whose states are measured in turn, and the table of what they cost."""

    def __init__(self, trial: Trial, place: str, **env: str) -> None:
        folder = trial.folder / place
        folder.mkdir()
        arguments = ["--preset", "iter5", "--set", "epochs=5000", *(["--dataset", "digits"] if trial.is_quick else [])]
        self.lab = Lab(folder, *arguments, before=trial.sabotage or "", size=(120, 40), warm=True, **env)
        trial.exits.callback(self.lab.close)
        self.lab.wait_for("t trains")
        self._seconds = 1.0 if trial.is_quick else 5.0
        self._place, self._lines = place, [""]

    def dialog(self, keys: str, what: str, most: float) -> str:
        self.lab.press(keys)
        said = self._rate(what, most)
        for _ in range(2):  # The dialog, then the field that has the focus.
            self.lab.press(ESCAPE)
            self.lab.read_for(0.5)
        return said

    def mode(self, keys: str, what: str, most: float) -> str:
        press_slowly(self.lab, keys)
        said = self._rate(what, most)
        self.lab.press("1")
        return said

    def move(self, first: str, moves: list[str], what: str) -> str:
        press_slowly(self.lab, first)
        kilobytes, cpu, paint = move_cost(self.lab, moves)
        press_slowly(self.lab, "\x1b1")
        assert kilobytes < MOST_MOVE, f"{what}: {kilobytes:.1f} kB"
        return self._note(what, f"{kilobytes:.2f} kB, {cpu:.0f} ms CPU, {paint:.0f} ms")

    def train(self) -> None:
        self.lab.press("t")
        self.lab.wait(lambda: list(self.lab.folder.glob("runs/*/steps.jsonl")))
        self.lab.read_for(2.0)

    def stop(self) -> None:
        self.lab.press("s")
        self.lab.wait_for("stopped")

    def _rate(self, what: str, most: float) -> str:
        """The lowest of three rates, unless the first is low enough: what repaints for ever does so in each."""
        rates: list[tuple[float, float]] = []
        while not rates or (min(rates)[0] > most and len(rates) < 3):
            rates.append(measure(self.lab, self._seconds))
        kilobytes, share = min(rates)
        assert kilobytes <= most, f"{what}: {kilobytes:.1f} kB/s"
        return self._note(what, f"{kilobytes:.2f} kB/s, {share:.0%} CPU")

    def _note(self, what: str, figures: str) -> str:
        self._lines.append(f"{self._place + ', ' + what:<40}{figures}")
        return "\n".join(self._lines)


def cases(trial: Trial) -> list[Case]:
    """Every dialog and mode, and moves; locally, and as if over SSH."""
    found: list[Case] = []
    for place, env in {"local": {}, "ssh": {"SSH_CONNECTION": "x"}}.items():
        if place == "ssh" and (trial.is_quick or trial.sabotage):
            break
        found += _cases_of(_Traffic(trial, place, **env))
    return found[: trial.size]


def _cases_of(traffic: _Traffic) -> list[Case]:
    def case(name: str, check: Callable[[], str | None]) -> Case:
        return Case(name, check)

    found = [case("idle", partial(traffic.dialog, "", "idle: closed", MOST_IDLE))]
    for name, keys in DIALOGS.items():
        if name != "rate":
            found.append(case(name, partial(traffic.dialog, keys, f"idle: {name}", MOST_IDLE)))
    found.append(case("training", traffic.train))
    for name, keys in DIALOGS.items():
        found.append(case(name, partial(traffic.dialog, keys, f"training: {name}", MOST_TRAINING)))
    for name, keys in MODES.items():
        found.append(case(name, partial(traffic.mode, keys, f"training: {name}", MOST_TRAINING)))
    found.append(case("stop", traffic.stop))
    for name, keys in MODES.items():
        found.append(case(name, partial(traffic.mode, keys, f"idle: {name}", MOST_IDLE)))
    for name, (first, moves) in MOVES.items():
        found.append(case(name, partial(traffic.move, first, moves, name)))
    return found


PART = Part(cases, full=100, quick=9, controls={"textual's own way to draw": WASTEFUL})
