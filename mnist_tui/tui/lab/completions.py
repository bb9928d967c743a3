"""The list of completions at the cursor of the editor, which keeps the focus."""

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Offset, Size
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

MOST_ROWS = 8


class CompletionList(OptionList, can_focus=False):
    """Names below (or, where there is more room, above) a cell; arrows highlight one, Enter or a click selects it."""

    DEFAULT_CSS = """
    CompletionList { layer: names; background: $panel; scrollbar-size-horizontal: 0; }
    CompletionList.-textual-compact { padding: 0 1; }
    CompletionList > .option-list--option-highlighted { background: $primary 40%; text-style: bold; }
    """

    class Closed(Message):
        """Posted when the list is closed."""

    def __init__(self) -> None:
        super().__init__(compact=True, markup=False)
        self.display = False

    def show(self, names: Sequence[str], cursor: Offset, room: Size) -> None:
        """Shows names at a cursor inside a widget of the size `room`; the same one stays highlighted if it is there."""
        highlighted = self.highlighted_option.id if self.display and self.highlighted_option else None
        self.clear_options()
        self.add_options([Option(Content(name), id=name) for name in names])
        self.highlighted = names.index(highlighted) if highlighted in names else 0
        below, above = room.height - cursor.y - 1, cursor.y
        rows = min(MOST_ROWS, len(names))
        is_above = rows > below and above > below
        height = max(1, min(rows, above if is_above else below))
        width = max(map(len, names)) + 3
        self.styles.width, self.styles.height = width, height
        x = max(0, min(cursor.x - 1, room.width - width))
        self.styles.offset = (x, cursor.y - height if is_above else cursor.y + 1)
        self.display = True

    def run_key(self, key: str) -> bool:
        """Runs the action of a key; whether the open list has one for it."""
        actions = {
            "up": self.action_cursor_up,
            "down": self.action_cursor_down,
            "pageup": self.action_page_up,
            "pagedown": self.action_page_down,
            "enter": self.action_select,
            "escape": self.close,
        }
        if not self.display or key not in actions:
            return False
        actions[key]()
        return True

    def close(self) -> None:
        """Closes the list."""
        if self.display:
            self.display = False
            self.post_message(self.Closed())
