"""The layers as text: highlighted, completed, with what is wrong said under its line as one types."""

import re
from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, ClassVar

from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import DescendantBlur, Key
from textual.message import Message
from textual.timer import Timer
from textual.widgets import OptionList, Static, TextArea

from mnist_tui.errors import CallError
from mnist_tui.spec.calls import parse
from mnist_tui.spec.layers import LAYER_TYPES, describe_layers
from mnist_tui.text import clean_line, did_you_mean
from mnist_tui.tui.dialogs import AskDialog, Question
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab import line_edits
from mnist_tui.tui.messages import OpenScreen
from mnist_tui.tui.themes import rgb

if TYPE_CHECKING:
    from mnist_tui.tui.lab.completions import CompletionList

ERROR_SECONDS = 0.3
"""Without typing before a mistake is said: half a word is none."""

_TOKENS = re.compile(
    r"(?P<comment>#.*)|(?P<string>\"[^\"]*\"|'[^']*')|(?P<argument>\b[a-z_]\w*(?=\s*=))|"
    r"(?P<layer>\b[A-Z]\w*)|(?P<number>\b\d[\d_.e+-]*)|(?P<word>\b[a-zA-Z_]\w*)"
)
_STYLES = {"comment": "foreground-muted", "string": "secondary", "argument": "foreground-muted", "number": "secondary"}


@cache
def signatures() -> dict[str, str]:
    """How every kind of layer is called, by its name."""
    return {line.partition("(")[0]: line for line in describe_layers()}


def arguments_of(layer: str) -> list[str]:
    """The names of a layer's arguments; none for an unknown layer."""
    inside = signatures().get(layer, "").partition("(")[2]
    return re.findall(r"(?:^|, )\*?([a-z_]\w*)", inside)


def names_at(line: str) -> tuple[str, list[str], str]:
    """The word at the end of a line, up to the cursor; the names that may stand there; and what follows them."""
    found = re.search(r"[A-Za-z_]\w*$", line)
    word = found[0] if found else ""
    before = line[: len(line) - len(word)]
    if "#" in line or re.search(r"[\w.)\]=]\s*$", before):
        return word, [], ""
    name, inside = _open_call(before)
    if name in (None, "Residual") or word[:1].isupper():
        return word, sorted(LAYER_TYPES), "("
    given = inside.split(",")[:-1]
    taken = {argument.partition("=")[0].strip() for argument in given}
    free = arguments_of(name or "")[sum("=" not in argument for argument in given) :]
    return word, [argument for argument in free if argument not in taken], "="


def completion(line: str) -> str:
    """What a line, up to the cursor, may go on with: the rest of a layer's or an argument's name; "" for nothing."""
    word, names, end = names_at(line)
    return _rest(word, sorted(names, key=len) if end == "(" else names, end)


def _open_call(text: str) -> tuple[str | None, str]:
    """The brackets that the end of `text` is in: the name before them, and what stands in them, without inner ones."""
    inside = ""
    depth = 0
    for index in range(len(text) - 1, -1, -1):
        depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(text[index], 0)
        if depth < 0:
            name = re.search(r"\w+$", text[:index])
            return (name[0] if name else ""), inside
        inside = text[index] + inside if depth == 0 else inside
    return None, inside


def _rest(word: str, names: Sequence[str], end: str) -> str:
    if word in names:
        return ""
    found = next((name for name in names if name.startswith(word)), None)
    return found[len(word) :] + end if found and len(word) > 1 else ""


def differing_span(old: str, new: str) -> tuple[int, int, int]:
    """Where two texts differ: the first character, and the end of what differs in `new` and in `old`."""
    first = next((index for index, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), None)
    start = min(len(old), len(new)) if first is None else first
    same = 0
    while same < min(len(old), len(new)) - start and old[-1 - same] == new[-1 - same]:
        same += 1
    return start, len(new) - same, len(old) - same


def _location(text: str, index: int) -> tuple[int, int]:
    """The line and the column of a character, from 0."""
    return text.count("\n", 0, index), index - (text.rfind("\n", 0, index) + 1)


class Editor(TextArea):
    """The text area, with our colours and completions."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            # Of the whole design: a text area's own undo knows nothing of the form.
            Binding("ctrl+z,super+z", "screen.undo_change", "Undo", show=False),
            Binding("ctrl+y,super+y", "screen.redo_change", "Redo", show=False),
            # Every pane is fetched by its key from here too: a text area would select a line or all with these.
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
        """The list of completions, once it was asked for."""

    def on_key(self, event: Key) -> None:
        if self.names is not None and self.names.take_key(event.key):
            event.stop()
            event.prevent_default()  # Enter is no line break.

    def action_go_to(self, line: int) -> None:
        """The cursor to the beginning of the text, or to its end."""
        self.move_cursor(self.document.end if line else (0, 0))

    def action_duplicate_line(self) -> None:
        """The line of the cursor, twice; the cursor goes to the second."""
        row, column = self.cursor_location
        self.put_lines(line_edits.duplicated(self.document.lines, row), (row + 1, column))

    def action_move_line(self, steps: int) -> None:
        """The line of the cursor so many places lower, or higher; the cursor goes with it."""
        row, column = self.cursor_location
        lines, to = line_edits.moved(self.document.lines, row, steps)
        self.put_lines(lines, (to, column))

    def put_lines(self, lines: Sequence[str], cursor: tuple[int, int]) -> None:
        """Shows other lines, with the cursor at a place of them."""
        self.replace("\n".join(lines), (0, 0), self.document.end)
        self.move_cursor(cursor)

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
                line.stylize("bold" if token[0] in LAYER_TYPES else "underline", token.start(), token.end())
            name = {"layer": "primary", "word": "accent"}.get(kind) or _STYLES.get(kind, "foreground")
            line.stylize(Style(color=Color.from_rgb(*rgb(colours, name))), token.start(), token.end())
        if self.wrong_line == line_index + 1:
            line.stylize("underline bold")
        return line

    def update_suggestion(self) -> None:
        row, column = self.cursor_location
        line = self.document.get_line(row)
        self.suggestion = completion(line) if column == len(line) else ""


def _wrong_layer(text: str) -> str | None:
    """What is wrong with the text of one layer; None where nothing is."""
    try:
        name = parse(text).name
    except CallError as error:
        return str(error)
    return None if name in LAYER_TYPES else f"there is no layer {name!r}{did_you_mean(name, LAYER_TYPES)}"


class LayersEditor(Vertical):
    """The editor, the signature of the layer at the cursor, and the mistake under its line."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding(
                "ctrl+space,ctrl+@",  # What a terminal sends for it, with and without the Kitty protocol.
                "complete",
                "All completions",
                show=False,
                key_display="^space",
                tooltip="of the layer or argument at the cursor",
            ),
            Binding(
                "ctrl+t", "insert_after", "Insert after…", tooltip="a layer after every layer of the kind at the cursor"
            ),
        ]
    )
    DEFAULT_CSS = """
    LayersEditor { height: 1fr; layers: text names; }
    LayersEditor TextArea { height: 1fr; border: none; padding: 0; layer: text; scrollbar-size-horizontal: 0; }
    LayersEditor #signature { height: 1; color: $text-muted; padding: 0 1; layer: text; }
    LayersEditor #mistake {
        layer: text; width: 100%; height: auto; max-height: 4; padding: 0 1; display: none;
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
        self._area = Editor()
        self._mistake: tuple[int, str] | None = None
        self._timer: Timer | None = None
        self._loaded = ""
        self._listed_at = (0, 0)
        """Where the word begins that the list is about."""

    def compose(self) -> ComposeResult:
        yield self._area
        yield Static(id="mistake")
        yield Static(id="signature")

    def load(self, text: str) -> None:
        """Shows other layers, from their beginning."""
        self._loaded = text
        if text != self._area.text:
            self._area.load_text(text)

    def replace(self, text: str) -> None:
        """Shows other layers where one is: the cursor stands behind what is different."""
        self._loaded = text
        there = self._area.text
        if text != there:
            first, last, last_there = differing_span(there, text)
            start, end = _location(there, first), _location(there, last_there)
            self._area.replace(text[first:last], start, end, maintain_selection_offset=False)

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
        if self._mistake is None or self._is_listing:
            return
        line, words = self._mistake
        label = self.query_one("#mistake", Static)
        label.update(Content(f"! line {line}: {clean_line(words, 300)}"))
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
        call = _open_call(line[:column])[0] or next(iter(re.findall(r"\w+", line)), "")
        self._show_signature(call)
        if self._is_listing:
            self._list_names(self._listed_at)

    def _show_signature(self, layer: str) -> None:
        self.query_one("#signature", Static).update(Content(signatures().get(layer, "")))

    def action_insert_after(self) -> None:
        """Asks for a layer, and puts it after every layer of the kind at the cursor."""
        lines, row = self._area.document.lines, self._area.cursor_location[0]
        kind = line_edits.kind_of(lines[row])
        count = sum(line_edits.kind_of(line) == kind for line in lines)
        if not kind:
            self.notify("put the cursor on a layer: another one goes after every layer of its kind")
            return
        hint = f"After {count} line{'s' if count > 1 else ''}. Put the cursor on another layer first for another kind."
        question = Question(f"Insert which layer after every {kind}?", hint, "BatchNorm2d()", _wrong_layer)
        self.post_message(OpenScreen(AskDialog(question), partial(self._insert_after, kind)))

    def _insert_after(self, kind: str, layer: str | None) -> None:
        if layer:
            lines = line_edits.with_layer_after(self._area.document.lines, kind, layer)
            self._area.put_lines(lines, self._area.cursor_location)

    # --- the list of completions ---

    def action_complete(self) -> None:
        """Lists the names that may stand at the cursor."""
        if self._area.names is None:
            from mnist_tui.tui.lab.completions import CompletionList  # The first frame does not wait for it.

            self._area.names = CompletionList()
            self.mount(self._area.names)
        if not self._list_names():
            self.notify("no name can stand here")

    def _list_names(self, where: tuple[int, int] | None = None) -> bool:
        """Whether names may stand at the cursor, which are then listed; if given, only for the word that begins there.

        The list is taken away where there are none.
        """
        area, (row, column) = self._area, self._area.cursor_location
        word, names, _ = names_at(area.document.get_line(row)[:column])
        matching = [name for name in names if name.lower().startswith(word.lower())]
        start = (row, column - len(word))
        if area.names is None or not matching or where not in (None, start):
            self._close_names()
            return False
        self._listed_at = start
        self.query_one("#mistake", Static).display = False  # It would be behind the names.
        area.names.show(matching, area.cursor_screen_offset - self.region.offset - (len(word), 0), self.size)
        return True

    @property
    def _is_listing(self) -> bool:
        return self._area.names is not None and self._area.names.display

    def _close_names(self) -> None:
        if self._area.names is not None:
            self._area.names.close()

    def on_completion_list_closed(self) -> None:
        self._say_mistake()

    @on(OptionList.OptionHighlighted)
    def _describe(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if event.option_list.display and str(event.option_id) in LAYER_TYPES:
            self._show_signature(str(event.option_id))

    @on(OptionList.OptionSelected)
    def _take_name(self, event: OptionList.OptionSelected) -> None:
        """Writes the name over the word at the cursor, with the bracket or the sign that follows it."""
        event.stop()
        self._close_names()
        row, column = self._area.cursor_location
        line = self._area.document.get_line(row)
        word, _, end = names_at(line[:column])
        last = column + len(re.findall(r"^\w*", line[column:])[0])
        end = "" if line[last:].startswith(end) else end
        self._area.replace(f"{event.option_id}{end}", (row, column - len(word)), (row, last))

    @on(DescendantBlur)
    def _left(self) -> None:
        self._close_names()
