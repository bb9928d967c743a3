"""What a setting may be in a sweep, as a person writes it: several values, a range in steps, a range to draw from.

0.05, 0.1, 0.2             these values
0.05..0.2 step 0.05        0.05, 0.1, 0.15, 0.2
0.001..0.1 log 5 values    5 values, each the same factor above the last
0.001..0.1 log             any number in between, for random, Sobol and search: a factor of 10 is as likely anywhere
8..32                      any whole number in between, since both ends are whole
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from mnist_tui.errors import SweepError
from mnist_tui.text import clean_line

MAX_VALUES = 1_000
"""Values of one setting."""
DIGITS = 4
"""Significant digits of a number that is computed or drawn."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(
    rf"({_NUMBER})\s*\.\.\s*({_NUMBER})(?:\s+step\s+({_NUMBER}))?(?:\s+(log))?(?:\s+(\d{{1,6}})\s+values?)?"
)
_WHOLE = re.compile(r"[-+]?\d+")
EXAMPLES = "0.05..0.2 step 0.05, 0.001..0.1 log 5 values, or to draw from 0.001..0.1 log"


@dataclass(frozen=True)
class Choices:
    """Several values, as texts; the order is that of the report."""

    texts: tuple[str, ...]

    def at(self, share: float) -> str:
        """The value at a share of 0..1 of all."""
        return self.texts[min(int(share * len(self.texts)), len(self.texts) - 1)]

    def __str__(self) -> str:
        return ", ".join(self.texts)


@dataclass(frozen=True)
class Range:
    """The numbers between two ends, which are possible values too."""

    low: float
    high: float
    is_log: bool = False
    """Whether equal factors are equally likely, rather than equal differences."""
    is_whole: bool = False
    """Whether only whole numbers are values."""

    def at(self, share: float) -> str:
        """The value at a share of 0..1 of the range."""
        low, high = (self.low - 0.5, self.high + 0.5) if self.is_whole else (self.low, self.high)
        if self.is_log:
            low = max(low, self.low / 2) if self.is_whole else low
            value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            value = low + share * (high - low)
        return self.text_of(min(max(value, self.low), self.high))

    def text_of(self, value: float) -> str:
        """A number of the range as text: four significant digits, or a whole number; an end where those lie outside."""
        if self.is_whole:
            return str(round(value))
        text = f"{value:.{DIGITS}g}"
        low, high = self.ends
        return low if float(text) < self.low else high if float(text) > self.high else text

    def number_of(self, text: str) -> float | None:
        """The number that a text from a file is, moved into the range; None where it is no finite number."""
        try:
            number = float(text)
        except ValueError:
            return None
        return min(max(number, self.low), self.high) if math.isfinite(number) else None

    @property
    def with_values(self) -> tuple[str, ...]:
        """Texts that name some of the numbers in it: `0.1..0.2 5 values`, `0.1..0.2 step 0.02`."""
        return (f"{self} 5 values", *([] if self.is_log else [f"{self} step {self._round_step():g}"]))

    def _round_step(self) -> float:
        """1, 2 or 5 times a power of ten, which goes 4 to 10 times into the range; for whole numbers 1 or more."""
        most = (self.high - self.low) / 4 * (1 + 1e-9)  # 0.7 - 0.3 is less than 0.4.
        power = 10.0 ** math.floor(math.log10(most))
        step = next(factor * power for factor in (5, 2, 1) if factor * power <= most)
        return max(1, step) if self.is_whole else step

    @property
    def ends(self) -> tuple[str, str]:
        """The low and the high end as texts."""
        return _end(self.low, self.is_whole), _end(self.high, self.is_whole)

    def __str__(self) -> str:
        """As it is typed, so that it is read as the same range again: `0..1.0` has more values than 0 and 1."""
        ends = "..".join(self.ends)
        if not self.is_whole and all(map(_WHOLE.fullmatch, self.ends)):
            ends += ".0"
        return f"{ends} log" if self.is_log else ends


Domain = Choices | Range


def parse_domain(path: str, text: str) -> Domain:
    """The values that a text stands for; raises `SweepError`, which names the setting `path`."""
    text = text.strip()
    if re.match(rf"{_NUMBER}\s*\.\.", text):
        match = _RANGE.fullmatch(text)
        if match is None:
            raise SweepError(f"{path}: cannot read the range {clean_line(text, 60)!r}; write {EXAMPLES}")
        return _range(path, *match.groups())
    return choices(path, split_values(text))


def choices(path: str, texts: Sequence[str]) -> Choices:
    """These values, each once; raises `SweepError` for one that is empty, and for too many."""
    if any(not text.strip() for text in texts) or not texts:
        raise SweepError(f"{path}: a value is empty; write values with commas between them, such as 0.05, 0.1")
    if len(texts) > MAX_VALUES:
        raise SweepError(f"{path}: {len(texts):,} values; at most {MAX_VALUES:,} are tried")
    return Choices(tuple(dict.fromkeys(text.strip() for text in texts)))


def split_values(text: str) -> list[str]:
    """The parts of a text between its commas; those in brackets and quotes do not count: `Adam(lr=1, eps=2), SGD()`."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += 0 if quote else (character in "([{") - (character in ")]}")
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _range(path: str, low: str, high: str, step: str | None, log: str | None, count: str | None) -> Domain:
    is_whole = all(map(_WHOLE.fullmatch, (low, high)))
    ends = float(low), float(high)
    if not all(map(math.isfinite, ends)):
        raise SweepError(f"{path}: {clean_line(f'{low}..{high}', 60)}: both ends must be finite")
    if ends[0] >= ends[1]:
        raise SweepError(f"{path}: {low}..{high}: the first end must be lower than the second")
    if log and ends[0] <= 0:
        raise SweepError(f"{path}: {low}..{high} log: both ends must be greater than 0")
    if step is not None:
        if log or count:
            raise SweepError(f"{path}: {low}..{high}: a step is not allowed with log or a number of values")
        return _steps(path, *ends, float(step))
    span = Range(*ends, is_log=bool(log), is_whole=is_whole)
    if count is None:
        return span
    number = int(count)
    if not 2 <= number <= MAX_VALUES:
        raise SweepError(f"{path}: {number} values: must be between 2 and {MAX_VALUES:,}")
    inner = [span.text_of(_between(span, index / (number - 1))) for index in range(1, number - 1)]
    return choices(path, [low, *inner, high])


def _between(span: Range, share: float) -> float:
    """The number at a share of the way between the ends."""
    if span.is_log:
        return float(span.low * (span.high / span.low) ** share)
    return span.low + share * (span.high - span.low)


def _steps(path: str, low: float, high: float, step: float) -> Choices:
    """Counted in decimal numbers, so that 0.05 + 0.05 + 0.05 is 0.15."""
    if step <= 0:
        raise SweepError(f"{path}: step {step:g}: must be greater than 0")
    if (high - low) / step >= MAX_VALUES:
        raise SweepError(f"{path}: step {step:g}: gives more than {MAX_VALUES:,} values, the most that are tried")
    first, last, width = (Decimal(repr(number)) for number in (low, high, step))
    return choices(path, [_plain(first + index * width) for index in range(int((last - first) / width) + 1)])


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _end(value: float, is_whole: bool) -> str:
    """The shortest text that is read as this number again: `0.1`, `32`."""
    return str(int(value)) if is_whole else repr(value).removesuffix(".0")
