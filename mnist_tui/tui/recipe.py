"""The recipe form, made from the fields of a draft: one line each, and what is wrong with it beneath."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from mnist_tui.draft import Checked, Draft, Field
from mnist_tui.text import clean_line
from mnist_tui.tui.curves import number

BLOCKS = " ▁▂▃▄▅▆▇█"
RAMP = " _.-=+*#"

RUN_FIELDS = (("device", ()), ("dataset", ("auto", "mnist", "digits")), ("seeds", ()))
"""What a run needs beside its spec: path, and choices."""


class Changed(Message):
    """A field has another text."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__()
        self.path = path
        self.text = text


class FieldLine(Vertical):
    """A label, the field, and beneath it what is wrong."""

    DEFAULT_CSS = """
    FieldLine { height: auto; }
    FieldLine Horizontal { height: 1; }
    FieldLine .label { width: 19; height: 1; color: $text-muted; }
    FieldLine.-changed .label { text-style: bold; color: $foreground; }
    FieldLine Input { width: 1fr; }
    FieldLine Select { width: 1fr; }
    FieldLine .wrong { height: auto; color: $error; padding-left: 2; display: none; }
    FieldLine.-wrong .wrong { display: block; }
    """

    def __init__(self, field: Field, ascii_only: bool) -> None:
        super().__init__()
        self.field = field
        self._ascii_only = ascii_only
        self._shown = field.text

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(classes="label", markup=False)
            if self.field.choices:
                choices = list(dict.fromkeys((*self.field.choices, self.field.text)))
                yield Select(
                    [(choice, choice) for choice in choices], value=self.field.text, allow_blank=False, compact=True
                )
            else:
                yield Input(self.field.text, compact=True)
        yield Static(classes="wrong", markup=False)

    def on_mount(self) -> None:
        self._show_label()

    def show(self, field: Field, wrong: str | None) -> None:
        """Shows the field's text, where it is not what is typed just now, and what is wrong with it."""
        self.field = field
        self._show_label()
        self.set_class(wrong is not None, "-wrong")
        if wrong is not None:
            self.query_one(".wrong", Static).update(Content(f"! {clean_line(wrong, 300)}"))
        if field.text != self._shown:
            self._shown = field.text
            for widget in self.query(Input):
                widget.value = field.text
            for choice in self.query(Select):
                choice.value = field.text

    def _show_label(self) -> None:
        mark = ("*" if self._ascii_only else "•") if self.field.is_changed else " "
        self.set_class(self.field.is_changed, "-changed")
        self.query_one(".label", Static).update(Content(f"{mark}{self.field.label}"))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._tell(event.value)

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        self._tell(str(event.value))

    def _tell(self, text: str) -> None:
        if text != self._shown:
            self._shown = text
            self.post_message(Changed(self.field.path, text))


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
        return "" if rates else "…the schedule, once PyTorch is loaded"[: max(0, width)]
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
        yield Static(Content(self.heading), classes="heading")
        for field in self.fields:
            yield FieldLine(field, self._ascii_only)
        if self.heading == "scheduler":
            yield RatesSketch(self._ascii_only)


class RecipeForm(VerticalScroll):
    """Every setting of the recipe, of the target and of the run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "Next field", show=False),
        Binding("up", "app.focus_previous", "Field before", show=False),
    ]
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
        for line in self.query(FieldLine):
            if line.field.path in by_path and line.is_mounted:
                line.show(by_path[line.field.path], checked.errors.get(line.field.path))

    def _rebuild(self, groups: "list[tuple[str, list[Field]]]") -> None:
        self.query(FieldGroup).remove()
        self.mount_all([FieldGroup(name, fields, self._ascii_only) for name, fields in groups])
        self.call_after_refresh(self._again)

    def _rebuild_group(self, group: FieldGroup, fields: Sequence[Field]) -> None:
        """Changes the fields behind the choice that made them others; the choice keeps the focus."""
        old = {line.field.path: line for line in group.query(FieldLine)}
        group.fields = fields
        for path, line in old.items():
            if path not in group.paths:
                line.remove()
        after: Widget = group.query_one(".heading")
        for field in fields:
            line = old.get(field.path) or FieldLine(field, self._ascii_only)
            if field.path not in old:
                group.mount(line, after=after)
            after = line
        self.call_after_refresh(self._again)

    def _again(self) -> None:
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
    """The fields by their headings; the knobs first, since they belong to the network."""
    groups: dict[str, list[Field]] = {"knobs": []}
    for field in draft.fields:
        groups.setdefault(field.group, []).append(field)
    groups["run"] = [Field(path, path, "run", run_texts[path], choices) for path, choices in RUN_FIELDS]
    return [(name, fields) for name, fields in groups.items() if fields]
