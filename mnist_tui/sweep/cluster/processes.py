"""The processes of a local Ray, of which some end by themselves after Ray's own shutdown."""

import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

END_SECONDS = 10.0
"""How long they are waited for: a worker notices within about a second that its node has ended."""


def with_descendants(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """These processes, what they have started, and so on; of one that has ended nothing more."""
    everything = list(processes)
    for process in processes:
        with suppress(psutil.Error):
            everything += process.children(recursive=True)
    return everything


def wait_for_end(processes: Sequence[psutil.Process], seconds: float = END_SECONDS) -> None:
    """Waits until all have ended, at most so many seconds; a zombie has ended, though nobody has asked for its code."""
    end = time.monotonic() + seconds
    while any(map(_lives, processes)) and time.monotonic() < end:
        time.sleep(0.02)


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
