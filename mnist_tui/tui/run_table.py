"""The table of runs: draws the lines that are seen, so that ten thousand cost as much as ten."""

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

from mnist_tui.columns import Column
from mnist_tui.text import in_ascii
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.shelf import Group, Shelf, colour, marker, names_of

MEASURED_ROWS = 60
"""Rows that the columns' widths are measured on."""
MAX_CELLS = 22
"""Of a column but the last."""
NAME_CELLS = 16
"""Of the name: presets are short, and a folder that is no run need not be read whole."""
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
    DEFAULT_CSS = "RunTable { height: 1fr; width: 1fr; scrollbar-size-horizontal: 1; }"

    class Highlighted(Message):
        """The cursor is on another row; None where there is none."""

        def __init__(self, group: Group | None) -> None:
            super().__init__()
            self.group = group

    class Opened(Message):
        """A row is to be looked at."""

        def __init__(self, group: Group) -> None:
            super().__init__()
            self.group = group

    class Marked(Message):
        """A row is to be marked, or not any more."""

        def __init__(self, group: Group) -> None:
            super().__init__()
            self.group = group

    class Sort(Message):
        """The rows are wanted in the order of a column."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, shelf: Shelf, ascii_only: bool) -> None:
        super().__init__()
        self.shelf, self.ascii_only = shelf, ascii_only
        self.rows: Sequence[Group] = ()
        self.columns: Sequence[Column] = ()
        self.cursor = 0
        self.empty: Sequence[str] = ()
        """What is said where there is no row."""
        self._cells: dict[tuple[str, ...], list[str]] = {}
        self._widths: list[int] = []
        self._told: object = None

    @property
    def group(self) -> Group | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def show(self, rows: Sequence[Group], columns: Sequence[Column]) -> None:
        """Shows other rows; the cursor stays on its run, where that is still there."""
        before = names_of(self.group) if self.group else None
        self.rows, self.columns, self._cells = rows, columns, {}
        at = next((index for index, group in enumerate(rows) if names_of(group) == before), None)
        self.cursor = min(self.cursor, max(0, len(rows) - 1)) if at is None else at
        self._measure()
        self._put(self.cursor)

    def redraw(self) -> None:
        """Draws marks again."""
        self.refresh()

    def on_resize(self) -> None:
        self._measure()

    def _measure(self) -> None:
        if not self.columns:
            return
        cells = [self._texts(group) for group in self.rows[:MEASURED_ROWS]]
        heads = [[self._heading(column) for column in self.columns]]
        widths = [max(map(cell_len, texts)) for texts in zip(*heads, *cells, strict=True)]
        most = [NAME_CELLS if column.key == "name" else MAX_CELLS for column in self.columns[:-1]]
        others = list(map(min, widths, most))
        rest = self.size.width - MARK - sum(width + 2 for width in others)
        # The last one, which as a rule is the note, takes what is left: a note too long is no reason to scroll.
        self._widths = [*others, min(widths[-1], max(MAX_CELLS, rest))]
        self.virtual_size = Size(MARK + sum(width + 2 for width in self._widths) - 2, len(self.rows) + 1)

    def _heading(self, column: Column) -> str:
        if self.shelf.sort.removeprefix("-") != column.key:
            return column.heading
        falling, rising = ("v", "^") if self.ascii_only else ("▾", "▴")
        return f"{column.heading}{falling if self.shelf.sort.startswith('-') else rising}"

    def _texts(self, group: Group) -> list[str]:
        names = names_of(group)
        if names not in self._cells:
            self._cells[names] = [column.of(group) for column in self.columns]
        return self._cells[names]

    # --- drawing ---

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        index = y - 1 + top
        if y == 0:
            strip = self._line("", [self._heading(column) for column in self.columns], Style(bold=True, underline=True))
        elif index < len(self.rows):
            strip = self._row(index)
        elif not self.rows and 2 <= y < 2 + len(self.empty):
            strip = Strip([Segment(f"  {self.empty[y - 2]}", Style(dim=True))])
        else:
            strip = Strip.blank(self.size.width)
        width = max(self.size.width, self.virtual_size.width)
        *_, last = strip or [Segment("")]
        seen = strip.adjust_cell_length(width, last.style).crop(left, left + self.size.width)
        # Textual gives these lines no colours of its own: without a style they would be the terminal's.
        return seen.apply_style(self.rich_style)

    def _row(self, index: int) -> Strip:
        group = self.rows[index]
        run = group[0]
        slot = self.shelf.slot(group)
        style = Style(dim=not run.is_run, bold=run.state == "training")
        if index == self.cursor:
            style += Style(reverse=self.has_focus, bold=True)
        mark = "" if slot is None else marker(slot, self.ascii_only)
        tint = Style() if slot is None else Style(color=colour(slot, self.app.current_theme.dark), bold=True)
        return self._line(mark, self._texts(group), style, tint)

    def _line(self, mark: str, texts: Sequence[str], style: Style, tint: Style | None = None) -> Strip:
        cells = [self._cell(*part) for part in zip(texts, self.columns, self._widths, strict=True)]
        return Strip([Segment(f"{mark:<{MARK}}", style + (tint or Style())), Segment("  ".join(cells), style)])

    def _cell(self, text: str, column: Column, width: int) -> str:
        if cell_len(text) > width:
            text = set_cell_size(text, width - 1) + "…"
        text = in_ascii(text) if self.ascii_only else text
        return " " * (width - cell_len(text)) + text if column.is_number else set_cell_size(text, width)

    # --- moving ---

    def _put(self, index: int) -> None:
        """The cursor on a row that is then in sight."""
        self.cursor = max(0, min(index, len(self.rows) - 1))
        height = max(1, self.size.height - 2)
        if self.cursor < self.scroll_offset.y:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= self.scroll_offset.y + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)
        self.refresh()
        if self.group is not self._told:
            self._told = self.group
            self.post_message(self.Highlighted(self.group))

    def action_move(self, lines: int) -> None:
        """Up or down."""
        self._put(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        """So many screens up or down."""
        self._put(self.cursor + pages * max(1, self.size.height - 2))

    def action_end(self, end: int) -> None:
        """To the first row, or the last."""
        self._put(len(self.rows) - 1 if end else 0)

    def action_open(self) -> None:
        """Opens the row under the cursor."""
        if self.group is not None:
            self.post_message(self.Opened(self.group))

    def action_mark(self) -> None:
        """Marks the row under the cursor, or takes its mark away; the cursor goes on."""
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
        for column, width in zip(self.columns, self._widths, strict=True):
            if at <= x < at + width + 2:
                return column
            at += width + 2
        return None

    def on_focus(self) -> None:
        self.refresh(Region(0, 0, *self.size))

    def on_blur(self) -> None:
        self.refresh(Region(0, 0, *self.size))
