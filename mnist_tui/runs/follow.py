"""The events of a run, read from its folder as they are written, whichever process trains it. No torch."""

import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from mnist_tui.errors import RunError, StorageError
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
    as_record,
    best_of,
)
from mnist_tui.runs.storage import SavedRun, is_running, load_run, parsed_row
from mnist_tui.runs.verdict import after_training, in_words
from mnist_tui.text import clean_line

PERIOD = 0.2
"""Seconds between two looks."""
MAX_BEFORE = 32 * 2**20
"""Bytes of a file's end that are read at first: 10 hours of steps."""
MAX_STEPS = 2_000
"""Lines of steps.jsonl that are shown at once, evenly chosen."""


def follow(folder: Path, control: Control) -> Iterator[Event]:
    """What happened in a run and what happens, until it has ended or `control` says so.

    A run that nobody trains and that has no end is told as stopped, with how to go on. Raises `StorageError` where the
    folder is no run.
    """
    saved = _loaded(folder)
    yield _started(saved)
    new_events = _NewEvents(saved)
    while True:
        is_over = not is_running(folder)  # Asked before reading: whoever trains writes until the lock is given back.
        yield from new_events.read()
        if is_over:
            yield _ended(_loaded(folder))
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
                file.seek(max(0, size - MAX_BEFORE) if self._offset is None else self._offset)
                first = file.tell()
                content = file.read(MAX_BEFORE)
        except OSError:
            return []
        whole = content.rfind(b"\n") + 1
        self._offset = first + whole
        return content[:whole].splitlines(keepends=True)


class _NewEvents:
    """What a run's folder says that was not said before, in the order in which it happened."""

    def __init__(self, saved: SavedRun) -> None:
        self._steps = Tail(saved.folder / "steps.jsonl")
        self._steering = Tail(saved.folder / "steering.jsonl")
        self._history = Tail(saved.folder / "history.jsonl")
        self._steps_per_epoch = _steps_per_epoch(saved)
        self._is_first = True

    def read(self) -> list[Event]:
        """The new events."""
        lines = self._steps.lines()
        every = max(1, math.ceil(len(lines) / MAX_STEPS))
        steps = _standing([event for line in lines[::-1][::every][::-1] if (event := self._step(line)) is not None])
        if self._is_first:  # Of the pauses before, only the one that holds matters.
            steps = [event for event in steps[:-1] if isinstance(event, Progress)] + steps[-1:]
        steered = [change for line in self._steering.lines() if (change := _rate_change(line)) is not None]
        # A row that came out differently after a resume stands behind the old one, and replaces it.
        rows = {row.epoch: row for line in self._history.lines() if (row := parsed_row(line)) is not None}
        self._is_first = False
        return sorted([*steps, *steered, *rows.values()], key=_place)

    def _step(self, line: bytes) -> Progress | Paused | Unpaused | None:
        values = _parsed(line)
        place = _epoch_and_step(values)
        if place is None:
            return None
        if "paused" in values:
            return Paused(*place) if values["paused"] is True else Unpaused(*place)
        loss, rate, speed = (_number(values.get(name)) for name in ("loss", "learning_rate", "images_per_second"))
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


def _standing(steps: Sequence[Progress | Paused | Unpaused]) -> list[Progress | Paused | Unpaused]:
    """Without the steps that a crash took back: the run went on from a checkpoint before them."""
    kept: list[Progress | Paused | Unpaused] = []
    for event in steps:
        while kept and _place(kept[-1])[:2] > _place(event)[:2]:
            kept.pop()
        kept.append(event)
    return kept


def _rate_change(line: bytes) -> LearningRateChanged | None:
    values = _parsed(line)
    place, rate = _epoch_and_step(values), _number(values.get("learning_rate"))
    return None if place is None or math.isnan(rate) else LearningRateChanged(*place, rate)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _epoch_and_step(values: dict[str, Any]) -> tuple[int, int] | None:
    epoch, step = values.get("epoch"), values.get("step")
    return (epoch, step) if isinstance(epoch, int) and isinstance(step, int) else None


def _number(value: Any) -> float:
    """A finite number as it is, and NaN for everything else."""
    is_number = isinstance(value, int | float) and abs(value) < 1e300
    return float(value) if is_number else math.nan


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _loaded(folder: Path) -> SavedRun:
    for name in ("run.json", "history.jsonl", "end.json"):
        if (folder / name).is_symlink():
            raise StorageError(f"{folder / name}: is a link; the files of a run lie in its folder")
    return load_run(folder)


def _steps_per_epoch(saved: SavedRun) -> int:
    return saved.spec.steps_per_epoch(_count(saved.record.get("dataset", {}).get("train_images")) or None)


def _started(saved: SavedRun) -> RunStarted:
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
        train_images=_count(dataset.get("train_images")),
        val_images=_count(dataset.get("val_images")),
        test_images=_count(dataset.get("test_images")),
        dataset=clean_line(str(dataset.get("name", "unknown")), 60),
        device=clean_line(str(record.get("device", "unknown")), 60),
        threads=_count(record.get("threads")),
    )


def _ended(saved: SavedRun) -> RunEnded:
    """How a run ended as its folder tells it; one without an end was interrupted."""
    spec, rows = saved.spec, saved.rows
    is_mnist = saved.record.get("dataset", {}).get("name") == "mnist"
    end = saved.end or {
        "outcome": "stopped",
        "message": f"interrupted; go on with: mnist-tui resume {saved.folder}",
        "seconds": sum(row.seconds for row in rows),
    }
    outcomes: dict[Any, Outcome] = {name: name for name in get_args(Outcome)}
    seconds = _number(end.get("seconds"))
    return RunEnded(
        outcome=outcomes.get(str(end.get("outcome")), "failed"),
        message=clean_line(str(end.get("message", ""))),
        epochs=len(rows),
        best=best_of(rows),
        last=rows[-1] if rows else None,
        chosen_by="validation" if rows and rows[-1].val_accuracy is not None else "test",
        target=after_training(spec, rows, is_mnist),
        seconds=0.0 if math.isnan(seconds) else seconds,
    )


def newest_run(runs_dir: Path) -> Path:
    """The folder of the newest run that is trained, else of the newest; raises `RunError` where there is none."""
    folders = sorted((path.parent for path in runs_dir.glob("*/run.json")), reverse=True)
    if not folders:
        raise RunError(f"{runs_dir}: there is no run in it")
    return next((path for path in folders if not (path / "end.json").exists() and is_running(path)), folders[0])


def print_events(folder: Path, as_json: bool) -> int:
    """Prints a run's epochs as they come, and how it ends; the exit code, 1 for a run that failed."""
    code = 0
    for event in follow(folder, Control()):
        if as_json:
            print(json.dumps(as_record(event), allow_nan=False), flush=True)
        elif not isinstance(event, Progress):
            print(clean_line(_line(event)), flush=True)
        if isinstance(event, RunEnded):
            code = 1 if event.outcome in ("failed", "diverged") else 0
    return code


def _line(event: Event) -> str:
    match event:
        case RunStarted():
            return f"{event.name}, seed {event.seed}: {event.parameters:,} parameters, {event.dataset}, {event.device}"
        case EpochEnded():
            train, test = f"train {event.train_loss:.4f} {event.train_accuracy:.2%}", f"test {event.test_accuracy:.2%}"
            return f"epoch {event.epoch}  {train}  {test}  lr {event.learning_rate:.3g}  {event.seconds:.1f} s"
        case Paused() | Unpaused():
            return "paused" if isinstance(event, Paused) else "going on"
        case LearningRateChanged():
            return f"learning rate {event.learning_rate:g} from here on, set by hand"
        case RunEnded():
            best = f", best test {event.best.test_accuracy:.2%} in epoch {event.best.epoch}" if event.best else ""
            target = f"; {in_words(event.target, event.epochs)}" if event.target else ""
            return f"{event.outcome}: {event.message}{best}{target}"
        case _:
            return ""
