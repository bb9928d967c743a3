"""A text field of one line."""

from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input


class TextField(Input):
    """Textual's `Input`, one line high; a key in it does not lay the whole screen out anew."""

    # The field is as wide as its place, whatever stands in it; textual's own declaration asks for a layout.
    virtual_size = Reactive(Size(0, 0))

    def __init__(self, value: str = "", name: str | None = None, hint: str = "", is_selected: bool = True) -> None:
        """A field with the id `name`; `is_selected`: it selects its text with the focus, so that typing replaces it."""
        super().__init__(value, placeholder=hint, id=name, compact=True, select_on_focus=is_selected)

    def on_blur(self) -> None:
        if self.select_on_focus:
            self.cursor_position = 0  # So that the beginning of a long text is seen.
