"""Asks for a new knob: its name and its value, each with the error in it below."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from mnist_tui.errors import SpecError
from mnist_tui.spec.draft import Draft
from mnist_tui.text import clean_line
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.repaint import Dialog
from mnist_tui.tui.text_field import TextField


class KnobDialog(Dialog[Draft]):
    """Returns the draft with the knob; stays open while the name or the value has an error."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("escape", "dismiss", "Cancel"),
            Binding("down", "app.focus_next", "Next field", show=False),
            Binding("up", "app.focus_previous", "Field before", show=False),
        ]
    )
    DEFAULT_CSS = "KnobDialog .wrong { color: $error; display: none; }"

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content("New knob"), classes="dialog-title")
            yield Static(Content("A number that layers and recipe call by its name: Conv2d(width, 3)"))
            yield Static(Content("Name"), classes="dialog-hint")
            yield TextField(name="knob-name")
            yield Static(id="knob-name-wrong", classes="wrong")
            yield Static(Content("Value"), classes="dialog-hint")
            yield TextField(name="knob-value")
            yield Static(id="knob-value-wrong", classes="wrong")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Add", id="add", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    @on(Input.Submitted, "#knob-name")
    def _to_value(self) -> None:
        self.query_one("#knob-value").focus()

    @on(Input.Submitted, "#knob-value")
    @on(Button.Pressed, "#add")
    def _add(self) -> None:
        name, value = (self.query_one(f"#knob-{part}", Input).value.strip() for part in ("name", "value"))
        try:
            self.dismiss(self._draft.with_knob(name, value))
        except SpecError as error:
            self._show_error("name" if error.where == ("knobs",) else "value", str(error))

    def _show_error(self, field: str, error: str) -> None:
        for part in ("name", "value"):
            line = self.query_one(f"#knob-{part}-wrong", Static)
            line.display = part == field
            line.update(Content(f"! {clean_line(error, 300)}"))
        self.query_one(f"#knob-{field}").focus()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss()
