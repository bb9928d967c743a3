"""Rows as aligned text, Markdown and CSV."""

import csv
import io
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.analysis import markdown as escaped
from mnist_tui.table import MAX_CELL, aligned, as_csv, cut_apart, markdown
from mnist_tui.text import cell_width


def test_text_is_aligned_in_terminal_cells() -> None:
    """Two spaces between columns, which are as wide as their widest cell; a wide character takes two cells."""
    rows = [["name", "params", ""], ["数字", "7", "x"], ["é́t", "18,422", ""], ["  in", "1e5", "0123"]]

    assert aligned(rows, [False, True, False]) == [
        "name  params",
        "数字       7  x",
        "é́t    18,422",
        "  in     1e5  0123",
    ]


def test_text_is_cut_to_the_widest_cell() -> None:
    """With an ellipsis, at 40 terminal cells or at another width."""
    assert aligned([["x" * 50, "y"]], [False, False]) == ["x" * (MAX_CELL - 1) + "…  y"]
    assert aligned([["数" * 30, "y"]], [False, False]) == ["数" * 19 + "…   y"]
    assert aligned([["x" * 50, "y"]], [False, False], max_cell=60) == ["x" * 50 + "  y"]


def test_texts_that_begin_alike_are_cut_apart() -> None:
    """Also in different columns; what is the same, or can be told by its beginning, is cut at its end."""
    affine, other = "RandomAffine(8, translate=(0.08, 0.08), shear=5)", "CenterCrop(22) and " + "x" * 40
    rows = [[affine, f"{affine}, Elastic(34.0)"], [affine, other], [f"{affine}, Elastic(8.0)", "short"]]

    assert aligned(rows, [False, False], 32) == [
        "…, shear=5)                …, shear=5), Elastic(34.0)",
        "…, shear=5)                CenterCrop(22) and xxxxxxxxxxxx…",
        "…, shear=5), Elastic(8.0)  short",
    ]


@pytest.mark.parametrize("width", [1, 2, 5, 40])
def test_any_texts_are_cut_apart(width: int) -> None:
    """Those that differ by a sign anywhere, in one cell or two, stay different if there is room for it."""
    texts = [f"{'a数é́' * place}{sign}{'b数é́' * (9 - place)}" for place in range(10) for sign in "xyz数"]
    shown = cut_apart(texts, width)

    assert all(cell_width(text) <= width for text in shown.values())
    assert width < 40 or len(set(shown.values())) == len(texts)


CELLS = st.lists(st.lists(st.text(max_size=50), min_size=3, max_size=3), min_size=1, max_size=6)


@given(CELLS)
def test_any_text_stays_on_its_line(rows: list[list[str]]) -> None:
    """Whatever a cell holds: a line for each row, without control characters and spaces at its end."""
    lines = aligned(rows, [False, True, False])

    assert len(lines) == len(rows)
    assert all(line == line.rstrip() and "\n" not in line and "\x1b" not in line for line in lines)
    assert max(map(cell_width, lines)) <= 3 * MAX_CELL + 4


@given(CELLS)
def test_any_text_stays_in_its_cell_of_markdown(rows: list[list[str]]) -> None:
    """Every line has as many bars that are not escaped as the heading."""
    lines = escaped.table(rows, [False, True, False])

    assert len(lines) == len(rows) + 1
    assert {line.replace("\\\\", "").replace("\\|", "").count("|") for line in lines} == {4}


def test_markdown_says_how_columns_are_aligned() -> None:
    """As `tabulate` and pandas write it; markup of the caller stays, a bar is escaped."""
    assert markdown([["name", "best"], ["**a**|b", "99.4"]], [False, True]) == [
        "| name     |   best |",
        "|:---------|-------:|",
        "| **a**\\|b |   99.4 |",
    ]


def test_csv_has_raw_values() -> None:
    """All digits, empty cells for what is not there or not finite, JSON's booleans, lists with spaces."""
    record = {"a": 0.1 + 0.2, "b": None, "c": True, "d": [1, 2], "e": {"f": -3}, "g": math.nan, "h": 'say "x", y'}
    text = as_csv([record, {}], ["a", "b", "c", "d", "e.f", "g", "h", "nothing.there"])

    assert text == ('a,b,c,d,e.f,g,h,nothing.there\n0.30000000000000004,,true,1 2,-3,,"say ""x"", y",\n,,,,,,,\n')


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("  =1", "'  =1"),
        (["=1", "x"], "'=1 x"),
        (["x", "=1"], "x =1"),
        ("\t=1", "\ufffd=1"),
        ("\r\n=1", "\ufffd =1"),
        ("a=1", "a=1"),
        (-1, "-1"),
        (-0.5, "-0.5"),
        (-math.inf, ""),
    ],
)
def test_csv_is_no_spreadsheet_formula(value: Any, cell: str) -> None:
    """A text from outside is never computed; a number stays one."""
    ((shown,),) = csv.reader(io.StringIO(as_csv([{"x": value}], ["x"]).removeprefix("x\n") or "\n"))

    assert shown == cell


@given(st.lists(st.text(max_size=20), min_size=2, max_size=2))
def test_any_text_stays_in_its_cell_of_csv(cells: list[str]) -> None:
    """One line, two cells, none of which a spreadsheet computes."""
    lines = list(csv.reader(io.StringIO(as_csv([dict(zip("ab", cells, strict=True))], ["a", "b"]))))

    assert [len(line) for line in lines] == [2, 2]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in lines[1])
