"""The training pane: curves, target and epoch table of the current run, the other seeds of its recipe, a pinned run."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from mnist_tui.runs.events import EpochEnded, Event, Progress, RunEnded, RunStarted
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.advice_list import NO_ADVICE
from mnist_tui.tui.background import Submit
from mnist_tui.tui.charts.chart import Chart
from mnist_tui.tui.charts.curves import METRICS, SMOOTHINGS, Metric
from mnist_tui.tui.charts.plot import Picture, picture_of
from mnist_tui.tui.charts.run_curves import RunCurves, SeedGroup
from mnist_tui.tui.charts.zoom import Zoomed, ZoomScreen
from mnist_tui.tui.dialogs import RunDialog
from mnist_tui.tui.lab import jobs, titles
from mnist_tui.tui.lab.epochs import EpochTable
from mnist_tui.tui.lab.run_card import RunCard
from mnist_tui.tui.messages import OpenScreen
from mnist_tui.tui.status import SeedProgress

if TYPE_CHECKING:
    from mnist_tui.analysis.coach.evidence import Advice

CURVES_LINES = 13
"""Lines of the pane that the card leaves to the curves and the table, so that a curve can be seen."""
LEAST_CARD_LINES = 3
"""Outcome, best epoch, target."""
NOT_ENDED = "advice comes when a run has ended"


class TrainingView(Vertical):
    """Draws the events of one run, or of several seeds of one recipe that are trained one after the other."""

    class SpecRead(Message):
        """Posted when the spec of the current run was read, or cannot be read."""

    class AdviceRead(Message):
        """Posted when the coach has looked at the run that ended."""

    def __init__(self, ascii_only: bool, submit: Submit) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        self._submit = submit
        self.group = SeedGroup()
        self.pinned: RunCurves | None = None
        self.reference: RunCurves | None = None
        """The reference run of the preset that is open, drawn where no run is pinned."""
        self.smoothing = SMOOTHINGS[1]
        self.planned_seeds = 1
        """Number of runs in the group, counting those that have not started yet."""
        self.seeds_sentence = ""
        """Mean and interval over the seeds, once they have ended."""
        self.advice: Sequence[Advice] = ()
        """What the coach says about the current run, once it has ended."""
        self.no_advice = NOT_ENDED
        """Why there is none, in a sentence."""
        self._spec: RunSpec | None = None
        self._spec_of = ""
        """The run that `_spec` belongs to."""
        self._zoom: ZoomScreen | None = None
        self._has_news = False

    def compose(self) -> ComposeResult:
        yield Chart("accuracy", self.ascii_only, "chart-accuracy")
        yield Chart("loss", self.ascii_only, "chart-loss", log_y=True)
        yield Chart("learning rate", self.ascii_only, "chart-rate")
        yield RunCard(self.ascii_only)
        yield EpochTable()

    def on_resize(self) -> None:
        card = self.query_one(RunCard)
        card.max_lines = max(LEAST_CARD_LINES, self.size.height - CURVES_LINES)
        card.on_resize()

    @property
    def run(self) -> RunCurves | None:
        """The current run: the newest of the group."""
        return self.group.runs[-1] if self.group.runs else None

    @property
    def rows(self) -> list[EpochEnded]:
        """The epochs of the current run."""
        return self.run.rows if self.run else []

    @property
    def spec(self) -> RunSpec | None:
        """The spec of the current run, once it was read."""
        return self._spec if self.run is not None and self.run.run == self._spec_of else None

    @property
    def progress(self) -> SeedProgress | None:
        """The progress of the current run and of the group."""
        return None if self.run is None else SeedProgress(self.run, len(self.group.runs), self.planned_seeds)

    def begin_group(self, planned_seeds: int = 1) -> None:
        """Removes the earlier runs; the runs that follow are one group."""
        self.group, self.planned_seeds, self.seeds_sentence = SeedGroup(), planned_seeds, ""
        self.query_one(EpochTable).show([])
        self._forget_advice()
        self.draw()

    def add(self, event: Event) -> None:
        """Adds an event; the events of a run come in order, those of the next run after them."""
        if isinstance(event, RunStarted):
            self._add_run(event)
        if self.run is None:
            return
        self.run.add(event)
        if isinstance(event, EpochEnded):
            self.query_one(EpochTable).add(event, self.run.best)
        if isinstance(event, Progress):
            self._has_news = True  # Ten a second; they are drawn together.
        elif isinstance(event, EpochEnded):
            # A small network ends many a second: a chart that was just drawn waits for the next look.
            self.draw(at_once=False)
            self._has_news = True
        else:
            self.draw()
        if isinstance(event, RunEnded):
            self._summarize_seeds()
            self._ask_advice()

    def _add_run(self, event: RunStarted) -> None:
        if self.run is None or self.run.run != event.run:
            self.group = SeedGroup((*self.group.runs, RunCurves()))
            self.query_one(EpochTable).show([])
        self._forget_advice()
        self._submit("run-spec", lambda: jobs.run_spec(Path(event.folder)), partial(self._show_spec, event.run))

    def _show_spec(self, run: str, spec: RunSpec | None, error: str | None) -> None:
        if spec is not None:
            self._spec, self._spec_of = spec, run
            self.draw()
        self.post_message(self.SpecRead())

    def _summarize_seeds(self) -> None:
        accuracies = self.best_accuracies()
        if len(accuracies) > 1:
            self._submit("seeds", lambda: jobs.seeds_sentence(accuracies), partial(self._show_seeds, accuracies))

    def _show_seeds(self, accuracies: list[float], sentence: str | None, error: str | None) -> None:
        if accuracies == self.best_accuracies():  # Another group may have begun meanwhile.
            self.seeds_sentence = sentence or ""
            self.draw()

    def best_accuracies(self) -> list[float]:
        """The best test accuracy of each completed run of the group."""
        ends = [run.ended for run in self.group.runs if run.ended is not None]
        return [end.best.test_accuracy for end in ends if end.outcome == "completed" and end.best is not None]

    def _forget_advice(self) -> None:
        self.advice, self.no_advice = (), NOT_ENDED

    def _ask_advice(self) -> None:
        if self.run is not None and self.run.started is not None:
            folder = Path(self.run.started.folder)
            self._submit("advice", lambda: jobs.advice(folder), partial(self._show_advice, self.run))

    def _show_advice(self, run: RunCurves, advice: "Sequence[Advice] | None", error: str | None) -> None:
        if run is not self.run or run.ended is None:
            return  # Another run has begun meanwhile, or this one was resumed.
        self.advice, self.no_advice = advice or (), error or NO_ADVICE
        self.draw()
        self.post_message(self.AdviceRead())

    # --- a pinned run ---

    def select_pin(self, runs_dir: Path) -> None:
        """Asks for an earlier run and draws its curves behind those of the current one."""

        def open_dialog(lines: Any, error: str | None) -> None:
            dialog = RunDialog("Pin a run", lines or [], "none (remove the pin)")
            self.post_message(OpenScreen(dialog, partial(self._read_pin, runs_dir)))

        self._submit("saved", lambda: jobs.saved_lines(runs_dir), open_dialog)

    def _read_pin(self, runs_dir: Path, run: str | None) -> None:
        if run == "":
            self.reference = None
            self.pin(None)
        elif run is not None:
            self._submit("pin", lambda: jobs.saved_run_curves(runs_dir / run), self._show_pin)

    def _show_pin(self, run: RunCurves | None, error: str | None) -> None:
        self.pin(run)
        if error:
            self.notify(error, severity="warning", markup=False)

    def pin(self, run: RunCurves | None) -> None:
        """Draws an earlier run behind the curves; None removes it."""
        self.pinned = run
        self.draw()

    def show_reference(self, run: RunCurves | None) -> None:
        """Draws a reference run where no run is pinned; None removes it."""
        self.reference = run
        self.draw()

    # --- drawing ---

    def draw_new(self) -> None:
        """Draws the steps since the last drawing; called a few times a second."""
        if self._has_news:
            self.draw(at_once=False)

    def draw(self, at_once: bool = True) -> None:
        """Draws charts and card; unless `at_once`, a chart whose last drawing is too recent is left out."""
        self._has_news = False
        if self._zoom is not None and self._zoom.is_attached:
            self._zoom.show_new()
        for chart in self.query(Chart):
            chart.show(partial(self.picture, chart.metric, self.smoothing), at_once)
        self.query_one(RunCard).show(self.run, self.spec, self.seeds_sentence, self.advice)

    def picture(self, metric: Metric, smoothing: float) -> Picture:
        """The picture of a metric, of the runs as they are now."""
        started = self.run.started if self.run is not None else None
        is_judged = started is None or self.spec is None or self.spec.is_judged_on(started.dataset)
        target = self.spec.target if self.spec and is_judged else None  # It is an accuracy on other images.
        pinned = self.pinned or (self.reference if is_judged else None)
        return picture_of(metric, self.group, pinned, smoothing, target)

    def toggle_log(self) -> None:
        """Switches the loss chart between a logarithmic and a linear axis."""
        self.query_one("#chart-loss", Chart).toggle_log()

    def smooth(self) -> None:
        """Switches to the next smoothing of the step losses."""
        self.smoothing = SMOOTHINGS[(SMOOTHINGS.index(self.smoothing) + 1) % len(SMOOTHINGS)]
        self.draw()

    def zoom(self, metric: Metric = METRICS[0]) -> None:
        """Opens the curves on the whole screen, where new events are drawn too."""
        title = titles.run_title(self.run) or "Train"
        self._zoom = ZoomScreen(Zoomed(title, self.picture, self._last_epoch), metric, self.smoothing, self.ascii_only)
        self.post_message(OpenScreen(self._zoom))

    def _last_epoch(self) -> int:
        return max((run.rows[-1].epoch for run in self.group.runs if run.rows), default=0)

    @on(Chart.Zoom)
    def _zoom_chart(self, event: Chart.Zoom) -> None:
        self.zoom(event.metric)
