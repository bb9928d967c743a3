"""A worker thread for a screen, so that disk reads and computation never block key presses."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from textual import on
from textual.events import Unmount
from textual.message import Message

from mnist_tui.text import clean_line
from mnist_tui.tui.messages import OpenScreen
from mnist_tui.tui.repaint import LeanScreen

Job = Callable[[], Any]
OnResult = Callable[[Any, str | None], None]
"""Gets the result of a job and None, or None and one sentence that says why there is no result."""
Submit = Callable[[str, Job, OnResult], None]
"""`WorkerScreen.submit`, for parts of a screen that do not know the screen."""


class BackgroundWorker:
    """A thread that runs jobs in order of submission; of the waiting jobs of one kind only the newest is run."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._jobs: dict[str, tuple[Job, Callable[[Any], None], Callable[[Exception], None]]] = {}
        self._lock = threading.Lock()
        # A daemon, since nobody waits for a preview; the process ends without the interpreter's own teardown.
        threading.Thread(target=self._work, daemon=True, name="background").start()

    def submit(
        self, kind: str, job: Job, on_result: Callable[[Any], None], on_error: Callable[[Exception], None]
    ) -> None:
        """Runs `job` in the thread and, there too, `on_result` with its result or `on_error` with its exception."""
        with self._lock:
            is_waiting = kind in self._jobs
            self._jobs[kind] = (job, on_result, on_error)
        if not is_waiting:
            self._queue.put(kind)

    def close(self) -> None:
        """Ends the thread after the jobs that wait."""
        self._queue.put(None)

    def _work(self) -> None:
        while (kind := self._queue.get()) is not None:
            with self._lock:
                job, on_result, on_error = self._jobs.pop(kind)
            try:
                result = job()
            except Exception as error:
                on_error(error)
            else:
                on_result(result)


@dataclass
class JobDone(Message):
    """The worker has finished a job."""

    on_result: OnResult
    result: Any
    error: str | None = None


class WorkerScreen(LeanScreen[None]):
    """A screen with a background worker, which opens the screens that its parts, or late results, ask for."""

    def __init__(self) -> None:
        super().__init__()
        self._worker = BackgroundWorker()

    @on(Unmount)
    def _close_worker(self) -> None:
        self._worker.close()

    def submit(self, kind: str, job: Job, on_result: OnResult) -> None:
        """Runs `job` in the worker; `on_result` is called on the screen.

        Of the waiting jobs of one kind only the newest is run.
        """

        def post_result(result: Any) -> None:
            self.post_message(JobDone(on_result, result))

        def post_error(error: Exception) -> None:
            self.post_message(JobDone(on_result, None, clean_line(str(error), 300) or type(error).__name__))

        self._worker.submit(kind, job, post_result, post_error)

    @on(OpenScreen)
    def _open_screen(self, message: OpenScreen) -> None:
        if self.is_active:  # Else a job was slow: the user has opened something else, or gone to another mode.
            self.app.push_screen(message.screen, message.on_result)

    @on(JobDone)
    def _on_job_done(self, event: JobDone) -> None:
        event.on_result(event.result, event.error)
