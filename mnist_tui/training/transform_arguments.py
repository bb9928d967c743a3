"""Arguments of transforms as the numbers that their batched forms need."""

from mnist_tui.errors import CallError
from mnist_tui.spec.calls import Value

LARGEST_FACTOR = 10_000.0
"""Of brightness, contrast and saturation."""


def symmetric(value: Value, name: str) -> tuple[float, float]:
    """The range around 0 of one number, or the range that a pair is; raises `CallError`."""
    if isinstance(value, int | float):
        if value < 0:
            raise CallError(f"{name}={value} must not be negative; a pair (low, high) may be")
        return -float(value), float(value)
    return pair(value, name)


def pair(value: Value, name: str) -> tuple[float, float]:
    """A pair of numbers; raises `CallError` where the argument `name` is none."""
    if isinstance(value, tuple) and len(value) == 2:
        low, high = value
        if isinstance(low, int | float) and isinstance(high, int | float):
            return float(low), float(high)
    raise CallError(f"{name} must be a pair of numbers")


def four(value: Value) -> tuple[float, float, float, float]:
    """The ranges of a shear along x and along y; raises `CallError`."""
    if isinstance(value, tuple) and len(value) == 4:
        return (*pair(value[:2], "shear"), *pair(value[2:], "shear"))
    return (*symmetric(value, "shear"), 0.0, 0.0)


def square(value: Value) -> int | None:
    """The side of a square, from 28, (28,) or (28, 28)."""
    sides = set(value) if isinstance(value, tuple) else {value}
    side = sides.pop() if len(sides) == 1 else None
    return side if isinstance(side, int) and not isinstance(side, bool) else None


def number(value: Value) -> float:
    """A probability; raises `CallError` where it is no number."""
    if not isinstance(value, int | float):
        raise CallError("p must be a number")
    return value


def factors(value: Value, name: str, center: float = 1.0) -> tuple[float, float] | None:
    """The range around the centre of one number, or the range that a pair is, as ColorJitter takes them.

    None where it is the centre alone, which changes nothing. Factors are 0 or more, shifts of the hue, whose centre
    is 0, are within half a circle; raises `CallError`.
    """
    least, most = (0.0, LARGEST_FACTOR) if center else (-0.5, 0.5)
    if value is None:
        return None
    if isinstance(value, int | float):
        reach = symmetric(value, name)[1]
        low, high = max(center - reach, least) if center else -reach, center + reach
    else:
        low, high = pair(value, name)
    if not least <= low <= high <= most:
        raise CallError(f"{name} must be between {least:g} and {most:g}, the lower end first")
    return None if low == high == center else (low, high)
