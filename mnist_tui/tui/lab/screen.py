"""The laboratory: design, train and watch on one screen.

The screen connects its parts: `LabDesign` is the design, `DesignPanes` edits it, `RunControl` starts and stops the run
that `TrainingView` draws; `Previews`, `Predictor`, `RateFinder` and `FollowedBrief` request what the background worker
computes; `LabLines` fills the lines around the panes. Widgets post messages; the handlers here pass them to the parts.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.timer import Timer
from textual.widgets import Input, TextArea

from mnist_tui.errors import MnistTuiError
from mnist_tui.runs.control import Request
from mnist_tui.runs.events import Downloading, EpochEnded, Event, Notice, Progress, RunEnded, RunStarted
from mnist_tui.settings.last_used import remember
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui import clipboard
from mnist_tui.tui.background import WorkerScreen
from mnist_tui.tui.dialogs import AskDialog, MessageDialog
from mnist_tui.tui.help import help_on
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.lab import jobs, titles
from mnist_tui.tui.lab.copying import text_of_pane
from mnist_tui.tui.lab.design import LabDesign
from mnist_tui.tui.lab.design_panes import DesignPanes
from mnist_tui.tui.lab.digits import DigitsStrip
from mnist_tui.tui.lab.field_line import FieldLine
from mnist_tui.tui.lab.followed_brief import FollowedBrief
from mnist_tui.tui.lab.keys import BINDINGS, DESIGN_ACTIONS, HELP_NAMES, QUEUE_ACTIONS, RUN_ACTIONS
from mnist_tui.tui.lab.lab_queue import LabQueue
from mnist_tui.tui.lab.lines import LabLines
from mnist_tui.tui.lab.panes import Pane, PaneBar, PaneName, fold_for, size_classes
from mnist_tui.tui.lab.picker import PresetPicker
from mnist_tui.tui.lab.predictor import Predictor
from mnist_tui.tui.lab.previews import Previews
from mnist_tui.tui.lab.rate_finder import RateFinder
from mnist_tui.tui.lab.recipe import RecipeForm
from mnist_tui.tui.lab.reference_curve import ReferenceCurve
from mnist_tui.tui.lab.run_card import RunCard
from mnist_tui.tui.lab.run_control import RunControl
from mnist_tui.tui.lab.training import TrainingView
from mnist_tui.tui.lab.varied import Varied
from mnist_tui.tui.messages import OpenRun, RunnerMessage
from mnist_tui.tui.run_events import GroupBegan
from mnist_tui.tui.runner import Crashed, Idle, Refused, Runner, RunnerEvent

if TYPE_CHECKING:
    from mnist_tui.analysis.coach.evidence import Advice
    from mnist_tui.runs.lr_range import Suggestion
    from mnist_tui.tui.request import LabRequest

FIRST_FRAME_SECONDS = 0.15
"""By then the first frame is drawn."""
REMEMBER_SECONDS = 1.0
"""From the last change of the design to writing it to the disk."""
QUEUE_SECONDS = 2.0
"""Between two looks at the queue, which other processes change too."""
PROGRESS_SECONDS = 0.25
"""Between two drawings of the progress line."""
DEVICE_SECONDS = 2.0
"""Between two readings of the device."""
READY = "t trains, in a text field F9"
"""Status line while nothing is loaded or trained."""
LOADING = "loading PyTorch, then the data"


class LabScreen(WorkerScreen):
    """Presets, network, recipe, layer table, curves and digits."""

    AUTO_FOCUS = "PresetPicker OptionList"
    BINDINGS: ClassVar[list[BindingType]] = BINDINGS

    def __init__(self, request: "LabRequest", runner: Runner) -> None:
        super().__init__()
        self.request, self.runner = request, runner
        self.design = LabDesign(request)
        self.run_control = RunControl(runner)
        ascii_only = request.settings.ascii
        self.view, strip = TrainingView(ascii_only, self.submit), DigitsStrip(ascii_only)
        training = Pane(self.view, name="training", title="Train", key="f6", group="see", ascii_only=ascii_only)
        digits = Pane(strip, name="digits", title="Digits", key="f7", group="see", ascii_only=ascii_only)
        self.previews = Previews(self.submit, self.design, runner, self._show_rates, strip)
        self.panes = DesignPanes(request, self.design, self.previews.sample, [training, digits])
        self.folding = self.panes.folding
        self.lines = LabLines(self.submit, self.design, self.previews, runner, training, self.view)
        self._predictor = Predictor(self.submit, strip, digits)
        self._reference = ReferenceCurve(self.submit, self.design, self.view)
        self._brief = FollowedBrief(self.submit, request, self.panes)
        self.queue = LabQueue(self.submit, self.design, self.run_control, self.lines, self._notify)
        self._rate_finder = RateFinder(self.submit, self.design, self.run_control, ascii_only)
        self.is_quitting = False
        """Whether the application exits when the run has ended."""
        self._remember_timer: Timer | None = None
        self._has_said_not_remembered = False

    def compose(self) -> ComposeResult:
        yield self.lines.headline
        yield self.lines.banner
        yield PaneBar(list(self.folding.panes.values()))
        yield self.panes
        yield self.lines.status
        yield KeyBar()

    # --- start ---

    def on_mount(self) -> None:
        first_frame = self.app.batch_update()
        first_frame.__enter__()  # Until the panes are filled: whatever is drawn before would be drawn twice.
        self.call_later(lambda: first_frame.__exit__(None, None, None))
        self.set_class(self.request.settings.ascii, "-ascii")
        self.panes.load()
        self.runner.listener = self._post_event
        self.set_timer(FIRST_FRAME_SECONDS, self._begin)

    def _post_event(self, event: RunnerEvent) -> None:
        """Called in the runner's thread."""
        self.post_message(RunnerMessage(event))

    def _begin(self) -> None:
        """Starts what the first frame does not wait for: torch, the disk, the timers, and a requested run."""
        gc.enable()
        if self.request.notice:
            self.notify(self.request.notice, severity="warning", timeout=10, markup=False)
        self.set_interval(DEVICE_SECONDS, self.lines.read_device)
        self.set_interval(PROGRESS_SECONDS, self.lines.show_progress)
        if self.request.watch is not None:
            self._watch(self.request.watch)
        else:
            self.submit("live", lambda: jobs.live_run(self.request.options.runs_dir), self._watch)
        self.set_interval(QUEUE_SECONDS, self.queue.poll)
        self.queue.poll()
        self._brief.begin()
        self._reference.begin()
        self.submit("warm-up", jobs.warm_up, self._on_warm)
        if self.request.start and self.request.watch is None:
            self.action_start()

    def _on_warm(self, _: None, error: str | None) -> None:
        """Torch is loaded, unless there is an error."""
        self.previews.is_warm = error is None
        self.previews.update()
        if not self.runner.is_busy:
            self.lines.waiting = error or READY
        self.lines.show_progress()

    def is_useful(self, action: str) -> bool:
        if action in RUN_ACTIONS:
            return self.runner.is_busy
        if action in DESIGN_ACTIONS:
            return not self.runner.is_training
        if action in QUEUE_ACTIONS:
            return self.runner.is_training
        return action != "advice" or bool(self.view.advice)

    @contextmanager
    def _errors_as_notices(self) -> Iterator[None]:
        try:
            yield
        except MnistTuiError as error:
            self.notify(clean_line(str(error), 300), severity="warning", markup=False)

    def _notify(self, text: str) -> None:
        self.notify(clean_line(text, 300), markup=False)

    # --- panes and focus ---

    def on_resize(self, event: events.Resize) -> None:
        self._fold(event.size.width, event.size.height)

    def _fold(self, width: int, height: int) -> None:
        """Shows the panes that have room."""
        is_enlarged = self.folding.enlarged is not None
        # At once: after each change of a class textual looks up the styles of every widget anew.
        self.update_classes({**size_classes(width, height), "-enlarged": is_enlarged}, animate=False)
        self.query_one(PaneBar).show(self.folding.apply(fold_for(width, height)))
        if self.focused is not None and not all(node.display for node in self.focused.ancestors_with_self[:-2]):
            self.set_focus(None)  # A hidden widget must not receive keys.
        self.call_after_refresh(self.lines.show)

    @on(PaneName.Selected)
    def _select_pane(self, event: PaneName.Selected) -> None:
        self.action_pane(event.pane)

    def action_pane(self, pane: str) -> None:
        """Shows a pane and focuses it; at once, so that the next key goes there."""
        self._show_pane(pane)
        widget = self.folding.panes[pane].first_focusable()
        if widget is not None:
            self.set_focus(widget)

    def _show_pane(self, pane: str) -> None:
        self.folding.select(pane)
        self._fold(self.size.width, self.size.height)

    @property
    def focused_pane(self) -> Pane | None:
        """The pane that has the focus."""
        ancestors = self.focused.ancestors if self.focused is not None else []
        return next((node for node in ancestors if isinstance(node, Pane)), None)

    @on(FieldLine.Submitted)
    def _focus_next_field(self) -> None:
        self.focus_next()

    def action_leave_field(self) -> None:
        """Removes the focus, so that single letters are keys; without a focus, ends the enlargement of a pane."""
        if self.focused is None and self.folding.enlarged is not None:
            self._toggle_enlarged()
        self.set_focus(None)

    def action_zoom(self) -> None:
        """Lets the focused pane fill the screen; for the training pane opens the curves with a cursor."""
        pane = self.focused_pane
        if pane is None or pane.id == "training":
            self.view.zoom()
        else:
            self._toggle_enlarged()

    def _toggle_enlarged(self) -> None:
        self.folding.toggle_enlarged(self.focused_pane)
        self._fold(self.size.width, self.size.height)

    def action_search(self) -> None:
        """Focuses the search field of the presets."""
        self.action_pane("presets")
        self.set_focus(self.query_one(PresetPicker).query_one(Input))

    # --- design and previews ---

    @on(DesignPanes.Changed)
    def _on_design_changed(self) -> None:
        self.lines.show()
        self.previews.update()
        self._reference.update()
        if self._remember_timer is not None:
            self._remember_timer.stop()
        self._remember_timer = self.set_timer(REMEMBER_SECONDS, self._remember)

    def _remember(self) -> None:
        """Writes the design to the disk for the next start, also for the case that this process is killed."""
        used = self.design.last_used()
        self.submit("remember", lambda: remember(used), lambda why, error: self._say_not_remembered(why or ""))

    def _say_not_remembered(self, why: str) -> None:
        """Says once that the next start begins without the design."""
        if why and not self._has_said_not_remembered:
            self._has_said_not_remembered = True
            text = f"this design is not kept for the next start: {clean_line(why, 300)}"
            self.notify(text, severity="warning", timeout=10, markup=False)

    def use_settings(self, spec: RunSpec) -> None:
        """Loads the settings of a saved run, as changes of its preset if that can still be loaded."""
        base = presets.base_of(spec, self.request.models)
        self.panes.use(Draft.of(spec, base), f"settings of {spec.name}")

    def action_revert(self) -> None:
        """Takes all changes of the preset back."""
        self.panes.revert()

    def action_undo_change(self) -> None:
        """Undoes the newest change."""
        self.panes.undo()

    def action_redo_change(self) -> None:
        """Makes the change again that was undone last."""
        self.panes.redo()

    def action_new_knob(self) -> None:
        """Asks for the name and the value of a new knob."""
        self.panes.add_knob()

    def action_save(self) -> None:
        """Saves the design as a new preset file."""
        with self._errors_as_notices():
            self.panes.save()

    def action_editor(self) -> None:
        """Opens the whole preset in $EDITOR."""
        with self._errors_as_notices():
            self.panes.edit_as_file()

    @on(events.ScreenResume)
    def _read_runs(self) -> None:
        """Reads how far the runs are with the brief: in another mode they may have been deleted or restored."""
        self._brief.read()

    def action_brief(self) -> None:
        """Lists the course briefs, to follow one in the budget card."""
        self._brief.choose(self.size.width)

    def action_find_rate(self) -> None:
        """Opens the learning-rate finder on the design."""
        with self._errors_as_notices():
            self.app.push_screen(self._rate_finder.dialog(), self._use_rate)

    def _use_rate(self, suggestion: "Suggestion | None") -> None:
        with self._errors_as_notices():
            if suggestion is not None:
                self.panes.set_learning_rate(suggestion.rate)

    def _show_rates(self, rates: list[float] | None, error: str | None) -> None:
        self.query_one(RecipeForm).show_rates(rates)

    @on(DigitsStrip.Redraw)
    def action_redraw(self) -> None:
        """Draws other digits through the augmentation."""
        self.previews.redraw()

    @on(DigitsStrip.Changed)
    @on(TrainingView.SpecRead)
    def _predict(self) -> None:
        """Predicts other digits, or by another run; the banner and the titles may depend on them too."""
        self._predictor.request_soon(self.view.run, self.view.spec)
        self.lines.show()

    # --- the run ---

    def action_start(self) -> None:
        """Trains the design once per seed."""
        with self._errors_as_notices():
            self.run_control.check_free()
            specs = self.design.specs()
            self._say_not_remembered(remember(self.design.last_used()))
            self.run_control.train(specs, self.design.run_options())
            self._begin_group("starting: data and network" if self.previews.is_warm else LOADING, len(specs))

    def action_queue(self) -> None:
        """Puts the design at the end of the queue."""
        with self._errors_as_notices():
            self.queue.add_design()

    def queue_sweep(self, name: str) -> None:
        """Puts a sweep at the end of the queue."""
        with self._errors_as_notices():
            self.queue.add_sweep(name)

    def _queue_made_sweep(self, varied: Varied, name: str | None) -> None:
        """Queues the sweep of a dialog, None where that was cancelled.

        The fields that held several values keep the first, so that the design can be trained and queued again.
        """
        if name is not None:
            self.panes.use(varied.base, f"values of sweep {name}")
            self.queue_sweep(name)

    @on(DesignPanes.SweepAsked)
    def _ask_for_sweep(self, event: DesignPanes.SweepAsked) -> None:
        from mnist_tui.tui.lab.sweep_dialog import SweepDialog  # The first frame does not wait for it.

        if not event.varied.is_complete:
            self.notify("correct what is marked with ! first", severity="warning")
        else:
            texts, options = self.design.run_texts, self.design.run_options()
            dialog = SweepDialog(event.varied, texts["seeds"], options, self.submit)
            self.app.push_screen(dialog, partial(self._queue_made_sweep, event.varied))

    def toggle_queue(self) -> None:
        """Pauses the queue, or goes on with it."""
        with self._errors_as_notices():
            self.queue.toggle()

    def resume_run(self, folder: Path, epochs: int = 0) -> None:
        """Resumes the run in a folder; with `epochs`, extends it by that many epochs in a new folder."""
        with self._errors_as_notices():
            self.run_control.resume(folder, self.design.run_options(), epochs)
            self._begin_group(f"resuming {folder.name}" if self.previews.is_warm else LOADING)

    def _watch(self, folder: Path | None, error: str | None = None) -> None:
        if folder is not None and not self.runner.is_busy:
            self.runner.watch(folder)
            self._begin_group(f"looking at {folder.name}", takes_focus=False)

    def _begin_group(self, waiting: str, planned_seeds: int = 1, takes_focus: bool = True) -> None:
        """Shows the training pane, empty; it gets the focus unless the user is typing."""
        self.queue.show_group(None)
        self.view.begin_group(planned_seeds)
        self.lines.waiting = waiting
        self.lines.show()
        if not takes_focus or isinstance(self.focused, Input | TextArea):
            self._show_pane("training")
        else:
            self.action_pane("training")

    def _send(self, request: Request, rate: float | None = None) -> None:
        with self._errors_as_notices():
            self.run_control.send(request, rate)

    def action_pause(self) -> None:
        """Pauses after the current step, or unpauses."""
        with self._errors_as_notices():
            self.run_control.toggle_pause(self.view.run is not None and self.view.run.state == "paused")

    def action_step(self) -> None:
        """Takes one step and pauses."""
        self._send("step")

    def action_stop(self) -> None:
        """Stops after the current step, and saves."""
        if self.runner.is_busy:
            self.notify(f"stopping after this step, and saving{self.queue.stop()}")
        self._send("stop")

    def stop_and_quit(self) -> None:
        """Stops the run; the application exits once it is saved."""
        self.is_quitting = True
        self.runner.send_request("stop")
        self.lines.waiting = "stopping after this step, and saving"

    def action_rate(self) -> None:
        """Asks for another learning rate."""
        with self._errors_as_notices():
            dialog = AskDialog(self.run_control.rate_question(self.view.run))
            self.app.push_screen(
                dialog, lambda text: None if text is None else self._send("learning_rate", float(text))
            )

    @on(RunnerMessage)
    def _on_runner_message(self, message: RunnerMessage) -> None:
        match message.event:
            case Crashed():
                return  # The application exits.
            case Refused(message=text):
                self.lines.waiting = text
                self.app.push_screen(MessageDialog("The run did not begin", text))
            case Idle():
                # It may be the end of a run that was watched, while another one already begins.
                if self.lines.waiting and self.view.run is None and not self.runner.is_busy:
                    self.lines.waiting = READY
                self.previews.update()
                self.queue.poll()
            case Notice(text=text, is_warning=is_warning):
                self.lines.waiting = text if self.view.run is None else self.lines.waiting
                self.notify(text, severity="warning" if is_warning else "information", timeout=10, markup=False)
            case Downloading() as download:
                self.lines.waiting = str(download)
            case GroupBegan() as began:
                self.view.begin_group(began.runs)
                self.queue.show_group(began)
                self.lines.waiting = began.title
            case event:
                self._add_event(event)
        if not isinstance(message.event, Progress):  # Ten a second; the timer shows them.
            self.lines.show()
            self.refresh_bindings()

    def _add_event(self, event: Event) -> None:
        self.view.add(event)
        if isinstance(event, RunEnded):
            self._brief.read()
        match event:
            case RunStarted():
                self.lines.waiting = ""
            case EpochEnded():
                self._predictor.request_soon(self.view.run, self.view.spec)
            case RunEnded(outcome="failed" | "diverged") if self.queue.is_shown:
                text = f"{self.runner.folder and self.runner.folder.name}: {event.outcome}: {event.message}"
                self.notify(clean_line(text, 300), severity="warning", timeout=10, markup=False)
            case RunEnded(outcome="failed" | "diverged") if not self.is_quitting:
                where = f"\n\nThe run and its log: {self.runner.folder}"
                self.app.push_screen(MessageDialog(f"The run {event.outcome}", event.message + where))

    @on(RunCard.Opened)
    def _open_run(self) -> None:
        if self.runner.folder is not None:
            self.post_message(OpenRun(self.runner.folder))

    @on(RunCard.Resumed)
    def _resume_run(self) -> None:
        if self.runner.folder is not None:
            self.resume_run(self.runner.folder)

    def action_advice(self) -> None:
        """Shows what the coach says about the run that ended."""
        if not self.view.advice:
            self.notify(self.view.no_advice, markup=False)
            return
        from mnist_tui.tui.lab.advice_dialog import AdviceDialog  # The first frame does not wait for it.

        run = titles.run_title(self.view.run)
        self.app.push_screen(AdviceDialog(self.view.advice, run), self._try_advice)

    def _try_advice(self, advice: "Advice | None") -> None:
        """Puts the settings of the run into the lab, with the change that was advised."""
        with self._errors_as_notices():
            if advice is not None and advice.settings is not None and self.view.spec is not None:
                self.use_settings(self.view.spec.with_settings(advice.settings))

    @on(TrainingView.AdviceRead)
    def _show_advice_key(self) -> None:
        self.refresh_bindings()

    # --- curves, text, help ---

    def action_pin(self) -> None:
        """Asks for an earlier run to draw behind the curves."""
        self.view.select_pin(self.request.options.runs_dir)

    def action_toggle_log(self) -> None:
        """Switches the loss between a logarithmic and a linear axis."""
        self.view.toggle_log()

    def action_smooth(self) -> None:
        """Switches to the next smoothing."""
        self.view.smooth()

    def action_copy(self) -> None:
        """Copies the content of the focused pane as text."""
        pane = self.focused_pane
        if copied := text_of_pane(None if pane is None else pane.id, self.design.draft, self.view.rows):
            clipboard.copy(self, copied.lines, copied.name)

    def action_help(self) -> None:
        """Shows every key that works where the focus is."""
        self.app.push_screen(help_on(self, "Laboratory", HELP_NAMES))
