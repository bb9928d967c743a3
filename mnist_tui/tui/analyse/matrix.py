"""The confusion matrix: counts, shares of each row, or the difference to another run, with a cursor over its cells.

Where there is no room for all classes, the rows and columns around the cursor are drawn, with their headings.
"""

from math import sqrt
from typing import ClassVar, Literal

from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from mnist_tui.analysis.confusion import Matrix
from mnist_tui.analysis.run_analysis import RunAnalysis
from mnist_tui.datasets.published import MNIST
from mnist_tui.text import cell_width, fitted
from mnist_tui.tui.analyse.matrix_layout import HEADER_LINES, MatrixLayout
from mnist_tui.tui.analyse.texts import class_names
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.themes import rgb

Form = Literal["counts", "shares", "difference"]
FORMS: dict[Form, str] = {
    "counts": "images",
    "shares": "percent of the true class",
    "difference": "images more (+) or fewer (-) than the baseline",
}
LONGEST_NAME = 12
"""Cells of the name of a class, where it has one."""
LEAST_ROWS = 10
"""Rows that are drawn, where the screen holds them, before the lines below the matrix get room."""
HIGHEST = 5
"""Lines of a cell."""
STRONGEST = 0.65
"""Share of the heat colour in the background of the fullest cell: more would make the number hard to read."""


class ConfusionMatrix(Widget, can_focus=True):
    """Rows of true classes by columns of predicted classes; each cell has its number, also without colours."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("enter", "show_images", "Images", tooltip="of the cell under the cursor"),
            Binding("v", "next_form", "Numbers", tooltip="counts, percent, or the difference to the baseline"),
            Binding("up,k", "move(-1, 0)", "Up", show=False),
            Binding("down,j", "move(1, 0)", "Down", show=False),
            Binding("left,h", "move(0, -1)", "Left", show=False),
            Binding("right,l", "move(0, 1)", "Right", show=False),
        ]
    )
    DEFAULT_CSS = "ConfusionMatrix { height: auto; padding: 0 1; }"
    ALLOW_SELECT: ClassVar[bool] = False

    class CellOpened(Message):
        """Request to show the images of a cell."""

        def __init__(self, label: int, prediction: int) -> None:
            super().__init__()
            self.label = label
            self.prediction = prediction

    class Moved(Message):
        """The cursor is on another cell, or the numbers have another form."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        self._analysis: RunAnalysis | None = None
        self._names: tuple[str, ...] = ()
        """Those of the classes; () where they are called by their numbers."""
        self._difference: Matrix | None = None
        self._largest_difference = 1
        self._lines = 0
        """Lines that the matrix may have beside what else is on the screen."""
        self._first = (0, 0)
        """The row and the column that were drawn first."""
        self.form: Form = "counts"
        self.cursor = (0, 0)
        """True and predicted class."""

    def show(self, analysis: RunAnalysis, difference: Matrix | None) -> None:
        """Shows a run, and its difference to a baseline; on another run the cursor starts on the most confused pair."""
        is_same = self._analysis is not None and self._analysis.run.id == analysis.run.id
        self._analysis, self._difference = analysis, difference
        self._names = class_names(analysis.run.dataset_record, len(analysis.matrix))
        self._largest_difference = max((abs(each) for row in difference or () for each in row), default=0) or 1
        if self.form == "difference" and difference is None:
            self.form = "counts"
        if analysis.pairs and not is_same:
            self.cursor = (analysis.pairs[0].label, analysis.pairs[0].prediction)
        self.refresh(layout=True)
        self.post_message(self.Moved())

    def use_lines(self, lines: int) -> None:
        """Makes the cells as high as so many lines allow, at most `HIGHEST` lines each."""
        self._lines = lines
        self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        most = max(LEAST_ROWS, (self._lines - HEADER_LINES) // self._row_height)
        return HEADER_LINES + min(self._class_count, most) * self._row_height

    @property
    def _row_height(self) -> int:
        return max(1, min(HIGHEST, (self._lines - HEADER_LINES) // self._class_count))

    @property
    def _class_count(self) -> int:
        return len(self._analysis.matrix) if self._analysis is not None else len(MNIST.classes)

    @property
    def _layout(self) -> MatrixLayout:
        return MatrixLayout(
            self.size.width,
            self.size.height,
            self._class_count,
            self._row_height,
            min(LONGEST_NAME, max(map(cell_width, self._names), default=0)),
            self._longest_number,
            self.cursor,
            self._first,
        )

    @property
    def _longest_number(self) -> int:
        """Characters of the longest count or difference; shares are rounded to the width of a cell."""
        if self._analysis is None or self.form == "shares":
            return 0
        if self.form == "difference" and self._difference is not None:
            return max(len(f"{each:+d}") for row in self._difference for each in (min(row), max(row)))
        return max(len(str(max(row))) for row in self._analysis.matrix)

    # --- the cursor ---

    def action_move(self, rows: int, columns: int) -> None:
        """Moves the cursor; at an edge it stays."""
        label, prediction = self.cursor
        self.move_to(
            min(self._class_count - 1, max(0, label + rows)), min(self._class_count - 1, max(0, prediction + columns))
        )

    def move_to(self, label: int, prediction: int) -> None:
        """Puts the cursor on a cell."""
        self.cursor = (label, prediction)
        self.refresh()
        self.post_message(self.Moved())

    def action_show_images(self) -> None:
        """Opens the images of the cell under the cursor."""
        if self._analysis is not None:
            self.post_message(self.CellOpened(*self.cursor))

    def action_next_form(self) -> None:
        """The next form of the numbers; the difference only where there is a baseline."""
        forms = [form for form in FORMS if form != "difference" or self._difference is not None]
        self.form = forms[(forms.index(self.form) + 1) % len(forms)]
        self.refresh()
        self.post_message(self.Moved())

    def on_click(self, event: Click) -> None:
        event.stop()
        content = event.get_content_offset(self)
        if content is None:
            return
        cell = self._layout.cell_at(content.x, content.y)
        if cell is not None:
            is_again = self.cursor == cell
            self.move_to(*cell)
            if is_again:
                self.action_show_images()

    # --- drawing ---

    def render(self) -> Text:
        if self._analysis is None:
            return Text()
        layout = self._layout
        self._first = layout.rows.start, layout.columns.start
        lines = self._header(layout)
        for label in layout.rows:
            lines += self._row(label, layout)
        return Text("\n", no_wrap=True).join(lines)

    def _header(self, layout: MatrixLayout) -> list[Text]:
        """What is counted, and the numbers of the predicted classes."""
        indent, columns = " " * layout.heading_width, layout.columns
        is_part = len(columns) < layout.count
        part = f" {columns.start} to {columns.stop - 1} of {layout.count}" if is_part else ""
        numbers = Text(indent, no_wrap=True)
        for prediction in columns:
            numbers.append(f"{prediction:>{layout.cell_width - 1}} ", "bold")
        if layout.recall_width:
            numbers.append(f"{'recall':>{layout.recall_width}}", "dim")
        return [Text(f"{indent}predicted{part}, in {FORMS[self.form]}", "dim", no_wrap=True), numbers]

    def _row(self, label: int, layout: MatrixLayout) -> list[Text]:
        assert self._analysis is not None
        width, cells = layout.heading_width, layout.cell_width
        name = f" {self._names[label]}" if self._names else ""
        heading = f"{'true' if label == layout.rows.start else '':>5} {label:>{layout.label_width}}{name}"
        number_line, fill_line = Text(fitted(heading, width - 1) + " ", "bold", no_wrap=True), Text(" " * width)
        for prediction in layout.columns:
            style = self._style(label, prediction)
            number_line.append(f"{self._number(label, prediction, cells - 1):>{cells - 1}} ", style)
            fill_line.append(" " * cells, style)
        if layout.recall_width:
            number_line.append(f"{self._analysis.scores[label].recall:>{layout.recall_width}.1%}", "dim")
        above = (layout.row_height - 1) // 2
        return [*[fill_line] * above, number_line, *[fill_line] * (layout.row_height - 1 - above)]

    def _number(self, label: int, prediction: int, width: int) -> str:
        """The text of a cell, in at most `width` cells: a dot for none, so that the numbers stand out."""
        analysis = self._analysis
        assert analysis is not None
        count = analysis.matrix[label][prediction]
        if self.form == "difference" and self._difference is not None:
            change = self._difference[label][prediction]
            return f"{change:+d}" if change else self._dot
        if not count:
            return self._dot
        if self.form == "counts":
            return str(count)
        percent = 100 * count / max(1, sum(analysis.matrix[label]))
        return text if len(text := f"{percent:.1f}") <= width else f"{percent:.0f}"

    @property
    def _dot(self) -> str:
        return "." if self._ascii_only else "·"

    def _style(self, label: int, prediction: int) -> Style:
        """The heat of a cell as its background; the cursor is drawn reversed, so that it is seen without colours."""
        style = Style(bgcolor=self._heat(label, prediction))
        if (label, prediction) == self.cursor:
            return Style(reverse=True, bold=self.has_focus)
        return style

    def _heat(self, label: int, prediction: int) -> Color | None:
        analysis = self._analysis
        assert analysis is not None
        is_diagonal = label == prediction
        if self.form == "difference" and self._difference is not None:
            change = self._difference[label][prediction]
            is_worse = (change < 0) if is_diagonal else (change > 0)
            return self._blend("error" if is_worse else "success", abs(change) / self._largest_difference)
        count = analysis.matrix[label][prediction]
        if is_diagonal:
            return self._blend("success", 0.15 + 0.3 * count / max(1, sum(analysis.matrix[label])))
        largest = max((pair.count for pair in analysis.pairs), default=1)
        return self._blend("error", count / largest)

    def _blend(self, name: str, share: float) -> Color | None:
        """The colour of a theme variable over the background; by the square root, so that a few images can be seen."""
        if self._ascii_only or share <= 0:
            return None
        variables = self.app.theme_variables
        weight = STRONGEST * sqrt(min(1.0, share))
        mixed = (
            round(ground + weight * (colour - ground))
            for ground, colour in zip(rgb(variables, "background"), rgb(variables, name), strict=True)
        )
        return Color.from_rgb(*mixed)
