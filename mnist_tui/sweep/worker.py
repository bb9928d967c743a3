"""A process that trains the runs it is given, one after another, and sends their events."""

import os
import queue
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mnist_tui.errors import ExitCode, MnistTuiError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Event, Notice, RunEnded, RunStarted
from mnist_tui.runs.history import parse_end
from mnist_tui.runs.storage import load_run
from mnist_tui.sweep.jobs import ControlRequest, Job, JobEnded
from mnist_tui.text import clean_line


def work(connection: "Connection[Any, Any]", is_silent: bool) -> None:
    """Trains every `Job` that arrives, until the other end is closed or its process has ended.

    `is_silent`: what libraries print goes nowhere, since a dashboard has the terminal.
    """
    if is_silent:
        _close_terminal()
    worker = _Worker(connection)
    # Ctrl-C reaches every process of the terminal: the process that shows the runs decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    worker.train_jobs()


class _Worker:
    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection
        self._jobs: queue.SimpleQueue[tuple[Job, Control] | None] = queue.SimpleQueue()
        self._control = Control()
        """That of the job that arrived last; each has its own, so that stopping one does not stop the next."""

    def train_jobs(self) -> None:
        threading.Thread(target=self._receive, daemon=True).start()
        while (received := self._jobs.get()) is not None:
            for message in train(*received):
                self._send(message)

    def stop(self) -> None:
        """Stops the current run after its step."""
        self._control.stop()

    def _receive(self) -> None:
        """Passes on what arrives; without another end the current run is stopped and saved."""
        is_paused = False
        with suppress(EOFError, OSError):
            while True:
                message = self._connection.recv()
                if isinstance(message, ControlRequest):
                    is_paused = {"pause": True, "step": True, "unpause": False}.get(message.request, is_paused)
                    self._control.apply(message.request, message.value)
                else:
                    self._control = Control()
                    if is_paused:
                        self._control.pause()
                    self._jobs.put((message, self._control))
        self._control.stop()
        self._jobs.put(None)

    def _send(self, message: Event | JobEnded) -> None:
        with suppress(OSError):  # Nobody listens any more; the run folder has everything.
            self._connection.send(message)


def train(job: Job, control: Control) -> Iterator[Event | JobEnded]:
    """The events of a job, and a `JobEnded` after them, whatever happens.

    Where memory is short the run is resumed once: other runs, which end, may have had what it needs.
    """
    try:
        folder = yield from _until_out_of_memory(job, control)
        if folder is not None:
            yield Notice("out of memory; it is resumed", is_warning=True)
            yield from _events(replace(job, folder=folder), control)
    except MnistTuiError as error:
        yield JobEnded(str(error), error.exit_code)
    except Exception as error:
        yield JobEnded(f"{type(error).__name__}: {clean_line(str(error), 300)}", ExitCode.FAILED)
    else:
        yield JobEnded()


def _close_terminal() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _until_out_of_memory(job: Job, control: Control) -> Generator[Event, None, Path | None]:
    """Returns the folder of a run that failed since memory was short, in place of its `RunEnded`; else None."""
    folder = job.folder
    with closing(_events(job, control)) as events:
        for event in events:
            if isinstance(event, RunStarted):
                folder = Path(event.folder)
            if isinstance(event, RunEnded) and event.is_out_of_memory:
                return folder
            yield event
    return None


def _events(job: Job, control: Control) -> Generator[Event, None, None]:
    from mnist_tui.training import resume, session

    if job.folder is None:
        yield from session.run(job.spec, job.options, control)
        return
    saved = load_run(job.folder)
    if saved.end is not None and not saved.can_resume and (ended := parse_end(saved.end)):
        yield ended  # It had ended before the process that trained it.
    else:
        yield from resume.resume(saved, job.options, control)
