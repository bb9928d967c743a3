"""Test accuracies and a range test as plots in text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.analysis.plots import accuracy_plot, range_test_plot

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


RATES = [10.0**exponent for exponent in range(-6, 2)]
LOSSES = [2.3, 2.3, 2.2, 1.0, 0.5, 1.5, 2.4, 1e6]


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_range_test(ascii_only: bool) -> None:
    """Rates are on a logarithmic axis, marks are on the curve, and the loss that diverges does not flatten the rest."""
    lines = range_test_plot(RATES, LOSSES, {"steepest slope": 1e-3, "minimum / 10": 1e-5}, 70, 18, ascii_only)
    text = "\n".join(lines)
    row, column = next((row, line.index("x")) for row, line in enumerate(lines) if row and "x" in line)

    assert len(lines) == 18
    assert max(map(len, lines)) <= 70
    assert text.isascii() is ascii_only
    assert "smoothed loss, x steepest slope, o minimum / 10" in lines[0]
    assert lines[-2].split() == ["1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1", "1", "10"]
    assert abs(column - (lines[-2].index("0.001") + 2)) <= 2
    heights = [
        float(line.replace("|", "┤").split("┤")[0]) for line in lines if line.strip()[0].isdigit() and "e" not in line
    ]
    assert max(heights) < 3
    assert row > 5


def test_a_range_test_without_a_step() -> None:
    """There is nothing to plot."""
    assert range_test_plot([], [], {}, 70, 18, ascii_only=True) == []


@given(st.lists(st.floats(0, 1e30), min_size=1, max_size=30), st.integers(30, 120))
def test_any_losses_are_drawn(losses: list[float], width: int) -> None:
    """A single step, and losses that are all equal, are drawn."""
    rates = [1e-6 * 1.5**step for step in range(len(losses))]

    assert range_test_plot(rates, losses, {"here": rates[-1]}, width, 12, ascii_only=True)
