"""A line of the recipe form: a label and its field, with the error in its text below; and what a line posts."""

import itertools

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from mnist_tui.spec.draft_fields import Field
from mnist_tui.text import clean_line
from mnist_tui.tui.lab.choice import Choice
from mnist_tui.tui.text_field import TextField

_numbers = itertools.count(1)


class FieldChanged(Message):
    """Posted when the user has changed the text of a field."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__()
        self.path = path
        self.text = text
        self.number = next(_numbers)
        """Consecutive over all fields."""


class EditRequested(Message):
    """Request to edit a field in a dialog, where there is more room."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class KnobRemoved(Message):
    """Request to remove a knob."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class FieldLine(Vertical):
    """A label, its field and, below them, the error in its text."""

    DEFAULT_CSS = """
    FieldLine { height: auto; }
    FieldLine Horizontal { height: 1; }
    FieldLine .label { width: 19; height: 1; color: $text-muted; }
    FieldLine.-changed .label { text-style: bold; color: $foreground; }
    FieldLine.-wrong .label { text-style: bold; color: $error; }
    FieldLine Input { width: 1fr; }
    FieldLine Choice { width: 1fr; height: 1; }
    FieldLine Choice:focus { background: $primary 40%; text-style: bold; }
    """

    class Submitted(Message):
        """Posted by Enter in a field whose whole text is visible."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    def __init__(self, field: Field, ascii_only: bool) -> None:
        super().__init__()
        self.field = field
        self._ascii_only = ascii_only
        self._text = field.text
        """The text that was shown or posted last."""
        self._newest_change = 0
        """The number of the newest change that was made in this field."""
        self._label_line = Static(self._label(), classes="label", markup=False)
        self._field = (
            Choice(field.label, field.choices, field.text, ascii_only) if field.choices else TextField(field.text)
        )
        self._error_line: FieldError | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self._label_line
            yield self._field

    def show(self, field: Field, is_wrong: bool, newest_change: int) -> None:
        """Shows a field of a draft that has all changes up to the number `newest_change`.

        The text is left as it is if the draft lacks the newest change of this field: a newer draft will follow.
        """
        is_label_new = field.is_changed != self.field.is_changed
        self.field = field
        if is_label_new:
            self._label_line.update(self._label(), layout=False)
        self.set_class(field.is_changed, "-changed")
        self.set_class(is_wrong, "-wrong")
        if newest_change >= self._newest_change and field.text != self._text:
            self._set_text(field.text)

    def _set_text(self, text: str) -> None:
        self._text = text
        if isinstance(self._field, Choice):
            self._field.show(text)
        else:
            with self._field.prevent(Input.Changed):
                self._field.value = text

    def show_error(self, error: str | None, is_unused: bool, advice: str = "") -> None:
        """Shows the error in the text, None for no error, or the advice in its place.

        `is_unused`: the error is that nothing uses the knob.
        """
        if self._error_line is None and error is not None:
            self._error_line = FieldError(self.field.path)
            self.mount(self._error_line)
        if self._error_line is not None:
            self._error_line.show(error, is_unused, advice)

    def _label(self) -> Content:
        mark = ("*" if self._ascii_only else "•") if self.field.is_changed else " "
        return Content(f"{mark}{self.field.label}")

    @on(Input.Changed)
    def _post_typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value == event.input.value:  # Else a newer one follows.
            self._post_change(event.value)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        """Enter moves to the next field, but opens a dialog for transforms and for a text longer than the field."""
        event.stop()
        if self.field.path == "augment" or cell_len(event.value) >= event.input.size.width:
            self.post_message(EditRequested(self.field.path))
        else:
            self.post_message(self.Submitted(self.field.path))

    @on(Choice.Changed)
    def _post_selected(self, event: Choice.Changed) -> None:
        event.stop()
        self._post_change(event.value)

    def _post_change(self, text: str) -> None:
        if text != self._text:
            self._text = text
            change = FieldChanged(self.field.path, text)
            self._newest_change = change.number
            self.post_message(change)


class FieldError(Static):
    """The error in the field above; where the error is that nothing uses a knob, a click removes the knob."""

    DEFAULT_CSS = """
    FieldError { height: auto; color: $error; padding-left: 2; }
    FieldError.-advice { color: $success; }
    """

    def __init__(self, path: str) -> None:
        super().__init__(markup=False)
        self.path = path
        self._is_unused = False
        self._shown: tuple[str | None, bool, str] = (None, False, "")

    def show(self, error: str | None, is_unused: bool, advice: str) -> None:
        """Shows another error, or the advice in its place; nothing for None."""
        if (error, is_unused, advice) == self._shown:
            return
        self._shown = error, is_unused, advice
        self.display = error is not None
        self._is_unused = is_unused
        self.set_class(bool(advice), "-advice")
        if error is not None:
            remove = (" ", ("[remove]", "underline")) if is_unused else ()
            self.update(Content.assemble(clean_line(advice or f"! {error}", 300), *remove))

    def on_click(self) -> None:
        if self._is_unused:
            self.post_message(KnobRemoved(self.path))
