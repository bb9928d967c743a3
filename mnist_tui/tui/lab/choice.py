"""A field of the recipe form with a few possible values."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from mnist_tui.tui.dialogs import ChoiceDialog
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.messages import OpenScreen


class Choice(Static, can_focus=True):
    """A field with a few values: left and right change it, Enter lists them. Cheaper than textual's `Select`."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("left", "turn(-1)", "Previous value", show=False),
            Binding("right", "turn(1)", "Next value", show=False),
            Binding("enter", "list", "All values", show=False),
        ]
    )

    class Changed(Message):
        """Posted when the user selects another value."""

        def __init__(self, value: str) -> None:
            super().__init__()
            self.value = value

    def __init__(self, label: str, values: Sequence[str], value: str, ascii_only: bool) -> None:
        super().__init__(markup=False)
        self.label = label
        self.values = list(dict.fromkeys((*values, value)))
        self._arrow = "v" if ascii_only else "▾"
        self.value = value

    def on_mount(self) -> None:
        self.show(self.value)

    def show(self, value: str) -> None:
        """Shows a value without posting a message."""
        self.value = value
        self.update(Content(f"{value} {self._arrow}"))

    def select(self, value: str | None) -> None:
        """Changes the value and posts `Changed`; None changes nothing."""
        if value is not None and value != self.value:
            self.show(value)
            self.post_message(self.Changed(value))

    def action_turn(self, steps: int) -> None:
        """Selects the next value, or the previous one."""
        index = self.values.index(self.value) if self.value in self.values else 0
        self.select(self.values[(index + steps) % len(self.values)])

    def action_list(self) -> None:
        """Lists the values to select from."""
        self.post_message(OpenScreen(ChoiceDialog(self.label, self.values, self.value), self.select))

    def on_click(self) -> None:
        self.action_list()
