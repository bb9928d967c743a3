"""The field of the filter of Runs."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.text_field import TextField


class FilterField(TextField):
    """The filter, which is applied as it is typed."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids([Binding("escape", "leave_filter", "To the table")])

    class Left(Message):
        """Posted when the field is to be left."""

    def action_leave_filter(self) -> None:
        """Asks to leave the field."""
        self.post_message(self.Left())
