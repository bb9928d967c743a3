"""The text area of the layers: highlighting, inline completion, and edits of whole lines."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.widgets import TextArea

from mnist_tui.spec.layers import LAYER_TYPES
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab import line_edits
from mnist_tui.tui.lab.layer_names import completion
from mnist_tui.tui.themes import rgb

if TYPE_CHECKING:
    from mnist_tui.tui.lab.completions import CompletionList

_TOKENS = re.compile(
    r"(?P<comment>#.*)|(?P<string>\"[^\"]*\"|'[^']*')|(?P<argument>\b[a-z_]\w*(?=\s*=))|"
    r"(?P<layer>\b[A-Z]\w*)|(?P<number>\b\d[\d_.e+-]*)|(?P<word>\b[a-zA-Z_]\w*)"
)
_STYLES = {"comment": "foreground-muted", "string": "secondary", "argument": "foreground-muted", "number": "secondary"}


class LayersTextArea(TextArea):
    """A text area that highlights layers and completes their names."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            # Of the whole design, not of this text alone, as the text area's own undo.
            Binding("ctrl+z,super+z", "screen.undo_change", "Undo", show=False),
            Binding("ctrl+y,super+y", "screen.redo_change", "Redo", show=False),
            # The text area's own actions of these keys would select a line, or all.
            Binding("f6", "screen.pane('training')", "Training", show=False, id="pane('training')"),
            Binding("f7", "screen.pane('digits')", "Digits", show=False, id="pane('digits')"),
            Binding("right", "cursor_right", "Take the completion", show=False, tooltip="or move right"),
            Binding("ctrl+home", "go_to(0)", "First line", show=False),
            Binding("ctrl+end", "go_to(-1)", "Last line", show=False),
            Binding("ctrl+d", "duplicate_line", "Duplicate", tooltip="the line of the cursor"),
            Binding("alt+up,ctrl+up", "move_line(-1)", "Line up", show=False, tooltip="moves the line of the cursor"),
            Binding("alt+down,ctrl+down", "move_line(1)", "Line down", show=False),
        ]
    )

    def __init__(self) -> None:
        super().__init__(compact=True, soft_wrap=False, show_line_numbers=True, tab_behavior="focus")
        self.wrong_line: int | None = None
        self.names: CompletionList | None = None
        """The list of completions, once it was opened."""

    def on_key(self, event: Key) -> None:
        if self.names is not None and self.names.run_key(event.key):
            event.stop()
            event.prevent_default()  # Enter must not break the line.

    def action_go_to(self, line: int) -> None:
        """Moves the cursor to the beginning of the text, or to its end."""
        self.move_cursor(self.document.end if line else (0, 0))

    def action_duplicate_line(self) -> None:
        """Duplicates the line of the cursor and moves the cursor to the copy."""
        row, column = self.cursor_location
        self.put_lines(line_edits.duplicate(self.document.lines, row), (row + 1, column))

    def action_move_line(self, steps: int) -> None:
        """Moves the line of the cursor down (below 0: up) by a number of lines, and the cursor with it."""
        row, column = self.cursor_location
        lines, to = line_edits.move(self.document.lines, row, steps)
        self.put_lines(lines, (to, column))

    def put_lines(self, lines: Sequence[str], cursor: tuple[int, int]) -> None:
        """Replaces all lines and moves the cursor."""
        self.replace("\n".join(lines), (0, 0), self.document.end)
        self.move_cursor(cursor)

    def mark_line(self, line: int | None) -> None:
        """Marks a line, counted from 1, as wrong; None marks none."""
        if line != self.wrong_line:
            self.wrong_line = line
            self._line_cache.clear()  # The cache does not know that `get_line` depends on `wrong_line`.
            self.refresh()

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        colours = self.app.theme_variables
        for token in _TOKENS.finditer(line.plain):
            token_type = str(token.lastgroup)
            if token_type == "layer":
                line.stylize("bold" if token[0] in LAYER_TYPES else "underline", token.start(), token.end())
            name = {"layer": "primary", "word": "accent"}.get(token_type) or _STYLES.get(token_type, "foreground")
            line.stylize(Style(color=Color.from_rgb(*rgb(colours, name))), token.start(), token.end())
        if self.wrong_line == line_index + 1:
            line.stylize("underline bold")
        return line

    def update_suggestion(self) -> None:
        row, column = self.cursor_location
        line = self.document.get_line(row)
        self.suggestion = completion(line) if column == len(line) else ""
