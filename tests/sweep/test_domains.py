"""What a person writes for the values of a setting."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.errors import SweepError
from mnist_tui.sweep.domains import Choices, Range, parse_domain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.05, 0.1", ("0.05", "0.1")),
        ("0.1,0.1,0.2", ("0.1", "0.2")),
        ("0.05..0.2 step 0.05", ("0.05", "0.1", "0.15", "0.2")),
        ("1..2 step 0.3", ("1", "1.3", "1.6", "1.9")),
        ("1e-9999999999999999999999..1 step 0.5", ("0", "0.5", "1")),
        ("8..32 step 8", ("8", "16", "24", "32")),
        ("0.001..0.1 log 3 values", ("0.001", "0.01", "0.1")),
        ("8..32 log 3 values", ("8", "16", "32")),
        ("0..1 2 values", ("0", "1")),
        ("Adam(lr=0.1, eps=1e-8), SGD(lr=0.1)", ("Adam(lr=0.1, eps=1e-8)", "SGD(lr=0.1)")),
        ("[], [RandomRotation(7), RandomCrop(28)]", ("[]", "[RandomRotation(7), RandomCrop(28)]")),
        ("'a, b', c", ("'a, b'", "c")),
        ("None", ("None",)),
    ],
)
def test_values(text: str, expected: tuple[str, ...]) -> None:
    """Lists, steps and counted ranges; commas in brackets and quotes are no separators."""
    domain = parse_domain("x", text)

    assert domain == Choices(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.001..0.1 log", Range(0.001, 0.1, is_log=True)),
        ("8..32", Range(8, 32, is_whole=True)),
        ("8..32 log", Range(8, 32, is_log=True, is_whole=True)),
        ("-1..1.5", Range(-1, 1.5)),
        ("0..1.0", Range(0, 1)),
        ("1.0..10 log", Range(1, 10, is_log=True)),
        ("-5.0..+5", Range(-5, 5)),
        ("0.9..0.99999999", Range(0.9, 0.99999999)),
        ("1.23456789e-5..1 log", Range(1.23456789e-5, 1, is_log=True)),
        ("0..123456789", Range(0, 123456789, is_whole=True)),
    ],
)
def test_ranges(text: str, expected: Range) -> None:
    """Both ends whole: so are all values. A range is read from its own text again."""
    domain = parse_domain("x", text)

    assert domain == expected
    assert parse_domain("x", str(domain)) == domain


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("0.05..0.1", "0.01"),
        ("1e-5..3e-5", "5e-06"),
        ("0..1000", "200"),
        ("8..10", "1"),
        ("-1..1.5", "0.5"),
        ("0.3..0.7", "0.1"),
    ],
)
def test_values_that_a_range_suggests(text: str, step: str) -> None:
    """A round step that fits its ends, so that what is suggested can be typed and gives several values."""
    domain = parse_domain("x", text)

    assert isinstance(domain, Range)
    assert domain.with_values == (f"{domain} 5 values", f"{domain} step {step}")
    for each in domain.with_values:
        suggested = parse_domain("x", each)
        assert isinstance(suggested, Choices)
        assert len(suggested.texts) >= 2


def test_no_step_on_a_logarithmic_range() -> None:
    """Where it is not allowed."""
    assert Range(0.001, 0.1, is_log=True).with_values == ("0.001..0.1 log 5 values",)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is empty"),
        ("0.1,", "is empty"),
        ("2..1", "lower than the second"),
        ("1..1", "lower than the second"),
        ("0..1 log", "greater than 0"),
        ("0..1 step 0", "step 0: must be greater than 0"),
        ("0..1 step 0.0001", "step 0.0001: gives more than 1,000 values"),
        ("0..1 step 1e-99999", "step 0: must be greater than 0"),
        ("0..1 step 1e-300", "step 1e-300: gives more than 1,000 values"),
        ("1e-9999999999999999999999..1 step 1e-9999999999999999999999", "must be greater than 0"),
        ("1..1e999", "both ends must be finite"),
        ("1..2 step 0.1 log", "not allowed"),
        ("0..1 1 values", "between 2 and"),
        ("0.1..0.2 stp 3", "cannot read the range"),
    ],
)
def test_what_cannot_be_read(text: str, part: str) -> None:
    """Named with its setting."""
    with pytest.raises(SweepError, match=f"^dropout: .*{part}"):
        parse_domain("dropout", text)


@given(st.floats(0, 1), st.booleans(), st.booleans())
def test_what_is_drawn_lies_in_its_range(share: float, is_log: bool, is_whole: bool) -> None:
    """Also at both ends, after rounding to the digits that are kept."""
    span = Range(2, 70, is_log, is_whole)

    assert 2 <= float(span.at(share)) <= 70


@pytest.mark.parametrize(
    ("low", "high"), [(0.9, 0.99999), (0.99996, 1.5), (-1.00004, 0.3), (0.00012345678, 0.00012345999)]
)
@pytest.mark.parametrize("share", [0.0, 1e-9, 0.5, 0.99999, 1.0])
def test_four_digits_do_not_lead_out_of_a_range(low: float, high: float, share: float) -> None:
    """A momentum below 0.99999 is not rounded to 1."""
    assert low <= float(Range(low, high).at(share)) <= high


def test_a_whole_range_is_drawn_evenly() -> None:
    """Each number as often as the others, the ends too."""
    drawn = [Range(1, 4, is_whole=True).at((index + 0.5) / 400) for index in range(400)]

    assert [drawn.count(number) for number in "1234"] == [100] * 4


def test_a_log_range_is_drawn_by_factors() -> None:
    """Half of it lies below the geometric mean."""
    assert math.isclose(float(Range(0.001, 0.1, is_log=True).at(0.5)), 0.01)
