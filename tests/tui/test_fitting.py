"""Which columns of the table of runs have room, and how wide they are."""

from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.tui.runs.fitting import GAP, SPARED, ColumnWidth, fit

TABLE = [
    ColumnWidth("name", 16, 8),
    ColumnWidth("state", 11, 11),
    ColumnWidth("curve", 20, 10),
    ColumnWidth("best", 6, 6),
    ColumnWidth("when", 16, 11),
    ColumnWidth("note", 60, 12),
]


def total(widths: dict[str, int]) -> int:
    """The cells that the columns take."""
    return sum(widths.values()) + GAP * (len(widths) - 1)


def test_columns_become_narrow_before_one_is_left_out() -> None:
    """The note first, which has what is left; then time and curve; then the note goes, and the name has room again."""
    assert fit(TABLE, 200) == {"name": 16, "state": 11, "curve": 20, "best": 6, "when": 16, "note": 60}
    assert fit(TABLE, 100) == {"name": 16, "state": 11, "curve": 20, "best": 6, "when": 16, "note": 21}
    assert fit(TABLE, 68) == {"name": 8, "state": 11, "curve": 10, "best": 6, "when": 11, "note": 12}
    assert fit(TABLE, 67) == {"name": 16, "state": 11, "curve": 15, "best": 6, "when": 11}


def test_what_is_important_stays() -> None:
    """Also where there is no room for it, and what the rows are sorted by."""
    assert list(fit(TABLE, 10)) == ["name", "state", "best"]
    assert list(fit(TABLE, 10, "note")) == ["name", "state", "best", "note"]


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 40)), min_size=3 + len(SPARED), max_size=3 + len(SPARED)),
    st.integers(1, 250),
    st.sampled_from([*SPARED, ""]),
)
def test_whatever_the_columns(widths: list[tuple[int, int]], room: int, kept: str) -> None:
    """No column is wider than it would be or narrower than it can be read; they fit, unless none could be spared."""
    keys = ["name", "state", "best", *SPARED]
    columns = [ColumnWidth(key, least + more, least) for key, (least, more) in zip(keys, widths, strict=True)]
    found = fit(columns, room, kept)

    assert list(found) == [key for key in keys if key in found]
    assert all(column.least <= found[column.key] <= column.most for column in columns if column.key in found)
    assert {"name", "state", "best", kept} - {""} <= set(found)
    assert total(found) <= room or set(found) == {"name", "state", "best", kept} - {""}
