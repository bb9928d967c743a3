"""A run small enough to be killed, cut off and filled up hundreds of times, and what must be true of it afterwards.

Shared by the reliability tests and by their long versions in `scripts/stress.py`, so nothing here needs pytest.
"""

import errno
import functools
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from mnist_tui import files
from mnist_tui.cli import main as cli
from mnist_tui.errors import StorageError
from mnist_tui.runs import storage
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Event, RunEnded, RunStarted
from mnist_tui.runs.history import TIMINGS
from mnist_tui.runs.lock import Lock
from mnist_tui.runs.storage import RunFolder, load_run
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import checkpoint, environment, loop, session
from mnist_tui.training import resume as resuming
from mnist_tui.training.data import Dataset, Images
from mnist_tui.training.state import Splits, Training

LAYERS = """
Conv2d(4, 3, stride=2)
BatchNorm2d()
ReLU()
MaxPool2d(2)
Conv2d(6, 3)
Dropout(0.2)
Flatten()
Linear(10)
"""

RECIPE = {
    "epochs": 2,
    "batch_size": 32,
    "optimizer": "Adam(lr=0.01)",
    "scheduler": "OneCycleLR(0.02, epochs=epochs, steps_per_epoch=steps_per_epoch)",
}

ROOT = Path(__file__).resolve().parents[2]


def small_spec(**recipe: Any) -> RunSpec:
    """A run of a fraction of a second, with everything that has a state: batch norm, dropout, moments, a scheduler."""
    return make_spec({"name": "small", "layers": LAYERS, "train": RECIPE | recipe})


@functools.cache
def few_images() -> Dataset:
    """150 random training and 40 test images: five steps an epoch, the last of them smaller."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (190, 1, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (190,), generator=generator)
    return Dataset("digits", "random", Images(pixels[:150], labels[:150]), Images(pixels[150:], labels[150:]))


class StopAfter(Control):
    """A control that stops the training after so many steps: the loop reads `is_paused` once before each step."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    @property
    def is_paused(self) -> bool:
        """Counts the steps down, and stops after the last; never pauses."""
        self.left -= 1
        if self.left < 0:
            self.stop()
        return False


def new_training(spec: RunSpec) -> Training:
    """The training of a spec on the few images, before its first step."""
    torch.set_num_threads(1)
    images = few_images()
    return Training(spec, Splits(images.train, None, images.test))


def advanced(training: Training, steps: int = 10_000) -> Training:
    """The same training, so many steps (or the whole recipe) later."""
    for _ in loop.train(training, StopAfter(steps)):
        pass
    return training


def loads(choose: Callable[[str], Dataset]) -> Callable[..., Generator[Event, None, Dataset]]:
    """A `data.loading` that has the data set of each choice at once."""

    def loading(choice: str, *others: object) -> Generator[Event, None, Dataset]:
        yield from ()
        return choose(choice)

    return loading


@contextmanager
def patched_session() -> Iterator[None]:
    """A context in which `session` and `resume` load the few images, and provenance has no git commit."""
    with (
        mock.patch.object(session, "loading", loads(lambda choice: few_images())),
        mock.patch.object(resuming, "loading", loads(lambda choice: few_images())),
        mock.patch.object(environment, "git", return_value=None),
    ):
        yield


def options(runs_dir: Path) -> Options:
    """One thread on the CPU."""
    return Options(device="cpu", dataset="digits", runs_dir=runs_dir, threads=1)


def run(runs_dir: Path, spec: RunSpec, steps: int = 10_000) -> Generator[Event, None, None]:
    """The events of a new run on the few images, stopped after so many steps."""
    with patched_session():
        yield from session.run(spec, options(runs_dir), StopAfter(steps))


def resume(folder: Path, **changes: Any) -> Generator[Event, None, None]:
    """The events of the rest of a run on the few images."""
    with patched_session():
        changed = Options(**(vars(options(folder.parent)) | changes))
        yield from resuming.resume(load_run(folder), changed, Control())


def only_folder(runs_dir: Path) -> Path:
    """The one run in a folder of runs."""
    (folder,) = (path.parent for path in runs_dir.glob("*/run.json"))
    return folder


# --- what a run is, without what the clock said ---------------------------------------------------------------------


def without_timings(row: EpochEnded | dict[str, Any]) -> dict[str, Any]:
    """A row without what differs between two runs that are otherwise the same."""
    values = row if isinstance(row, dict) else asdict(row)
    return {name: value for name, value in values.items() if name not in TIMINGS}


def state_of(content: bytes) -> dict[str, Any]:
    """Everything a checkpoint holds but timings; tensors as digests, so that a difference can be read."""
    tensors, state = checkpoint.read(content)
    digests = {name: sha256(value.numpy().tobytes()).hexdigest()[:16] for name, value in tensors.items()}
    rows = [without_timings(row) for row in state.pop("rows")]
    del state["seconds"]
    return {**digests, **state, "rows": rows}


def state_on_disk(folder: Path) -> dict[str, Any]:
    """What the newest checkpoint, the history and the predictions of a run hold, but for timings."""
    _, content = next(storage.readable_checkpoints(folder))
    rows = [without_timings(row) for row in load_run(folder).rows]
    predictions = sha256((folder / "predictions.npz").read_bytes()).hexdigest()[:16]
    return state_of(content) | {"history": rows, "predictions": predictions}


def check_same(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raises AssertionError with what differs between two states."""
    names = [name for name in sorted({*actual, *expected}) if actual.get(name) != expected.get(name)]
    assert not names, {name: (actual.get(name), expected.get(name)) for name in names}


def leftovers(folder: Path) -> list[str]:
    """Names of temporary files in a run folder."""
    return [path.name for path in folder.glob(".*")]


# --- a disk that fails ----------------------------------------------------------------------------------------------


class FailingDisk:
    """Stands in for `os` in `mnist_tui.files` and fails the n-th call that changes the disk.

    Modes: "full" (it and all later ones find no space), "short" (a write takes half, then as full), "error" (an I/O
    error, once), "part" (a write takes half, once, which is no error).
    """

    def __init__(self, fail_at: int, mode: str) -> None:
        self.fail_at = fail_at
        self.mode = mode
        self.calls = 0
        self.failed: Path | None = None
        """What could not be opened last."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @property
    def has_failed(self) -> bool:
        """Whether the run came as far as the failure."""
        return self.calls >= self.fail_at

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        """Fails where a file is made, and where a folder is opened to be synced."""
        if flags & (os.O_CREAT | os.O_DIRECTORY):
            try:
                self._count()
            except OSError:
                self.failed = path
                raise
        return os.open(path, flags, mode)

    def write(self, descriptor: int, content: bytes) -> int:
        """Writes half where the mode is "short" or "part" and it is its turn."""
        if self.mode in ("short", "part") and self.calls + 1 == self.fail_at and len(content) > 1:
            self.calls += 1
            return os.write(descriptor, content[: len(content) // 2])
        self._count()
        return os.write(descriptor, content)

    def fsync(self, descriptor: int) -> None:
        """Syncs or fails."""
        self._count()
        os.fsync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Renames or fails."""
        self._count()
        os.replace(source, target)

    def _count(self) -> None:
        self.calls += 1
        is_due = self.calls >= self.fail_at if self.mode in ("full", "short") else self.calls == self.fail_at
        if is_due and self.mode != "part":
            number = errno.EIO if self.mode == "error" else errno.ENOSPC
            raise OSError(number, os.strerror(number))


@dataclass
class Failure:
    """The events of a run on a failing disk, and its folder."""

    message: str
    outcome: str | None
    """None where the run did not begin."""
    reported: list[int]
    folder: Path | None
    """None where not even run.json came to be."""


class DiskFailures:
    """Trains one run again and again on disks that fail at one call or another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = small_spec()
        disk = FailingDisk(2**62, "full")
        self.train(disk, folder / "whole")
        self.calls = disk.calls
        """How many calls of an undisturbed run change the disk."""
        self.wanted = state_on_disk(only_folder(folder / "whole"))

    def train(self, disk: FailingDisk, runs_dir: Path) -> Failure:
        """Trains until the run ends, however it does."""
        events: list[Event] = []
        message = ""
        with mock.patch.object(files, "os", disk):
            try:
                events += run(runs_dir, self.spec)
            except StorageError as error:
                message = str(error)
        outcome = None
        for event in events:
            if isinstance(event, RunEnded):
                assert outcome is None, "a run ends once"
                outcome, message = event.outcome, event.message
        reported = [event.epoch for event in events if isinstance(event, EpochEnded)]
        return Failure(message, outcome, reported, next((path.parent for path in runs_dir.glob("*/run.json")), None))

    def check(self, fail_at: int, mode: str) -> Failure:
        """Fails one call of a run, then resumes it on a disk with room: nothing reported is lost, no bit differs.

        An error, once, in what only those who watch read, does not end the run.
        """
        disk = FailingDisk(fail_at, mode)
        failure = self.train(disk, self.folder / f"{mode}-{fail_at}")
        assert disk.has_failed, f"the run makes fewer than {fail_at} calls"
        if mode == "error" and disk.failed is not None and disk.failed.name == "steps.jsonl":
            assert failure.outcome == "completed", failure  # Only those who watch miss a line.
            assert failure.folder is not None
            check_same(state_on_disk(failure.folder), self.wanted)
            return failure
        assert failure.outcome in (None, "failed"), failure
        assert os.strerror(errno.EIO if mode == "error" else errno.ENOSPC) in failure.message, failure
        assert len(failure.message.splitlines()) == 1, failure
        if failure.folder is None:
            assert not failure.reported, f"lost the run with epochs {failure.reported}"
            return failure
        saved = load_run(failure.folder)
        lost = set(failure.reported) - {row.epoch for row in saved.rows}
        assert not lost, f"lost reported epochs {lost}"
        if saved.can_resume:  # It cannot where the very last call failed: the sync behind end.json.
            last = list(resume(failure.folder))[-1]
            assert isinstance(last, RunEnded)
            assert last.outcome == "completed", last
        check_same(state_on_disk(failure.folder), self.wanted)
        assert not leftovers(failure.folder), leftovers(failure.folder)
        return failure


# --- processes that are killed --------------------------------------------------------------------------------------

PRELOADED = ["pytest", __name__]
"""What the fork server imports once, so that a child starts in milliseconds."""

KILL_PRESET = """
layers = '''
Conv2d(4, 3, stride=2)
BatchNorm2d()
ReLU()
MaxPool2d(2)
Dropout(0.2)
Flatten()
Linear(10)
'''
[train]
epochs = 12
batch_size = 128
optimizer = "Adam(lr=0.01)"
scheduler = "StepLR(step_size=4, gamma=0.5)"
augment = ["RandomRotation(10)"]
"""


@functools.cache
def fork_server() -> Any:
    """Where children are forked from: a process that has loaded torch, and done nothing else with it."""
    paths = [str(ROOT / "tests"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def sound() -> None:
    """Changes nothing: a child that works as it should."""


def without_random_state() -> None:
    """Breaks the resume of dropout and of what else draws from torch's generator."""
    mock.patch.object(torch, "set_rng_state").start()


def without_history() -> None:
    """Breaks the promise that what was reported is in the history."""
    mock.patch.object(RunFolder, "append", return_value=None).start()


def command_line(arguments: Sequence[str], writer: Connection, sabotage: Callable[[], None]) -> None:
    """In a child: `mnist-tui` with arguments, its stdout a pipe, with checkpoints inside epochs too."""
    sabotage()
    os.dup2(writer.fileno(), 1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    loop.PROGRESS_SECONDS = 0.01
    session.CHECKPOINT_SECONDS = 0.04
    sys.argv = ["mnist-tui", *arguments]
    cli.main()


@dataclass
class Child:
    """The events of a child process, and how it ended."""

    events: list[dict[str, Any]]
    seconds: float
    code: int | None
    """The exit code; negative where a signal ended it."""

    @property
    def reported(self) -> list[int]:
        """The epochs that it reported."""
        return [event["epoch"] for event in self.events if event["event"] == "EpochEnded"]


def started(arguments: Sequence[str], sabotage: Callable[[], None] = sound) -> tuple[Any, Connection]:
    """A child that runs the command line, and the pipe that its lines come from."""
    reader, writer = multiprocessing.Pipe(duplex=False)
    process = fork_server().Process(target=command_line, args=([*arguments, "--json"], writer, sabotage))
    process.start()
    writer.close()
    return process, reader


def child(arguments: Sequence[str], kill_after: float | None = None, sabotage: Callable[[], None] = sound) -> Child:
    """Runs the command line in a child, and kills it after so many seconds, unless it has ended by then."""
    process, reader = started(arguments, sabotage)
    began = time.monotonic()
    process.join(kill_after)
    if process.is_alive():
        process.kill()
        process.join()
    seconds = time.monotonic() - began
    with os.fdopen(os.dup(reader.fileno()), "rb") as file:
        lines = file.read().split(b"\n")[:-1]  # What follows the last line end was never a line.
    reader.close()
    return Child([json.loads(line) for line in lines], seconds, process.exitcode)


class KilledRuns:
    """Trains one preset with the real command line again and again, killed at random instants."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.sabotage: Callable[[], None] = sound
        self.random = random.Random(seed)
        self.preset = folder / "killed.toml"
        self.preset.write_text(KILL_PRESET)
        self.options = ["--dataset", "digits", "--device", "cpu", "--threads", "1"]
        child(self.begin(folder / "warm-up"))
        whole = child(self.begin(folder / "whole"))
        assert whole.code == 0, whole
        self.seconds = whole.seconds
        self.wanted = state_on_disk(only_folder(folder / "whole"))

    def begin(self, runs_dir: Path) -> list[str]:
        """The arguments of a new run."""
        return ["--batch", str(self.preset), "--runs-dir", str(runs_dir), *self.options]

    def _instant(self, index: int) -> float:
        """When to kill: every third time early, while the run folder comes to be."""
        return self.random.uniform(0, self.seconds * (0.25 if index % 3 == 0 else 1.05))

    def kill(self, index: int) -> bool:
        """Kills a run, every second time once more as it resumes, and checks what was left; False: it had ended."""
        runs_dir = self.folder / f"killed-{index}"
        killed = child(self.begin(runs_dir), self._instant(index), self.sabotage)
        met_alive = killed.code == -signal.SIGKILL
        if not list(runs_dir.glob("*/run.json")):
            assert not killed.reported, f"lost the run with epochs {killed.reported}"
            return met_alive
        folder = only_folder(runs_dir)
        reported = killed.reported
        if index % 2 and load_run(folder).can_resume:
            reported += self._resume(folder, self._instant(index)).reported
        lost = set(reported) - {row.epoch for row in load_run(folder).rows}
        assert not lost, f"lost reported epochs {lost}"
        if load_run(folder).can_resume:
            resumed = self._resume(folder)
            assert resumed.code == 0, resumed
            assert not leftovers(folder), leftovers(folder)
        end = load_run(folder).end
        assert end is not None, "the resumed run has no end"
        assert end["outcome"] == "completed", end
        check_same(state_on_disk(folder), self.wanted)
        return met_alive

    def _resume(self, folder: Path, kill_after: float | None = None) -> Child:
        return child(["resume", str(folder), *self.options], kill_after, self.sabotage)


# --- locks ----------------------------------------------------------------------------------------------------------


def without_lock() -> None:
    """Breaks the rule that a run has one writer."""
    mock.patch.object(Lock, "acquire").start()


def hold(folder: Path, connection: Connection, sabotage: Callable[[], None]) -> None:
    """In a child: takes a run's lock, says "held" or why not, and holds it until it is told to go or killed."""
    sabotage()
    try:
        run_folder = RunFolder(folder)
    except StorageError as error:
        connection.send(str(error))
        return
    connection.send("held")
    connection.recv()
    run_folder.close()


def holder(folder: Path, sabotage: Callable[[], None] = sound) -> tuple[Any, Connection]:
    """A child that wants the lock of a run, and the connection to it."""
    ours, theirs = multiprocessing.Pipe()
    process = fork_server().Process(target=hold, args=(folder, theirs, sabotage))
    process.start()
    theirs.close()
    return process, ours


def race(folder: Path, racers: int, sabotage: Callable[[], None] = sound) -> int:
    """How many of so many processes, started together, hold the lock of one run at the same time."""
    started = [holder(folder, sabotage) for _ in range(racers)]
    said = [connection.recv() for _, connection in started]
    for process, connection in started:
        with suppress(OSError):  # Who was refused has gone.
            connection.send("go")
        process.join()
        connection.close()
    return said.count("held")


def started_folder(events: Sequence[Event]) -> Path:
    """The folder of the run whose events these are."""
    return next(Path(event.folder) for event in events if isinstance(event, RunStarted))
