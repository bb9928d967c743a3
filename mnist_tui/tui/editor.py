"""The layers as text: highlighted, completed, with what is wrong said under its line as one types."""

import re
from collections.abc import Sequence
from functools import cache
from typing import ClassVar

from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static, TextArea

from mnist_tui.layers import KINDS, describe_kinds
from mnist_tui.text import clean_line
from mnist_tui.tui.themes import rgb

ERROR_SECONDS = 0.4
"""Without typing before a mistake is said: half a word is none."""

_TOKENS = re.compile(
    r"(?P<comment>#.*)|(?P<string>\"[^\"]*\"|'[^']*')|(?P<argument>\b[a-z_]\w*(?=\s*=))|"
    r"(?P<layer>\b[A-Z]\w*)|(?P<number>\b\d[\d_.e+-]*)|(?P<word>\b[a-zA-Z_]\w*)"
)
_STYLES = {"comment": "foreground-muted", "string": "secondary", "argument": "foreground-muted", "number": "secondary"}


@cache
def signatures() -> dict[str, str]:
    """How every kind of layer is called, by its name."""
    return {line.partition("(")[0]: line for line in describe_kinds()}


def arguments_of(layer: str) -> list[str]:
    """The names of a layer's arguments; none for an unknown layer."""
    inside = signatures().get(layer, "").partition("(")[2]
    return re.findall(r"(?:^|, )\*?(\w+)", inside)


def completion(line: str) -> str:
    """What a line, up to the cursor, may go on with: the rest of a layer's or an argument's name; "" for nothing."""
    word = re.search(r"[A-Za-z_]\w*$", line)
    if word is None or "#" in line:
        return ""
    before = line[: word.start()]
    open_call = _open_call(before)
    if open_call is None or open_call == "Residual" or word[0][0].isupper():
        return _rest(word[0], sorted(KINDS, key=len), "(")
    taken = set(re.findall(r"(\w+)\s*=", before))
    return _rest(word[0], [name for name in arguments_of(open_call) if name not in taken], "=")


def _open_call(text: str) -> str | None:
    """The name of the call whose brackets the end of `text` is in; None outside of all."""
    depth = 0
    for index in range(len(text) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(text[index], 0)
        if depth < 0:
            name = re.search(r"\w+$", text[:index])
            return name[0] if name else ""
    return None


def _rest(word: str, names: Sequence[str], end: str) -> str:
    if word in names:
        return ""
    found = next((name for name in names if name.startswith(word)), None)
    return found[len(word) :] + end if found and len(word) > 1 else ""


class _Area(TextArea):
    """The text area, with our colours and completions."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "undo", "Undo", show=False),
        Binding("ctrl+y", "redo", "Redo", show=False),
        Binding("right", "cursor_right", "Take the completion", show=False, tooltip="or move right"),
    ]

    def __init__(self) -> None:
        super().__init__(compact=True, soft_wrap=False, show_line_numbers=True, tab_behavior="focus")
        self.wrong_line: int | None = None

    def mark_line(self, line: int | None) -> None:
        """Marks a line, from 1, as wrong."""
        if line != self.wrong_line:
            self.wrong_line = line
            self._line_cache.clear()  # It does not know what a subclass's `get_line` depends on.
            self.refresh()

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        colours = self.app.theme_variables
        for token in _TOKENS.finditer(line.plain):
            kind = str(token.lastgroup)
            if kind == "layer":
                line.stylize("bold" if token[0] in KINDS else "underline", token.start(), token.end())
            name = {"layer": "primary", "word": "accent"}.get(kind) or _STYLES.get(kind, "foreground")
            line.stylize(Style(color=Color.from_rgb(*rgb(colours, name))), token.start(), token.end())
        if self.wrong_line == line_index + 1:
            line.stylize("underline bold")
        return line

    def update_suggestion(self) -> None:
        row, column = self.cursor_location
        line = self.document.get_line(row)
        self.suggestion = completion(line) if column == len(line) else ""


class LayersEditor(Vertical):
    """The editor, the signature of the layer at the cursor, and the mistake under its line."""

    DEFAULT_CSS = """
    LayersEditor { height: 1fr; layers: text mistake; }
    LayersEditor TextArea { height: 1fr; border: none; padding: 0; layer: text; scrollbar-size-horizontal: 0; }
    LayersEditor #signature { height: 1; color: $text-muted; padding: 0 1; layer: text; }
    LayersEditor #mistake {
        layer: mistake; width: 100%; height: auto; max-height: 4; padding: 0 1; display: none;
        background: $error 30%; color: $foreground;
    }
    """

    class Edited(Message):
        """The layers were changed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self) -> None:
        super().__init__()
        self._area = _Area()
        self._mistake: tuple[int, str] | None = None
        self._timer: Timer | None = None
        self._loaded = ""

    def compose(self) -> ComposeResult:
        yield self._area
        yield Static(id="signature")
        yield Static(id="mistake")

    def load(self, text: str) -> None:
        """Shows other layers; what was undone before cannot be done again."""
        self._loaded = text
        if text != self._area.text:
            self._area.load_text(text)

    def show_error(self, error: tuple[int, str] | None) -> None:
        """Says what is wrong with which line, from 1, once nobody types; None takes it away."""
        self._mistake = error
        self._area.mark_line(error[0] if error else None)
        if self._timer is not None:
            self._timer.stop()
        if error is None:
            self.query_one("#mistake", Static).display = False
        else:
            self._timer = self.set_timer(ERROR_SECONDS, self._say_mistake)

    def _say_mistake(self) -> None:
        if self._mistake is None:
            return
        line, words = self._mistake
        label = self.query_one("#mistake", Static)
        label.update(Content(f"! line {line}: {clean_line(words, 300)}"))
        below = line - round(self._area.scroll_offset.y)
        label.styles.offset = (0, max(1, min(below, self.size.height - 2)))
        label.display = True

    @on(TextArea.Changed)
    def _changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if self._area.text != self._loaded:
            self._loaded = self._area.text
            self.post_message(self.Edited(self._area.text))

    @on(TextArea.SelectionChanged)
    def _moved(self, event: TextArea.SelectionChanged) -> None:
        event.stop()
        row, column = self._area.cursor_location
        line = self._area.document.get_line(row)
        call = _open_call(line[:column]) or next(iter(re.findall(r"\w+", line)), "")
        self.query_one("#signature", Static).update(Content(signatures().get(call, "")))
