"""The recipe form, made from the fields of a draft: one line each, and what is wrong with it beneath."""

import itertools
from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widget import AwaitMount, Widget
from textual.widgets import Input, Static

from mnist_tui.settings.model import choices_of
from mnist_tui.spec.draft import Draft, Field
from mnist_tui.text import clean_line
from mnist_tui.tui.charts.curves import number
from mnist_tui.tui.dialogs import ChoiceDialog
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.text_field import TextField

BLOCKS = " ▁▂▃▄▅▆▇█"
RAMP = " _.-=+*#"
FIRST_GROUPS = 2
"""Groups with fields that the first frame has: knobs or training, optimizer; enough for the eye."""

MISTAKE_SECONDS = 0.3
"""Without typing before a mistake is said: half a number is none."""

ACTIONS = {"knobs": "+ new", "augmentation": "as a list"}
"""What a click on the heading of a group does."""

RUN_FIELDS = (*((name, choices_of(name)) for name in ("device", "dataset")), ("seeds", ()))
"""What a run needs beside its spec: path, and choices."""


_numbers = itertools.count(1)


class Changed(Message):
    """A person has changed the text of a field."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__()
        self.path = path
        self.text = text
        self.number = next(_numbers)
        """Higher than that of every change before."""


class EditAsked(Message):
    """A field is to be edited where there is more room."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class NewKnob(Message):
    """Somebody wants another knob."""


class Unwanted(Message):
    """A knob is to be removed."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class Choice(Static, can_focus=True):
    """One of several words: left and right change it, Enter lists them. A light stand-in for textual's `Select`."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("left", "turn(-1)", "The word before", show=False),
            Binding("right", "turn(1)", "The next word", show=False),
            Binding("enter", "list", "All words", show=False),
        ]
    )

    class Chosen(Message):
        """Another word was chosen."""

        def __init__(self, word: str) -> None:
            super().__init__()
            self.word = word

    def __init__(self, words: Sequence[str], word: str, ascii_only: bool) -> None:
        super().__init__(markup=False)
        self.words = list(dict.fromkeys((*words, word)))
        self._arrow = "v" if ascii_only else "▾"
        self.word = word

    def on_mount(self) -> None:
        self.show(self.word)

    def show(self, word: str) -> None:
        """Shows a word, without telling anybody."""
        self.word = word
        self.update(Content(f"{word} {self._arrow}"))

    def choose(self, word: str | None) -> None:
        """Takes a word, and tells it; None changes nothing."""
        if word is not None and word != self.word:
            self.show(word)
            self.post_message(self.Chosen(word))

    def action_turn(self, steps: int) -> None:
        """The next word, or the one before."""
        index = self.words.index(self.word) if self.word in self.words else 0
        self.choose(self.words[(index + steps) % len(self.words)])

    def action_list(self) -> None:
        """Lists the words to choose from."""
        self.app.push_screen(ChoiceDialog(self.words, self.word), self.choose)

    def on_click(self) -> None:
        self.action_list()


class FieldLine(Vertical):
    """A label and its field, and below them what is wrong with its text."""

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

    def __init__(self, field: Field, ascii_only: bool) -> None:
        super().__init__()
        self.field = field
        self._ascii_only = ascii_only
        self._text = field.text
        """The text of the field, as far as it was told."""
        self._newest_change = 0
        """The number of the newest change that was made here."""
        self._label_line = Static(self._label(), classes="label", markup=False)
        self._field = Choice(field.choices, field.text, ascii_only) if field.choices else TextField(field.text)
        self._mistake: Mistake | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self._label_line
            yield self._field

    def show(self, field: Field, is_wrong: bool, newest_change: int) -> None:
        """Shows a field of a draft that has all changes up to the number `newest_change`.

        A draft without the newest change of this field says nothing of its text: another one is on its way.
        """
        is_label_new = field.is_changed != self.field.is_changed
        self.field = field
        if is_label_new:
            self._label_line.update(self._label(), layout=False)
        self.set_class(field.is_changed, "-changed")
        self.set_class(is_wrong, "-wrong")
        if newest_change >= self._newest_change and field.text != self._text:
            self._put(field.text)

    def _put(self, text: str) -> None:
        self._text = text
        if isinstance(self._field, Choice):
            self._field.show(text)
        else:
            with self._field.prevent(Input.Changed):  # It is news to nobody.
                self._field.value = text

    def show_mistake(self, words: str | None, is_unused: bool) -> None:
        """Says what is wrong with the text; None takes the words away."""
        if self._mistake is not None:
            self._mistake.show(words, is_unused)
        elif words is not None:
            self._mistake = Mistake(self.field.path, words, is_unused)
            self.mount(self._mistake)

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
        """Enter goes on to the next field; a text that is longer than the field is shown whole, and a list as one."""
        event.stop()
        if self.field.path == "augment" or cell_len(event.value) >= event.input.size.width:
            self.post_message(EditAsked(self.field.path))
        else:
            self.screen.focus_next()

    @on(Choice.Chosen)
    def _post_chosen(self, event: Choice.Chosen) -> None:
        event.stop()
        self._post_change(event.word)

    def _post_change(self, text: str) -> None:
        if text != self._text:
            self._text = text
            change = Changed(self.field.path, text)
            self._newest_change = change.number
            self.post_message(change)


class Mistake(Static):
    """What is wrong with the field above; a click removes a knob that nothing uses."""

    DEFAULT_CSS = "Mistake { height: auto; color: $error; padding-left: 2; }"

    def __init__(self, path: str, words: str, is_unused: bool) -> None:
        super().__init__(markup=False)
        self.path = path
        self._is_unused = is_unused
        self._words: str | None = None
        self.show(words, is_unused)

    def show(self, words: str | None, is_unused: bool) -> None:
        """Shows other words; nothing for None."""
        if (words, is_unused) == (self._words, self._is_unused):
            return
        self.display = words is not None
        self._is_unused = is_unused
        if words is not None:
            remove = (" ", ("[remove]", "underline")) if is_unused else ()
            self.update(Content.assemble(f"! {clean_line(words, 300)}", *remove))
        self._words = words

    def on_click(self) -> None:
        if self._is_unused:
            self.post_message(Unwanted(self.path))


class Heading(Static):
    """The heading of a group of fields; behind some there is something to click on."""

    def __init__(self, group: str) -> None:
        words = ACTIONS.get(group, "")
        super().__init__(Content.assemble(f"{group}  ", (words, "underline")), classes="heading")
        self.group = group

    def on_click(self) -> None:
        if self.group == "knobs":
            self.post_message(NewKnob())
        elif self.group == "augmentation":
            self.post_message(EditAsked("augment"))


class RatesSketch(Static):
    """The learning rate over the run in two lines."""

    DEFAULT_CSS = "RatesSketch { width: 1fr; height: 2; padding: 0 1; color: $primary; }"

    def __init__(self, ascii_only: bool) -> None:
        super().__init__(markup=False)
        self._ascii_only = ascii_only
        self._rates: Sequence[float] = ()

    def show(self, rates: Sequence[float] | None) -> None:
        """Draws rates, evenly spaced over the run."""
        self._rates = rates or ()
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        self.update(Content(sketch(self._rates, self.size.width - 2, self._ascii_only)), layout=False)


def sketch(rates: Sequence[float], width: int, ascii_only: bool) -> str:
    """One line of blocks, as high as the rate, and one of numbers: the first, the highest, the last."""
    if not rates or width < 4:
        return "" if rates else "the schedule, once PyTorch is loaded"[: max(0, width)]
    steps = RAMP if ascii_only else BLOCKS
    top = max(rates) or 1.0
    columns = [rates[index * len(rates) // width] for index in range(width)]
    line = "".join(steps[max(1, round(rate / top * (len(steps) - 1)))] if rate > 0 else steps[0] for rate in columns)
    ends = f"{number(rates[0])}", f"max {number(max(rates))}", f"{number(rates[-1])}"
    middle = ends[1].center(max(0, width - len(ends[0]) - len(ends[2])))
    return f"{line}\n{(ends[0] + middle + ends[2])[:width]}"


class FieldGroup(Vertical):
    """The fields of one heading."""

    DEFAULT_CSS = """
    FieldGroup { height: auto; }
    FieldGroup .heading { height: 1; text-style: bold; color: $primary; }
    """

    def __init__(self, heading: str, fields: Sequence[Field], ascii_only: bool) -> None:
        super().__init__()
        self.heading = heading
        self.lines = [FieldLine(field, ascii_only) for field in fields]
        self._ascii_only = ascii_only

    @property
    def paths(self) -> list[str]:
        """The fields that it has."""
        return [line.field.path for line in self.lines]

    def compose(self) -> ComposeResult:
        yield Heading(self.heading)
        yield from self.lines
        if self.heading == "scheduler":
            yield RatesSketch(self._ascii_only)

    def take(self, fields: Sequence[Field]) -> list[AwaitMount]:
        """Changes the fields behind the choice that made them others; the choice keeps the focus."""
        old = {line.field.path: line for line in self.lines}
        self.lines = [
            old.pop(field.path) if field.path in old else FieldLine(field, self._ascii_only) for field in fields
        ]
        if not self.children:
            return []  # They are composed with the group.
        for line in old.values():
            line.remove()
        mounts = []
        after: Widget = self.query_one(Heading)
        for line in self.lines:
            if line.parent is None:
                mounts.append(self.mount(line, after=after))
            after = line
        return mounts


class RecipeForm(VerticalScroll):
    """Every setting of the recipe, of the target and of the run."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("down", "app.focus_next", "Next field", show=False),
            Binding("up", "app.focus_previous", "Field before", show=False),
            Binding("ctrl+r", "remove_knob", "Remove the knob", show=False, tooltip="one that no layer uses"),
        ]
    )
    DEFAULT_CSS = "RecipeForm { height: 1fr; scrollbar-size-horizontal: 0; padding: 0 1; }"
    can_focus = False

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        self._rates: Sequence[float] | None = None
        self._groups: list[FieldGroup] = []
        self._shown: ShownDraft | None = None
        self._mistakes_timer: Timer | None = None

    def show(self, shown: "ShownDraft") -> None:
        """Shows a draft; only a group whose fields are others is built anew."""
        self._shown = shown
        groups = shown.groups
        if [name for name, _ in groups] != [group.heading for group in self._groups]:
            self._rebuild(groups)
            return
        for group, (_, fields) in zip(self._groups, groups, strict=True):
            if group.paths != [field.path for field in fields]:
                self.call_later(self._update_mounted, group.take(fields))
        self._update()

    def _update(self) -> None:
        """Brings every line that is there to the draft; what is wrong is said once nobody types."""
        shown = self._shown
        if shown is None:
            return
        for line in self._lines():
            path = line.field.path
            if path in shown.fields:
                line.show(shown.fields[path], path in shown.errors, shown.newest_change)
            if path not in shown.errors:
                line.show_mistake(None, is_unused=False)
        if self._mistakes_timer is not None:
            self._mistakes_timer.stop()
        if shown.errors:
            self._mistakes_timer = self.set_timer(MISTAKE_SECONDS, self._show_mistakes)

    def _show_mistakes(self) -> None:
        if (shown := self._shown) is not None:
            for line in self._lines():
                line.show_mistake(shown.errors.get(line.field.path), line.field.path in shown.unused)

    def _lines(self) -> list[FieldLine]:
        return [line for group in self._groups for line in group.lines if line.is_mounted]

    def action_remove_knob(self) -> None:
        """Removes the knob whose field has the focus, where nothing uses it."""
        line = next((line for line in self._lines() if line.has_focus_within), None)
        if line is None or self._shown is None or line.field.path not in self._shown.unused:
            self.notify("only a knob that no layer and no argument uses can be removed")
            return
        self.post_message(Unwanted(line.field.path))

    def _rebuild(self, groups: "Groups") -> None:
        self.query(FieldGroup).remove()
        self._groups = [FieldGroup(name, fields, self._ascii_only) for name, fields in groups]
        # The first screenful at once, so that it is in the first frame; the rest behind it.
        first = FIRST_GROUPS if self._groups[0].lines else FIRST_GROUPS + 1
        self.mount_all(self._groups[:first])
        self.call_after_refresh(self._mount_rest, self._groups[first:])

    def _mount_rest(self, groups: Sequence[FieldGroup]) -> None:
        self.call_later(self._update_mounted, [self.mount_all(groups)])

    async def _update_mounted(self, mounts: Sequence[AwaitMount]) -> None:
        """Brings lines that are new to the newest draft."""
        for mount in mounts:
            await mount
        self._update()
        self.show_rates(self._rates)

    def show_rates(self, rates: Sequence[float] | None) -> None:
        """Draws the learning rate to come; None where it is not known."""
        self._rates = rates
        for sketch_line in self.query(RatesSketch):
            sketch_line.show(rates)


Groups = Sequence[tuple[str, Sequence[Field]]]
"""Fields by their headings."""


class ShownDraft:
    """What the form shows: the fields of a draft and of the run, and what is wrong with them."""

    def __init__(self, draft: Draft, run_texts: Mapping[str, str], newest_change: int) -> None:
        checked = draft.result
        self.groups: Groups = _groups(draft, run_texts)
        self.fields = {field.path: field for _, fields in self.groups for field in fields}
        self.errors, self.unused = checked.errors, checked.unused
        self.newest_change = newest_change
        """The number of the newest change that the draft has."""


def _groups(draft: Draft, run_texts: Mapping[str, str]) -> Groups:
    """The fields by their headings; the knobs first, since they belong to the network, none of them too."""
    groups: dict[str, list[Field]] = {"knobs": []}
    for field in draft.fields:
        groups.setdefault(field.group, []).append(field)
    groups["run"] = [Field(path, path, "run", run_texts[path], choices) for path, choices in RUN_FIELDS]
    return [(name, fields) for name, fields in groups.items() if fields or name == "knobs"]
