"""The recipe form, made from the fields of a draft, in groups with a heading."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widget import AwaitMount, Widget
from textual.widgets import Static

from mnist_tui.settings.model import choices_of
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.draft_fields import Field
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab.field_line import EditRequested, FieldLine, KnobRemoved
from mnist_tui.tui.lab.rates_sketch import RatesSketch
from mnist_tui.tui.lab.varied import varied_fields

FIRST_GROUPS = 2
"""Groups with fields that are mounted in the first frame: they fill the pane."""

ERROR_SECONDS = 0.3
"""Without typing before errors are shown: a number that is half typed is no error."""

ACTIONS = {"knobs": "+ new", "augmentation": "as a list"}
"""What a click on the heading of a group does."""

RUN_FIELDS = (*((name, choices_of(name)) for name in ("device", "dataset")), ("seeds", ()))
"""What a run needs beside its spec: path, and choices."""


class KnobRequested(Message):
    """Request to add a knob."""


class Heading(Static):
    """The heading of a group of fields; a click on some headings does what `ACTIONS` says."""

    def __init__(self, group: str) -> None:
        action = ACTIONS.get(group, "")
        super().__init__(Content.assemble(f"{group}  ", (action, "underline")), classes="heading")
        self.group = group

    def on_click(self) -> None:
        if self.group == "knobs":
            self.post_message(KnobRequested())
        elif self.group == "augmentation":
            self.post_message(EditRequested("augment"))


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
        """The paths of its fields."""
        return [line.field.path for line in self.lines]

    def compose(self) -> ComposeResult:
        yield Heading(self.heading)
        yield from self.lines
        if self.heading == "scheduler":
            yield RatesSketch(self._ascii_only)

    def update_fields(self, fields: Sequence[Field]) -> list[AwaitMount]:
        """Shows other fields, keeping the lines of those that stay, so that the focus stays too."""
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
        self._errors_timer: Timer | None = None

    def show(self, draft: "ShownDraft") -> None:
        """Shows a draft; only new fields are mounted."""
        self._shown = draft
        groups = draft.groups
        if [name for name, _ in groups] != [group.heading for group in self._groups]:
            self._rebuild(groups)
            return
        for group, (_, fields) in zip(self._groups, groups, strict=True):
            if group.paths != [field.path for field in fields]:
                self.call_later(self._update_mounted, group.update_fields(fields))
        self._update()

    def _update(self) -> None:
        """Shows the draft in every mounted line; errors are shown after `ERROR_SECONDS` without a change."""
        draft = self._shown
        if draft is None:
            return
        for line in self._lines():
            path = line.field.path
            if path in draft.fields:
                line.show(draft.fields[path], path in draft.errors.keys() - draft.advice, draft.newest_change)
            if path not in draft.errors:
                line.show_error(None, is_unused=False)
        if self._errors_timer is not None:
            self._errors_timer.stop()
        if draft.errors:
            self._errors_timer = self.set_timer(ERROR_SECONDS, self._show_errors)

    def _show_errors(self) -> None:
        if (draft := self._shown) is not None:
            for line in self._lines():
                path = line.field.path
                line.show_error(draft.errors.get(path), path in draft.unused, draft.advice.get(path, ""))

    def _lines(self) -> list[FieldLine]:
        return [line for group in self._groups for line in group.lines if line.is_mounted]

    def action_remove_knob(self) -> None:
        """Removes the knob whose field has the focus, if nothing uses it."""
        line = next((line for line in self._lines() if line.has_focus_within), None)
        if line is None or self._shown is None or line.field.path not in self._shown.unused:
            self.notify("only a knob that no layer and no argument uses can be removed")
            return
        self.post_message(KnobRemoved(line.field.path))

    def _rebuild(self, groups: "Groups") -> None:
        self.query(FieldGroup).remove()
        self._groups = [FieldGroup(name, fields, self._ascii_only) for name, fields in groups]
        # Only what the first frame shows is mounted before it.
        first = FIRST_GROUPS if self._groups[0].lines else FIRST_GROUPS + 1
        self.mount_all(self._groups[:first])
        self.call_after_refresh(self._mount_rest, self._groups[first:])

    def _mount_rest(self, groups: Sequence[FieldGroup]) -> None:
        self.call_later(self._update_mounted, [self.mount_all(groups)])

    async def _update_mounted(self, mounts: Sequence[AwaitMount]) -> None:
        """Shows the newest draft in lines that are mounted by now."""
        for mount in mounts:
            await mount
        self._update()
        self.show_rates(self._rates)

    def show_rates(self, rates: Sequence[float] | None) -> None:
        """Draws the learning rate over the run; None where it is not known."""
        self._rates = rates
        for sketch in self.query(RatesSketch):
            sketch.show(rates)


Groups = Sequence[tuple[str, Sequence[Field]]]
"""Fields by their headings."""


class ShownDraft:
    """The content of the form: the fields of a draft and of the run, and the errors in them."""

    def __init__(self, draft: Draft, run_texts: Mapping[str, str], newest_change: int) -> None:
        result = draft.result
        self.groups: Groups = _groups(draft, run_texts)
        self.fields = {field.path: field for _, fields in self.groups for field in fields}
        self.errors, self.unused = result.errors, result.unused
        varied = varied_fields(draft)
        self.advice = {path: varied.advice(path) for path in varied.values}
        """By the path of a field what its line says in place of the error."""
        self.newest_change = newest_change
        """The number of the newest `FieldChanged` that the draft contains."""


def _groups(draft: Draft, run_texts: Mapping[str, str]) -> Groups:
    """The fields by their headings; the knobs first, since they belong to the network, none of them too."""
    groups: dict[str, list[Field]] = {"knobs": []}
    for field in draft.fields:
        groups.setdefault(field.group, []).append(field)
    groups["run"] = [Field(path, path, "run", run_texts[path], choices) for path, choices in RUN_FIELDS]
    return [(name, fields) for name, fields in groups.items() if fields or name == "knobs"]
