"""What came of a sweep: its configurations by accuracy, what each setting does, and whether the best is the best."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean

from mnist_tui.analysis import statistics
from mnist_tui.analysis.comparison import SIGNIFICANT, holm, value_of
from mnist_tui.analysis.leaderboard import front_places
from mnist_tui.analysis.statistics import Interval
from mnist_tui.runs.record import Run
from mnist_tui.sweep.effects import Effects, find_effects
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.plan import Values
from mnist_tui.sweep.results import Configuration, Results, accuracy_of, configurations_of

MAX_LISTED = 20
"""Failed points that are listed."""


@dataclass(frozen=True)
class Ranked:
    """A configuration with its accuracy."""

    number: int
    values: Values
    runs: tuple[Run, ...]
    parameters: int
    accuracies: tuple[float, ...]
    """Of its runs, by seed, on the images that the sweep chooses by."""
    test_accuracy: float | None
    """The mean test accuracy of the epochs that count; None where a run has none."""
    front: int | None
    """Its place on the front of parameters and accuracy, 1 for the highest accuracy."""

    @property
    def accuracy(self) -> float:
        """The mean over its seeds."""
        return fmean(self.accuracies)

    @property
    def interval(self) -> Interval | None:
        """The 95% interval of the mean; None for one seed."""
        return statistics.mean_interval(self.accuracies)


@dataclass(frozen=True)
class Failed:
    """A point without a result."""

    values: Values
    seed: int
    state: str
    reason: str


@dataclass(frozen=True)
class SweepReport:
    """The results of a sweep."""

    sweep: Sweep
    planned: int
    """Points in all."""
    states: Mapping[str, int]
    """How many points are in each state; `waiting` without a run."""
    ranked: tuple[Ranked, ...]
    """Configurations with a completed run, the highest accuracy first."""
    ties: tuple[Ranked, ...]
    """Those that cannot be told from the best; all others where noise cannot be told."""
    is_tested: bool
    """Whether the best was tested against others: it takes two seeds or more."""
    effects: Effects | None
    """None of a search, too: it tries what promises much, so that its configurations are no fair sample."""
    failed: tuple[Failed, ...]

    @property
    def done(self) -> int:
        """Points that need no more training."""
        return sum(self.states.get(state, 0) for state in ("completed", "diverged", "pruned"))


def make_report(sweep: Sweep, results: Results | None = None) -> SweepReport:
    """The results as the run folders tell them now; raises `StorageError` where they cannot be read."""
    if results is None:
        results = Results(sweep)
        results.refresh()
    plan = sweep.plan
    configurations = configurations_of(results)
    ranked = _ranked(configurations, sweep)
    ties, is_tested = _ties(ranked)
    states = Counter(each.state for each in results.all())
    planned = plan.runs
    states["waiting"] = max(0, planned - states.total())
    accuracies = [(each.values, each.accuracies) for each in ranked]
    return SweepReport(
        sweep=sweep,
        planned=planned,
        states={state: count for state, count in states.items() if count},
        ranked=ranked,
        ties=ties,
        is_tested=is_tested,
        effects=None if plan.search else find_effects(plan.domains, accuracies),
        failed=tuple(islice(_failed(results), MAX_LISTED)),
    )


def _ranked(configurations: Sequence[Configuration], sweep: Sweep) -> tuple[Ranked, ...]:
    ranked = []
    for each in configurations:
        pairs = [(run, accuracy) for run in each.runs if (accuracy := accuracy_of(run, sweep.plan)) is not None]
        if pairs:
            runs, accuracies = zip(*pairs, strict=True)
            tests = [value for run in runs if (value := value_of(run, sweep.plan.by)) is not None]
            test = fmean(tests) if len(tests) == len(runs) else None
            ranked.append(Ranked(each.number, each.values, runs, runs[0].parameters or 0, accuracies, test, None))
    places = front_places([(each.parameters, each.accuracy) for each in ranked])
    placed = [replace(each, front=place) for each, place in zip(ranked, places, strict=True)]
    return tuple(sorted(placed, key=lambda each: (-each.accuracy, each.parameters, each.number)))


def _ties(ranked: Sequence[Ranked]) -> tuple[tuple[Ranked, ...], bool]:
    """The configurations that cannot be told from the best, and whether any could have been.

    By Welch's t test of each against the best, with the p values adjusted by Holm's method.
    """
    if len(ranked) < 2:
        return (), False
    best, others = ranked[0], ranked[1:]
    ps = [statistics.welch(each.accuracies, best.accuracies).p for each in others]
    adjusted = holm(ps)
    ties = tuple(each for each, p in zip(others, adjusted, strict=True) if p is None or p >= SIGNIFICANT)
    return ties, any(p is not None for p in ps)


def _failed(results: Results) -> list[Failed]:
    return [
        Failed(each.point.values, each.point.seed, each.state, each.run.reason)
        for each in results.all()
        if each.state in ("failed", "diverged", "damaged")
    ]
