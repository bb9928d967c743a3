"""A text field of one line."""

from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input


class TextField(Input):
    """Textual's `Input`, one line high; a key in it does not lay the whole screen out anew."""

    # The field is as wide as its place, whatever stands in it; textual's own declaration asks for a layout.
    virtual_size = Reactive(Size(0, 0))
    # Textual's default is False: the class is taken away and given again, each with a look-up of all styles of 5 ms.
    compact = Reactive(True, toggle_class="-textual-compact")

    def __init__(self, value: str = "", name: str | None = None, hint: str = "", is_selected: bool = True) -> None:
        """A field with the id `name`; `is_selected`: it selects its text with the focus, so that typing replaces it."""
        # `Input` gives itself both classes, also without a validator; that they are there already saves two look-ups.
        classes = "-textual-compact -valid"
        super().__init__(value, hint, id=name, classes=classes, compact=True, select_on_focus=is_selected)

    def on_blur(self) -> None:
        if self.select_on_focus:
            self.cursor_position = 0  # So that the beginning of a long text is seen.
