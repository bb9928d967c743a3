"""Chooses the columns of the table of runs, and their order."""

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
from mnist_tui.text import in_ascii
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.repaint import Dialog


class ColumnsDialog(Dialog[tuple[str, ...]]):
    """Returns the keys of the chosen columns in their order."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_column", "Show/hide"),
        Binding("shift+up,K", "shift(-1)", "Move up"),
        Binding("shift+down,J", "shift(1)", "Move down"),
        Binding("enter", "take", "Done", priority=True),
        Binding("escape", "dismiss", "Cancel"),
    ]

    def __init__(self, shown: Sequence[str], ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        keys = [column.key for column in columns.chosen(shown)]
        self._shown = set(keys)
        self._order = keys + [column.key for column in columns.ALL if column.key not in keys]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large -list"):
            yield Static(Content("Columns, in their order"), classes="dialog-title")
            yield OptionList(compact=True)
            yield KeyBar()

    def on_mount(self) -> None:
        self._draw(0)

    def _draw(self, at: int) -> None:
        listed = self.query_one(OptionList)
        listed.clear_options()
        listed.add_options([Option(Content(self._line(key))) for key in self._order])
        listed.highlighted = at

    def _line(self, key: str) -> str:
        column = columns.column(key)
        line = f"[{'x' if key in self._shown else ' '}] {column.heading:<14} {column.help}"
        return in_ascii(line) if self._ascii_only else line

    @on(OptionList.OptionSelected)
    def action_toggle_column(self) -> None:
        """Shows or hides the column under the cursor."""
        at = self.query_one(OptionList).highlighted or 0
        self._shown ^= {self._order[at]}
        self._draw(at)

    def action_shift(self, lines: int) -> None:
        """Moves the column under the cursor."""
        at = self.query_one(OptionList).highlighted or 0
        to = max(0, min(at + lines, len(self._order) - 1))
        self._order.insert(to, self._order.pop(at))
        self._draw(to)

    def action_take(self) -> None:
        """Answers."""
        self.dismiss(tuple(key for key in self._order if key in self._shown))
