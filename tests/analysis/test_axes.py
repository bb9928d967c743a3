"""Axes of charts: few round ticks, and thinned curves that keep their peaks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.analysis.axes import limits, number, spaced, thin, ticks


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=300), st.integers(1, 40))
def test_thinning_keeps_peaks(ys: list[float], columns: int) -> None:
    """At most two points a column, in their order, the lowest and the highest among them."""
    xs, kept = thin(list(range(len(ys))), ys, columns)

    assert len(kept) <= max(2 * columns, 0)
    assert xs == sorted(xs)
    assert (min(kept), max(kept)) == (min(ys), max(ys))


@pytest.mark.parametrize(("low", "high", "log_y"), [(0.003, 2.3, True), (93.8, 99.5, False), (0.0, 20.0, False)])
@pytest.mark.parametrize("count", [2, 4, 8])
def test_ticks_are_round_and_few(low: float, high: float, log_y: bool, count: int) -> None:
    """Labels are 1, 2, 3 or 5 times a power of ten apart or large, inside the axis, and no more than there is room."""
    values = ticks(low, high, count, log_y)

    assert 1 <= len(values) <= count + 1
    assert all(low <= tick <= high and len(f"{tick:.4g}") <= 5 for tick in values)


def test_what_is_first_keeps_its_place() -> None:
    """Whatever is nearer to it than the room goes, and does not take the place of others."""
    assert spaced([8.0, 10.0, 9.0, 7.0, 11.0], float, 2.0) == [8.0, 10.0]
    assert spaced(["bbb", "a", "cccc"], len, 2.0) == ["bbb", "a"]


def test_limits_of_accuracies_show_where_something_happens() -> None:
    """The first epochs of a network do not press the rest together; the target is seen, and so is its best."""
    low, high = limits([[10.0, 97.0, 98.9, 99.1, 99.2, 99.3]], False, target=99.4, is_accuracy=True)

    assert low < 97
    assert low > 90
    assert high == pytest.approx(99.5)


def test_limits_of_nothing_and_of_one_value() -> None:
    """There is room around any value, and an axis without one."""
    assert limits([], False) == (0.0, 1.0)
    assert limits([[math.nan, 0.0]], True) == (0.0, 1.0)
    for value in (-2.0, 0.0, 3.0):
        low, high = limits([[value]], False)
        assert low < value < high


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (99.25, "99.25"), (1234.5, "1.2e3"), (2e-7, "2.0e-7")])
def test_numbers_are_short(value: float, text: str) -> None:
    """At most six characters."""
    assert number(value) == text
