"""Where the headings and the cells of a confusion matrix are, and which of them are drawn where not all have room."""

from dataclasses import dataclass
from functools import cached_property

ROW_HEADING = 7
"""Cells of a row's heading beside the number and the name of the class: the word `true`, and blanks."""
HEADER_LINES = 2
NARROWEST, WIDEST = 4, 12
"""Cells of a column."""
RECALL = 6
"""Cells that `recall` and 100.0% need."""


@dataclass(frozen=True)
class MatrixLayout:
    """The matrix of `count` classes in `width` cells and `height` lines. The rows and columns drawn hold the cursor."""

    width: int
    height: int
    count: int
    row_height: int
    """In lines."""
    longest_name: int = 0
    """Cells of the names of the classes; 0 where they have none."""
    longest_number: int = 0
    """Cells of the numbers, beside which there is a blank."""
    cursor: tuple[int, int] = (0, 0)
    """True and predicted class."""
    first: tuple[int, int] = (0, 0)
    """The row and the column that were drawn first, and are again where the cursor allows it."""

    @property
    def label_width(self) -> int:
        """Cells of the number of a class."""
        return len(str(self.count - 1))

    @cached_property
    def heading_width(self) -> int:
        """Cells of the headings of the rows."""
        return ROW_HEADING + self.label_width + (self.longest_name + 1 if self.longest_name else 0)

    @cached_property
    def cell_width(self) -> int:
        """Cells of a column, as many as leave room for all columns and the recall behind them."""
        fitting = (self.width - self.heading_width) // (self.count + 1)
        return max(NARROWEST, self.longest_number + 1, min(WIDEST, fitting))

    @cached_property
    def rows(self) -> range:
        """The true classes that are drawn."""
        room = (self.height - HEADER_LINES) // self.row_height
        return _range_with(self.cursor[0], self.first[0], room, self.count)

    @cached_property
    def columns(self) -> range:
        """The predicted classes that are drawn."""
        room = (self.width - self.heading_width) // self.cell_width
        return _range_with(self.cursor[1], self.first[1], room, self.count)

    @cached_property
    def recall_width(self) -> int:
        """Cells of the recall behind the columns; 0 where there is no room for it, or not for all columns."""
        room = self.width - self.heading_width - self.count * self.cell_width
        return min(self.cell_width + 1, room) if room >= min(self.cell_width + 1, RECALL) else 0

    def cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        """The true and the predicted class of the cell that is drawn at a place; None beside the cells."""
        label = self.rows.start + (y - HEADER_LINES) // self.row_height
        prediction = self.columns.start + (x - self.heading_width) // self.cell_width
        return (label, prediction) if label in self.rows and prediction in self.columns else None


def _range_with(cursor: int, first: int, room: int, count: int) -> range:
    """As many of `count` numbers as there is room for, the cursor among them, from `first` on or as near as that is."""
    shown = min(count, max(1, room))
    start = min(max(first, cursor - shown + 1), cursor, count - shown)
    return range(start, start + shown)
