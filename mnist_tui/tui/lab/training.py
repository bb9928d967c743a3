"""The training pane: curves, target and epoch log of the run in sight, the other seeds of its action, a pinned run."""

from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from mnist_tui.runs.events import EpochEnded, Event, Progress, RunStarted
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui.charts.chart import Chart
from mnist_tui.tui.charts.curves import METRICS, SMOOTHINGS, Metric
from mnist_tui.tui.charts.plot import Picture, picture_of
from mnist_tui.tui.charts.run_curves import RunCurves, SeedGroup
from mnist_tui.tui.charts.zoom import Zoomed, ZoomScreen
from mnist_tui.tui.lab.epochs import EpochTable
from mnist_tui.tui.lab.run_card import RunCard
from mnist_tui.tui.status import ActionProgress


class TrainingView(Vertical):
    """Draws what events tell of one run, or of several seeds of one recipe."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        self.group = SeedGroup()
        self.pinned: RunCurves | None = None
        self.smoothing = SMOOTHINGS[1]
        self.planned_seeds = 1
        """Runs that the action has, those to come too."""
        self.seeds_sentence = ""
        """What the seeds of the action came to, once they have ended."""
        self._spec: RunSpec | None = None
        self._spec_of = ""
        """The run that `_spec` belongs to."""
        self._zoom: ZoomScreen | None = None
        self._is_new = False

    def compose(self) -> ComposeResult:
        yield Chart("accuracy", self.ascii_only, "chart-accuracy")
        yield Chart("loss", self.ascii_only, "chart-loss", log_y=True)
        yield Chart("learning rate", self.ascii_only, "chart-rate")
        yield RunCard(self.ascii_only)
        yield EpochTable()

    @property
    def run(self) -> RunCurves | None:
        """The newest run."""
        return self.group.runs[-1] if self.group.runs else None

    @property
    def spec(self) -> RunSpec | None:
        """The spec of the newest run, once it is known."""
        return self._spec if self.run is not None and self.run.run == self._spec_of else None

    @property
    def progress(self) -> ActionProgress | None:
        """How far the newest run and its action are."""
        return None if self.run is None else ActionProgress(self.run, len(self.group.runs), self.planned_seeds)

    def title(self, is_other_design: bool) -> str:
        """What is trained, or was: name, seed, parameters, data; and whether something else is designed by now."""
        started = self.run.started if self.run else None
        if started is None:
            return "Train"
        other = " (not this design)" if is_other_design else ""
        data = started.dataset if started.dataset == "mnist" else f"{started.dataset.upper()}, not MNIST"
        return clean_line(f"Train: {started.name} s{started.seed}{other}, {started.parameters:,} params, {data}", 200)

    def begin_action(self, planned_seeds: int = 1) -> None:
        """Forgets the runs before: what comes now is one action, of one seed or several."""
        self.group, self.planned_seeds, self.seeds_sentence = SeedGroup(), planned_seeds, ""
        self.query_one(EpochTable).show([])
        self.draw()

    def add(self, event: Event) -> None:
        """Takes an event in."""
        if isinstance(event, RunStarted) and (self.run is None or self.run.run != event.run):
            self.group = SeedGroup((*self.group.runs, RunCurves()))
            self.query_one(EpochTable).show([])
        if self.run is None:
            return
        self.run.add(event)
        if isinstance(event, EpochEnded):
            self.query_one(EpochTable).add(event, self.run.best)
        if isinstance(event, Progress):
            self._is_new = True  # Ten a second; they are drawn together.
        else:
            self.draw()

    def show_spec(self, run: str, spec: RunSpec) -> None:
        """Takes what a run was set to do; its target is drawn then."""
        self._spec, self._spec_of = spec, run
        self.draw()

    def show_seeds(self, sentence: str) -> None:
        """Says what the seeds of the action came to."""
        self.seeds_sentence = sentence
        self.draw()

    def best_accuracies(self) -> list[float]:
        """The best test accuracy of every run of the action that is completed."""
        ended = [run.ended for run in self.group.runs if run.ended is not None]
        return [one.best.test_accuracy for one in ended if one.outcome == "completed" and one.best is not None]

    def pin(self, run: RunCurves | None) -> None:
        """Draws an earlier run behind the curves; None takes it away."""
        self.pinned = run
        self.draw()

    def draw_new(self) -> None:
        """Draws what was told of steps since the last time; called a few times a second."""
        if self._is_new:
            self.draw(at_once=False)

    def draw(self, at_once: bool = True) -> None:
        """Gives the panes what is new; unless `at_once`, charts draw when it is time."""
        self._is_new = False
        if self._zoom is not None and self._zoom.is_attached:
            self._zoom.show_new()
        for chart in self.query(Chart):
            chart.show(partial(self.picture, chart.metric, self.smoothing), at_once)
        self.query_one(RunCard).show(self.run, self.spec, self.seeds_sentence)

    def picture(self, metric: Metric, smoothing: float) -> Picture:
        """What a chart shows of the runs as they are now."""
        is_mnist = self.run is None or self.run.started is None or self.run.started.dataset == "mnist"
        target = self.spec.target if self.spec and is_mnist else None  # Other images are not judged by it.
        return picture_of(metric, self.group, self.pinned, smoothing, target)

    def toggle_log(self) -> None:
        """The loss on a logarithmic axis, or not."""
        self.query_one("#chart-loss", Chart).toggle_log()

    def smooth(self) -> None:
        """The next smoothing."""
        self.smoothing = SMOOTHINGS[(SMOOTHINGS.index(self.smoothing) + 1) % len(SMOOTHINGS)]
        self.draw()

    def zoom(self, metric: Metric = METRICS[0]) -> None:
        """Opens the curves on the whole screen; they go on there."""
        zoomed = Zoomed(self.title(is_other_design=False).removeprefix("Train: "), self.picture, self._last_epoch)
        self._zoom = ZoomScreen(zoomed, metric, self.smoothing, self.ascii_only)
        self.app.push_screen(self._zoom)

    def _last_epoch(self) -> int:
        return max((run.rows[-1].epoch for run in self.group.runs if run.rows), default=0)

    @on(Chart.Zoom)
    def _open_zoom(self, event: Chart.Zoom) -> None:
        self.zoom(event.metric)
