"""Test accuracies as a plot in text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.analysis.plots import accuracy_plot

CURVE = [0.9, 0.95, 0.98, 0.985, 0.99, 0.991, 0.992, 0.993]


def test_the_last_accuracies_can_be_distinguished() -> None:
    """Two curves that end 0.1 points apart are on different lines, after a first epoch 9 points below."""
    lines = accuracy_plot({"a": CURVE, "b": [value - 0.001 for value in CURVE]}, 80, 20, ascii_only=True)

    ends = {sign: max(row for row, line in enumerate(lines) if line.endswith(f"{sign}|")) for sign in ".x"}
    assert ends["."] < ends["x"]
    lowest = min(float(line.split("|")[0]) for line in lines if line.partition("|")[0].strip(" +-").startswith("9"))
    assert lowest > 97  # The first epoch's 90 % is below the plot.


@pytest.mark.parametrize("ascii_only", [False, True])
def test_names_epochs_and_size(ascii_only: bool) -> None:
    """Every curve is in the legend, epochs are whole numbers, and no line is too wide."""
    lines = accuracy_plot({"iter5 s0": CURVE, "iter4 s1": CURVE[:3]}, 60, 15, ascii_only)

    text = "\n".join(lines)
    assert "iter5 s0" in text
    assert "iter4 s1" in text
    assert lines[-2].split() == ["1", "3", "5", "7"]
    assert len(lines) == 15
    assert max(map(len, lines)) <= 60
    assert text.isascii() is ascii_only
    assert "\x1b" not in text


@pytest.mark.parametrize("curves", [{}, {"a": []}])
def test_without_an_epoch_there_is_no_plot(curves: dict[str, list[float]]) -> None:
    """Without an epoch there is no plot, rather than an empty frame."""
    assert accuracy_plot(curves, 60, 15, ascii_only=False) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(20, 120))
def test_any_accuracies_are_drawn(values: list[float], width: int) -> None:
    """A single epoch, and accuracies that are all equal, are drawn."""
    assert accuracy_plot({"a": values}, width, 12, ascii_only=True)
