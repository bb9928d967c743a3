"""The leaderboard: recipes by parameters and test accuracy, the Pareto front of both, and what authors published.

Only runs on MNIST's test images are ranked. A recipe with several seeds counts by their mean. Published figures are
shown beside the runs, with the images that they were measured on, and are never ranked.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mnist_tui.analysis import comparison, statistics
from mnist_tui.analysis.comparison import Arm, Measure
from mnist_tui.analysis.statistics import Interval
from mnist_tui.datasets.published import MNIST
from mnist_tui.errors import PresetError
from mnist_tui.runs.index import grouped
from mnist_tui.runs.record import ENDED, Run
from mnist_tui.spec import presets
from mnist_tui.spec.recipe import Reported
from mnist_tui.spec.run_spec import RunSpec

BUDGETS = (8_000, 10_000, 20_000)
"""Numbers of parameters that courses ask to stay below."""
MAX_PARAMETERS = 10**12
"""No network that this program trains has more; a larger number is damage."""


@dataclass(frozen=True)
class Entry:
    """A recipe on the leaderboard: one run, or the mean of several seeds."""

    arm: Arm
    parameters: int
    accuracy: float
    """The mean test accuracy over its seeds, a fraction."""
    interval: Interval | None
    """The 95% interval of the mean; None for a single seed, and for seeds that are all equal."""
    front: int | None
    """Its place on the Pareto front, 1 for the highest accuracy; None where another recipe is as small and better, or
    as good and smaller."""
    remark: str = ""
    """What a reader must know to compare it with the others."""

    @property
    def seeds(self) -> int:
        """The number of runs that are averaged."""
        return len(self.arm.runs)

    @property
    def budgets(self) -> tuple[int, ...]:
        """The budgets that it stays below."""
        return tuple(budget for budget in BUDGETS if self.parameters < budget)


@dataclass(frozen=True)
class Published:
    """What the author of a preset published."""

    name: str
    parameters: int
    accuracy: float
    """A fraction."""
    measured_on: str
    """The images that it was measured on."""
    is_on_test_images: bool
    """Whether those are the images that runs are tested on."""


@dataclass(frozen=True)
class Leaderboard:
    """Every recipe, the highest accuracy first, and what it is held against."""

    measure: Measure
    entries: tuple[Entry, ...]
    published: tuple[Published, ...]
    """The highest accuracy first."""
    targets: tuple[float, ...]
    """The test accuracies that presets ask for, the highest first."""
    left_out: Mapping[str, int]
    """How many runs are not ranked, by the reason."""

    @property
    def front(self) -> list[Entry]:
        """The entries on the Pareto front, the fewest parameters first."""
        return sorted((entry for entry in self.entries if entry.front), key=lambda entry: entry.parameters)


def make_leaderboard(runs: Sequence[Run], specs: Sequence[RunSpec], measure: Measure = "best") -> Leaderboard:
    """The leaderboard of runs on MNIST, with the published figures and the targets of the presets `specs` for it.

    By default by the best epoch, since nearly all published figures are those of a best epoch.
    """
    specs = [spec for spec in specs if spec.target_data == MNIST.name]
    ranked, left_out = _choose(runs, measure)
    arms = [arm for arm in comparison.labelled(grouped(ranked)) if arm.mean(measure) is not None]
    points = [(arm.runs[0].parameters or 0, arm.mean(measure) or 0.0) for arm in arms]
    entries = [
        Entry(arm, *point, statistics.mean_interval(arm.values(measure)), place, _remark(arm, measure))
        for arm, point, place in zip(arms, points, front_places(points), strict=True)
    ]
    return Leaderboard(
        measure=measure,
        entries=tuple(sorted(entries, key=lambda entry: (-entry.accuracy, entry.parameters, entry.arm.label))),
        published=tuple(sorted(_published(specs, measure), key=lambda each: (-each.accuracy, each.parameters))),
        targets=tuple(sorted({target for spec in specs if (target := spec.target.test_accuracy)}, reverse=True)),
        left_out=left_out,
    )


def front_places(points: Sequence[tuple[int, float]]) -> list[int | None]:
    """For each point of parameters and accuracy its place on the Pareto front; None for those behind it.

    A point is on the front where no other has fewer parameters and an accuracy as high, or as few and a higher one. The
    highest accuracy has place 1; equal points share a place.
    """
    best, front = -1.0, []
    for _, group in groupby(sorted(points, key=lambda point: (point[0], -point[1])), key=lambda point: point[0]):
        top = next(group)
        if top[1] > best:
            best = top[1]
            front.append(top)
    places = {point: place for place, point in enumerate(reversed(front), start=1)}
    return [places.get(point) for point in points]


def load_presets(extra: Path | None = None) -> list[RunSpec]:
    """Every preset that can be read, but the house models, whose targets are goals of our own."""
    specs, house = [], presets.house_names()
    for name, path in presets.find(extra).items():
        with suppress(PresetError):
            if name not in house:
                specs.append(presets.load_file(path))
    return specs


def _choose(runs: Sequence[Run], measure: Measure) -> tuple[list[Run], dict[str, int]]:
    """The runs that can be ranked together, and for all others how many there are for each reason."""
    images = Counter(run.data for run in runs if not _reason(run, measure)).most_common(1)
    comparable, reasons = [], []
    for run in runs:
        reason = _reason(run, measure) or ("on other test images" if run.data != images[0][0] else "")
        comparable += [] if reason else [run]
        reasons += [reason] if reason else []
    return comparable, dict(Counter(reasons))


def _reason(run: Run, measure: Measure) -> str:
    """Why a run is not ranked; "" where it is."""
    if not run.is_run:
        return "not readable"
    if run.state == "imported":
        return "imported"
    if run.state not in ENDED:
        return "not ended"
    if run.dataset != MNIST.name:
        return "not on MNIST"
    if comparison.value_of(run, measure) is None:
        has_too_few = measure == "mean" or not run.epochs
        return "with too few epochs" if has_too_few else "without an accuracy from 0 to 1"
    return "" if 1 <= (run.parameters or 0) <= MAX_PARAMETERS else "without a number of parameters"


def _remark(arm: Arm, measure: Measure) -> str:
    run = arm.runs[0]
    state = f"{run.state} after {run.epochs} epoch{'' if run.epochs == 1 else 's'}" if run.state != "completed" else ""
    steered = "learning rate changed by hand" if run.is_rate_changed else ""
    # Choosing on the test images flatters, so that both kinds of best epoch must be told apart.
    chosen = "best epoch chosen on validation images" if measure == "best" and run.chosen_by == "validation" else ""
    return ", ".join(part for part in (state, steered, chosen) if part)


def _published(specs: Sequence[RunSpec], measure: Measure) -> list[Published]:
    """The published figures of this kind; nobody published a mean of the last epochs."""
    figures = []
    for spec in specs:
        reported = spec.reported or Reported()
        accuracy = {"best": reported.accuracy, "last": reported.last_accuracy}.get(measure)
        if accuracy is not None:
            parameters = reported.parameters or spec.parameters
            figures.append(Published(spec.name, parameters, accuracy, reported.measured_on, reported.is_on_test_images))
    return figures
