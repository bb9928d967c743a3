"""Which columns of the table of runs have room, and how wide they are."""

from collections.abc import Sequence
from dataclasses import dataclass

GAP = 2
"""Cells between two columns."""
SPARED = ("note", "id", "epochs", "gap", "last", "tag", "when", "parameters", "target", "curve", "seed")
"""The columns that are left out, one after the other, where there is no room for all; the others stay."""


@dataclass(frozen=True)
class ColumnWidth:
    """The cells that a column would take, and the fewest in which it can be read."""

    key: str
    most: int
    least: int


def fit(columns: Sequence[ColumnWidth], room: int, kept: str = "") -> dict[str, int]:
    """The columns that are shown in `room` cells, in their order, with their widths; `kept` is one of them.

    Columns become narrow first, then those of `SPARED` are left out. Where the rest still has no room, it is wider.
    """
    fitting = list(columns)
    for key in SPARED:
        if _total(fitting) > room and key != kept:
            fitting = [column for column in fitting if column.key != key]
    widths = {column.key: column.least for column in fitting}
    spare = room - _total(fitting)
    for column in sorted(fitting, key=_rank):
        extra = max(0, min(column.most - column.least, spare))
        widths[column.key] += extra
        spare -= extra
    return widths


def _total(columns: Sequence[ColumnWidth]) -> int:
    return sum(column.least + GAP for column in columns) - GAP


def _rank(column: ColumnWidth) -> int:
    """Small for the columns that become wide first."""
    return -SPARED.index(column.key) if column.key in SPARED else -len(SPARED)
