"""What Runs and Compare look at together: the runs, the filter, the order, and the rows that are marked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mnist_tui.analysis import comparison
from mnist_tui.analysis.comparison import Side
from mnist_tui.runs import columns, filters
from mnist_tui.runs.index import Runs, grouped
from mnist_tui.runs.record import Run
from mnist_tui.settings.settings import Settings

Group = Sequence[Run]
"""A row of the table: one run, or the seeds of one recipe."""
Names = tuple[str, ...]
"""The folders of a row, which stay the same when its runs are read again."""

COLOURS = (
    ("#e69f00", "#b06000"),
    ("#56b4e9", "#0072b2"),
    ("#cc79a7", "#9c3f76"),
    ("#2fbf8f", "#00735a"),
    ("#ff7f50", "#c23b00"),
    ("#b3b3b3", "#5c5c5c"),
    ("#d6cf3a", "#7a7400"),
)
"""Okabe and Ito's palette, for the dark theme and darkened for the light one; a marked row keeps its colour."""
MARKERS = ("●", "■", "▲", "◆", "✕", "○", "□", "△", "◇", "+", "★")
ASCII_MARKERS = ("o", "x", "+", "#", "%", "@", "=", "&", "$", "~", "^")


@dataclass
class Shelf:
    """The state of both modes."""

    runs: Runs
    columns: tuple[str, ...] = Settings.columns
    sort: str = Settings.sort
    filter: str = ""
    is_grouped: bool = False
    slots: dict[Names, int] = field(default_factory=dict)
    """The marked rows, in the order in which they were marked, with the number of their colour and marker."""

    @property
    def sort_key(self) -> str:
        """The key of the column that the rows are sorted by; raises `ColumnError`."""
        return columns.column(self.sort.removeprefix("-")).key

    @property
    def is_falling(self) -> bool:
        """Whether the highest or newest row comes first."""
        return self.sort.startswith("-")

    def arrow(self, ascii_only: bool) -> str:
        """The sign of the order."""
        falling, rising = ("v", "^") if ascii_only else ("▾", "▴")
        return falling if self.is_falling else rising

    def sort_by(self, key: str) -> None:
        """Sorts by a column; by the one that the rows are sorted by already, the other way round."""
        is_falling = not self.is_falling if key == self.sort_key else columns.column(key).is_falling
        self.sort = f"-{key}" if is_falling else key

    def rows(self) -> list[Group]:
        """What the table shows; raises `FilterError` and `ColumnError`."""
        chosen = filters.choose(self.runs.all, self.filter)
        groups: list[Group] = list(grouped(chosen)) if self.is_grouped else [[run] for run in chosen]
        return columns.ordered(groups, self.sort)

    def mark(self, group: Group) -> None:
        """Marks a row, or takes its mark away; a free colour is taken first."""
        names = names_of(group)
        if self.slots.pop(names, None) is None:
            taken = set(self.slots.values())
            self.slots[names] = next(slot for slot in range(len(taken) + 1) if slot not in taken)

    def slot(self, group: Group) -> int | None:
        """The number of a row's colour and marker; None where it is not marked."""
        return self.slots.get(names_of(group))

    def sides(self) -> list[tuple[int, Side]]:
        """The marked rows with their slots, as they are now; those that are gone are left out."""
        by_name = {run.id: run for run in self.runs.all}
        groups = [[by_name[name] for name in names if name in by_name] for names in self.slots]
        found = [(slot, group) for slot, group in zip(self.slots.values(), groups, strict=True) if group]
        labelled = comparison.labelled([group for _, group in found])
        return [(slot, side) for (slot, _), side in zip(found, labelled, strict=True)]


def names_of(group: Group) -> Names:
    """The names of its folders."""
    return tuple([run.id for run in group])


def colour(slot: int, is_dark: bool) -> str:
    """A colour that the slot has in a theme."""
    return COLOURS[slot % len(COLOURS)][0 if is_dark else 1]


def marker(slot: int, ascii_only: bool) -> str:
    """The character that a slot has, so that no line is told by its colour alone."""
    return (ASCII_MARKERS if ascii_only else MARKERS)[slot % len(MARKERS)]
