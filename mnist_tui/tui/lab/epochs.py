"""The epoch log: a row an epoch, the newest in sight, as many columns as there is room for."""

from collections.abc import Mapping, Sequence

from rich.text import Text
from textual import events
from textual.widgets import DataTable

from mnist_tui.runs import metrics
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.metrics import Metric

EPOCH = "epoch"
EPOCH_CELLS = 5
"""Characters of an epoch's number with its marks."""
PADDING = 2
"""Cells of a column beside its text."""
FULL_RANK = 5
"""From this rank on several losses are shown, so that each is called by its full heading."""


def columns(width: int, measured: Sequence[Metric]) -> dict[str, Metric | None]:
    """The columns that have room, by their headings, in their order; the first is the epoch, which is no metric."""
    ranks = sorted({metric.rank for metric in measured}, reverse=True)
    layouts = ({EPOCH: None, **_headings(measured, rank)} for rank in ranks)
    return next((layout for layout in layouts if _cells(layout) <= width), {EPOCH: None, **_headings(measured, 0)})


def _headings(measured: Sequence[Metric], highest_rank: int) -> dict[str, Metric]:
    """The metrics up to a rank, by their headings."""
    is_narrow = highest_rank < FULL_RANK
    return {
        (is_narrow and metric.narrow_heading) or metric.log_heading: metric
        for metric in measured
        if metric.rank <= highest_rank
    }


def _cells(layout: Mapping[str, Metric | None]) -> int:
    """The cells that columns take, their padding included."""
    numbers = {heading: metric.cells if metric else EPOCH_CELLS for heading, metric in layout.items()}
    return sum(max(len(heading), cells) + PADDING for heading, cells in numbers.items())


def cell(metric: Metric | None, row: EpochEnded, is_best: bool) -> str:
    """The text in a column of an epoch; without a metric the epoch's number with its marks."""
    if metric is None:
        return f"{row.epoch}{'!' if row.steered else ''}{'*' if is_best else ' '}"
    return metric.number(metric.of(row))


class EpochTable(DataTable[Text]):
    """Epochs as they end; `*` marks the best, `!` a learning rate that was changed by hand."""

    DEFAULT_CSS = "EpochTable { height: 1fr; scrollbar-size-horizontal: 0; background: $surface; }"

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=True, cell_padding=1)
        self._rows: list[EpochEnded] = []
        self._best: EpochEnded | None = None
        self._columns: dict[str, Metric | None] = {}

    def on_resize(self, event: events.Resize) -> None:
        if self._fitting_columns(event.size.width) != self._columns:
            self._fill()

    def show(self, rows: Sequence[EpochEnded], best: EpochEnded | None = None) -> None:
        """Shows the epochs of another run."""
        self._rows, self._best = list(rows), best
        self._fill()

    def add(self, row: EpochEnded, best: EpochEnded | None) -> None:
        """Adds an epoch; an epoch that is there already is shown anew."""
        is_next = not self._rows or row.epoch > self._rows[-1].epoch
        previous_best, self._best = self._best, best
        self._rows = [old for old in self._rows if old.epoch != row.epoch] + [row]
        if not is_next or self._fitting_columns(self.size.width) != self._columns:
            self._fill()
            return
        self._add_row(row)
        if previous_best is not None and previous_best is not best:
            for heading, metric in self._columns.items():
                self.update_cell(str(previous_best.epoch), heading, self._cell(metric, previous_best))
        self.move_cursor(row=len(self._rows) - 1)

    def _fitting_columns(self, width: int) -> dict[str, Metric | None]:
        return columns(width, metrics.measured(self._rows[-1:]))  # The epochs of a run measure the same.

    def _fill(self) -> None:
        self._columns = self._fitting_columns(self.size.width)
        self.clear(columns=True)
        for heading in self._columns:
            self.add_column(Text(heading, justify="right"), key=heading)
        for row in self._rows:
            self._add_row(row)
        if self._rows:
            self.move_cursor(row=len(self._rows) - 1)

    def _add_row(self, row: EpochEnded) -> None:
        self.add_row(*(self._cell(metric, row) for metric in self._columns.values()), key=str(row.epoch))

    def _cell(self, metric: Metric | None, row: EpochEnded) -> Text:
        is_best = self._best is not None and row.epoch == self._best.epoch
        return Text(cell(metric, row, is_best), "bold" if is_best else "", justify="right")
