"""The lock of a run folder, run.lock: held by who trains the run or moves it, and freed by the system when they die."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mnist_tui.errors import FileError, StorageError
from mnist_tui.files import read_text
from mnist_tui.text import clean

FILE = "run.lock"
TRY_SECONDS = 0.3
"""How long a lock is tried before it counts as held: whoever lists the runs tries each for a moment."""


def acquire(lock: FileLock) -> None:
    """Takes a run's lock and writes this process into it; raises `StorageError` naming the holder, and `OSError`."""
    path = Path(lock.lock_file)
    holder = _read_holder(path)
    try:
        lock.acquire(timeout=TRY_SECONDS, poll_interval=0.02)
    except Timeout:
        raise StorageError(f"{path.parent} is being trained by {holder}") from None
    with open(path, "w") as file:
        file.write(f"process {os.getpid()} on {os.uname().nodename}")


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Holds a run's lock, so that nobody begins to train it meanwhile; raises `StorageError` where somebody does."""
    lock = FileLock(folder / FILE)
    try:
        lock.acquire(timeout=TRY_SECONDS, poll_interval=0.02)
    except Timeout:
        raise StorageError(f"{folder}: is being trained; stop it first") from None
    try:
        yield
    finally:
        lock.release()


def is_running(folder: Path) -> bool:
    """Whether some process holds the run's lock."""
    return is_held(folder / FILE)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock at `path`; in a folder that is gone nobody does, and none is made."""
    if not path.parent.is_dir():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except (Timeout, OSError):
        return True  # A lock that cannot even be tried is not ours to take.


def _read_holder(path: Path) -> str:
    try:
        return clean(read_text(path, 200, follow=False)) or "another process"
    except FileError:
        return "another process"
