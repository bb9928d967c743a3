"""Python source from values: numbers, names and operations, and lines that fit."""

import pytest

from mnist_tui.export.source import WIDTH, Source, brackets, layout, value_text
from mnist_tui.spec.calls import parse


def argument(text: str) -> str:
    """The first argument of a call as source, where `drop` is a variable and `width` a number."""
    return value_text(parse(f"f({text})").args[0], {"drop": "DROP", "width": 8})


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("3", "3"),
        ("-0.5", "-0.5"),
        ("1e-05", "1e-05"),
        ("60_000", "60000"),
        ("True", "True"),
        ("None", "None"),
        ("'same'", '"same"'),
        ("[1, (2, 3)]", "(1, (2, 3))"),
        ("(1,)", "(1,)"),
        ("width", "8"),
        ("2*width+1", "17"),
        ("drop", "DROP"),
        ("drop/2", "DROP / 2"),
        ("(drop+1)*width", "(DROP + 1) * 8"),
        ("1-(width//3)*drop", "1 - (2 * DROP)"),
        ("(0, drop)", "(0, DROP)"),
    ],
)
def test_values(written: str, source: str) -> None:
    """Names of variables stay, all else is computed; strings are in double quotes."""
    assert argument(written) == source


def test_an_expression_that_fits_stays_on_one_line() -> None:
    """Up to the last column, with the text before and behind it and its comment."""
    call = brackets("f(", [Source("a"), Source("b").named("c")])

    assert layout(call, 4, "x = ", ",") == ["    x = f(a, c=b),"]
    long = brackets("f(", [Source("a" * (WIDTH - 4)), Source("b")])
    assert len(layout(brackets("f(", [Source("a" * (WIDTH - 3))]))[0]) == WIDTH
    assert layout(long) == ["f(", f"    {'a' * (WIDTH - 4)},", "    b,", ")"]


def test_comments_break_the_brackets_around_them() -> None:
    """A comment stands behind its item, or on a line of its own before it."""
    inner = Source("a", comment="first")
    call = brackets("f(", [inner, Source("b", above=("why",))])

    assert layout(call, 0, "x = ") == ["x = f(", "    a,  # first", "    # why", "    b,", ")"]
