"""The table of runs: draws only the visible lines, so that ten thousand rows cost as much as ten."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mnist_tui.analysis.palette import colour, marker
from mnist_tui.runs.columns import Column, CurveColumn
from mnist_tui.runs.sparkline import MOST_CELLS, scale_of
from mnist_tui.table import cut_apart
from mnist_tui.text import in_ascii
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.runs.cells import CURVE, Cell, cell_of
from mnist_tui.tui.runs.fitting import GAP, ColumnWidth, fit
from mnist_tui.tui.runs.selection import RunGroup, RunSelection, names_of
from mnist_tui.tui.themes import style_of

MEASURED_ROWS = 60
"""Rows that the columns' widths are measured on."""
MAX_CELLS = 22
"""Of a column but the note."""
NAME_CELLS = 16
"""Of the name: presets are short, and a folder that is no run need not be read whole."""
LEAST_CELLS = {"name": 8, "note": 12, "curve": 10, "when": 11}
"""Of the columns that may be narrower than what stands in them; a time goes without its year."""
MARK = 2
"""Cells of the mark at the left."""


class RunTable(ScrollView, can_focus=True):
    """One line for every run or group of seeds; a cursor, marks, and headings that sort."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("up,k", "move(-1)", "Up", show=False),
            Binding("down,j", "move(1)", "Down", show=False),
            Binding("pageup", "page(-1)", "Page up", show=False),
            Binding("pagedown", "page(1)", "Page down", show=False),
            Binding("home,g", "end(0)", "First", show=False),
            Binding("end,G", "end(1)", "Last", show=False),
            Binding("enter", "open", "Open"),
            Binding(
                "space",
                "mark",
                "Mark",
                tooltip="for Compare, with a colour and a marker of its own",
            ),
        ]
    )
    DEFAULT_CSS = """
    RunTable { height: 1fr; width: 1fr; scrollbar-size-horizontal: 1; }
    RunTable > .run-table--cursor { background: $panel-lighten-1; }
    RunTable:focus > .run-table--cursor { background: $primary 35%; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"run-table--cursor"}

    class Highlighted(Message):
        """The cursor is on another row; None where there is none."""

        def __init__(self, group: RunGroup | None) -> None:
            super().__init__()
            self.group = group

    class Opened(Message):
        """Posted when a row is to be opened."""

        def __init__(self, group: RunGroup) -> None:
            super().__init__()
            self.group = group

    class Marked(Message):
        """Posted when a row is to be marked or unmarked."""

        def __init__(self, group: RunGroup) -> None:
            super().__init__()
            self.group = group

    class LeftAbove(Message):
        """Posted when the cursor is moved up from the first row."""

    class CurvesRequested(Message):
        """Request to read the accuracies of visible rows."""

        def __init__(self, groups: Sequence[RunGroup]) -> None:
            super().__init__()
            self.groups = groups

    class Sort(Message):
        """Posted when the rows are to be sorted by a column."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, selection: RunSelection, ascii_only: bool) -> None:
        super().__init__()
        self.selection, self.ascii_only = selection, ascii_only
        self.rows: Sequence[RunGroup] = ()
        self.columns: Sequence[Column] = ()
        self.cursor = 0
        self.empty: Sequence[str] = ()
        """Lines that are shown when there is no row."""
        self.left_out: Sequence[Column] = ()
        """The columns for which there is no room."""
        self._shown: Sequence[Column] = ()
        self._widths: dict[str, int] = {}
        self._heads: dict[str, str] = {}
        self._names: dict[str, str] = {}
        """What is shown of the names that are wider than their column."""
        self._cells: dict[tuple[tuple[str, ...], str], Cell] = {}
        """By row and column."""
        self._posted_group: object = None

    @property
    def group(self) -> RunGroup | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def show(self, rows: Sequence[RunGroup], columns: Sequence[Column]) -> None:
        """Shows other rows; the cursor stays on its run if that is still there."""
        names = names_of(self.group) if self.group else None
        self.rows, self.columns, self._cells = rows, columns, {}
        at = next((index for index, group in enumerate(rows) if names_of(group) == names), None)
        self.cursor = min(self.cursor, max(0, len(rows) - 1)) if at is None else at
        self._measure()
        self._put(self.cursor)
        self._request_curves()

    def redraw(self) -> None:
        """Draws marks and curves again."""
        self.refresh()

    def on_resize(self) -> None:
        self._measure()
        self._scroll_to_cursor()
        self._request_curves()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._request_curves()

    def _request_curves(self) -> None:
        """Requests the curves of the visible rows, which are read in the background."""
        if "curve" not in self._widths:
            return
        top = self.scroll_offset.y
        unread = [group for group in self.rows[top : top + self.size.height] if not _has_curve(group)]
        if unread:
            self.post_message(self.CurvesRequested(unread))

    # --- widths ---

    def _measure(self) -> None:
        """Selects the columns that fit, and their widths."""
        rows = self.rows[:MEASURED_ROWS]
        self._heads = {column.key: self._heading(column) for column in self.columns}
        sort = self.selection.sort_key
        kept = "" if sort == "when" else sort  # The default order.
        self._widths = fit([self._width(column, rows) for column in self.columns], self._room, kept)
        room = self._widths.get("name", NAME_CELLS)
        self._names = cut_apart({group[0].name for group in self.rows if len(group[0].name) > room}, room)
        self._shown = [column for column in self.columns if column.key in self._widths]
        self.left_out = [column for column in self.columns if column.key not in self._widths]
        self.virtual_size = Size(MARK + sum(width + GAP for width in self._widths.values()) - GAP, len(self.rows) + 1)

    @property
    def _room(self) -> int:
        """Cells for the columns, beside the marks and the scrollbar, which may not be there yet."""
        is_scrolled = len(self.rows) >= self.outer_size.height
        return self.outer_size.width - MARK - (self.styles.scrollbar_size_vertical if is_scrolled else 0)

    def _width(self, column: Column, rows: Sequence[RunGroup]) -> ColumnWidth:
        heading = cell_len(self._heads[column.key])
        if isinstance(column, CurveColumn):
            widest = min(MOST_CELLS, max((run.epochs for group in rows for run in group), default=0))
        else:
            widest = max((cell_len(self._cell(column, group).text) for group in rows), default=0)
            widest = widest if column.key == "note" else min(widest, NAME_CELLS if column.key == "name" else MAX_CELLS)
        most = max(heading, widest)
        return ColumnWidth(column.key, most, min(most, max(heading, LEAST_CELLS.get(column.key, most))))

    def _heading(self, column: Column) -> str:
        heading = self._curve_heading() if isinstance(column, CurveColumn) else column.heading
        return heading + (self.selection.arrow(self.ascii_only) if column.key == self.selection.sort_key else "")

    def _curve_heading(self) -> str:
        """The heading of the curves; with their scale if all have the same."""
        scales = {scale_of(group[0].dataset) for group in self.rows if group[0].is_run}
        if len(scales) != 1:
            return "test acc"
        words = f"acc {scales.pop().words}"
        return in_ascii(words) if self.ascii_only else words

    def _cell(self, column: Column, group: RunGroup) -> Cell:
        if isinstance(column, CurveColumn):
            return Cell(column.drawn(group, self._widths["curve"]) if _has_curve(group) else "", CURVE)
        place = names_of(group), column.key
        if place not in self._cells:
            self._cells[place] = cell_of(column, group)
        return self._cells[place]

    # --- drawing ---

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        index = y - 1 + top
        if y == 0:
            strip = self._headings()
        elif index < len(self.rows):
            strip = self._row(index)
        elif not self.rows and 2 <= y < 2 + len(self.empty):
            strip = Strip([Segment(f"  {self.empty[y - 2]}", Style(dim=True))])
        else:
            strip = Strip.blank(self.size.width)
        width = max(self.size.width, self.virtual_size.width)
        *_, last = strip or [Segment("")]
        visible = strip.adjust_cell_length(width, last.style).crop(left, left + self.size.width)
        # Textual gives these lines no colours of its own: without a style they would be the terminal's.
        return visible.apply_style(self.rich_style)

    def _headings(self) -> Strip:
        style = Style(bold=True, underline=True)
        cells = [self._fit_text(self._heads[column.key], column) for column in self._shown]
        return Strip([Segment(" " * MARK, style), Segment((" " * GAP).join(cells), style)])

    def _row(self, index: int) -> Strip:
        group = self.rows[index]
        color = self.selection.color(group)
        style = self._row_style(index)
        mark = "" if color is None else marker(color, self.ascii_only)
        tint = Style() if color is None else Style(color=colour(color, self.app.current_theme.dark), bold=True)
        segments = [Segment(f"{mark:<{MARK}}", style + tint)]
        for column in self._shown:
            text, shade = self._cell(column, group)
            tint = style_of(shade, self.app.theme_variables)
            segments += [Segment(self._fit_text(text, column), style + tint), Segment(" " * GAP, style)]
        return Strip(segments)

    def _row_style(self, index: int) -> Style:
        run = self.rows[index][0]
        style = Style(dim=not run.is_run, bold=run.state == "training")
        if index == self.cursor:
            style += Style(bold=True, bgcolor=self.get_component_rich_style("run-table--cursor").bgcolor)
        return style

    def _fit_text(self, text: str, column: Column) -> str:
        width = self._widths[column.key]
        text = self._names.get(text, text) if column.key == "name" else text
        if cell_len(text) > width:
            is_time = column.key == "when"  # Without its year, not with a part of it.
            text = text[-LEAST_CELLS["when"] :] if is_time else set_cell_size(text, width - 1) + "…"
        text = in_ascii(text) if self.ascii_only else text
        return " " * (width - cell_len(text)) + text if column.is_number else set_cell_size(text, width)

    # --- moving ---

    def _put(self, index: int) -> None:
        """Moves the cursor to a row and scrolls to it."""
        self.cursor = max(0, min(index, len(self.rows) - 1))
        self._scroll_to_cursor()
        self.refresh()
        if self.group is not self._posted_group:
            self._posted_group = self.group
            self.post_message(self.Highlighted(self.group))

    def _scroll_to_cursor(self) -> None:
        height = max(1, self.size.height - 2)
        if self.cursor < self.scroll_offset.y:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= self.scroll_offset.y + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)

    def action_move(self, lines: int) -> None:
        """Moves the cursor by rows."""
        if self.cursor + lines < 0:
            self.post_message(self.LeftAbove())
        self._put(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        """Moves the cursor by pages."""
        self._put(self.cursor + pages * max(1, self.size.height - 2))

    def action_end(self, end: int) -> None:
        """Moves the cursor to the first row, or the last."""
        self._put(len(self.rows) - 1 if end else 0)

    def action_open(self) -> None:
        """Opens the row under the cursor."""
        if self.group is not None:
            self.post_message(self.Opened(self.group))

    def action_mark(self) -> None:
        """Marks or unmarks the row under the cursor, and moves to the next."""
        if self.group is not None:
            self.post_message(self.Marked(self.group))
            self._put(self.cursor + 1)

    def on_click(self, event: Click) -> None:
        if event.y == 0:
            if (column := self._column_at(event.x + self.scroll_offset.x)) is not None:
                self.post_message(self.Sort(column.key))
            return
        index = event.y - 1 + self.scroll_offset.y
        if index >= len(self.rows):
            return
        self._put(index)
        if event.x + self.scroll_offset.x < MARK:
            self.post_message(self.Marked(self.rows[index]))
        elif event.chain == 2:
            self.action_open()

    def _column_at(self, x: int) -> Column | None:
        at = MARK
        for column in self._shown:
            end = at + self._widths[column.key] + GAP
            if at <= x < end:
                return column
            at = end
        return None

    def on_focus(self) -> None:
        self.refresh(Region(0, 0, *self.size))

    def on_blur(self) -> None:
        self.refresh(Region(0, 0, *self.size))


def _has_curve(group: RunGroup) -> bool:
    """Whether the accuracies of all its runs were read."""
    return all(run.has_accuracies for run in group)
