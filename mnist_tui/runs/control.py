"""Requests to a run under way: stop, pause, unpause, take one step, change the learning rate.

A thread of the same process calls the run's `Control`; another process writes requests into the run's folder, which is
the only channel between processes.
"""

import json
import math
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from mnist_tui.files import append_line

Request = Literal["stop", "pause", "unpause", "step", "learning_rate"]

FILE = "control.jsonl"
MAX_BYTES = 2**20
"""Bytes of requests that are read from a run's folder; later ones are ignored."""
MAX_LINE = 200
POLL_SECONDS = 0.1
MAX_RATE = 1e4
"""Highest learning rate that is accepted."""


class Control:
    """Stop flag, pause and learning rate of a run; every method may be called from any thread."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        # Re-entrant, since a signal may set the event in the middle of another request.
        self._changed = threading.Condition(threading.RLock())
        self._is_paused = False
        self._steps = 0
        self._rate: float | None = None
        self.source: Callable[[], None] | None = None
        """Reads the requests of other processes; called by `poll`."""

    def poll(self) -> None:
        """Reads the requests of other processes; the trainer calls it a few times a second, paused or not."""
        if self.source is not None:
            self.source()

    @property
    def is_paused(self) -> bool:
        """Whether the run should wait before its next step."""
        return self._is_paused and self._steps == 0 and not self.should_stop

    @property
    def should_stop(self) -> bool:
        """Whether the run should end after the current step."""
        return self._stop.is_set()

    def wait_for_stop(self, seconds: float) -> bool:
        """Sleeps until `stop` is called, at most `seconds`; returns whether it was."""
        return self._stop.wait(seconds)

    def stop(self) -> None:
        """Ends the run after the current step; it saves a checkpoint."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def pause(self) -> None:
        """Pauses the run after the current step."""
        with self._changed:
            self._is_paused, self._steps = True, 0
            self._changed.notify_all()

    def unpause(self) -> None:
        """Ends the pause."""
        with self._changed:
            self._is_paused, self._steps = False, 0
            self._changed.notify_all()

    def step(self) -> None:
        """Takes one step, then pauses."""
        with self._changed:
            self._is_paused, self._steps = True, self._steps + 1
            self._changed.notify_all()

    @property
    def is_stepping(self) -> bool:
        """Whether the next step is one that `step` asked for."""
        return self._steps > 0

    def consume_step(self) -> bool:
        """Counts a step as taken; returns whether the trainer should report it at once, because a pause follows."""
        with self._changed:
            self._steps = max(0, self._steps - 1)
            return self._is_paused

    def set_learning_rate(self, rate: float) -> None:
        """Trains at `rate` from the next step on; raises `ValueError` for a number that is no learning rate."""
        with self._changed:
            self._rate = _check_rate(rate)
            self._changed.notify_all()

    def consume_learning_rate(self) -> float | None:
        """Returns the learning rate that was requested since the last call; None without a request."""
        with self._changed:
            rate, self._rate = self._rate, None
        return rate

    def wait_for_change(self, seconds: float) -> None:
        """Sleeps until there is a request, at most `seconds`."""
        with self._changed:
            self._changed.wait(seconds)

    def apply(self, request: Request, value: float | None = None) -> None:
        """Carries out a request; raises `ValueError` for a wrong learning rate."""
        match request:
            case "stop":
                self.stop()
            case "pause":
                self.pause()
            case "unpause":
                self.unpause()
            case "step":
                self.step()
            case "learning_rate":
                self.set_learning_rate(math.nan if value is None else value)


def _check_rate(rate: float) -> float:
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= MAX_RATE:
        raise ValueError(f"a learning rate must be greater than 0 and at most {MAX_RATE:,.0f}, got {rate}")
    return float(rate)


def send(folder: Path, request: Request, value: float | None = None) -> None:
    """Sends a request to the run in `folder`, which another process trains.

    Raises `ValueError` for a wrong learning rate, `OSError` where the folder cannot be written.
    """
    if request == "learning_rate":
        value = _check_rate(math.nan if value is None else value)
    document = {"request": request} | ({} if value is None else {"value": value})
    append_line(folder / FILE, json.dumps(document, allow_nan=False))


class Requests:
    """The requests in a run's folder, each carried out once; those from before the run began are deleted.

    A file that another user has put into the folder, where that can be written to, is not read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._offset = 0
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _size(self) -> int:
        try:
            return os.lstat(self._path).st_size
        except OSError:
            return 0

    def _is_from_owner(self, user: int) -> bool:
        """Whether a file of this user may hold requests: that of the run's folder, of this process, or root."""
        return user in (self._path.parent.stat().st_uid, os.geteuid(), 0)

    def dispatch(self, control: Control) -> list[str]:
        """Has `control` apply the new requests; returns the lines that are no requests, for the log."""
        size = min(self._size(), MAX_BYTES)
        if size <= self._offset:
            return []
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return []
        try:
            if not self._is_from_owner(os.fstat(descriptor).st_uid):
                return []
            content = os.pread(descriptor, size - self._offset, self._offset)
        except OSError:  # No regular file.
            return []
        finally:
            os.close(descriptor)
        end = content.rfind(b"\n") + 1  # A line that is being written is read when it is complete.
        self._offset += end
        return [line.decode(errors="replace") for line in content[:end].splitlines() if not _apply_line(line, control)]


def _apply_line(line: bytes, control: Control) -> bool:
    try:
        document = json.loads(line[: MAX_LINE + 1])
        if document["request"] not in get_args(Request):
            return False
        control.apply(document["request"], document.get("value"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
    return True
