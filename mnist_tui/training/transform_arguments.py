"""Arguments of transforms as the numbers that their batched forms need."""

from mnist_tui.errors import CallError
from mnist_tui.spec.calls import Value

LARGEST_FACTOR = 10_000.0
"""Of brightness, contrast and saturation. torchvision has no limit, but above 2**24 / 255, about 65,000, float32 cannot
hold every whole product of a pixel."""


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


def probability(value: Value) -> float:
    """The argument `p`; raises `CallError` where it is no number."""
    if not isinstance(value, int | float):
        raise CallError("p must be a number")
    return value


def factors(value: Value, name: str) -> tuple[float, float] | None:
    """The range of the factors of ColorJitter's brightness, contrast or saturation; None where all are 1."""
    return _jitter_range(value, name, 1.0, (0.0, LARGEST_FACTOR))


def hue_shifts(value: Value) -> tuple[float, float] | None:
    """The range of the shifts of ColorJitter's hue, shares of the circle; None where all are 0."""
    return _jitter_range(value, "hue", 0.0, (-0.5, 0.5))


def _jitter_range(value: Value, name: str, center: float, limits: tuple[float, float]) -> tuple[float, float] | None:
    """The range around `center` of one number, or the range that a pair is; None where it is the centre alone.

    As in torchvision, one number's range ends at the lower limit. Raises `CallError` for a range outside the limits.
    """
    least, most = limits
    if value is None:
        return None
    if isinstance(value, int | float):
        reach = symmetric(value, name)[1]
        low, high = max(center - reach, least), center + reach
    else:
        low, high = pair(value, name)
    if not least <= low <= high <= most:
        raise CallError(f"{name} must be between {least:g} and {most:g}, the lower end first")
    return None if low == high == center else (low, high)
