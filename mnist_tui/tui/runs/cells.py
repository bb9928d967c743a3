"""A cell of the table of runs: its text, and the colour of a state or verdict."""

from typing import NamedTuple

from mnist_tui.datasets.published import MNIST
from mnist_tui.runs.columns import Column
from mnist_tui.tui.runs.selection import RunGroup

STATES = {
    "training": "primary",
    "interrupted": "warning",
    "stopped": "warning",
    "diverged": "error",
    "failed": "error",
    "damaged": "error",
    "half written": "error",
    "newer format": "error",
}
"""The theme's colour of a state; a completed run has none. The word stands beside it."""
VERDICTS = {"met": ("✓", "success"), "MISSED": ("✗", "error")}
"""The sign and the theme's colour of a verdict."""
CURVE = "chart-seed"
"""The theme's colour of the curves, quieter than that of a plot's test accuracy."""


class Cell(NamedTuple):
    """A text and the name of its theme colour; "" is the row's own colour."""

    text: str
    colour: str = ""


def cell_of(column: Column, group: RunGroup) -> Cell:
    """The cell of a column for a run, or for several seeds of one recipe."""
    run, text = group[0], column.of(group)
    match column.key:
        case "state":
            return Cell(text, STATES.get(run.state, ""))
        case "target" if text in VERDICTS:
            sign, colour = VERDICTS[text]
            return Cell(f"{sign} {text}", colour)
        case "data":
            return Cell(text, "" if run.dataset in (None, MNIST.name) else "warning")
    return Cell(text)
