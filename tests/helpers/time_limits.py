"""A limit on the time of a block of code, kept by the alarm signal of the process, also inside another such limit."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def time_limit(seconds: float, error: BaseException) -> Iterator[None]:
    """A context in which `error` is raised after so many seconds, which are positive.

    An alarm that was set before, such as that of a limit around this one, comes in its time, or at the end of this
    context where that is later. Only for the main thread, which alone gets signals.
    """

    def out_of_time(_: int, __: FrameType | None) -> None:
        raise error

    began = time.monotonic()
    previous = signal.signal(signal.SIGALRM, out_of_time)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - began)))
