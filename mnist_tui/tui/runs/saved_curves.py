"""The curves of saved runs, as charts and the zoom draw them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mnist_tui.runs.record import Run, observations
from mnist_tui.spec.recipe import Target
from mnist_tui.tui.charts.curves import MOST_SEEDS, Metric
from mnist_tui.tui.charts.plot import Picture, picture_of
from mnist_tui.tui.charts.run_curves import RunCurves, SeedGroup
from mnist_tui.tui.charts.zoom import Zoomed, ZoomScreen


@dataclass(frozen=True)
class SavedCurves:
    """A run, or several seeds of one recipe, as curves."""

    group: SeedGroup = field(default_factory=SeedGroup)
    target: Target | None = None
    """What the runs are judged by; None on another data set than the target's, where nothing is."""

    @classmethod
    def read(cls, runs: Sequence[Run]) -> "SavedCurves":
        """The curves of runs, the newest first, each seed once; reads their histories from the disk."""
        drawn = observations(runs)[: MOST_SEEDS + 1][::-1]
        curves = tuple(RunCurves.from_saved(run.name, run.seed or 0, run.id, run.rows) for run in drawn)
        spec = runs[0].spec if runs[0].is_judged else None
        return cls(SeedGroup(curves), spec.target if spec else None)

    @property
    def has_epochs(self) -> bool:
        """Whether there is anything to draw."""
        return any(run_curves.rows for run_curves in self.group.runs)

    def picture(self, metric: Metric, smoothing: float = 0.0) -> Picture:
        """What a chart of a metric shows."""
        return picture_of(metric, self.group, None, smoothing, self.target)

    @property
    def last_epoch(self) -> int:
        """The last epoch that is done, 0 before the first."""
        rows = self.group.runs[-1].rows if self.group.runs else []
        return rows[-1].epoch if rows else 0


class SavedZoom:
    """The curves of saved runs on the whole screen; a run that is being trained gets new ones."""

    def __init__(self, curves: SavedCurves, title: str, metric: Metric, ascii_only: bool) -> None:
        self._curves = curves
        zoomed = Zoomed(title, lambda *view: self._curves.picture(*view), lambda: self._curves.last_epoch)
        self.screen = ZoomScreen(zoomed, metric, 0.0, ascii_only)

    def show(self, curves: SavedCurves) -> None:
        """Draws newer curves of the same runs, if the screen is still open."""
        self._curves = curves
        self.screen.show_new()
