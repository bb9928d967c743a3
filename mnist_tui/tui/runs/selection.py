"""The state that Runs and Compare share: the runs, the filter, the order, and the marked rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mnist_tui.analysis import comparison
from mnist_tui.analysis.comparison import Arm
from mnist_tui.runs import columns, filters, reference
from mnist_tui.runs.index import RunIndex, grouped
from mnist_tui.runs.record import Run
from mnist_tui.settings.model import DEFAULTS

RunGroup = Sequence[Run]
"""A row of the table: one run, or the seeds of one recipe."""
Names = tuple[str, ...]
"""The folders of a row, which stay the same when its runs are read again."""


@dataclass
class RunSelection:
    """The state of both modes."""

    runs: RunIndex
    """Those of the runs directory."""
    columns: tuple[str, ...] = DEFAULTS.columns
    sort: str = DEFAULTS.sort
    filter: str = ""
    is_grouped: bool = False
    colors: dict[Names, int] = field(default_factory=dict)
    """The color index of each marked row, in the order in which they were marked."""
    reference: RunIndex = field(default_factory=lambda: RunIndex(reference.runs_dir()))
    """The reference runs, read when they are shown for the first time."""
    has_reference: bool = False
    """Whether the reference runs are listed behind the others."""

    @property
    def all(self) -> list[Run]:
        """The runs that are listed."""
        return [*self.runs.all, *self.reference.all] if self.has_reference else self.runs.all

    def beside(self, run: Run) -> list[Run]:
        """The runs that a run is compared with: all others of its runs directory."""
        return self.reference.all if run.is_reference else self.runs.all

    def refresh(self) -> None:
        """Reads the folders that changed; raises `StorageError` where a runs directory cannot be read."""
        self.runs.refresh()
        if self.has_reference:
            self.reference.refresh()

    def read_ahead(self) -> None:
        """Reads what filters, groups and rows will ask, as `RunIndex.read_ahead`."""
        self.runs.read_ahead()
        self.reference.read_ahead()

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

    def rows(self) -> list[RunGroup]:
        """What the table shows; raises `FilterError` and `ColumnError`."""
        runs = filters.choose(self.all, self.filter)
        groups: list[RunGroup] = list(grouped(runs)) if self.is_grouped else [[run] for run in runs]
        return columns.ordered(groups, self.sort)

    def mark(self, group: RunGroup) -> None:
        """Marks a row, or takes its mark away; a free colour is taken first."""
        names = names_of(group)
        if self.colors.pop(names, None) is None:
            taken = set(self.colors.values())
            self.colors[names] = next(color for color in range(len(taken) + 1) if color not in taken)

    def color(self, group: RunGroup) -> int | None:
        """The color index of a row; None for a row that is not marked."""
        return self.colors.get(names_of(group))

    def marked_runs(self) -> list[Run]:
        """The runs of the marked rows, in the order in which they were marked, without those whose folders are gone."""
        by_name = self._by_name()
        return [by_name[name] for names in self.colors for name in names if name in by_name]

    def arms(self) -> list[tuple[int, Arm]]:
        """The marked rows with their color index, without those whose folders are gone."""
        by_name = self._by_name()
        groups = [[by_name[name] for name in names if name in by_name] for names in self.colors]
        marked = [(color, group) for color, group in zip(self.colors.values(), groups, strict=True) if group]
        labelled = comparison.labelled([group for _, group in marked])
        return [(color, arm) for (color, _), arm in zip(marked, labelled, strict=True)]

    def _by_name(self) -> dict[str, Run]:
        """Every run that can be marked; a mark on a reference run stays when those are hidden."""
        return {run.id: run for run in (*self.runs.all, *self.reference.all)}


def names_of(group: RunGroup) -> Names:
    """The names of the folders of a row."""
    return tuple([run.id for run in group])
