"""The augmentation as a list: add from the catalog, edit, switch off, move, remove; with digits that go through it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mnist_tui.spec.calls import signature
from mnist_tui.spec.catalog import TRANSFORMS
from mnist_tui.spec.typed_settings import transforms_in
from mnist_tui.text import clean_line
from mnist_tui.tui.dialogs import AskDialog, ChoiceDialog, Question
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab.digits import DigitsStrip
from mnist_tui.tui.repaint import Dialog


class Transform(NamedTuple):
    """A transform in the list."""

    text: str
    """The call."""
    is_on: bool = True


Feed = Callable[[Sequence[str], Callable[[Any, str | None], None]], None]
"""Has digits augmented by transforms, and calls back with them, or with why there are none."""


class AugmentDialog(Dialog[tuple[Transform, ...]]):
    """Returns the transforms in their order, those that are switched off too."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("a", "add", "Add"),
            Binding("e,enter", "edit", "Edit", tooltip="the call, with its arguments"),
            Binding("space", "switch", "On/off"),
            Binding("K,shift+up", "move(-1)", "Up"),
            Binding("J,shift+down", "move(1)", "Down"),
            Binding("d,delete", "remove", "Remove"),
            Binding("r", "redraw", "Other digits", show=False),
            Binding("ctrl+s,f10", "accept", "Take over"),
            Binding("escape", "dismiss", "Cancel"),
        ]
    )

    def __init__(
        self,
        transforms: Sequence[Transform],
        wrong: Callable[[Sequence[str]], str | None],
        feed: Feed,
        ascii_only: bool,
    ) -> None:
        """`wrong`: what is wrong with transforms, None where nothing is."""
        super().__init__()
        self._transforms = list(transforms)
        self._wrong, self._feed, self._ascii_only = wrong, feed, ascii_only

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            words = "Augmentation of training images, first to last; Enter edits"
            yield Static(Content(words), classes="dialog-title")
            yield OptionList(compact=True)
            yield Static(id="dialog-error")
            yield DigitsStrip(self._ascii_only)
            yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.app.size.height < 30, "-short")
        self.query_one(DigitsStrip).can_focus = False  # The keys are for the list.
        self._show(0)

    @property
    def _at(self) -> int | None:
        return self.query_one(OptionList).highlighted if self._transforms else None

    def _show(self, at: int) -> None:
        """Shows the list with the cursor at a place, and digits that go through what is switched on."""
        options = self.query_one(OptionList)
        options.clear_options()
        signs = ("x", " ") if self._ascii_only else ("✓", " ")
        lines = [f"[{signs[not each.is_on]}] {clean_line(each.text, 300)}" for each in self._transforms]
        options.add_options([Option(Content(line)) for line in lines or ["no augmentation: a adds a transform"]])
        options.highlighted = max(0, min(at, len(lines) - 1))
        self._redraw()

    def _redraw(self) -> None:
        texts = self._switched_on()
        wrong = self._wrong(texts)
        self.query_one("#dialog-error", Static).update(Content(f"! {clean_line(wrong, 300)}" if wrong else ""))
        if wrong is None:
            self._feed(texts, self._show_digits)

    def _show_digits(self, fed: Any, error: str | None) -> None:
        for strip in self.query(DigitsStrip):  # None is left where the answer comes after the dialog was closed.
            if error is not None:
                strip.show_waiting(error)
            else:
                strip.show(fed.digits, fed.labels, "r draws others")

    def _switched_on(self) -> list[str]:
        return [each.text for each in self._transforms if each.is_on]

    # --- keys ---

    def action_add(self) -> None:
        """Asks which transform, and with which arguments."""
        self.app.push_screen(ChoiceDialog(list(TRANSFORMS), next(iter(TRANSFORMS))), self._add)

    def _add(self, name: str | None) -> None:
        if name is not None:
            needed = [key for key, one in signature(TRANSFORMS[name]).parameters.items() if one.default is one.empty]
            text = f"{name}({', '.join(f'{key}=' for key in needed)})"
            self._request(text, lambda calls: self._put(len(self._transforms), map(Transform, calls)))

    @on(OptionList.OptionSelected)
    def action_edit(self) -> None:
        """Asks for the call of the transform under the cursor."""
        at = self._at
        if at is None:
            self.action_add()
        else:
            before = self._transforms[at]
            self._request(before.text, lambda calls: self._put(at, [before._replace(text=call) for call in calls], 1))

    def _request(self, text: str, on_result: Callable[[Sequence[str]], None]) -> None:
        """Asks for a call; several are answered each by itself, so that one that is switched off keeps its place."""
        name = text.partition("(")[0].strip()
        title, hint = f"{name} with which arguments?", TRANSFORMS.get(name, "")
        dialog = AskDialog(Question(title, hint, text, lambda typed: self._wrong([typed])))
        self.app.push_screen(dialog, lambda typed: on_result(_calls(typed)) if typed else None)

    def _put(self, at: int, transforms: Iterable[Transform], replaced: int = 0) -> None:
        self._transforms[at : at + replaced] = transforms
        self._show(at)

    def action_switch(self) -> None:
        """Switches the transform under the cursor on or off."""
        if (at := self._at) is not None:
            before = self._transforms[at]
            self._put(at, [before._replace(is_on=not before.is_on)], replaced=1)

    def action_move(self, steps: int) -> None:
        """Moves the transform under the cursor."""
        if (at := self._at) is not None:
            to = max(0, min(at + steps, len(self._transforms) - 1))
            self._transforms.insert(to, self._transforms.pop(at))
            self._show(to)

    def action_remove(self) -> None:
        """Removes the transform under the cursor."""
        if (at := self._at) is not None:
            del self._transforms[at]
            self._show(at)

    def action_redraw(self) -> None:
        """Other digits."""
        self._redraw()

    def action_accept(self) -> None:
        """Answers, where nothing is wrong."""
        if self._wrong(self._switched_on()) is None:
            self.dismiss(tuple(self._transforms))


def _calls(text: str) -> list[str]:
    """The transforms that a text calls."""
    return [str(call) for call in transforms_in(text)]
