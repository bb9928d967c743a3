"""The editor of the layers: their text, the signature of the layer at the cursor, the error in the text."""

import re
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import DescendantBlur
from textual.message import Message
from textual.timer import Timer
from textual.widgets import OptionList, Static, TextArea

from mnist_tui.errors import CallError
from mnist_tui.spec.calls import parse
from mnist_tui.spec.layers import LAYER_TYPES
from mnist_tui.text import clean_line, did_you_mean
from mnist_tui.tui.dialogs import AskDialog, Question
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab import line_edits
from mnist_tui.tui.lab.layer_names import names_at, open_call, signatures
from mnist_tui.tui.lab.layers_text_area import LayersTextArea
from mnist_tui.tui.messages import OpenScreen

ERROR_SECONDS = 0.3
"""Without typing before an error is shown: a word that is half typed is no error."""


def differing_span(old: str, new: str) -> tuple[int, int, int]:
    """The part in which two texts differ: its start, and its end in `new` and in `old`."""
    first = next((index for index, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), None)
    start = min(len(old), len(new)) if first is None else first
    same = 0
    while same < min(len(old), len(new)) - start and old[-1 - same] == new[-1 - same]:
        same += 1
    return start, len(new) - same, len(old) - same


def _location(text: str, index: int) -> tuple[int, int]:
    """The line and the column of a character, from 0."""
    return text.count("\n", 0, index), index - (text.rfind("\n", 0, index) + 1)


def _wrong_layer(text: str) -> str | None:
    """The error in the text of one layer; None for no error."""
    try:
        name = parse(text).name
    except CallError as error:
        return str(error)
    return None if name in LAYER_TYPES else f"there is no layer {name!r}{did_you_mean(name, LAYER_TYPES)}"


class LayersEditor(Vertical):
    """The text area, and below it the error and the signature; the list of completions opens over it."""

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
                "ctrl+t", "insert_after", "Insert after…", tooltip="a layer after every layer of the type at the cursor"
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
        """Posted when the user has changed the layers."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self) -> None:
        super().__init__()
        self._area = LayersTextArea()
        self._error: tuple[int, str] | None = None
        self._timer: Timer | None = None
        self._loaded = ""
        self._listed_at = (0, 0)
        """Line and column where the word begins that the list completes."""

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
        """Shows other layers and moves the cursor behind the part that differs."""
        self._loaded = text
        there = self._area.text
        if text != there:
            first, last, last_there = differing_span(there, text)
            start, end = _location(there, first), _location(there, last_there)
            self._area.replace(text[first:last], start, end, maintain_selection_offset=False)

    def show_error(self, error: tuple[int, str] | None) -> None:
        """Shows an error and its line, from 1, after `ERROR_SECONDS` without typing; None for no error."""
        self._error = error
        self._area.mark_line(error[0] if error else None)
        if self._timer is not None:
            self._timer.stop()
        if error is None:
            self.query_one("#mistake", Static).display = False
        else:
            self._timer = self.set_timer(ERROR_SECONDS, self._show_error_line)

    def _show_error_line(self) -> None:
        if self._error is None or self._is_listing:
            return
        line, error = self._error
        label = self.query_one("#mistake", Static)
        label.update(Content(f"! line {line}: {clean_line(error, 300)}"))
        label.display = True

    @on(TextArea.Changed)
    def _on_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if self._area.text != self._loaded:
            self._loaded = self._area.text
            self.post_message(self.Edited(self._area.text))

    @on(TextArea.SelectionChanged)
    def _on_cursor_moved(self, event: TextArea.SelectionChanged) -> None:
        event.stop()
        row, column = self._area.cursor_location
        line = self._area.document.get_line(row)
        call = open_call(line[:column])[0] or next(iter(re.findall(r"\w+", line)), "")
        self._show_signature(call)
        if self._is_listing:
            self._list_names(self._listed_at)

    def _show_signature(self, layer: str) -> None:
        self.query_one("#signature", Static).update(Content(signatures().get(layer, "")))

    def action_insert_after(self) -> None:
        """Asks for a layer and inserts it after every layer of the type at the cursor."""
        lines, row = self._area.document.lines, self._area.cursor_location[0]
        layer_type = line_edits.layer_type_of(lines[row])
        count = sum(line_edits.layer_type_of(line) == layer_type for line in lines)
        if not layer_type:
            self.notify("put the cursor on a layer: another one goes after every layer of its type")
            return
        hint = f"After {count} line{'s' if count > 1 else ''}. Put the cursor on another layer first for another type."
        question = Question(f"Insert which layer after every {layer_type}?", hint, "BatchNorm2d()", _wrong_layer)
        self.post_message(OpenScreen(AskDialog(question), partial(self._insert_after, layer_type)))

    def _insert_after(self, layer_type: str, layer: str | None) -> None:
        if layer:
            lines = line_edits.with_layer_after(self._area.document.lines, layer_type, layer)
            self._area.put_lines(lines, self._area.cursor_location)

    # --- the list of completions ---

    def action_complete(self) -> None:
        """Lists the names that can complete the word at the cursor."""
        if self._area.names is None:
            from mnist_tui.tui.lab.completions import CompletionList  # The first frame does not wait for it.

            self._area.names = CompletionList()
            self.mount(self._area.names)
        if not self._list_names():
            self.notify("no name can stand here")

    def _list_names(self, where: tuple[int, int] | None = None) -> bool:
        """Lists the names that can complete the word at the cursor, or closes the list; whether there are any.

        With `where`, only if the word begins there.
        """
        area, (row, column) = self._area, self._area.cursor_location
        word, names, _ = names_at(area.document.get_line(row)[:column])
        matching = [name for name in names if name.lower().startswith(word.lower())]
        start = (row, column - len(word))
        if area.names is None or not matching or where not in (None, start):
            self._close_names()
            return False
        self._listed_at = start
        self.query_one("#mistake", Static).display = False  # The list would hide it.
        area.names.show(matching, area.cursor_screen_offset - self.region.offset - (len(word), 0), self.size)
        return True

    @property
    def _is_listing(self) -> bool:
        return self._area.names is not None and self._area.names.display

    def _close_names(self) -> None:
        if self._area.names is not None:
            self._area.names.close()

    def on_completion_list_closed(self) -> None:
        self._show_error_line()

    @on(OptionList.OptionHighlighted)
    def _describe(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if event.option_list.display and str(event.option_id) in LAYER_TYPES:
            self._show_signature(str(event.option_id))

    @on(OptionList.OptionSelected)
    def _insert_name(self, event: OptionList.OptionSelected) -> None:
        """Replaces the word at the cursor by the selected name and the bracket or sign that follows it."""
        event.stop()
        self._close_names()
        row, column = self._area.cursor_location
        line = self._area.document.get_line(row)
        word, _, end = names_at(line[:column])
        last = column + len(re.findall(r"^\w*", line[column:])[0])
        end = "" if line[last:].startswith(end) else end
        self._area.replace(f"{event.option_id}{end}", (row, column - len(word)), (row, last))

    @on(DescendantBlur)
    def _close_names_on_blur(self) -> None:
        self._close_names()
