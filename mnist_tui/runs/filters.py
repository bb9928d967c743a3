"""The small language that chooses runs: `iter* params<20000 acc>0.994 opt:sgd tag:x state:failed -note:old`.

Every word must hold; `or`, brackets and their like are refused. A word without a sign is a part of the name, or a
pattern with * and ?; `key:word` is a part of that column, `key<number` and its like compare, and `-` before a word
takes it away. Accuracies may be written as fractions or in percent. Quotes hold words together.
"""

import math
import re
import shlex
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from mnist_tui.errors import ColumnError, FilterError
from mnist_tui.runs.columns import Column, column
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
"""Numbers of columns that are neither accuracies nor counts of epochs."""
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
    chosen = list(runs)
    for test in [_term(word) for word in words]:
        chosen = [run for run in chosen if test(run)]
    return chosen


def _term(word: str) -> Test:
    match = _TERM.fullmatch(word)
    assert match is not None  # The last part takes whatever there is.
    minus, key, sign, value = match.groups()
    if key is None:
        _check_name(value, word)
        test = _name_test(value)
    else:
        try:
            found = column(key.lower())
        except ColumnError as error:
            raise FilterError(f"{clean_line(word, 60)}: {error}") from None
        test = _column_test(found, sign, value, word)
    return (lambda run: not test(run)) if minus else test


def _check_name(value: str, word: str) -> None:
    """Refuses an operator of another language: as a part of a name it would choose nothing, without a word.

    A preset with such a name is found by `name:`.
    """
    sign = next((sign for sign in "&|()" if sign in value), value.lower())
    if sign in OPERATORS:
        raise FilterError(f"{clean_line(word, 60)}: {OPERATORS[sign]}")


def _name_test(value: str) -> Test:
    matches = _matcher(value)
    return lambda run: matches(run.name.lower()) or matches(run.id.lower())


def _matcher(value: str) -> Callable[[str], bool]:
    """Whether a text has `value` in it or, where it is a pattern, is like it; small letters are like capitals."""
    wanted = as_name(value).lower()
    if any(sign in wanted for sign in "*?["):
        return lambda text: fnmatchcase(text, wanted)
    return lambda text: wanted in text


def _column_test(found: Column, sign: str, value: str, word: str) -> Test:
    if not value:
        raise FilterError(f"{clean_line(word, 60)}: what should {found.key} be? write it after the {sign}")
    if found.is_number and sign != ":":
        return _number_test(found, sign, value, word)
    if sign not in (":", "=", "!="):
        raise FilterError(f"{clean_line(word, 60)}: {found.key} is not a number; write {found.key}:WORD")
    return _text_test(found, sign, value)


def _number_test(found: Column, sign: str, value: str, word: str) -> Test:
    try:
        wanted = float(value.replace("_", "").removesuffix("%"))
    except ValueError:
        wanted = math.nan
    if not math.isfinite(wanted):
        example = EXAMPLES.get(found.key, "99.4" if found.is_accuracy else "20")
        raise FilterError(f"{clean_line(word, 60)}: enter a number such as {found.key}{sign}{example}")
    if found.key in ("best", "last", "mean") and (wanted > 1 or value.endswith("%")):
        wanted /= 100  # 99.4 is meant in percent.
    elif found.key == "gap":
        wanted /= 100  # As it is shown: in points.
    compare = COMPARISONS[sign]

    def test(run: Run) -> bool:
        held = found.value(run)
        return isinstance(held, int | float) and compare(held, wanted)

    return test


def _text_test(found: Column, sign: str, value: str) -> Test:
    matches = _matcher(value)

    def test(run: Run) -> bool:
        held = found.value(run)
        each = held if isinstance(held, tuple) else () if held is None else (held,)
        texts = [text if isinstance(text, str) else found.text((text,) if held is each else text) for text in each]
        if sign == ":":
            return any(matches(text.lower()) for text in texts)
        return any(text.lower() == as_name(value).lower() for text in texts) is (sign == "=")

    return test
