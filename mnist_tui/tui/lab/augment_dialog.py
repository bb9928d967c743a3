"""The augmentation as a list: add from the catalog, edit, switch off, move, remove; with digits that go through it."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mnist_tui.spec.calls import signature
from mnist_tui.spec.catalog import TRANSFORMS
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.typed_settings import transforms_in
from mnist_tui.text import clean_line
from mnist_tui.tui.dialogs import AskDialog, ChoiceDialog, Question
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab.digits import DigitsStrip
from mnist_tui.tui.lab.previews import Sample
from mnist_tui.tui.repaint import Dialog

if TYPE_CHECKING:
    from mnist_tui.training.preview import AugmentedSample


class Transform(NamedTuple):
    """A transform in the list."""

    text: str
    """The call."""
    is_on: bool = True


class AugmentDialog(Dialog[Draft]):
    """Returns the draft with the transforms in their new order, including those that are switched off."""

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

    def __init__(self, draft: Draft, sample: Sample, ascii_only: bool) -> None:
        """A dialog on the transforms of a draft; raises `SpecError` where its augmentation cannot be parsed."""
        super().__init__()
        self._draft, self._sample, self._ascii_only = draft, sample, ascii_only
        self._transforms = [Transform(*each) for each in draft.transforms()]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            title = "Augmentation of training images, first to last; Enter edits"
            yield Static(Content(title), classes="dialog-title")
            yield OptionList(compact=True)
            yield Static(id="dialog-error")
            yield DigitsStrip(self._ascii_only)
            yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.app.size.height < 30, "-short")
        self.set_class(self.app.size.height < 22, "-flat")
        self.query_one(DigitsStrip).can_focus = False  # The keys are for the list.
        self._show(0)

    @property
    def _at(self) -> int | None:
        return self.query_one(OptionList).highlighted if self._transforms else None

    def _show(self, at: int) -> None:
        """Shows the list with the cursor at an index, and digits that go through the transforms that are on."""
        options = self.query_one(OptionList)
        options.clear_options()
        signs = ("x", " ") if self._ascii_only else ("✓", " ")
        lines = [f"[{signs[not each.is_on]}] {clean_line(each.text, 300)}" for each in self._transforms]
        options.add_options([Option(Content(line)) for line in lines or ["no augmentation: a adds a transform"]])
        options.highlighted = max(0, min(at, len(lines) - 1))
        self._redraw()

    def _redraw(self) -> None:
        result = self._with(self._enabled()).result
        error = result.errors.get("augment")
        self.query_one("#dialog-error", Static).update(Content(f"! {clean_line(error, 300)}" if error else ""))
        if result.spec is not None:
            self._sample(result.spec, self._show_digits)
        elif error is None:
            self._show_digits(None, "digits come once nothing else is wrong in the design")

    def _show_digits(self, sample: "AugmentedSample | None", error: str | None) -> None:
        for strip in self.query(DigitsStrip):  # None is left if the answer comes after the dialog was closed.
            if sample is not None and error is None:
                strip.show(sample.digits, sample.labels, "r draws others", sample.classes)
            else:
                strip.show_reason(error or "")

    def _enabled(self) -> list[str]:
        return [each.text for each in self._transforms if each.is_on]

    def _with(self, texts: Sequence[str]) -> Draft:
        """The draft with other transforms."""
        return self._draft.with_text("augment", ", ".join(texts))

    def _error_in(self, texts: Sequence[str]) -> str | None:
        return self._with(texts).result.errors.get("augment")

    # --- keys ---

    def action_add(self) -> None:
        """Asks which transform, and with which arguments."""
        self.app.push_screen(ChoiceDialog("Add which transform?", list(TRANSFORMS), next(iter(TRANSFORMS))), self._add)

    def _add(self, name: str | None) -> None:
        if name is not None:
            arguments = signature(TRANSFORMS[name]).parameters.items()
            required = [key for key, argument in arguments if argument.default is argument.empty]
            text = f"{name}({', '.join(f'{key}=' for key in required)})"
            self._ask(text, lambda calls: self._put(len(self._transforms), map(Transform, calls)))

    @on(OptionList.OptionSelected)
    def action_edit(self) -> None:
        """Asks for the call of the transform under the cursor."""
        at = self._at
        if at is None:
            self.action_add()
        else:
            old = self._transforms[at]
            self._ask(old.text, lambda calls: self._put(at, [old._replace(text=call) for call in calls], 1))

    def _ask(self, text: str, on_result: Callable[[Sequence[str]], None]) -> None:
        """Asks for a call; the answer may be several, each a transform with a line of its own."""
        name = text.partition("(")[0].strip()
        title, hint = f"{name} with which arguments?", TRANSFORMS.get(name, "")
        dialog = AskDialog(Question(title, hint, text, lambda typed: self._error_in([typed])))
        self.app.push_screen(dialog, lambda typed: on_result(_calls(typed)) if typed else None)

    def _put(self, at: int, transforms: Iterable[Transform], replaced: int = 0) -> None:
        self._transforms[at : at + replaced] = transforms
        self._show(at)

    def action_switch(self) -> None:
        """Switches the transform under the cursor on or off."""
        if (at := self._at) is not None:
            old = self._transforms[at]
            self._put(at, [old._replace(is_on=not old.is_on)], replaced=1)

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
        """Draws other digits."""
        self._redraw()

    def action_accept(self) -> None:
        """Closes with the draft, unless a transform that is on has an error."""
        if self._error_in(self._enabled()) is None:
            self.dismiss(self._draft.with_transforms(self._transforms))


def _calls(text: str) -> list[str]:
    """The transforms in a text, as one call each."""
    return [str(call) for call in transforms_in(text)]
