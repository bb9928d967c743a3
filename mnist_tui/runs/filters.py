"""The small language that chooses runs: `iter* params<20000 acc>0.994 opt:sgd tag:x state:failed -note:old`.

A run is chosen where every word of the filter holds; `or` and brackets are refused. A word without a sign matches a
part of the name, or is a pattern with * and ?; `key:word` matches a part of that column, `key<number` compares, and `-`
before a word negates it. Accuracies may be written as fractions or in percent. Quotes hold words together.
"""

import math
import re
import shlex
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from mnist_tui.errors import ColumnError, FilterError
from mnist_tui.runs import columns
from mnist_tui.runs.columns import Column
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
_TERM = re.compile(r"(-?)(?:([A-Za-z_]+)(<=|>=|!=|<|>|=|:))?(.*)", re.DOTALL)


_AND = "a filter needs no 'and': every word must hold; leave it out"
_OR = "a filter has no 'or': every word must hold; a pattern such as iter[45] chooses several names"
_NOT = "a filter has no 'not': put a minus before the word, as in -state:failed"
_BRACKETS = "a filter has no brackets: every word must hold; a minus before a word excludes what it chooses"
OPERATORS = {"and": _AND, "&": _AND, "or": _OR, "|": _OR, "not": _NOT, "(": _BRACKETS, ")": _BRACKETS}
"""Operators of other filter languages, and what to write instead."""


def choose(runs: Sequence[Run], text: str) -> list[Run]:
    """The runs that a filter chooses, in their order; an empty one chooses all. Raises `FilterError`."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise FilterError(f"{clean_line(text, 60)}: a quotation mark is not closed") from None
    kept = list(runs)
    for test in [_term(word) for word in words]:
        kept = [run for run in kept if test(run)]
    return kept


def _term(word: str) -> Test:
    match = _TERM.fullmatch(word)
    assert match is not None  # The last part takes whatever there is.
    minus, key, sign, value = match.groups()
    if key is None:
        _check_name(value, word)
        test = _name_test(value)
    else:
        try:
            column = columns.column(key.lower())
        except ColumnError as error:
            raise FilterError(f"{clean_line(word, 60)}: {error}") from None
        test = _column_test(column, sign, value, word)
    return (lambda run: not test(run)) if minus else test


def _check_name(value: str, word: str) -> None:
    """Raises `FilterError` for an operator of another language: as part of a name it would silently choose nothing.

    A preset with such a name is found by `name:`.
    """
    sign = next((sign for sign in "&|()" if sign in value), value.lower())
    if sign in OPERATORS:
        raise FilterError(f"{clean_line(word, 60)}: {OPERATORS[sign]}")


def _name_test(value: str) -> Test:
    matches = _matcher(value)
    return lambda run: matches(run.name.lower()) or matches(run.id.lower())


def _matcher(value: str) -> Callable[[str], bool]:
    """A test whether a text contains `value` or, where it is a pattern, matches it; case is ignored."""
    pattern = as_name(value).lower()
    if any(sign in pattern for sign in "*?["):
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
