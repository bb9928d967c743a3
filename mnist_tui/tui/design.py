"""The designing half of the laboratory: a draft, and the panes that edit and show it.

Attributes go down, messages come up: `_show_draft` is the one way from an edit to every pane that shows it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static

from mnist_tui import changes, presets
from mnist_tui.draft import Draft
from mnist_tui.events import EpochEnded
from mnist_tui.options import Choice, Options
from mnist_tui.spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui import jobs
from mnist_tui.tui.bench import Bench
from mnist_tui.tui.budget import BudgetCard, headline_parts
from mnist_tui.tui.dialogs import MessageDialog
from mnist_tui.tui.digits import DigitsStrip
from mnist_tui.tui.editor import LayersEditor
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.layer_table import LayerTable
from mnist_tui.tui.messages import JobDone
from mnist_tui.tui.panes import Folding, Pane, PaneBar, PaneName, fold_for
from mnist_tui.tui.picker import PresetPicker
from mnist_tui.tui.recipe import Changed, NewKnob, RecipeForm, Unwanted
from mnist_tui.tui.status import Headline, ProgressLine
from mnist_tui.tui.training import TrainingView

if TYPE_CHECKING:
    from mnist_tui.request import LabRequest


class DesignScreen(Screen[None]):
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
            Binding("escape", "leave_field", "Leave the field", show=False, tooltip="single letters are keys again"),
        ]
    )

    def __init__(self, request: "LabRequest") -> None:
        super().__init__()
        self.request = request
        self.base = request.base
        """The preset as it was picked, which changes are marked against."""
        self.draft = Draft.of(request.spec, request.base)
        self.run_texts = {
            "device": request.options.device,
            "dataset": request.options.dataset,
            "seeds": str(request.seeds),
        }
        self.bench = Bench()
        self.is_warm = False
        """Whether torch is loaded."""
        self.draws = 0
        """How often other digits were asked for."""
        self._previewed: dict[str, object] = {}
        self._harmless: set[object] = set()
        """Augmentations that were seen to be batched."""

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
            Pane(TrainingView(ascii_only, self.bench), name="training", title="Train", key="f6", group="see"),
            Pane(DigitsStrip(ascii_only), name="digits", title="Digits", key="f7", group="see"),
        ]
        self.folding = Folding([do[0], net[0], do[1], net[1], *see])
        yield Headline()
        yield PaneBar(list(self.folding.panes.values()))
        with Horizontal(id="panes"):
            yield Vertical(*do, id="column-do", classes="column")
            yield Vertical(*net, id="column-net", classes="column")
            yield Vertical(*see, id="column-see", classes="column")
        with Horizontal(id="status"):
            yield ProgressLine()
            yield Static(id="device")
        yield Footer(show_command_palette=False)

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
    def rows(self) -> list[EpochEnded]:
        """The epochs of the run in sight."""
        return []

    @property
    def trains_here(self) -> bool:
        """Whether this process trains."""
        return False

    def headline(self) -> list[str]:
        """What stands above the panes, the most important first."""
        checked, spec = self.draft.result, self.draft.result.spec
        name = clean_line(self.base.name, 40)
        if spec is None:
            count = sum(row.parameters for row in checked.rows)
            wrong = len(checked.errors) + (checked.layer_error is not None)
            return [name, f"{count:,} params", f"! {wrong} to put right"]
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
        self.query_one(PaneBar).show(self.folding.apply(fold))
        if self.focused is not None and not self.focused.is_on_screen:
            self.set_focus(None)  # What is out of sight must not take the keys.
        self.call_after_refresh(self._show_lines)

    def _show_lines(self) -> None:
        """The lines whose text depends on their width."""
        self.query_one(Headline).show(self.headline())

    def action_pane(self, pane: str) -> None:
        """Brings a pane in sight, and the focus to it."""
        self.folding.choose(pane)
        self._fold(self.size.width, self.size.height)
        self.call_after_refresh(self._focus_in, pane)

    def _focus_in(self, pane: str) -> None:
        widget = next((widget for widget in self.query(f"#{pane} *").results(Widget) if widget.focusable), None)
        if widget is not None:
            widget.focus()

    @on(PaneName.Chosen)
    def _choose_pane(self, event: PaneName.Chosen) -> None:
        self.action_pane(event.pane)

    def action_leave_field(self) -> None:
        """From a field to its pane's list or table, where single letters are keys."""
        self.set_focus(None)

    # --- the draft ---

    @on(PresetPicker.Picked)
    def _pick(self, event: PresetPicker.Picked) -> None:
        try:
            self.use(presets.load_file(event.path))
        except presets.PresetError as error:
            self.app.push_screen(MessageDialog("This preset cannot be used", str(error)))

    def use(self, base: RunSpec, draft: Draft | None = None) -> None:
        """Designs on from a preset, or from a draft over it."""
        self.base = base
        self.draft = draft or Draft(base)
        self.query_one(LayersEditor).load(self.draft.layers)
        self.query_one(PresetPicker).show_current(base.name)
        self._show_draft()

    def action_revert(self) -> None:
        """Back to the preset as it was picked."""
        self.use(self.base)

    @on(LayersEditor.Edited)
    def _edit_layers(self, event: LayersEditor.Edited) -> None:
        self.draft = self.draft.with_layers(event.text)
        self._show_draft()

    @on(Changed)
    def _edit_setting(self, event: Changed) -> None:
        if event.path in self.run_texts:
            self.run_texts[event.path] = event.text
        else:
            self.draft = self.draft.with_text(event.path, event.text)
        self._show_draft()

    @on(NewKnob)
    def action_new_knob(self) -> None:
        """Asks for another knob."""
        from mnist_tui.tui.knob_dialog import KnobDialog  # The first frame does not wait for it.

        self.app.push_screen(KnobDialog(self.draft), self._take_draft)

    def _take_draft(self, draft: Draft | None) -> None:
        if draft is not None:
            self.draft = draft
            self._show_draft()

    @on(Unwanted)
    def _remove_knob(self, event: Unwanted) -> None:
        self._take_draft(self.draft.without_knob(event.path.removeprefix("knobs.")))

    def _show_draft(self) -> None:
        """Brings every pane to the draft."""
        checked = self.draft.result
        self.query_one(LayersEditor).show_error(checked.layer_error)
        self.query_one(RecipeForm).show(self.draft, checked, self.run_texts)
        compared = changes.layer_changes(self.base.rows, checked.rows)
        self.query_one(LayerTable).show(compared, self.base.rows, checked.layer_error is None)
        self._show_budget()
        self._show_lines()
        self._preview()

    def _show_budget(self) -> None:
        if (spec := self.draft.result.spec) is not None:
            self.query_one(BudgetCard).show(spec, self.rows, self.run_texts["dataset"] != "digits")

    # --- what needs torch or the disk, beside the screen ---

    def ask(self, kind: str, job: Callable[[], Any], take: Callable[[Any, str | None], None]) -> None:
        """Has the bench do a job; `take` is called on the screen with its result, or with why there is none."""
        self.bench.ask(
            kind,
            job,
            lambda result: self._post(JobDone(take, result)),
            lambda error: self._post(JobDone(take, None, clean_line(str(error), 300) or type(error).__name__)),
        )

    def _post(self, message: Message) -> None:
        """From any thread; after the screen is gone, nowhere."""
        self.post_message(message)

    @on(JobDone)
    def _take_result(self, event: JobDone) -> None:
        event.take(event.result, event.error)

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
            self.ask("rates", lambda: jobs.rates(spec), self._show_rates)
        augment = (train.augment, tuple(spec.knobs.items()))
        if self._is_new("digits", (augment, self.run_texts["dataset"], self.draws)):
            self._feed(spec, augment)

    def _feed(self, spec: RunSpec, augment: object) -> None:
        """Draws digits through the augmentation, where that cannot disturb a run of this process."""
        if self.trains_here and augment not in self._harmless:
            # Transforms that go image by image borrow torch's global random state, which the run needs for itself.
            self._previewed.pop("digits")
            self.query_one(DigitsStrip).show_waiting("this augmentation is drawn after the run")
            return
        options, draw = self.run_options(), self.draws

        def show(fed: Any, error: str | None) -> None:
            if error is None and not fed.slow:
                self._harmless.add(augment)
            self._show_digits(fed, error)

        self.ask("digits", lambda: jobs.fed(spec, options, draw), show)

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
