"""Axes of charts: what part of the values to draw, round ticks, and curves thinned to the columns they are drawn in."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def limits(
    curves: Sequence[Sequence[float]], is_log: bool, target: float | None = None, is_accuracy: bool = False
) -> tuple[float, float]:
    """The lowest and highest value to draw of `curves`, the values of each in the order of its epochs.

    Of accuracies, in percent, only the part in which something happens, and the target; on a logarithmic axis only what
    is above 0.
    """
    values = [y for ys in curves for y in ys if math.isfinite(y) and (y > 0 or not is_log)]
    if not values:
        return (0.0, 1.0)
    low, high = min(values), max(values)
    if is_accuracy:
        # The first epoch of a network is far below the rest, and would press them into one row.
        rest = sorted(y for ys in curves for y in ys[1:] if math.isfinite(y)) or values
        low = min(rest[len(rest) // 10], 99.0) if len(values) > 4 else low
        high = max(high, target or high)
        low, high = math.floor(low * 10 - 1) / 10, min(100.0, high + 0.1)
    if high <= low:
        return (low * 0.9, high * 1.1) if low > 0 else (low - 1, high + 1)
    return low, high


def ticks(low: float, high: float, count: int, log_y: bool) -> list[float]:
    """At most `count` round values between `low` and `high`: 1, 2 and 5 times powers of ten."""
    if count < 1 or not high > low:
        return []
    if log_y and low > 0:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for steps in ((1, 2, 5), (1, 3), (1,)):
            values = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
            if len(values) <= count:
                return values or [low, high][:count]
        return values[:: -(-len(values) // count)]
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def spaced(values: Iterable[T], place: Callable[[T], float], room: float) -> list[T]:
    """The values whose places are at least `room` from those of all that are kept before them."""
    kept: list[T] = []
    for value in values:
        if all(abs(place(value) - place(other)) >= room for other in kept):
            kept.append(value)
    return kept


def number(value: float) -> str:
    """A value on an axis or in a legend, in at most six characters where that can be."""
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")


def thin(xs: Sequence[float], ys: Sequence[float], columns: int) -> tuple[list[float], list[float]]:
    """At most two points for each of `columns`: the lowest and the highest of those that share it, in their order."""
    if len(xs) <= 2 * columns or columns < 1:
        return list(xs), list(ys)
    low, span = xs[0], (xs[-1] - xs[0]) or 1.0
    columns_of: dict[int, list[int]] = {}
    for index, x in enumerate(xs):
        columns_of.setdefault(min(columns - 1, int((x - low) / span * columns)), []).append(index)
    kept: list[int] = []
    for indices in columns_of.values():
        kept += sorted({min(indices, key=ys.__getitem__), max(indices, key=ys.__getitem__)})
    return [xs[index] for index in kept], [ys[index] for index in kept]
