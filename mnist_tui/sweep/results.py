"""What came of a sweep: its runs, read back from the run folders. No torch."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from mnist_tui.analysis import comparison
from mnist_tui.runs.index import RunIndex
from mnist_tui.runs.numbers import count, fraction
from mnist_tui.runs.record import RESUMABLE, Run
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.plan import Point, SweepPlan, Values

PRUNED_FILE = "pruned.json"
"""In a run's folder: why a search stopped it early, so that it is not resumed."""
FINAL = ("completed", "diverged")
"""States of runs after which their point is done."""


@dataclass(frozen=True)
class PointRun:
    """A run of a point."""

    point: Point
    run: Run

    @property
    def is_pruned(self) -> bool:
        """Whether a search stopped it early."""
        return (self.run.folder / PRUNED_FILE).is_file()

    @cached_property
    def state(self) -> str:
        """That of the run, or `pruned`."""
        return "pruned" if self.run.state not in FINAL and self.is_pruned else self.run.state

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to train: it reached its end, diverged, or was stopped early by a search."""
        return self.state in (*FINAL, "pruned")

    @property
    def can_resume(self) -> bool:
        """Whether it can go on."""
        return self.state in RESUMABLE


class Results:
    """The runs of a sweep, by point; `refresh` reads the folders that changed."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self._index = RunIndex(sweep.runs_dir)
        self._runs: dict[str, PointRun] = {}

    def refresh(self) -> None:
        """Reads what changed; raises `StorageError` where the runs directory cannot be read."""
        self._index.refresh()
        self.use(self._index.all)

    def use(self, all_runs: Iterable[Run]) -> None:
        """Finds the runs of the sweep among these, the newest first, which somebody else has read."""
        runs: dict[str, PointRun] = {}
        for run in all_runs:
            point = _point_of(run, self.sweep)
            if point is not None:
                known = self._runs.get(point.key)
                found = known if known is not None and known.run is run else PointRun(point, run)
                runs[point.key] = _better(runs.get(point.key), found)
        self._runs = runs

    def of(self, key: str) -> PointRun | None:
        """The run of a point: the one that is done, else the newest; None without one."""
        return self._runs.get(key)

    def is_done(self, key: str) -> bool:
        """Whether a point needs no more training, as far as is known."""
        run = self._runs.get(key)
        return run is not None and run.is_done

    def all(self) -> Iterator[PointRun]:
        """The run of every point that has one."""
        return iter(self._runs.values())


def _better(one: PointRun | None, other: PointRun) -> PointRun:
    """Of two runs of a point the one that is done, else the newer one, which is `one`."""
    return other if one is None or (other.is_done and not one.is_done) else one


def _point_of(run: Run, sweep: Sweep) -> Point | None:
    """The point that a run belongs to; None for runs of other sweeps, and of none."""
    label = run.part("sweep")
    number, values = count(label.get("point")), label.get("values")
    if label.get("id") != sweep.id or number is None or run.seed is None or not isinstance(values, dict):
        return None
    return Point(number, run.seed, {str(path): str(text) for path, text in values.items()})


@dataclass(frozen=True)
class Configuration:
    """A configuration with its runs that have ended."""

    number: int
    values: Values
    runs: tuple[Run, ...]
    """By seed; those that completed."""
    states: Mapping[str, int]
    """How many of all its runs are in each state."""


def configurations_of(results: Results) -> list[Configuration]:
    """Every configuration that has a run, by number."""
    grouped: dict[int, list[PointRun]] = {}
    for each in results.all():
        grouped.setdefault(each.point.number, []).append(each)
    return [_configuration(number, runs) for number, runs in sorted(grouped.items())]


def _configuration(number: int, runs: list[PointRun]) -> Configuration:
    runs = sorted(runs, key=lambda each: each.point.seed)
    states: dict[str, int] = {}
    for each in runs:
        states[each.state] = states.get(each.state, 0) + 1
    completed = tuple(each.run for each in runs if each.state == "completed")
    return Configuration(number, runs[0].point.values, completed, states)


def accuracy_of(run: Run, plan: SweepPlan) -> float | None:
    """The accuracy that a plan judges a run by, a fraction; None where the run has none."""
    if plan.choose_on == "test":
        return comparison.value_of(run, plan.by)
    if plan.by == "mean":
        last = [row.val_accuracy for row in run.rows[-run.last_epochs :] if row.val_accuracy is not None]
        return fmean(last) if len(last) == run.last_epochs else None
    row: Mapping[str, Any] = run.best if plan.by == "best" else run.last
    return fraction(row.get("val_accuracy"))


def accuracy_by_epoch(run: Run, plan: SweepPlan) -> dict[int, float]:
    """By epoch the accuracy that a plan judges by."""
    if plan.choose_on == "test":
        return {row.epoch: row.test_accuracy for row in run.rows}
    return {row.epoch: row.val_accuracy for row in run.rows if row.val_accuracy is not None}
