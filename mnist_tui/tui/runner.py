"""The thread that trains, or watches another process train; it has one listener, and outlives the screen."""

import gc
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.errors import MnistTuiError
from mnist_tui.runs.control import Control, Request, send
from mnist_tui.runs.events import Event, Notice, Progress, RunEnded, RunStarted
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line

if TYPE_CHECKING:
    from mnist_tui.spec.run_options import Options


@dataclass(frozen=True)
class Refused:
    """A run could not begin: the data, the device, the folder or the recipe; one sentence says what to do."""

    message: str


@dataclass(frozen=True)
class Idle:
    """The run has ended, or is no longer watched; always the last event."""


@dataclass(frozen=True)
class Crashed:
    """A defect of this program in the thread; `details` is the traceback, for the log."""

    message: str
    details: str


RunnerEvent = Event | Refused | Idle | Crashed


class Runner:
    """Runs one thing at a time in a thread: several specs in a row, a resumed run, or a run to watch."""

    def __init__(self, options: "Options", on_folder: Callable[[str], None]) -> None:
        self.options = options
        self.on_folder = on_folder
        """Gets the folder of a run that starts here, and "" at its end: the supervisor prints it after a kill."""
        self.listener: Callable[[RunnerEvent], None] | None = None
        """Called in the thread with every event; None once the screen is closed."""
        self.outcome: RunEnded | None = None
        """How the newest run of this process ended."""
        self.folder: Path | None = None
        """The folder of the current run, or of the last one."""
        self.has_begun = False
        """Whether the current run has a folder: before that there is nothing to save or to wait for."""
        self._is_frozen = False
        self.is_watching = False
        """Whether another process trains the current run."""
        self._control = Control()
        self._thread: threading.Thread | None = None
        self._is_busy = False

    @property
    def is_busy(self) -> bool:
        """Whether something is trained or watched."""
        return self._is_busy

    @property
    def is_training(self) -> bool:
        """Whether this process trains."""
        return self.is_busy and not self.is_watching

    @property
    def is_paused(self) -> bool:
        """Whether a pause of this process's run was requested."""
        return self._control.is_paused

    def train(self, specs: Sequence[RunSpec]) -> None:
        """Trains the specs one after the other."""
        self._start(self._train(specs), is_watching=False)

    def resume(self, folder: Path) -> None:
        """Resumes the run in a folder."""
        self._start(self._resume(folder), is_watching=False)

    def extend(self, folder: Path, epochs: int) -> None:
        """Trains a completed run for more epochs, in a new folder."""
        self._start(self._extend(folder, epochs), is_watching=False)

    def watch(self, folder: Path) -> None:
        """Follows the run in a folder, whichever process trains it."""
        self.folder = folder
        self._start(self._watch(folder), is_watching=True)

    def send_request(self, request: Request, rate: float | None = None) -> None:
        """Asks the current run to stop, pause, unpause, take one step or change its learning rate; returns at once.

        Raises `ValueError` for a rate that is not allowed, `OSError` if another process's folder cannot be written.
        """
        if self.is_watching and self.folder is not None:
            send(self.folder, request, rate)
            return
        self._control.apply(request, rate)

    def detach(self) -> None:
        """Stops watching; the run itself continues."""
        if self.is_watching:
            self._control.stop()

    def join(self, timeout: float | None = None) -> None:
        """Waits until nothing is trained or watched, at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _start(self, events: Iterator[Event], is_watching: bool) -> None:
        assert not self.is_busy
        self.is_watching = is_watching
        self.has_begun = False
        self._control = Control()
        self._is_busy = True
        # No daemon: the interpreter must never end inside torch.
        self._thread = threading.Thread(target=self._follow, args=(events,), name="run")
        self._thread.start()

    def _follow(self, events: Iterator[Event]) -> None:
        try:
            for event in events:
                self._note(event)
                self._notify(event)
        except Exception as error:
            self._notify(_event_of_error(error))
        finally:
            self._is_busy = False  # Before `Idle`, whose handlers may start the next run.
        self._notify(Idle())

    def _note(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.folder = Path(event.folder)
            self.has_begun = True
            if not self.is_watching:
                self.on_folder(event.folder)
        elif isinstance(event, Progress) and not self._is_frozen:
            # Each collection over all that the first steps loaded would block the screen for 0.2 s.
            gc.freeze()
            self._is_frozen = True
        elif isinstance(event, RunEnded) and not self.is_watching:
            self.outcome = event
            self.on_folder("")

    def _notify(self, event: RunnerEvent) -> None:
        if self.listener is not None:
            self.listener(event)

    def _train(self, specs: Sequence[RunSpec]) -> Iterator[Event]:
        from mnist_tui.training import environment, session  # torch: seconds, and only in this thread.

        for spec in specs:
            session.check(spec)
        if (jobs := environment.jobs_at_a_time(len(specs), self.options)) > 1:
            yield from self._train_side_by_side(specs, jobs)
            return
        for spec in specs:
            yield from session.run(spec, self.options, self._control)
            if self._control.should_stop:
                return

    def _train_side_by_side(self, specs: Sequence[RunSpec], jobs: int) -> Iterator[Event]:
        """The events of runs in several processes, run by run."""
        from mnist_tui.sweep import pool
        from mnist_tui.sweep.in_order import in_order
        from mnist_tui.sweep.jobs import JobEnded
        from mnist_tui.sweep.side_by_side import train_side_by_side

        pool.preload()
        for message in in_order(train_side_by_side(specs, self.options, self._control, jobs, is_silent=True)):
            if not isinstance(message, JobEnded):
                yield message
            elif message.error:
                yield Notice(message.error, is_warning=True)

    def _resume(self, folder: Path) -> Iterator[Event]:
        from mnist_tui.runs import storage
        from mnist_tui.training import resume

        yield from resume.resume(storage.load_run(folder), self.options, self._control)

    def _extend(self, folder: Path, epochs: int) -> Iterator[Event]:
        from mnist_tui.runs import storage
        from mnist_tui.training import resume

        yield from resume.extend(storage.load_run(folder), epochs, self.options, self._control)

    def _watch(self, folder: Path) -> Iterator[Event]:
        from mnist_tui.runs import follow

        yield from follow.follow(folder, self._control)


def _event_of_error(error: Exception) -> RunnerEvent:
    """`Refused` for an error in the input or the machine, `Crashed` for a defect of this program."""
    if isinstance(error, MnistTuiError):
        return Refused(clean_line(str(error)))
    details = traceback.format_exc()
    return Crashed(f"internal error: {type(error).__name__}: {clean_line(str(error), 200)}", details)
