"""Plots of text: how large they are in the terminal, and that of accuracies."""

import shutil
from collections.abc import Mapping, Sequence

from mnist_tui.text import clean_line
from mnist_tui.tui.terminal import has_utf8

MAX_WIDTH, LINES = 100, 18
"""Characters of a line of a plot, and its lines."""


def plot_width() -> int:
    """Characters of a line: `MAX_WIDTH`, or as many as a narrow terminal has."""
    return min(MAX_WIDTH, shutil.get_terminal_size().columns)


def print_accuracies(curves: Mapping[str, Sequence[float]]) -> None:
    """Prints accuracies over the epochs, by the name of each curve."""
    from mnist_tui.analysis import plots

    names = {clean_line(name, 30): values for name, values in curves.items()}
    lines = plots.accuracy_plot(names, plot_width(), LINES, ascii_only=not has_utf8())
    print("\n".join(["", *(lines or ["no epoch was finished: there is nothing to plot"])]))
