"""Processes of this machine that train runs side by side.

The processes are forked from one that has loaded torch, so that it is loaded once and not for every process.
"""

import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Any, TypeVar

from mnist_tui.errors import ExitCode, ProcessError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Notice, RunStarted
from mnist_tui.sweep.jobs import ControlRequest, Job, JobEnded, JobSource, Message
from mnist_tui.sweep.requests import NewRequests
from mnist_tui.sweep.worker import work

POLL_SECONDS = 0.1
END_SECONDS = 10.0
"""How long a process may take to end that has nothing to train any more."""
ATTEMPTS = 2
"""How often a run is trained whose process dies."""

T = TypeVar("T")

# A process that has used an Apple GPU cannot be forked.
_context: SpawnContext | ForkServerContext = (
    multiprocessing.get_context("spawn") if sys.platform == "darwin" else multiprocessing.get_context("forkserver")
)


def preload() -> None:
    """Begins to load torch in the process that workers are forked from; returns at once."""
    with redirect_stderr(sys.__stderr__):  # A dashboard's is no file, which the processes below could be given.
        resource_tracker.ensure_running()
        if isinstance(_context, ForkServerContext):
            _context.set_forkserver_preload(["mnist_tui.sweep.preload"])
            forkserver.ensure_running()


def call_elsewhere(function: Callable[..., T], *arguments: Any) -> T:
    """What a function of a module returns, called in a process of its own; raises what it raises."""
    with ProcessPoolExecutor(1, mp_context=_context) as executor:
        return executor.submit(function, *arguments).result()


@dataclass
class _Task:
    """A job that waits or is trained."""

    index: int
    job: Job
    attempts: int = 0


class _Process:
    """A worker and what it trains."""

    def __init__(self, is_silent: bool) -> None:
        """Starts the worker; raises `ProcessError`."""
        self.connection, other = _context.Pipe()
        self.process = _context.Process(target=work, args=(other, is_silent), daemon=False)
        try:
            self.process.start()
        except OSError as error:
            self.connection.close()
            raise ProcessError(f"cannot start a process that trains: {error.strerror or error}") from None
        finally:
            other.close()
        self.task: _Task | None = None

    def begin(self, task: _Task) -> None:
        task.attempts += 1
        self.task = task
        with suppress(OSError):  # It has died, which the next look at its connection tells.
            self.connection.send(task.job)

    def request(self, request: ControlRequest) -> None:
        with suppress(OSError):
            self.connection.send(request)

    def death(self) -> str:
        """How the process ended: by which signal, or with which exit code."""
        self.process.join(END_SECONDS)
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.strsignal(-code)
            return f"was killed by signal {-code} ({name})" + ("; out of memory?" if -code == signal.SIGKILL else "")
        return f"ended with exit code {code}"


class Pool:
    """Up to `size` processes; each trains one run at a time."""

    def __init__(self, size: int, is_silent: bool = False) -> None:
        self._size, self._is_silent = size, is_silent
        self._processes: list[_Process] = []
        self._requests = NewRequests()
        self._count = 0

    def train(self, source: JobSource, control: Control) -> Iterator[tuple[int, Message]]:
        """The events of all jobs as they happen, each with the index of its job, and a `JobEnded` for each job begun.

        The index counts the jobs as they were taken. `control` stops all of them after their current step, pauses them
        or changes their learning rate. A run whose process dies is resumed once. Raises `ProcessError` where none
        can be started; runs that are trained then are stopped and saved by `close`.
        """
        self._count = 0
        waiting: deque[_Task] = deque()
        while True:
            self._dispatch_requests(control)
            if self._requests.is_stopping:
                waiting.clear()
            else:
                self._begin(waiting, source)
            busy = {process.connection: process for process in self._processes if process.task}
            if not busy:
                if self._requests.is_stopping or not source.may_come:
                    return
                control.wait_for_stop(POLL_SECONDS)
                continue
            for connection in wait(list(busy), POLL_SECONDS):
                yield from self._receive(busy[connection], waiting)  # type: ignore[index]

    def stop(self, index: int) -> None:
        """Stops one job after its current step; does nothing where it has ended."""
        for process in self._processes:
            if process.task and process.task.index == index:
                process.request(ControlRequest("stop"))

    def close(self) -> None:
        """Ends the processes; runs that they still train are stopped and saved."""
        for process in self._processes:
            process.connection.close()
        for process in self._processes:
            process.process.join(END_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Ends the processes at once; runs that they train are interrupted, and can be resumed."""
        for process in self._processes:
            process.process.kill()
            process.process.join()
        self._processes.clear()

    def _begin(self, waiting: deque[_Task], source: JobSource) -> None:
        """Gives jobs to processes that have none; starts processes where there are too few."""
        while True:
            free = next((process for process in self._processes if process.task is None), None)
            if free is None and len(self._processes) >= self._size:
                return
            task = waiting.popleft() if waiting else self._take(source)
            if task is None:
                return
            (free or self._start()).begin(task)

    def _take(self, source: JobSource) -> _Task | None:
        job = source.take()
        if job is None:
            return None
        self._count += 1
        return _Task(self._count - 1, job)

    def _start(self) -> _Process:
        process = _Process(self._is_silent)
        self._processes.append(process)
        if self._requests.is_paused:
            process.request(ControlRequest("pause"))
        return process

    def _dispatch_requests(self, control: Control) -> None:
        """Sends new requests to every process."""
        for request in self._requests.read(control):
            for process in self._processes:
                process.request(request)

    def _receive(self, process: _Process, waiting: deque[_Task]) -> Iterator[tuple[int, Message]]:
        task = process.task
        assert task is not None
        try:
            message: Message = process.connection.recv()
        except (EOFError, OSError):
            yield from self._replace(process, task, waiting)
            return
        if isinstance(message, RunStarted):
            task.job = replace(task.job, folder=Path(message.folder))
        elif isinstance(message, JobEnded):
            process.task = None
        yield task.index, message

    def _replace(self, process: _Process, task: _Task, waiting: deque[_Task]) -> Iterator[tuple[int, Message]]:
        """Gives up a process that died; its run waits to be resumed, unless it was resumed before."""
        self._processes.remove(process)
        death = process.death()
        process.connection.close()
        if task.attempts < ATTEMPTS and not self._requests.is_stopping:
            waiting.appendleft(task)
            yield task.index, Notice(f"its process {death}; it is resumed", is_warning=True)
        else:
            yield task.index, JobEnded(f"its process {death}", ExitCode.FAILED)
