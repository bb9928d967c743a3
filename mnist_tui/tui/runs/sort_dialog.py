"""Chooses the column that the table of runs is sorted by."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mnist_tui.runs import columns
from mnist_tui.runs.columns import Column
from mnist_tui.text import in_ascii
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.repaint import Dialog
from mnist_tui.tui.runs.selection import RunSelection


class SortDialog(Dialog[str]):
    """Returns the key of the chosen column."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Sort", priority=True),
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
        Binding("escape,q,comma", "dismiss", "Cancel"),
    ]

    def __init__(self, shown: Sequence[Column], selection: RunSelection, ascii_only: bool) -> None:
        super().__init__()
        self._columns = [*shown, *(column for column in columns.ALL if column not in shown)]
        self._selection, self._ascii_only = selection, ascii_only

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large -list"):
            yield Static(Content("Sort by; the current column again reverses the order"), classes="dialog-title")
            options = [Option(Content(self._line(column)), id=column.key) for column in self._columns]
            yield OptionList(*options, compact=True)
            yield KeyBar()

    def on_mount(self) -> None:
        keys = [column.key for column in self._columns]
        self.query_one(OptionList).highlighted = keys.index(self._selection.sort_key)

    def _line(self, column: Column) -> str:
        is_current = column.key == self._selection.sort_key
        sign = self._selection.arrow(self._ascii_only) if is_current else " "
        line = f"{sign} {column.heading:<14} {column.help}"
        return in_ascii(line) if self._ascii_only else line

    def action_move(self, steps: int) -> None:
        """Down or up."""
        listed = self.query_one(OptionList)
        listed.action_cursor_down() if steps > 0 else listed.action_cursor_up()

    def action_take(self) -> None:
        """Answers with the column under the cursor."""
        at = self.query_one(OptionList).highlighted or 0
        self.dismiss(self._columns[at].key)

    @on(OptionList.OptionSelected)
    def _answer(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(str(event.option_id))
