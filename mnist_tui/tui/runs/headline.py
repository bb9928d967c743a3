"""The parts of the headline of Runs."""

from collections.abc import Sequence

from mnist_tui.runs import columns
from mnist_tui.runs.columns import Column
from mnist_tui.tui.runs.selection import RunGroup, RunSelection


def headline_parts(selection: RunSelection, rows: Sequence[RunGroup], left_out: Sequence[Column]) -> list[str]:
    """Facts about the rows that the filter selects, the most important first; "" for one that does not hold.

    `left_out` are the columns that the table has no room for.
    """
    others = sum(columns.is_on_other_data(group[0]) for group in rows if group[0].is_run)
    imported = sum(group[0].is_imported for group in rows)
    reference_runs = sum(run.is_reference for run in selection.all)
    marked = len(selection.colors)
    headings = ", ".join(column.heading for column in left_out)
    return [
        f"{_count(len(rows), 'row')} of {_count(len(selection.all), 'folder')}",
        f"{reference_runs:,} reference" if selection.has_reference else "",
        f"{others:,} not MNIST" if others else "",
        f"{imported:,} imported" if imported else "",
        f"{marked} marked, 3 compares them" if marked else "",
        str(selection.runs.runs_dir),
        f"no room for {headings}" if headings else "",
    ]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
