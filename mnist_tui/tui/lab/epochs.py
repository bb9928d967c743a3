"""The epoch log: a row an epoch, the newest in sight, as many columns as there is room for."""

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.widgets import DataTable

from mnist_tui.runs.events import EpochEnded

CELLS = {
    "epoch": 7,
    "train loss": 12,
    "loss": 8,
    "train %": 9,
    "val loss": 10,
    "val %": 7,
    "test loss": 11,
    "test %": 8,
    "gap": 7,
    "rate": 9,
    "s": 6,
}
"""What a column takes, its padding included."""
SPARED = ("s", "gap", "val %")
"""The columns that go, one after the other, where even the fewest have no room."""


def columns(width: int, has_val: bool) -> list[str]:
    """The columns that have room, in their order."""
    val = ["val %"] if has_val else []
    val_loss = ["val loss"] if has_val else []
    wide = ["epoch", "train loss", "train %", *val_loss, *val, "test loss", "test %", "gap", "rate", "s"]
    middle = ["epoch", "loss", "train %", *val, "test %", "gap", "rate", "s"]
    fewest = ["epoch", "train %", *val, "test %", "gap", "s"]
    less = [[column for column in fewest if column not in SPARED[:count]] for count in range(len(SPARED) + 1)]
    fitting = (shown for shown in (wide, middle, *less) if sum(CELLS[column] for column in shown) <= width)
    return next(fitting, less[-1])


def cell(column: str, row: EpochEnded, is_best: bool) -> str:
    """What stands in a column; the gap is train minus test accuracy, in points."""
    match column:
        case "epoch":
            return f"{row.epoch}{'!' if row.steered else ''}{'*' if is_best else ' '}"
        case "train loss" | "loss":
            return f"{row.train_loss:.4f}"
        case "train %":
            return f"{100 * row.train_accuracy:.2f}"
        case "val loss":
            return "" if row.val_loss is None else f"{row.val_loss:.4f}"
        case "val %":
            return "" if row.val_accuracy is None else f"{100 * row.val_accuracy:.2f}"
        case "test loss":
            return f"{row.test_loss:.4f}"
        case "test %":
            return f"{100 * row.test_accuracy:.2f}"
        case "gap":
            return f"{100 * (row.train_accuracy - row.test_accuracy):+.2f}"
        case "rate":
            return f"{row.learning_rate:.3g}"
        case _:
            return f"{row.seconds:.1f}"


class EpochTable(DataTable[Text]):
    """Epochs as they end; `*` marks the best, `!` a learning rate that was changed by hand."""

    DEFAULT_CSS = "EpochTable { height: 1fr; scrollbar-size-horizontal: 0; background: $surface; }"

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=True, cell_padding=1)
        self._rows: list[EpochEnded] = []
        self._best: EpochEnded | None = None
        self._shown: list[str] = []

    def on_resize(self, event: events.Resize) -> None:
        if columns(event.size.width, self._has_val()) != self._shown:
            self._fill()

    def show(self, rows: Sequence[EpochEnded], best: EpochEnded | None = None) -> None:
        """Shows the epochs of another run."""
        self._rows, self._best = list(rows), best
        self._fill()

    def add(self, row: EpochEnded, best: EpochEnded | None) -> None:
        """Adds an epoch; an epoch that is there already is shown anew."""
        is_next = not self._rows or row.epoch > self._rows[-1].epoch
        before, self._best = self._best, best
        self._rows = [old for old in self._rows if old.epoch != row.epoch] + [row]
        if not is_next or columns(self.size.width, self._has_val()) != self._shown:
            self._fill()
            return
        self._add_row(row)
        if before is not None and before is not best:
            for column in self._shown:
                self.update_cell(str(before.epoch), column, self._cell(column, before))
        self.move_cursor(row=len(self._rows) - 1)

    def _has_val(self) -> bool:
        return any(row.val_accuracy is not None for row in self._rows)

    def _fill(self) -> None:
        self._shown = columns(self.size.width, self._has_val())
        self.clear(columns=True)
        for column in self._shown:
            self.add_column(Text(column, justify="right"), key=column)
        for row in self._rows:
            self._add_row(row)
        if self._rows:
            self.move_cursor(row=len(self._rows) - 1)

    def _add_row(self, row: EpochEnded) -> None:
        self.add_row(*(self._cell(column, row) for column in self._shown), key=str(row.epoch))

    def _cell(self, column: str, row: EpochEnded) -> Text:
        is_best = self._best is not None and row.epoch == self._best.epoch
        return Text(cell(column, row, is_best), "bold" if is_best else "", justify="right")
