"""The recipe form, made from the fields of a draft: one line each, and what is wrong with it beneath."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import AwaitMount, Widget
from textual.widgets import Input, Static

from mnist_tui.draft import Checked, Draft, Field
from mnist_tui.text import clean_line
from mnist_tui.tui.curves import number
from mnist_tui.tui.dialogs import ChoiceDialog
from mnist_tui.tui.keys import with_ids

BLOCKS = " ▁▂▃▄▅▆▇█"
RAMP = " _.-=+*#"
FIRST_GROUPS = 2
"""Groups with fields that the first frame has: knobs or training, optimizer; enough for the eye."""

RUN_FIELDS = (("device", ()), ("dataset", ("auto", "mnist", "digits")), ("seeds", ()))
"""What a run needs beside its spec: path, and choices."""


class Changed(Message):
    """A field has another text."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__()
        self.path = path
        self.text = text


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


class FieldLine(Horizontal):
    """A label and its field."""

    DEFAULT_CSS = """
    FieldLine { height: 1; }
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
        self._shown = field.text

    def compose(self) -> ComposeResult:
        yield Static(self._label(), classes="label", markup=False)
        if self.field.choices:
            yield Choice(self.field.choices, self.field.text, self._ascii_only)
        else:
            yield Input(self.field.text, compact=True)

    def show(self, field: Field, is_wrong: bool) -> None:
        """Shows the field's text, where it is not what is typed just now."""
        if field.is_changed != self.field.is_changed:
            self.field = field
            self.query_one(".label", Static).update(self._label())
        self.field = field
        self.set_class(field.is_changed, "-changed")
        self.set_class(is_wrong, "-wrong")
        if field.text != self._shown:
            self._shown = field.text
            for widget in self.query(Input):
                widget.value = field.text
            for choice in self.query(Choice):
                choice.show(field.text)

    def _label(self) -> Content:
        mark = ("*" if self._ascii_only else "•") if self.field.is_changed else " "
        return Content(f"{mark}{self.field.label}")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._tell(event.value)

    @on(Choice.Chosen)
    def _chosen(self, event: Choice.Chosen) -> None:
        event.stop()
        self._tell(event.word)

    def _tell(self, text: str) -> None:
        if text != self._shown:
            self._shown = text
            self.post_message(Changed(self.field.path, text))


class Wrong(Static):
    """What is wrong with the field above; a click removes a knob that nothing uses."""

    DEFAULT_CSS = "Wrong { height: auto; color: $error; padding-left: 2; }"

    def __init__(self, path: str, words: str, is_unused: bool) -> None:
        remove = (" ", ("[remove]", "underline")) if is_unused else ()
        super().__init__(Content.assemble(f"! {clean_line(words, 300)}", *remove))
        self.path = path
        self.words = words
        self.is_unused = is_unused

    def on_click(self) -> None:
        if self.is_unused:
            self.post_message(Unwanted(self.path))


class KnobsHeading(Static):
    """The heading of the knobs; a click adds one."""

    def __init__(self) -> None:
        super().__init__(Content.assemble("knobs  ", ("+ new", "underline")), classes="heading")

    def on_click(self) -> None:
        self.post_message(NewKnob())


class RatesSketch(Static):
    """The learning rate over the run in two lines."""

    DEFAULT_CSS = "RatesSketch { height: 2; padding: 0 1; color: $primary; }"

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
        self.update(Content(sketch(self._rates, self.size.width - 2, self._ascii_only)))


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
        self.fields = fields
        self._ascii_only = ascii_only

    @property
    def paths(self) -> list[str]:
        """The fields that it has."""
        return [field.path for field in self.fields]

    def compose(self) -> ComposeResult:
        yield KnobsHeading() if self.heading == "knobs" else Static(Content(self.heading), classes="heading")
        for field in self.fields:
            yield FieldLine(field, self._ascii_only)
        if self.heading == "scheduler":
            yield RatesSketch(self._ascii_only)


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
        self._paths: list[str] = []
        self._rates: Sequence[float] | None = None
        self._newest: tuple[Draft, Checked, Mapping[str, str]] | None = None

    def show(self, draft: Draft, checked: Checked, run_texts: Mapping[str, str]) -> None:
        """Shows a draft; only a group whose fields are others is built anew."""
        self._newest = (draft, checked, run_texts)
        groups = _groups(draft, run_texts)
        if [name for name, _ in groups] != [group.heading for group in self.query(FieldGroup)]:
            self._rebuild(groups)
            return
        for group, (_, fields) in zip(self.query(FieldGroup), groups, strict=True):
            if group.paths != [field.path for field in fields]:
                self._rebuild_group(group, fields)
        self._update(groups, checked)

    def _update(self, groups: "list[tuple[str, list[Field]]]", checked: Checked) -> None:
        by_path = {field.path: field for _, fields in groups for field in fields}
        said = {wrong.path: wrong for wrong in self.query(Wrong)}
        for line in self.query(FieldLine):
            path = line.field.path
            if path in by_path and line.is_mounted:
                line.show(by_path[path], path in checked.errors)
                self._say(line, said.get(path), checked)

    def _say(self, line: FieldLine, said: Wrong | None, checked: Checked) -> None:
        """Says what is wrong under a field, or no longer."""
        path = line.field.path
        wrong, is_unused = checked.errors.get(path), path in checked.unused
        is_said = said is not None and (said.words, said.is_unused) == (wrong, is_unused)
        if said is not None and not is_said:
            said.remove()
        if wrong is not None and not is_said and isinstance(line.parent, Widget):
            line.parent.mount(Wrong(path, wrong, is_unused), after=line)

    def action_remove_knob(self) -> None:
        """Removes the knob whose field has the focus, where nothing uses it."""
        line = next((line for line in self.query(FieldLine) if line.has_focus_within), None)
        if line is None or self._newest is None or line.field.path not in self._newest[1].unused:
            self.notify("only a knob that no layer and no argument uses can be removed")
            return
        self.post_message(Unwanted(line.field.path))

    def _rebuild(self, groups: "list[tuple[str, list[Field]]]") -> None:
        self.query(FieldGroup).remove()
        built = [FieldGroup(name, fields, self._ascii_only) for name, fields in groups]
        # The first screenful at once, so that it is in the first frame; the rest behind it.
        first = FIRST_GROUPS if built[0].fields else FIRST_GROUPS + 1
        self.mount_all(built[:first])
        self.call_after_refresh(self._mount_rest, built[first:])

    def _mount_rest(self, groups: "list[FieldGroup]") -> None:
        self.call_later(self._again, [self.mount_all(groups)])

    def _rebuild_group(self, group: FieldGroup, fields: Sequence[Field]) -> None:
        """Changes the fields behind the choice that made them others; the choice keeps the focus."""
        old = {line.field.path: line for line in group.query(FieldLine)}
        group.fields = fields
        for line in (*old.values(), *group.query(Wrong)):
            if (line.path if isinstance(line, Wrong) else line.field.path) not in group.paths:
                line.remove()
        mounts = []
        after: Widget = group.query_one(".heading")
        for field in fields:
            line = old.get(field.path) or FieldLine(field, self._ascii_only)
            if field.path not in old:
                mounts.append(group.mount(line, after=after))
            after = line
        self.call_later(self._again, mounts)

    async def _again(self, mounts: Sequence[AwaitMount]) -> None:
        """Says what is wrong in fields that are new."""
        for mount in mounts:
            await mount
        if self._newest is not None:
            draft, checked, run_texts = self._newest
            self._update(_groups(draft, run_texts), checked)
        self.show_rates(self._rates)

    def show_rates(self, rates: Sequence[float] | None) -> None:
        """Draws the learning rate to come; None where it is not known."""
        self._rates = rates
        for sketch_line in self.query(RatesSketch):
            sketch_line.show(rates)


def _groups(draft: Draft, run_texts: Mapping[str, str]) -> list[tuple[str, list[Field]]]:
    """The fields by their headings; the knobs first, since they belong to the network, none of them too."""
    groups: dict[str, list[Field]] = {"knobs": []}
    for field in draft.fields:
        groups.setdefault(field.group, []).append(field)
    groups["run"] = [Field(path, path, "run", run_texts[path], choices) for path, choices in RUN_FIELDS]
    return [(name, fields) for name, fields in groups.items() if fields or name == "knobs"]
