"""The sweeps of a runs directory that are not done, each as a line; only what changed is read again. No torch."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import is_
from pathlib import Path
from statistics import fmean

from mnist_tui.errors import StorageError, SweepError
from mnist_tui.runs.record import Run
from mnist_tui.sweep import folder
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.results import Results, accuracy_of, configurations_of


@dataclass(frozen=True)
class SweepLine:
    """How far a sweep is."""

    name: str
    varied: tuple[str, ...]
    """The settings."""
    done: int
    planned: int
    training: int
    failed: int
    best: float | None
    """The highest mean accuracy of a configuration so far, on the images that the sweep chooses by."""
    choose_on: str
    is_stopped: bool


class OpenSweeps:
    """The sweeps of a runs directory that are not done, or have ended since they were first asked for."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._sweeps: dict[str, tuple[object, Results]] = {}
        """By name: the signature of the sweep's file, and its results."""
        self._runs: Sequence[Run] = ()
        self._lines: list[SweepLine] = []
        self._seen: set[str] = set()
        """Ids of sweeps that were not done once: they stay, so that what came of them is seen."""

    def lines(self, runs: Sequence[Run]) -> list[SweepLine]:
        """The lines of those sweeps by the runs of the directory, the newest sweep first; damaged sweeps are left out.

        `runs` are those of a `RunIndex`, which stay the same objects where their folders did not change.
        """
        is_new = self._read_sweeps()
        if is_new or len(runs) != len(self._runs) or not all(map(is_, runs, self._runs)):
            self._runs = runs
            by_sweep = _by_sweep(runs) if self._sweeps else {}
            for _, results in self._sweeps.values():
                results.use(by_sweep.get(results.sweep.id, ()))
            self._lines = [_line(results) for _, results in self._sweeps.values()]
        self._seen |= {self._sweep(line).id for line in self._lines if line.done < line.planned}
        listed = [line for line in self._lines if self._sweep(line).id in self._seen]
        return [replace(line, is_stopped=self._sweep(line).is_stopped) for line in listed]

    def _sweep(self, line: SweepLine) -> Sweep:
        return self._sweeps[line.name][1].sweep

    def _read_sweeps(self) -> bool:
        """Reads the files that changed; returns whether any did."""
        signatures = {name: _signature(self._runs_dir, name) for name in folder.names(self._runs_dir)}
        known = {name: signature for name, (signature, _) in self._sweeps.items()}
        if signatures == known:
            return False
        sweeps: dict[str, tuple[object, Results]] = {}
        for name, signature in signatures.items():
            with suppress(StorageError, SweepError):
                is_same = name in self._sweeps and self._sweeps[name][0] == signature
                results = self._sweeps[name][1] if is_same else Results(folder.load(self._runs_dir, name))
                _ = results.sweep.plan.runs  # Raises `SweepError` where its configurations cannot be.
                sweeps[name] = (signature, results)
        newest = sorted(sweeps.items(), key=lambda item: item[1][1].sweep.created, reverse=True)
        self._sweeps = dict(newest)
        return True


def _signature(runs_dir: Path, name: str) -> object:
    with suppress(OSError):
        status = os.lstat(runs_dir / folder.SWEEPS / name / folder.FILE)
        return status.st_ino, status.st_mtime_ns
    return None


def _by_sweep(runs: Sequence[Run]) -> Mapping[str, list[Run]]:
    """The runs of each sweep by its id."""
    by_id: dict[str, list[Run]] = {}
    for run in runs:
        if isinstance(name := run.part("sweep").get("id"), str):
            by_id.setdefault(name, []).append(run)
    return by_id


def _line(results: Results) -> SweepLine:
    sweep, runs = results.sweep, list(results.all())
    done = sum(each.is_done for each in runs)
    training, failed = (sum(each.state == state for each in runs) for state in ("training", "failed"))
    plan, varied = sweep.plan, tuple(sweep.plan.vary)
    return SweepLine(sweep.name, varied, done, plan.runs, training, failed, _best(results), plan.choose_on, False)


def _best(results: Results) -> float | None:
    plan, means = results.sweep.plan, []
    for configuration in configurations_of(results):
        accuracies = [value for run in configuration.runs if (value := accuracy_of(run, plan)) is not None]
        if accuracies:
            means.append(fmean(accuracies))
    return max(means, default=None)
