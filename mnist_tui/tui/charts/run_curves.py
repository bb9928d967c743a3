"""The state of a run, from its events, and of several seeds: curves, tables and status lines are drawn from it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple

from mnist_tui.runs import reference
from mnist_tui.runs.events import (
    EpochEnded,
    Event,
    LearningRateChanged,
    Paused,
    Progress,
    RunEnded,
    RunStarted,
    Unpaused,
    best_of,
)

MAX_POINTS = 4_000
"""Most step losses that are kept; then neighbours are merged: no terminal has as many columns."""
REPLAY_SECONDS = 0.5
"""In this time a watched run replays its past events, whose pace says nothing about its speed."""
WARM_SECONDS = 2.0
"""Of training before there is an ETA."""


class Point(NamedTuple):
    """The loss and the learning rate of a step."""

    epoch: float
    """Epochs done, with a fraction."""
    loss: float
    learning_rate: float


@dataclass
class RunCurves:
    """A run: give it every event, in order."""

    name: str = ""
    seed: int = 0
    run: str = ""
    """The name of its folder."""
    state: str = "waiting"
    """`training`, `paused`, or how it ended."""
    started: RunStarted | None = None
    ended: RunEnded | None = None
    progress: Progress | None = None
    rows: list[EpochEnded] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    marks: list[tuple[float, float]] = field(default_factory=list)
    """Changes of the learning rate by hand: epochs done, and the new rate."""
    clock: Callable[[], float] = time.monotonic
    _began: tuple[float, float] | None = None
    """Time and epochs done from which the pace is measured."""
    _started_at: float = 0.0
    """Time of the newest `RunStarted`."""

    @classmethod
    def from_saved(cls, name: str, seed: int, run: str, rows: Sequence[EpochEnded]) -> "RunCurves":
        """A saved run, which has only its epochs."""
        return cls(name, seed, run, "saved", rows=list(rows))

    @property
    def label(self) -> str:
        """What a legend calls it: `iter5 s0`, or `reference`."""
        is_reference = self.run.startswith(reference.PREFIX)
        return reference.NAME if is_reference else f"{self.name} s{self.seed}"

    @property
    def best(self) -> EpochEnded | None:
        """The best epoch so far."""
        return best_of(self.rows)

    @property
    def planned_epochs(self) -> int:
        """Number of epochs at the end of the run; for a saved run, of its epochs."""
        return max(1, self.started.epochs if self.started else len(self.rows))

    @property
    def epochs_done(self) -> float:
        """Epochs done, with the fraction of the current one."""
        started = self.started
        done = float(len(self.rows)) or (started.epochs_done if started else 0.0)
        return max(done, _epochs(self.progress) if self.progress else 0.0)

    @property
    def fraction_done(self) -> float:
        """Of the whole recipe, 0 to 1."""
        epochs = self.started.epochs if self.started else 0
        return min(1.0, self.epochs_done / epochs) if epochs else 0.0

    def eta_seconds(self) -> float | None:
        """Seconds to the end at the pace so far; None while that is unknown."""
        if self._began is None or self.started is None or self.state != "training":
            return None
        seconds, done = self.clock() - self._began[0], self.epochs_done - self._began[1]
        if seconds < WARM_SECONDS or done <= 0:
            return None
        return seconds / done * (self.started.epochs - self.epochs_done)

    def add(self, event: Event) -> None:
        """Updates the state by an event."""
        match event:
            case RunStarted():
                self.started, self.ended, self.state = event, None, "training"
                self.name, self.seed, self.run = event.name, event.seed, event.run
                self._began, self._started_at = None, self.clock()
                self._forget_after(event.epochs_done + event.steps_done / event.steps_per_epoch)
            case Progress():
                self._add_progress(event)
            case Paused():
                self.state, self._began = "paused", None
            case Unpaused():
                self.state = "training"
            case LearningRateChanged(epoch=epoch, step=step, learning_rate=rate):
                per_epoch = self.started.steps_per_epoch if self.started else 1
                self.marks.append((epoch - 1 + step / per_epoch, rate))
            case EpochEnded():
                self.rows = sorted([*(row for row in self.rows if row.epoch != event.epoch), event], key=_epoch)
            case RunEnded():
                self.ended, self.state = event, event.outcome

    def _forget_after(self, done: float) -> None:
        """Drops epochs, steps and marks after the checkpoint of a resume: they are trained again."""
        self.rows = [row for row in self.rows if row.epoch <= done]
        self.points = [point for point in self.points if point.epoch <= done]
        self.marks = [(epoch, rate) for epoch, rate in self.marks if epoch <= done]
        self.progress = None

    def _add_progress(self, event: Progress) -> None:
        self.progress = event
        is_replay = self.clock() - self._started_at < REPLAY_SECONDS
        if self.state == "training" and (self._began is None or is_replay):
            self._began = (self.clock(), _epochs(event))
        while self.points and self.points[-1].epoch >= _epochs(event):  # Another process has resumed from a checkpoint.
            self.points.pop()
        self.points.append(Point(_epochs(event), event.loss, event.learning_rate))
        if len(self.points) >= MAX_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            self.points = [Point(*map(fmean, zip(*pair, strict=True))) for pair in pairs]


def _epoch(row: EpochEnded) -> int:
    return row.epoch


def _epochs(progress: Progress) -> float:
    return progress.epoch - 1 + progress.step / progress.steps_per_epoch


@dataclass(frozen=True)
class SeedGroup:
    """One run, or several seeds of one recipe; the newest is the last."""

    runs: tuple[RunCurves, ...] = ()
