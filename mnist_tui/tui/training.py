"""The training pane: curves and epoch log of the run under way, the other seeds of its action, and a pinned run."""

from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from mnist_tui.events import EpochEnded, Event, RunStarted
from mnist_tui.tui.bench import Bench
from mnist_tui.tui.chart import Chart, Picture
from mnist_tui.tui.curves import METRICS, Metric, curves_of
from mnist_tui.tui.epochs import EpochTable
from mnist_tui.tui.track import Group, Track
from mnist_tui.tui.zoom import SMOOTHINGS, ZoomScreen


class TrainingView(Vertical):
    """Draws what events tell; several seeds of one action become one band."""

    def __init__(self, ascii_only: bool, bench: Bench) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        self._bench = bench
        self.group = Group()
        self.pinned: Track | None = None
        self.smoothing = SMOOTHINGS[1]

    def compose(self) -> ComposeResult:
        yield Chart("loss", self.ascii_only, self._bench, "chart-loss", log_y=True)
        yield Chart("accuracy", self.ascii_only, self._bench, "chart-accuracy")
        yield Chart("learning rate", self.ascii_only, self._bench, "chart-rate")
        yield EpochTable()

    @property
    def track(self) -> Track | None:
        """The newest run."""
        return self.group.tracks[-1] if self.group.tracks else None

    def begin_action(self) -> None:
        """Forgets the runs before: what comes now is one action, of one seed or several."""
        self.group = Group()
        self.query_one(EpochTable).show([])
        self.draw()

    def add(self, event: Event) -> None:
        """Takes an event in."""
        if isinstance(event, RunStarted) and (self.track is None or self.track.run != event.run):
            self.group = Group((*self.group.tracks, Track()))
            self.query_one(EpochTable).show([])
        if self.track is None:
            return
        self.track.add(event)
        if isinstance(event, EpochEnded):
            self.query_one(EpochTable).add(event, self.track.best)
        self.draw()

    def pin(self, track: Track | None) -> None:
        """Draws an earlier run behind the curves; None takes it away."""
        self.pinned = track
        self.draw()

    def draw(self) -> None:
        """Gives the charts what is new; they draw when it is time."""
        if isinstance(self.app.screen, ZoomScreen):
            self.app.screen.show(self.group, self.pinned)
            return
        for chart in self.query(Chart):
            chart.show(partial(self._picture, chart.metric))

    def _picture(self, metric: Metric) -> Picture:
        """What a chart shows of the runs as they are now; asked for in the thread that draws."""
        group, pinned, track = self.group, self.pinned, self.track
        points = len(track.points) if track and metric != "accuracy" else 0
        rows = sum(len(one.rows) for one in group.tracks)
        marks = [x for x, _ in track.marks] if track else []
        told = (points, rows, *marks)
        return Picture(
            lines=curves_of(metric, group, pinned, self.smoothing),
            marks=marks,
            best=track.best.epoch if track and track.best else None,
            x_max=float(track.started.epochs if track and track.started else len(pinned.rows) if pinned else 1),
            key=(told, len(group.tracks), pinned and pinned.run, self.smoothing, track and track.run),
        )

    def toggle_log(self) -> None:
        """The loss on a logarithmic axis, or not."""
        self.query_one("#chart-loss", Chart).toggle_log()

    def smooth(self) -> None:
        """The next smoothing."""
        self.smoothing = SMOOTHINGS[(SMOOTHINGS.index(self.smoothing) + 1) % len(SMOOTHINGS)]
        self.draw()

    def zoom(self, metric: Metric = METRICS[0]) -> None:
        """Opens the curves on the whole screen."""
        self.app.push_screen(ZoomScreen(self.group, self.pinned, metric, self.smoothing, self.ascii_only))

    @on(Chart.Zoom)
    def _zoom(self, event: Chart.Zoom) -> None:
        self.zoom(event.metric)
