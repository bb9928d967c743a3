"""The small language that chooses runs: `(iter4 or iter5) params<20000 acc>99.4 opt:sgd tag:x -state:failed`.

A word without a sign matches a part of the name, or is a pattern with * and ?; `key:word` matches a part of that
column, and `key<number` compares. Accuracies may be written as fractions or in percent. How words are joined is in
filter_syntax.py: `-` and `not` bind closest, then words beside each other, which must all hold, then `or`.
"""

import math
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from mnist_tui.errors import ColumnError, FilterError
from mnist_tui.runs import columns
from mnist_tui.runs.columns import Column
from mnist_tui.runs.filter_syntax import IN_WORD, And, Not, Or, Tree, Word, parse
from mnist_tui.runs.record import Run
from mnist_tui.text import as_name, clean_line

Test = Callable[[Run], bool]

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12),
    "!=": lambda a, b: not math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12),
}
EXAMPLES = {"parameters": "20000", "lr": "0.001", "gap": "0.5"}
"""Example values for columns that are neither accuracies nor counts of epochs."""
MAX_PATTERN = 300
"""Characters of a pattern: names are shorter, and the time to compile one grows with the square of its length."""
_TERM = re.compile(r"(?:([A-Za-z_]+)(<=|>=|!=|<|>|=|:))?(.*)", re.DOTALL)

SIGNS = {
    "|": "write 'or' between two conditions, as in: iter4 or iter5",
    "&": "conditions beside each other must all hold; write a space in place of the &",
    "(": IN_WORD,
    ")": IN_WORD,
    "<": "which column is compared? write it before the sign, without a space: params<20000",
    ">": "which column is compared? write it before the sign, without a space: acc>99.4",
    "=": "which column is compared? write it before the sign, without a space: seed=1",
    ":": "which column is searched? write it before the sign, without a space: opt:sgd",
}
"""Signs that are in no name, and what to write instead."""


def choose(runs: Sequence[Run], text: str) -> list[Run]:
    """The runs that a filter chooses, in their order; an empty one chooses all. Raises `FilterError`."""
    test = _test(parse(text))
    return [run for run in runs if test(run)]


def _test(tree: Tree) -> Test:
    """A function that tells whether a filter chooses a run."""
    match tree:
        case Word():
            return _word_test(tree)
        case Not(part):
            test = _test(part)
            return lambda run: not test(run)
        case And(parts):
            tests = [_test(part) for part in parts]
            return lambda run: all(test(run) for test in tests)
        case Or(parts):
            tests = [_test(part) for part in parts]
            return lambda run: any(test(run) for test in tests)


def _word_test(word: Word) -> Test:
    match = _TERM.fullmatch(word.text)
    assert match is not None  # The last part takes whatever there is.
    key, sign, value = match.groups()
    if key is None:
        if not word.is_quoted:
            _check_name(value)
        return _name_test(value)
    try:
        column = columns.column(key.lower())
    except ColumnError as error:
        raise FilterError(f"{clean_line(word.text, 60)}: {error}") from None
    return _column_test(column, sign, value, word.text)


def _check_name(value: str) -> None:
    """Raises `FilterError` for a sign that is in no name: as part of one it would silently choose nothing."""
    if sign := next((sign for sign in SIGNS if sign in value), None):
        raise FilterError(f"{clean_line(value, 60)}: {SIGNS[sign]}")


def _name_test(value: str) -> Test:
    matches = _matcher(value)
    return lambda run: matches(run.name.lower()) or matches(run.id.lower())


def _matcher(value: str) -> Callable[[str], bool]:
    """A test whether a text contains `value` or, where it is a pattern, matches it; case is ignored.

    Raises `FilterError` for a pattern that is too long.
    """
    pattern = as_name(value).lower()
    if any(sign in pattern for sign in "*?["):
        if len(pattern) > MAX_PATTERN:
            raise FilterError(f"{clean_line(value, 60)}: a pattern has at most {MAX_PATTERN} characters")
        return lambda text: fnmatchcase(text, pattern)
    return lambda text: pattern in text


def _column_test(column: Column, sign: str, value: str, word: str) -> Test:
    if not value:
        raise FilterError(f"{clean_line(word, 60)}: what should {column.key} be? write it after the {sign}")
    if column.is_number and sign != ":":
        return _number_test(column, sign, value, word)
    if sign not in (":", "=", "!="):
        raise FilterError(f"{clean_line(word, 60)}: {column.key} is not a number; write {column.key}:WORD")
    return _text_test(column, sign, value)


def _number_test(column: Column, sign: str, value: str, word: str) -> Test:
    try:
        number = float(value.replace("_", "").removesuffix("%"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        example = EXAMPLES.get(column.key, "99.4" if column.is_accuracy else "20")
        raise FilterError(f"{clean_line(word, 60)}: enter a number such as {column.key}{sign}{example}")
    if column.key in ("best", "last", "mean") and (number > 1 or value.endswith("%")):
        number /= 100  # 99.4 is meant in percent.
    elif column.key == "gap":
        number /= 100  # The table shows points.
    compare = COMPARISONS[sign]

    def test(run: Run) -> bool:
        actual = column.value(run)
        return isinstance(actual, int | float) and compare(actual, number)

    return test


def _text_test(column: Column, sign: str, value: str) -> Test:
    matches = _matcher(value)

    def test(run: Run) -> bool:
        actual = column.value(run)
        values = actual if isinstance(actual, tuple) else () if actual is None else (actual,)
        texts = [
            each if isinstance(each, str) else column.text((each,) if actual is values else each) for each in values
        ]
        if sign == ":":
            return any(matches(text.lower()) for text in texts)
        return any(text.lower() == as_name(value).lower() for text in texts) is (sign == "=")

    return test
