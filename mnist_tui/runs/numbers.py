"""Numbers in the files of a run, which may hold anything: JSON's integers have any size, and Python reads NaN, too.

A value that is no number, or one that arithmetic would overflow with, is missing.
"""

import math
from typing import Any

LARGEST = 1e100
"""The largest magnitude of a number: squares of such numbers, and sums of thousands of them, are finite floats."""
LARGEST_WHOLE = 2**63 - 1
LARGEST_FRACTION = 1 + 1e-6
"""The highest accuracy: 1, and what floating point adds to it."""


def finite_number(value: Any) -> float | None:
    """A value as a float where it is a number, finite and of at most `LARGEST`; else None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    return float(value) if is_number else None


def number_or_nan(value: Any) -> float:
    """The same with NaN in place of None."""
    number = finite_number(value)
    return math.nan if number is None else number


def fraction(value: Any) -> float | None:
    """A value as a float from 0 to 1 where it is an accuracy; else None."""
    number = finite_number(value)
    return min(1.0, number) if number is not None and 0 <= number <= LARGEST_FRACTION else None


def count(value: Any) -> int | None:
    """A value where it is an integer of at most 64 bits and not negative; else None."""
    number = whole_number(value)
    return number if number is not None and number >= 0 else None


def whole_number(value: Any) -> int | None:
    """A value where it is an integer of at most 64 bits; else None."""
    return value if type(value) is int and abs(value) <= LARGEST_WHOLE else None
