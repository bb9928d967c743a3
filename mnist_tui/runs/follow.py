"""The events of a run, read from its folder as they are written, whichever process trains it. No torch."""

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from mnist_tui.errors import StorageError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import (
    EpochEnded,
    Event,
    LearningRateChanged,
    Outcome,
    Paused,
    Progress,
    RunEnded,
    RunStarted,
    Unpaused,
    best_of,
)
from mnist_tui.runs.history import epoch_and_step, parse_object, parse_rate_change, parse_row
from mnist_tui.runs.lock import is_running
from mnist_tui.runs.numbers import count, number_or_nan
from mnist_tui.runs.storage import SavedRun, load_run
from mnist_tui.runs.verdict import after_training
from mnist_tui.text import clean_line

PERIOD = 0.2
"""Seconds between two reads of the folder."""
MAX_BYTES = 32 * 2**20
"""Bytes of a file that are read at once; at first its last ones, which hold 10 hours of steps."""
MAX_STEPS = 2_000
"""Lines of steps.jsonl that become events in one read, evenly chosen."""


def follow(folder: Path, control: Control) -> Iterator[Event]:
    """Yields what happened in a run and what happens, until it has ended or `control` is stopped.

    A run that nobody trains and that has no end ends as stopped, with how to resume it. Raises `StorageError` where the
    folder is no run.
    """
    saved = _load(folder)
    yield _run_started(saved)
    new_events = _NewEvents(saved)
    while True:
        is_over = not is_running(folder)  # Asked before reading: whoever trains writes until the lock is given back.
        yield from new_events.read()
        if is_over:
            yield _run_ended(_load(folder))
            return
        if control.wait_for_stop(PERIOD):
            return


class Tail:
    """The lines that are added to a file, each once, when it is whole; a file that is not there is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset: int | None = None

    def lines(self) -> list[bytes]:
        """The lines that are new, with their ends."""
        try:
            # A link would lead out of the run's folder; a pipe would hold the program.
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return []
        try:
            with open(descriptor, "rb") as file:
                size = os.fstat(descriptor).st_size
                file.seek(max(0, size - MAX_BYTES) if self._offset is None else self._offset)
                first = file.tell()
                content = file.read(MAX_BYTES)
        except OSError:
            return []
        whole = content.rfind(b"\n") + 1
        self._offset = first + whole
        return content[:whole].splitlines(keepends=True)


class _NewEvents:
    """Reads the events that were added to a run's folder since the last read, in the order in which they happened."""

    def __init__(self, saved: SavedRun) -> None:
        self._steps = Tail(saved.folder / "steps.jsonl")
        self._rate_changes = Tail(saved.folder / "steering.jsonl")
        self._history = Tail(saved.folder / "history.jsonl")
        self._steps_per_epoch = _steps_per_epoch(saved)
        self._is_first = True

    def read(self) -> list[Event]:
        """The new events."""
        lines = self._steps.lines()
        every = max(1, math.ceil(len(lines) / MAX_STEPS))
        steps = _drop_undone([event for line in lines[::-1][::every][::-1] if (event := self._step(line)) is not None])
        if self._is_first:  # Of the pauses before, only the one that holds matters.
            steps = [event for event in steps[:-1] if isinstance(event, Progress)] + steps[-1:]
        rate_changes = [
            change for line in self._rate_changes.lines() if (change := parse_rate_change(line)) is not None
        ]
        # A row that came out differently after a resume stands behind the old one, and replaces it.
        rows = {row.epoch: row for line in self._history.lines() if (row := parse_row(line)) is not None}
        self._is_first = False
        return sorted([*steps, *rate_changes, *rows.values()], key=_place)

    def _step(self, line: bytes) -> Progress | Paused | Unpaused | None:
        values = parse_object(line)
        place = epoch_and_step(values)
        if place is None:
            return None
        if "paused" in values:
            return Paused(*place) if values["paused"] is True else Unpaused(*place)
        loss, rate, speed = (number_or_nan(values.get(name)) for name in ("loss", "learning_rate", "images_per_second"))
        if math.isnan(loss + rate):
            return None
        return Progress(*place, self._steps_per_epoch, loss, rate, 0.0 if math.isnan(speed) else speed)


def _place(event: Event) -> tuple[int, float, int]:
    """Where in the run an event happened."""
    match event:
        case Progress(epoch=epoch, step=step):
            return epoch, step, 0
        case LearningRateChanged(epoch=epoch, step=step):
            return epoch, step, 1
        case Paused(epoch=epoch, step=step) | Unpaused(epoch=epoch, step=step):
            return epoch, step, 2
        case EpochEnded(epoch=epoch):
            return epoch, math.inf, 0
    raise AssertionError(event)


def _drop_undone(steps: Sequence[Progress | Paused | Unpaused]) -> list[Progress | Paused | Unpaused]:
    """The steps without those that a crash lost: the run was resumed from an earlier checkpoint."""
    kept: list[Progress | Paused | Unpaused] = []
    for event in steps:
        while kept and _place(kept[-1])[:2] > _place(event)[:2]:
            kept.pop()
        kept.append(event)
    return kept


def _load(folder: Path) -> SavedRun:
    for name in ("run.json", "history.jsonl", "end.json"):
        if (folder / name).is_symlink():
            raise StorageError(f"{folder / name}: is a link; the files of a run lie in its folder")
    return load_run(folder)


def _steps_per_epoch(saved: SavedRun) -> int:
    return saved.spec.steps_per_epoch(count(saved.record.get("dataset", {}).get("train_images")) or None)


def _run_started(saved: SavedRun) -> RunStarted:
    spec, record = saved.spec, saved.record
    dataset = record.get("dataset", {})
    return RunStarted(
        run=saved.folder.name,
        folder=str(saved.folder),
        name=spec.name,
        seed=spec.train.seed,
        parameters=spec.parameters,
        epochs=spec.train.epochs,
        steps_per_epoch=_steps_per_epoch(saved),
        train_images=count(dataset.get("train_images")) or 0,
        val_images=count(dataset.get("val_images")) or 0,
        test_images=count(dataset.get("test_images")) or 0,
        dataset=clean_line(str(dataset.get("name", "unknown")), 60),
        device=clean_line(str(record.get("device", "unknown")), 60),
        threads=count(record.get("threads")) or 0,
    )


def _run_ended(saved: SavedRun) -> RunEnded:
    """The event of a run's end, out of its folder; a run without an end was interrupted."""
    spec, rows = saved.spec, saved.rows
    is_judged = spec.is_judged_on(saved.record.get("dataset", {}).get("name"))
    end = saved.end or {
        "outcome": "stopped",
        "message": f"interrupted; resume it with: mnist-tui resume {saved.folder}",
        "seconds": sum(row.seconds for row in rows),
    }
    outcomes: dict[Any, Outcome] = {name: name for name in get_args(Outcome)}
    seconds = number_or_nan(end.get("seconds"))
    return RunEnded(
        outcome=outcomes.get(str(end.get("outcome")), "failed"),
        message=clean_line(str(end.get("message", ""))),
        epochs=len(rows),
        best=best_of(rows),
        last=rows[-1] if rows else None,
        chosen_by="validation" if rows and rows[-1].val_accuracy is not None else "test",
        target=after_training(spec, rows, is_judged),
        seconds=0.0 if math.isnan(seconds) else seconds,
        is_out_of_memory=end.get("is_out_of_memory") is True,
    )
