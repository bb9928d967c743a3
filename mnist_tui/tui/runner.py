"""The thread that trains, or watches another process train; it has one listener, and outlives the screen."""

import gc
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.errors import MnistTuiError, StorageError
from mnist_tui.runs.control import Control, Request, send
from mnist_tui.runs.events import Event, Progress, RunEnded, RunStarted
from mnist_tui.runs.queue import Queue, Taken
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line
from mnist_tui.tui import run_events
from mnist_tui.tui.run_events import GroupBegan

if TYPE_CHECKING:
    from mnist_tui.spec.run_options import Options


@dataclass(frozen=True)
class Refused:
    """A run could not begin: the data, the device, the folder or the recipe; one sentence says what to do."""

    message: str


@dataclass(frozen=True)
class Idle:
    """The run has ended, or is no longer watched, and no entry of the queue follows; always the last event."""


@dataclass(frozen=True)
class Crashed:
    """A defect of this program in the thread; `details` is the traceback, for the log."""

    message: str
    details: str


RunnerEvent = Event | GroupBegan | Refused | Idle | Crashed


class Runner:
    """Runs one thing at a time in a thread: several specs in a row, a resumed run, or a run to watch.

    Once it was asked to, it goes on with the queue after what it trains, with or without a screen.
    """

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
        self.queue = Queue(options.runs_dir)
        self.serves_queue = False
        """Whether entries of the queue are trained when nothing else is: from `train_queue` to a stop."""
        self.entry: Taken | None = None
        """The entry of the queue that is trained."""
        self._drops_entry = False
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

    def train_queue(self) -> None:
        """Trains what waits in the queue, after what is trained now, until it is empty or paused, or a run stopped."""
        self.serves_queue = True
        if not self.is_busy:
            self._start(iter(()), is_watching=False)

    @property
    def has_queue(self) -> bool:
        """Whether entries of the queue follow what is trained now, as far as that can be read."""
        with suppress(StorageError):
            return self.serves_queue and not self.queue.is_paused and any(each.waits for each in self.queue.entries())
        return False

    def watch(self, folder: Path) -> None:
        """Follows the run in a folder, whichever process trains it."""
        self.folder = folder
        self._start(self._watch(folder), is_watching=True)

    def send_request(self, request: Request, rate: float | None = None) -> None:
        """Asks the current run to stop, pause, unpause, take one step or change its learning rate; returns at once.

        After a stop nothing more of the queue is trained here, and an entry that is not done waits in it again. Raises
        `ValueError` for a rate that is not allowed, `OSError` if another process's folder cannot be written.
        """
        if self.is_watching and self.folder is not None:
            send(self.folder, request, rate)
            return
        if request == "stop":
            self.serves_queue = False
        self._control.apply(request, rate)

    def drop_entry(self) -> None:
        """Lets the entry of the queue that is trained now not wait again after a stop."""
        self._drops_entry = True

    def detach(self) -> None:
        """Stops watching; the run itself continues."""
        if self.is_watching:
            self._control.stop()

    def join(self, timeout: float | None = None) -> None:
        """Waits until nothing is trained or watched, at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _start(self, events: Iterator[RunnerEvent], is_watching: bool) -> None:
        assert not self.is_busy
        self.is_watching = is_watching
        self._is_busy = True
        self._renew_control()
        # No daemon: the interpreter must never end inside torch.
        self._thread = threading.Thread(target=self._work, args=(events,), name="run")
        self._thread.start()

    def _renew_control(self) -> None:
        self.has_begun = self._drops_entry = False
        self._control = Control()

    def _work(self, events: Iterator[RunnerEvent]) -> None:
        try:
            error = self._follow(events)
            if not self.is_watching and not isinstance(error, Crashed) and self._follow(self._train_entries()):
                self.serves_queue = False
        finally:
            self._is_busy = False  # Before `Idle`, whose handlers may start the next run.
        self._notify(Idle())

    def _follow(self, events: Iterator[RunnerEvent]) -> RunnerEvent | None:
        """Passes the events on; returns that of an error, None without one."""
        try:
            for event in events:
                self._note(event)
                self._notify(event)
        except Exception as error:
            event = _event_of_error(error)
            self._notify(event)
            return event
        return None

    def _train_entries(self) -> Iterator[RunnerEvent]:
        """The events of the entries of the queue, one after the other; raises what is wrong with the queue or one."""
        while self.serves_queue and (taken := self.queue.take()) is not None:
            self._renew_control()
            self.entry = taken
            try:
                if self.serves_queue:  # No stop came before there was a control that it could reach.
                    yield from run_events.train_entry(taken, self.options, self._control)
                if self._drops_entry or self.serves_queue:
                    taken.end()
            except MnistTuiError as error:
                self.queue.pause()  # Others would not begin either, without data or device.
                raise MnistTuiError(f"{taken.entry.name}: {error}. The queue is paused; P goes on.") from error
            finally:
                self.entry = None
                taken.give_back()

    def _note(self, event: RunnerEvent) -> None:
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
        yield from run_events.train_seeds(specs, self.options, self._control)

    def _resume(self, folder: Path) -> Iterator[Event]:
        yield from run_events.resume_run(folder, self.options, self._control)

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
