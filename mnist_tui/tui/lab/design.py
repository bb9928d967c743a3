"""The designing half of the laboratory: a draft, and the panes that edit and show it.

Attributes go down, messages come up: `_show_draft` is the one way from an edit to every pane that shows it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget

from mnist_tui.errors import PresetError, SpecError
from mnist_tui.settings.last_used import LastUsed, remember
from mnist_tui.spec import layer_diff, presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.draft_history import Design, DesignHistory
from mnist_tui.spec.run_options import Choice, Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.dialogs import AskDialog, MessageDialog, Question
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.budget import BudgetCard, headline_parts
from mnist_tui.tui.lab.digits import DigitsStrip
from mnist_tui.tui.lab.layer_table import LayerTable
from mnist_tui.tui.lab.layers_editor import LayersEditor
from mnist_tui.tui.lab.panes import Folding, Pane, PaneBar, PaneName, fold_for
from mnist_tui.tui.lab.picker import PresetPicker
from mnist_tui.tui.lab.recipe import Changed, EditAsked, NewKnob, RecipeForm, ShownDraft, Unwanted
from mnist_tui.tui.lab.training import TrainingView
from mnist_tui.tui.status import Headline, OneLine, StatusLine

if TYPE_CHECKING:
    from mnist_tui.tui.lab.augment_dialog import Transform
    from mnist_tui.tui.request import LabRequest

BURST_SECONDS = 0.02
"""From a change to drawing it: what comes within is drawn with it."""
REMEMBER_SECONDS = 1.0
"""From the last change to writing it to the disk."""


class DesignScreen(WorkerScreen):
    """Presets, network, recipe, layer table, budget, digits, curves, and the draft that they show."""

    AUTO_FOCUS = "PresetPicker OptionList"

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("f2", "pane('presets')", "Presets", show=False),
            Binding("f3", "pane('architecture')", "Network", show=False),
            Binding("f4", "pane('recipe')", "Recipe", show=False),
            Binding("f5", "pane('layers')", "Layers", show=False),
            Binding("f6", "pane('training')", "Training", show=False),
            Binding("f7", "pane('digits')", "Digits", show=False),
            Binding("r", "redraw", "Other digits", show=False, tooltip="through another draw of the augmentation"),
            Binding(
                "n", "new_knob", "New knob", show=False, tooltip="a number that layers and recipe call by its name"
            ),
            Binding("u", "revert", "Revert", show=False, tooltip="to the preset as it was picked"),
            Binding("ctrl+z", "undo_change", "Undo", show=False, tooltip="the newest change, of whatever pane"),
            Binding("ctrl+y", "redo_change", "Redo", show=False),
            Binding("escape", "leave_field", "Leave the field", show=False, tooltip="single letters are keys again"),
        ]
    )

    def __init__(self, request: "LabRequest") -> None:
        super().__init__()
        self.request = request
        self._first_texts = {"device": request.options.device, "dataset": request.options.dataset, "seeds": "1"}
        self.history = DesignHistory(Design(request.draft, {**self._first_texts, **request.run_texts}))
        if request.previous is not None:
            self.history = DesignHistory(replace(self.history.current, draft=request.previous))
            self.record_draft(request.draft, f"preset {request.draft.base.name}")
        self.is_warm = False
        """Whether torch is loaded."""
        self.draws = 0
        """How often other digits were asked for."""
        self.feeds_digits = False
        """Whether a run would be fed other digits than MNIST's, since those cannot be had."""
        self._newest_change = 0
        """The number of the newest change of a field that the draft has."""
        self._draft_timer: Timer | None = None
        self._remember_timer: Timer | None = None
        self._previewed: dict[str, object] = {}

    def compose(self) -> ComposeResult:
        ascii_only = self.request.ascii
        do = [
            Pane(PresetPicker(self.request.models), name="presets", title="Presets", key="f2", group="do"),
            Pane(RecipeForm(ascii_only), name="recipe", title="Recipe", key="f4", group="do"),
        ]
        net = [
            Pane(LayersEditor(), name="architecture", title="Network", key="f3", group="do"),
            Pane(BudgetCard(ascii_only), LayerTable(), name="layers", title="Layers", key="f5", group="see"),
        ]
        see = [
            Pane(TrainingView(ascii_only), name="training", title="Train", key="f6", group="see"),
            Pane(DigitsStrip(ascii_only), name="digits", title="Digits", key="f7", group="see"),
        ]
        self.folding = Folding([do[0], net[0], do[1], net[1], *see])
        yield Headline("lab")
        yield OneLine(id="banner")
        yield PaneBar(list(self.folding.panes.values()))
        with Horizontal(id="panes"):
            yield Vertical(*do, id="column-do", classes="column")
            yield Vertical(*net, id="column-net", classes="column")
            yield Vertical(*see, id="column-see", classes="column")
        yield StatusLine()
        yield KeyBar()

    def on_mount(self) -> None:
        self._first_frame = self.app.batch_update()
        self._first_frame.__enter__()  # Ends once the panes are filled: what is drawn before would be drawn again.
        self.call_later(self._draw_first_frame)
        self.set_class(self.request.ascii, "-ascii")
        self.query_one(PresetPicker).show_current(self.base.name)
        self.query_one(LayersEditor).load(self.draft.layers)
        self._show_draft()

    def _draw_first_frame(self) -> None:
        self._first_frame.__exit__(None, None, None)

    # --- what the other half knows ---

    @property
    def trains_here(self) -> bool:
        """Whether this process trains."""
        return False

    def _show_title(self) -> None:
        """Says what the training pane shows."""

    def headline(self) -> list[str]:
        """What stands above the panes, the most important first."""
        checked, spec = self.draft.result, self.draft.result.spec
        name = clean_line(self.base.name, 40)
        if spec is None:
            count = sum(row.parameters for row in checked.rows)
            wrong = len(checked.errors) + (checked.layer_error is not None)
            return [name, f"{count:,} params", f"! {wrong} error{'s' if wrong > 1 else ''}"]
        parts = [name, *headline_parts(spec)]
        count = self.draft.changed_count
        return [*parts, f"{count} change{'s' if count > 1 else ''}"] if count else parts

    # --- folding ---

    def on_resize(self, event: events.Resize) -> None:
        self._fold(event.size.width, event.size.height)

    def _fold(self, width: int, height: int) -> None:
        fold = fold_for(width, height)
        for name in ("wide", "normal", "narrow", "tiny"):
            self.set_class(name == fold, f"-{name}")
        self.set_class(height >= 50, "-tall")
        self.set_class(height < 22, "-short")
        self.set_class(height < 2, "-one-line")
        self.query_one(PaneBar).show(self.folding.apply(fold))
        self.set_class(self.folding.enlarged is not None, "-enlarged")
        if self.focused is not None and not all(node.display for node in self.focused.ancestors_with_self[:-2]):
            self.set_focus(None)  # What is out of sight must not take the keys.
        self.call_after_refresh(self._show_lines)

    def _show_lines(self) -> None:
        """The lines whose text depends on their width."""
        self.query_one(Headline).show(self.headline())

    def action_pane(self, pane: str) -> None:
        """Brings a pane in sight, and the focus to it; at once, so that the next key goes there."""
        self.folding.choose(pane)
        self._fold(self.size.width, self.size.height)
        widgets = self.query(f"#{pane} *").results(Widget)
        widget = next((widget for widget in widgets if widget.focusable and widget.display), None)
        if widget is not None:
            self.set_focus(widget)

    @property
    def focused_pane(self) -> Pane | None:
        """The pane that has the focus."""
        ancestors = self.focused.ancestors if self.focused is not None else []
        return next((node for node in ancestors if isinstance(node, Pane)), None)

    def action_enlarge(self) -> None:
        """Gives the pane with the focus the whole screen, or takes it back."""
        pane, folding = self.focused_pane, self.folding
        folding.enlarged = None if pane is None or folding.enlarged is not None else str(pane.id)
        self._fold(self.size.width, self.size.height)

    @on(PaneName.Chosen)
    def _choose_pane(self, event: PaneName.Chosen) -> None:
        self.action_pane(event.pane)

    def action_leave_field(self) -> None:
        """Leaves a field, so that single letters are keys; then a pane that has the whole screen gives it back."""
        if self.focused is None and self.folding.enlarged is not None:
            self.action_enlarge()
        self.set_focus(None)

    # --- the draft ---

    @property
    def draft(self) -> Draft:
        """What is designed."""
        return self.history.current.draft

    @property
    def base(self) -> RunSpec:
        """The preset as it was picked, which changes are marked against."""
        return self.draft.base

    @property
    def run_texts(self) -> Mapping[str, str]:
        """What a run needs beside its spec, as typed: device, dataset, seeds."""
        return self.history.current.run_texts

    def record(self, design: Design, name: str, is_typing: bool = False) -> None:
        """Takes a design, in which `name` was changed, as a step that can be undone."""
        if design != self.history.current:
            self.history.record(design, name, time.monotonic(), is_typing)

    def record_draft(self, draft: Draft, name: str, is_typing: bool = False) -> None:
        """Takes a draft as such a step."""
        self.record(replace(self.history.current, draft=draft), name, is_typing)

    @on(PresetPicker.Picked)
    def _pick(self, event: PresetPicker.Picked) -> None:
        try:
            self.use(Draft(presets.load_file(event.path)))
        except PresetError as error:
            self.app.push_screen(MessageDialog("This preset cannot be used", str(error)))

    def use(self, draft: Draft, name: str = "") -> None:
        """Designs on from another draft; undo goes back to the one before."""
        self.record_draft(draft, name or f"preset {draft.base.name}")
        self.query_one(LayersEditor).load(self.draft.layers)
        self._show_design()

    def _show_design(self) -> None:
        """Shows a design that did not come from the form."""
        self.query_one(PresetPicker).show_current(self.base.name)
        self._show_draft()

    def action_revert(self) -> None:
        """Back to the preset as it was picked."""
        self.use(Draft(self.base), "revert")

    def action_undo_change(self) -> None:
        """Takes the newest change back: of a field, the layers, a knob, or the preset that was picked."""
        self._step(self.history.undo(), "undone", "there is nothing to undo")

    def action_redo_change(self) -> None:
        """Makes a change again that was undone."""
        self._step(self.history.redo(), "redone", "there is nothing to redo")

    def _step(self, name: str | None, done: str, nothing: str) -> None:
        if name is None:
            self.notify(nothing)
        else:
            self.query_one(LayersEditor).replace(self.draft.layers)
            self._show_design()
            self.notify(f"{done}: {clean_line(name, 60)}", timeout=2, markup=False)

    @on(LayersEditor.Edited)
    def _edit_layers(self, event: LayersEditor.Edited) -> None:
        is_typing = abs(len(event.text) - len(self.draft.layers)) == 1
        self.record_draft(self.draft.with_layers(event.text), "layers", is_typing)
        self._show_draft_soon()

    @on(Changed)
    def _edit_setting(self, event: Changed) -> None:
        self._newest_change = event.number
        if event.path in self.run_texts:
            run_texts = {**self.run_texts, event.path: event.text}
            self.record(replace(self.history.current, run_texts=run_texts), event.path, is_typing=True)
        else:
            self._say_taken_over(event)
            self.record_draft(self.draft.with_text(event.path, event.text), event.path, is_typing=True)
        self._show_draft_soon()

    def _say_taken_over(self, event: Changed) -> None:
        """Says which arguments another optimizer or schedule begins with, where they are not PyTorch's defaults."""
        if taken := self.draft.taken_over(event.path, event.text):
            words = ", ".join(f"{path.partition('.')[2]}={text}" for path, text in taken.items())
            before = f" from {self.draft.text_of('optimizer')}" if event.path == "optimizer" else ""
            self.notify(f"{event.text} takes over {words}{before}", timeout=8, markup=False)

    @on(EditAsked)
    def _edit_large(self, event: EditAsked) -> None:
        """Edits a field where there is more room: transforms as a list, other texts over the width of the screen."""
        try:
            transforms = self.draft.transforms() if event.path == "augment" else None
        except SpecError:
            transforms = None  # As long as the text is none, it can only be edited as text.
        if transforms is None:
            self._edit_wide(event.path)
            return
        from mnist_tui.tui.lab.augment_dialog import AugmentDialog, Transform  # The first frame does not wait for it.

        listed = [Transform(*each) for each in transforms]
        dialog = AugmentDialog(listed, self._wrong_transforms, self._feed_transforms, self.request.ascii)
        self.app.push_screen(dialog, self._take_transforms)

    def _edit_wide(self, path: str) -> None:
        text = self.draft.text_of(path)
        question = Question(path, "", text, lambda typed: self.draft.with_text(path, typed).result.errors.get(path))
        self.app.push_screen(AskDialog(question, is_wide=True), partial(self._take_text, path))

    def _take_text(self, path: str, text: str | None) -> None:
        if text is not None:
            self.record_draft(self.draft.with_text(path, text), path)
            self._show_draft()

    def _wrong_transforms(self, texts: Sequence[str]) -> str | None:
        return self.draft.with_text("augment", ", ".join(texts)).result.errors.get("augment")

    def _feed_transforms(self, texts: Sequence[str], show: Callable[[Any, str | None], None]) -> None:
        spec = self.draft.with_text("augment", ", ".join(texts)).result.spec
        if spec is None or not self.is_warm:
            show(None, "digits come once PyTorch is loaded and nothing else is wrong")
        else:
            self.draws += 1
            self._feed(spec, show)

    def _take_transforms(self, transforms: "Sequence[Transform] | None") -> None:
        if transforms is not None:
            self.record_draft(self.draft.with_transforms(transforms), "augmentation")
            self._show_draft()

    @on(NewKnob)
    def action_new_knob(self) -> None:
        """Asks for another knob."""
        from mnist_tui.tui.lab.knob_dialog import KnobDialog  # The first frame does not wait for it.

        self.app.push_screen(KnobDialog(self.draft), self._add_knob)

    def _add_knob(self, draft: Draft | None) -> None:
        if draft is not None:
            self.record_draft(draft, "new knob")
            self._show_draft()

    @on(Unwanted)
    def _remove_knob(self, event: Unwanted) -> None:
        self.record_draft(self.draft.without_knob(event.path.removeprefix("knobs.")), event.path)
        self._show_draft()

    def _show_draft_soon(self) -> None:
        """Brings every pane to the draft, once for keys that come in a burst."""
        if self._draft_timer is None:
            self._draft_timer = self.set_timer(BURST_SECONDS, self._show_draft)

    def _show_draft(self) -> None:
        """Brings every pane to the draft."""
        if self._draft_timer is not None:
            self._draft_timer.stop()
            self._draft_timer = None
        checked = self.draft.result
        self.query_one(LayersEditor).show_error(checked.layer_error)
        self.query_one(RecipeForm).show(ShownDraft(self.draft, self.run_texts, self._newest_change))
        compared = layer_diff.layer_changes(self.base.rows, checked.rows)
        self.query_one(LayerTable).show(compared, self.base.rows, checked.layer_error is None)
        if checked.spec is not None:
            self.query_one(BudgetCard).show(checked.spec)
        self._show_lines()
        self._show_title()
        self._preview()
        self._remember_soon()

    def _remember_soon(self) -> None:
        """Keeps the design for the next time, also should this process be killed; beside the screen."""
        if self._remember_timer is not None:
            self._remember_timer.stop()
        self._remember_timer = self.set_timer(REMEMBER_SECONDS, self._remember)

    def _remember(self) -> None:
        used = self.last_used()
        self.submit("remember", lambda: remember(used), lambda result, error: None)

    def last_used(self) -> LastUsed:
        """What is kept for the next time."""
        typed = {name: text for name, text in self.run_texts.items() if text != self._first_texts[name]}
        return LastUsed(self.draft, typed)

    # --- what needs torch or the disk, beside the screen ---

    def warmed_up(self, result: None, error: str | None) -> None:
        """Torch is loaded: what waited for it can be drawn."""
        self.is_warm = error is None
        self._preview()

    def _preview(self) -> None:
        """Draws the schedule and the digits again, where the draft changed them; once torch is there."""
        spec = self.draft.result.spec
        if spec is None or not self.is_warm:
            return
        train = spec.train
        schedule = (train.optimizer, train.scheduler, train.scheduler_step, train.epochs, spec.steps_per_epoch())
        if self._is_new("rates", (schedule, tuple(spec.knobs.items()))):
            self.submit("rates", lambda: jobs.rates(spec), self._show_rates)
        augment = train.augment, tuple(spec.knobs.items())
        if self._is_new("digits", (augment, self.run_texts["dataset"], self.draws)):
            self._feed(spec, self._show_digits)

    def _feed(self, spec: RunSpec, show: Callable[[Any, str | None], None]) -> None:
        """Has digits augmented, where that cannot disturb a run of this process, and calls `show` with them."""
        options, draw = self.run_options(), self.draws

        def show_fed(fed: Any, error: str | None) -> None:
            if error is None and fed.slow and not fed.digits:
                self._previewed.pop("digits", None)  # They are asked for again after the run.
                error = f"{', '.join(fed.slow)}: drawn after the run"
            show(fed, error)

        self.submit("digits", lambda: jobs.fed(spec, options, draw, self.trains_here), show_fed)

    def _is_new(self, kind: str, key: object) -> bool:
        is_new = self._previewed.get(kind) != key
        self._previewed[kind] = key
        return is_new

    def run_options(self) -> Options:
        """The options of a run, with what the form says of device and data."""
        dataset = cast("Choice", self.run_texts["dataset"])  # A choice field: nothing else can be typed.
        return replace(self.request.options, device=self.run_texts["device"], dataset=dataset)

    def _show_rates(self, rates: Any, error: str | None) -> None:
        self.query_one(RecipeForm).show_rates(rates)

    def _show_digits(self, fed: Any, error: str | None) -> None:
        strip = self.query_one(DigitsStrip)
        if error is not None:
            strip.show_waiting(error)
            return
        self.feeds_digits = fed.dataset != "mnist"
        self._show_title()
        augment = ", ".join(map(str, self.draft.result.spec.train.augment)) if self.draft.result.spec else ""
        strip.show(
            fed.digits,
            fed.labels,
            f"{fed.dataset} as the network is fed it, draw {self.draws + 1}: {augment or 'no augmentation'}",
        )

    @on(DigitsStrip.Redraw)
    def action_redraw(self) -> None:
        """Other digits, drawn anew through the augmentation."""
        self.draws += 1
        self._preview()
