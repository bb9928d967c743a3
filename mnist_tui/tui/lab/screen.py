"""The laboratory: the designing half, and on top of it what trains, watches, keeps and leaves.

`_told` is the one way from an event of a run to every pane that draws it.
"""

import gc
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.widgets import Input, TextArea

from mnist_tui.editor import edit
from mnist_tui.errors import EditorError, PresetError
from mnist_tui.runs.events import EpochEnded, Notice, Progress, RunEnded, RunStarted, best_of
from mnist_tui.settings.last_used import remember
from mnist_tui.spec import presets, summary
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui import telemetry
from mnist_tui.tui.dialogs import AskDialog, MessageDialog, Question, QuitDialog, RunDialog
from mnist_tui.tui.help import HelpScreen, sections
from mnist_tui.tui.keys import with_ids
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.design import DesignScreen
from mnist_tui.tui.lab.panes import Pane
from mnist_tui.tui.lab.picker import PresetPicker
from mnist_tui.tui.lab.predictor import Predictor
from mnist_tui.tui.lab.run_card import RunCard
from mnist_tui.tui.lab.training import TrainingView
from mnist_tui.tui.messages import RunnerMessage
from mnist_tui.tui.runner import Crashed, Idle, Refused, Runner, RunnerEvent
from mnist_tui.tui.status import Headline, OneLine, StatusLine

if TYPE_CHECKING:
    from mnist_tui.tui.request import LabRequest

AFTER_FIRST_FRAME = 0.15
"""Seconds; by then the screen has been drawn whole."""
PROGRESS_SECONDS = 0.25
"""Between two drawings of the progress line."""
DEVICE_SECONDS = 2.0
"""Between two readings of the device."""
DEVICE_CELLS = 32
"""What the device does is said in at most so many cells."""
MAX_SEEDS = 1000
NOT_MNIST = "! not MNIST: 1,797 small digits; accuracies do not compare (mnist-tui doctor)"
"""The banner while other data than MNIST is used; it fits into 80 cells."""

READY = "t trains, in a text field F9"
"""In the status line while there is nothing to wait for."""

NAMES = {
    "LayersEditor": "Network",
    "Input": "Field",
    "RecipeForm": "Recipe",
    "PresetPicker": "Presets",
    "OptionList": "List",
    "TrainingView": "Training",
    "EpochTable": "Epochs",
    "DesignScreen": "Laboratory",
    "Screen": "Everywhere",
    "App": "Everywhere",
}
"""What the help calls the widgets."""


class LabScreen(DesignScreen):
    """Design, train and watch on one screen."""

    BINDINGS: ClassVar[list[BindingType]] = with_ids(
        [
            Binding("t,f9", "start", "Train"),
            Binding("space,f8", "pause", "Pause", tooltip="and goes on"),
            Binding("full_stop", "step", "Step", tooltip="one optimizer step, then pauses"),
            Binding("s", "stop", "Stop", tooltip="after this step; saves, and keeps the run"),
            Binding("l", "rate", "Rate", tooltip="another learning rate, while it runs"),
            Binding("p", "pin", "Pin", show=False, tooltip="an earlier run, drawn behind the curves"),
            Binding("z,f12", "zoom", "Enlarge", tooltip="the pane with the focus; the curves with a cursor"),
            Binding("y", "copy", "Copy", show=False, tooltip="as text: what the focused pane shows"),
            Binding("Y", "toggle_log", "Log y", show=False, tooltip="the loss on a logarithmic axis, or not"),
            Binding("w", "smooth", "Smooth", show=False, tooltip="step losses: none, over 0.1 or 0.5 epochs"),
            Binding("slash", "search", "Search", tooltip="a preset"),
            Binding("e", "editor", "$EDITOR", show=False, tooltip="the whole preset in your editor"),
            Binding("ctrl+s,f10", "save", "Save", tooltip="as a new preset file"),
            Binding("question_mark,f1", "help", "Help"),
        ]
    )

    def __init__(self, request: "LabRequest", runner: Runner) -> None:
        super().__init__(request)
        self.runner = runner
        self.waiting = "loading PyTorch"
        """What the user waits for; empty where nothing is waited for."""
        self._is_leaving = False
        self._predictor = Predictor(self)

    @property
    def view(self) -> TrainingView:
        """The training pane."""
        return self.query_one(TrainingView)

    @property
    def rows(self) -> list[EpochEnded]:
        """The epochs of the run in sight."""
        return self.view.run.rows if self.view.run else []

    @property
    def trains_here(self) -> bool:
        return self.runner.is_training

    def on_mount(self) -> None:
        self.runner.listener = self._on_runner_event
        self.set_timer(AFTER_FIRST_FRAME, self._begin)

    def _on_runner_event(self, event: RunnerEvent) -> None:
        """Called in the runner's thread."""
        self.post_message(RunnerMessage(event))

    def is_useful(self, action: str) -> bool:
        is_asked_of_a_run = action in ("pause", "step", "stop", "rate")
        return self.runner.is_busy if is_asked_of_a_run else action != "start" or not self.runner.is_training

    @on(Headline.ModeChosen)
    def _choose_mode(self, event: Headline.ModeChosen) -> None:
        self.run_worker(self.app.action_mode(event.mode))  # type: ignore[attr-defined]

    def _begin(self) -> None:
        """After the first frame: what needs torch, or the disk; to load torch holds the screen for moments."""
        gc.enable()
        if self.request.notice:
            self.notify(self.request.notice, severity="warning", timeout=10, markup=False)
        self.set_interval(DEVICE_SECONDS, self._read_device)
        self.set_interval(PROGRESS_SECONDS, self._show_progress)
        if self.request.watch is not None:
            self._watch(self.request.watch, None)
        else:
            self.submit("live", lambda: jobs.live_run(self.request.options.runs_dir), self._watch)
        self.submit("warm-up", jobs.warm_up, self.warmed_up)
        if self.request.start and self.request.watch is None:
            self.action_start()

    def warmed_up(self, result: None, error: str | None) -> None:
        super().warmed_up(result, error)
        if not self.runner.is_busy:
            self.waiting = error or READY
        self._show_progress()

    def _read_device(self) -> None:
        device = self.run_texts["device"]
        self.submit("device", lambda: telemetry.read(device), self._show_device)

    def _show_device(self, reading: Any, error: str | None) -> None:
        self.query_one(StatusLine).device = clean_line(error or telemetry.in_words(reading, DEVICE_CELLS), 100)
        self._show_progress()

    def _show_progress(self) -> None:
        self.view.draw_new()
        self.query_one(StatusLine).show(self.view.progress, self.waiting, self.request.ascii)

    def _show_lines(self) -> None:
        super()._show_lines()
        self._show_progress()

    def headline(self) -> list[str]:
        parts = super().headline()
        run = self.view.run
        if run is not None and run.started is not None:
            by = " in another process" if self.runner.is_watching and self.runner.is_busy else ""
            steered = ", steered by hand" if run.marks else ""
            other = ", not this design" if self._is_other_design() else ""
            parts.append(f"{run.state}{by} {clean_line(run.name, 40)}{steered}{other}")
        return parts

    def _is_other_design(self) -> bool:
        """Whether the run in sight was set to do something else than what is designed; its seed does not count."""
        spec, designed = self.view.spec, self.draft.result.spec
        return spec is not None and (designed is None or _what_is_trained(spec) != _what_is_trained(designed))

    def _show_title(self) -> None:
        """Says in the training pane what it shows, and warns as long as that is not MNIST."""
        self.query_one("#training", Pane).retitle(self.view.title(self._is_other_design()))
        banner = self.query_one("#banner", OneLine)
        banner.set_class(self._is_digits, "-shown")
        banner.put(NOT_MNIST if self._is_digits else "")

    @property
    def _is_digits(self) -> bool:
        """Whether the run in sight is not of MNIST; where none is under way, also whether the next one would not be."""
        started = self.view.run.started if self.view.run else None
        if started is not None and (started.dataset != "mnist" or self.runner.is_busy):
            return started.dataset != "mnist"
        return self.run_texts["dataset"] == "digits" or self.feeds_digits

    # --- the run ---

    def action_start(self) -> None:
        """Trains what is designed, once for every seed that is asked for."""
        if self.runner.is_busy and not self.runner.is_watching:
            self.notify("a run is being trained; s stops it")
            return
        specs = self._specs()
        if not specs:
            return
        self._detach()
        remember(self.last_used())
        self._begin_action(len(specs))
        self.runner.options = self.run_options()
        self.waiting = "starting: data and network" if self.is_warm else "loading PyTorch, then the data"
        self.runner.train(specs)
        self._look_at_training()

    def _specs(self) -> list[RunSpec]:
        """One spec for every seed; none, with a word why, where something is to be put right first."""
        spec = self.draft.result.spec
        text = self.run_texts["seeds"]
        seeds = int(text) if text.isdigit() else 0
        if spec is None or not 1 <= seeds <= MAX_SEEDS:
            self.notify(
                "correct what is marked with ! first" if spec is None else f"seeds: 1 to {MAX_SEEDS:,}, got {text!r}",
                severity="warning",
                markup=False,
            )
            return []
        return [spec.with_settings({"seed": str(spec.train.seed + index)}) for index in range(seeds)]

    def _begin_action(self, planned_seeds: int = 1) -> None:
        """Takes the runs before out of sight."""
        self.view.begin_action(planned_seeds)
        self._show_title()

    def _detach(self) -> None:
        """Stops looking at another process's run, which goes on."""
        if self.runner.is_watching:
            self.runner.detach()
            self.runner.join()

    def _watch(self, folder: Path | None, error: str | None = None) -> None:
        if folder is None or self.runner.is_busy:
            return
        self._begin_action()
        self.waiting = f"looking at {folder.name}"
        self.runner.watch(folder)
        self.folding.choose("training")
        self._fold(self.size.width, self.size.height)

    def resume_run(self, folder: Path, epochs: int = 0) -> None:
        """Resumes the run in a folder; with `epochs`, extends it by so many in a new folder."""
        if self.runner.is_training:
            self.notify("a run is being trained; s stops it", severity="warning")
            return
        self._detach()
        self._begin_action()
        self.runner.options = self.run_options()
        self.waiting = f"going on with {folder.name}" if self.is_warm else "loading PyTorch, then the data"
        self.runner.extend(folder, epochs) if epochs else self.runner.resume(folder)
        self._look_at_training()

    def _look_at_training(self) -> None:
        """Brings the training pane in sight, and the focus to it, unless somebody types elsewhere."""
        if isinstance(self.focused, Input | TextArea):
            self.folding.choose("training")
            self._fold(self.size.width, self.size.height)
        else:
            self.action_pane("training")

    def take(self, spec: RunSpec) -> None:
        """Designs on from a saved run's settings, held against its preset where that is still there."""
        try:
            base = presets.load(spec.name, self.request.models)
        except PresetError:
            base = spec
        self.use(Draft.of(spec, base), f"settings of {spec.name}")

    def _asked(self, request: Any, rate: float | None = None) -> None:
        """Asks the run under way for something; says so where there is none."""
        if not self.runner.is_busy:
            self.notify("nothing is being trained; t trains")
            return
        try:
            self.runner.send_request(request, rate)
        except (OSError, ValueError) as failure:
            self.notify(clean_line(str(failure), 200), severity="warning", markup=False)

    def action_pause(self) -> None:
        """Waits after the step under way, or goes on."""
        run = self.view.run
        is_paused = run.state == "paused" if run else False
        self._asked("unpause" if is_paused or self.runner.is_paused else "pause")

    def action_step(self) -> None:
        """Takes one step and waits."""
        self._asked("step")

    def action_stop(self) -> None:
        """Stops after the step under way, and saves."""
        if self.runner.is_busy:
            self.notify("stopping after this step, and saving")
        self._asked("stop")

    def action_rate(self) -> None:
        """Asks for another learning rate."""
        run = self.view.run
        if not self.runner.is_busy or run is None or run.progress is None:
            self.notify("nothing is being trained; the recipe has the learning rate")
            return
        hint = "From the next step on; what the schedule does later is scaled by it. The run is marked as steered."
        question = Question("Learning rate", hint, f"{run.progress.learning_rate:g}", _wrong_rate)
        self.app.push_screen(AskDialog(question), self._steer)

    def _steer(self, text: str | None) -> None:
        if text is not None:
            self._asked("learning_rate", float(text))

    @on(RunnerMessage)
    def _on_runner_message(self, message: RunnerMessage) -> None:
        match message.event:
            case Refused(message=text):
                self.waiting = text
                self.app.push_screen(MessageDialog("The run did not begin", text))
            case Crashed(message=text, details=details):
                self.app.crash(text, details)  # type: ignore[attr-defined]
            case Idle():
                self._show_title()
                if self.waiting and self.view.run is None:
                    self.waiting = self.waiting if self.waiting.startswith("!") else READY
                # A question what becomes of the run is answered by its end, also under the news of how it ended.
                is_asked = any(isinstance(screen, QuitDialog) for screen in self.app.screen_stack)
                self._leave_now() if self._is_leaving or is_asked else self._preview()
            case Notice(text=text, is_warning=is_warning):
                self.waiting = text if self.view.run is None else self.waiting
                self.notify(text, severity="warning" if is_warning else "information", timeout=10, markup=False)
            case event:
                self._take_event(event)
        if not isinstance(message.event, Progress):  # Ten a second; the timer shows them.
            self._show_lines()
            self.refresh_bindings()

    def _take_event(self, event: Any) -> None:
        self.view.add(event)
        if isinstance(event, RunStarted):
            self.waiting = ""
            self.submit("run-spec", lambda: jobs.run_spec(Path(event.folder)), partial(self._show_run_spec, event.run))
            self._show_title()
        if isinstance(event, EpochEnded):
            self._predictor.request_soon()
        if isinstance(event, RunEnded):
            self._show_end(event)

    def _show_run_spec(self, run: str, spec: RunSpec | None, error: str | None) -> None:
        if spec is not None:
            self.view.show_spec(run, spec)
            self._predictor.request_soon()
        self._show_lines()
        self._show_title()

    def _show_digits(self, fed: Any, error: str | None) -> None:
        super()._show_digits(fed, error)
        self._predictor.request_soon()

    def _show_end(self, event: RunEnded) -> None:
        """Says how a run ended, and what its seeds came to; a run that went wrong is said in a dialog too."""
        accuracies = self.view.best_accuracies()
        if len(accuracies) > 1:
            self.submit("seeds", lambda: jobs.seeds_sentence(accuracies), partial(self._show_seeds, accuracies))
        if event.outcome in ("failed", "diverged") and not self._is_leaving:
            where = f"\n\nThe run and its log: {self.runner.folder}"
            self.app.push_screen(MessageDialog(f"The run {event.outcome}", event.message + where))

    def _show_seeds(self, accuracies: list[float], sentence: str | None, error: str | None) -> None:
        if accuracies == self.view.best_accuracies():  # Another action may have begun meanwhile.
            self.view.show_seeds(sentence or "")

    @on(RunCard.Opened)
    def _open_run(self) -> None:
        if self.runner.folder is not None:
            self.app.open_run(self.runner.folder)  # type: ignore[attr-defined]

    @on(RunCard.Resumed)
    def _resume_run(self) -> None:
        if self.runner.folder is not None:
            self.resume_run(self.runner.folder)

    # --- files and other screens ---

    def action_zoom(self) -> None:
        """Gives the focused pane the whole screen; of the training pane the curves, with a cursor."""
        pane = self.focused_pane
        if pane is None or pane.id == "training":
            self.view.zoom()
        else:
            self.action_enlarge()

    def action_copy(self) -> None:
        """Copies what the focus is on, as text: the epochs in the training pane, else the layer table."""
        from mnist_tui.analysis.markdown import epoch_lines  # The first frame does not wait for them.
        from mnist_tui.tui.clipboard import copy

        pane, spec = self.focused_pane, self.draft.result.spec
        if pane is not None and pane.id == "training" and self.rows:
            best = best_of(self.rows)
            copy(self, epoch_lines(self.rows, best.epoch if best else None), "the epochs")
        elif pane is not None and pane.id == "architecture":
            copy(self, self.draft.layers.splitlines(), "the layers")
        elif spec is not None and pane is not None and pane.id == "recipe":
            copy(self, presets.as_toml(spec).splitlines(), "the recipe, as a preset")
        elif spec is not None:
            copy(self, summary.table(spec).splitlines(), "the layer table")

    def action_toggle_log(self) -> None:
        """The loss on a logarithmic axis, or not."""
        self.view.toggle_log()

    def action_smooth(self) -> None:
        """The next smoothing."""
        self.view.smooth()

    def action_search(self) -> None:
        """To the search field of the presets."""
        self.action_pane("presets")
        self.set_focus(self.query_one(PresetPicker).query_one(Input))

    def action_save(self) -> None:
        """Saves the draft as a new preset file."""
        spec = self.draft.result.spec
        if spec is None:
            self.notify("correct what is marked with ! first", severity="warning")
            return
        hint = f"Goes to {presets.user_folder()}; an existing file is never overwritten."
        self.app.push_screen(AskDialog(Question("Save as a new preset", hint, "", _wrong_name)), self._save)

    def _save(self, name: str | None) -> None:
        spec = self.draft.result.spec
        if name is None or spec is None:
            return
        try:
            path = presets.save(spec, name, self.base)
            self.use(Draft(presets.load_file(path)))
        except (PresetError, OSError) as error:
            self.app.push_screen(MessageDialog("Not saved", str(error)))
            return
        self.query_one(PresetPicker).refresh_list()
        self.notify(f"saved: {path}", markup=False)

    def action_editor(self) -> None:
        """Opens the whole preset in $EDITOR; what comes back is the draft, if it can be read."""
        spec = self.draft.result.spec
        if spec is None:
            self.notify("correct what is marked with ! first", severity="warning")
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{self.base.name}.toml"
            path.write_text(presets.as_toml(spec))
            try:
                with self.app.suspend():
                    code = edit(path, sys.__stderr__)  # Standard output is a log while the screen is up.
            except (EditorError, SuspendNotSupported) as error:
                self.notify(str(error), severity="warning", markup=False)
            else:
                self._read_back(path, code)

    def _read_back(self, path: Path, code: int) -> None:
        if code:
            self.notify(f"the editor ended with {code}; nothing was changed", severity="warning")
            return
        try:
            self.use(Draft.of(presets.load_file(path), self.base), "editor")
        except PresetError as error:
            self.app.push_screen(MessageDialog("What was written cannot be used", str(error)))

    def action_pin(self) -> None:
        """Chooses an earlier run to draw behind the curves."""
        self.submit("saved", lambda: jobs.saved_lines(self.request.options.runs_dir), self._choose_pin)

    def _choose_pin(self, lines: Any, error: str | None) -> None:
        self.app.push_screen(RunDialog("Pin a run", lines or [], "none (remove the pin)"), self._pin)

    def _pin(self, run: str | None) -> None:
        if run == "":
            self.view.pin(None)
        elif run is not None:
            folder = self.request.options.runs_dir / run
            self.submit("pin", lambda: jobs.saved_run_curves(folder), self._show_pin)

    def _show_pin(self, run: Any, error: str | None) -> None:
        self.view.pin(run)
        if error:
            self.notify(error, severity="warning", markup=False)

    def action_help(self) -> None:
        """Every key that works where the focus is."""
        self.app.push_screen(HelpScreen(sections(self.active_bindings, NAMES)))

    # --- leaving ---

    def leave(self) -> None:
        """Quits; asks first where a run would be ended by it."""
        if self.runner.is_training:
            self.app.push_screen(QuitDialog(str(self.runner.folder or "starting")), self._leave)
        else:
            self._leave_now()

    def _leave(self, choice: str | None) -> None:
        if choice == "stop":
            self._is_leaving = True
            self.runner.send_request("stop")
            self.waiting = "stopping after this step, and saving"
            if not self.runner.is_busy or not self.runner.has_begun:
                self._leave_now()
        elif choice == "leave":
            self.app.exit_state.leave_running = True  # type: ignore[attr-defined]
            self._leave_now()

    def _leave_now(self) -> None:
        remember(self.last_used())
        self.app.exit()


def _what_is_trained(spec: RunSpec) -> tuple[object, ...]:
    """What two runs must share to be seeds of one recipe."""
    return spec.layers, spec.knobs, spec.train.model_copy(update={"seed": 0})


def _wrong_rate(text: str) -> str | None:
    try:
        rate = float(text)
    except ValueError:
        return "enter a number such as 0.001"
    return None if 0 < rate <= 1e4 else "must be greater than 0, and at most 10,000"


def _wrong_name(name: str) -> str | None:
    try:
        presets.check_new_name(name)
    except PresetError as error:
        return str(error)
    return None
