"""Dialogs: small screens that return a typed value, or None when they are cancelled."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from mnist_tui.text import clean, clean_line
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.repaint import Dialog
from mnist_tui.tui.text_field import TextField

QuitChoice = Literal["stop", "leave"]


class QuitDialog(Dialog[QuitChoice]):
    """Asks what to do with the current run before quitting."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("s", "choose('stop')", "Stop and save"),
            Binding("l", "choose('leave')", "Leave running"),
            Binding("escape,c", "dismiss", "Cancel"),
        ]
    )

    def __init__(self, run: str, queue: str = "") -> None:
        """`run` is the folder of the run; `queue` says what waits, "" for nothing."""
        super().__init__()
        self._run, self._queue = run, queue

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content("A run is being trained"), classes="dialog-title")
            yield Static(Content(clean_line(self._run, 200)))
            if self._queue:
                yield Static(Content(clean_line(self._queue, 200)))
            with Horizontal(classes="dialog-buttons"):
                yield Button("[u]S[/u]top and save", id="stop", variant="primary", compact=True)
                yield Button("[u]L[/u]eave running", id="leave", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def action_choose(self, choice: QuitChoice) -> None:
        """Answers."""
        self.dismiss(choice)

    @on(Button.Pressed)
    def _answer(self, event: Button.Pressed) -> None:
        match event.button.id:
            case "stop":
                self.dismiss("stop")
            case "leave":
                self.dismiss("leave")
            case _:
                self.dismiss()


@dataclass(frozen=True)
class Question:
    """A question for one line: heading, hint, initial value, and a check that returns an error or None."""

    title: str
    hint: str
    value: str
    wrong: Callable[[str], str | None]


class AskDialog(Dialog[str]):
    """Asks for a line; stays open with the error of a wrong one. `is_wide`: over the width of the screen."""

    KEYS = "enter OK  esc Cancel"
    BINDINGS: ClassVar[list[BindingType]] = with_ids([Binding("escape", "dismiss", "Cancel")])

    def __init__(self, question: Question, is_wide: bool = False) -> None:
        super().__init__()
        self._question = question
        self.set_class(is_wide, "-wide-field")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._question.title), classes="dialog-title")
            yield Static(Content(self._question.hint), classes="dialog-hint")
            yield TextField(self._question.value, is_selected=self._gap is None)
            yield Static(id="dialog-error")

    @property
    def _gap(self) -> int | None:
        """Index of the first missing argument in the text, as in `Resize(size=)`."""
        match = re.search(r"=(?=[,)])", self._question.value)
        return match.end() if match else None

    def on_mount(self) -> None:
        if self._gap is not None:
            self.query_one(TextField).cursor_position = self._gap

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        error = self._question.wrong(event.value.strip())
        if error is None:
            self.dismiss(event.value.strip())
        else:
            self.query_one("#dialog-error", Static).update(Content(f"! {clean_line(error, 300)}"))


class ChoiceDialog(Dialog[str]):
    """Selects one of several values; returns it."""

    KEYS = "enter Choose  esc Cancel"
    BINDINGS: ClassVar[list[BindingType]] = with_ids([Binding("escape", "dismiss", "Cancel")])

    def __init__(self, title: str, values: list[str], value: str) -> None:
        super().__init__()
        self._title, self._values, self._value = title, values, value

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="dialog-title")
            yield OptionList(*[Option(Content(value), id=value) for value in self._values], compact=True)

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = self._values.index(self._value)

    @on(OptionList.OptionSelected)
    def _answer(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(str(event.option_id))


@dataclass(frozen=True)
class SavedLine:
    """A saved run in a list: the name of its folder, and one line about it."""

    run: str
    line: str


class RunDialog(Dialog[str]):
    """Selects a saved run; returns the name of its folder, or "" for none of them."""

    KEYS = "enter Choose  esc Cancel"
    BINDINGS: ClassVar[list[BindingType]] = with_ids([Binding("escape", "dismiss", "Cancel")])

    def __init__(self, title: str, runs: list[SavedLine], none: str) -> None:
        super().__init__()
        self._title, self._runs, self._none = title, runs, none

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large"):
            yield Static(Content(self._title), classes="dialog-title")
            options = [Option(Content(clean_line(run.line, 200)), id=run.run) for run in self._runs]
            yield OptionList(Option(Content(self._none)), *options, compact=True)

    @on(OptionList.OptionSelected)
    def _answer(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id or "")


class MessageDialog(Dialog[None]):
    """Shows a message until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids([Binding("escape,enter,space,q", "dismiss", "Close")])

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="dialog-title")
            yield Static(Content(clean(self._text, 2_000)))
            yield Static(Content("Enter closes this"), classes="dialog-hint")


class ConfirmDialog(Dialog[bool]):
    """Asks for confirmation."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("y", "answer(True)", "Yes"),
            Binding("escape,n,q", "answer(False)", "No"),
        ]
    )

    def __init__(self, title: str, text: str, yes: str) -> None:
        super().__init__()
        self._title, self._text, self._yes = title, text, yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="dialog-title")
            yield Static(Content(clean_line(self._text, 300)))
            with Horizontal(classes="dialog-buttons"):
                yield Button(Content(f"{self._yes} (y)"), id="yes", variant="primary", compact=True)
                yield Button("Cancel", id="no", compact=True)

    def action_answer(self, answer: bool) -> None:
        """Answers."""
        self.dismiss(answer)

    @on(Button.Pressed)
    def _answer(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")
