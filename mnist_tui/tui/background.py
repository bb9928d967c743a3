"""The work beside the screen: warming torch up, sampling the schedule, augmenting digits; one thing at a time."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Job = Callable[[], Any]


class Bench:
    """A thread that does jobs in their order; of jobs of one kind only the newest waiting one is done."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[str] = SimpleQueue()
        self._jobs: dict[str, tuple[Job, Callable[[Any], None], Callable[[Exception], None]]] = {}
        self._lock = threading.Lock()
        # A daemon, since nobody waits for a preview; the process ends without the interpreter's own teardown.
        self._thread = threading.Thread(target=self._work, daemon=True, name="bench")
        self._thread.start()

    def ask(self, kind: str, job: Job, done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Does `job` in the thread, then calls `done` with its result or `failed`, in the thread too."""
        with self._lock:
            is_waiting = kind in self._jobs
            self._jobs[kind] = (job, done, failed)
        if not is_waiting:
            self._queue.put(kind)

    def _work(self) -> None:
        while True:
            kind = self._queue.get()
            with self._lock:
                job, done, failed = self._jobs.pop(kind)
            try:
                result = job()
            except Exception as error:
                failed(error)
            else:
                done(result)
