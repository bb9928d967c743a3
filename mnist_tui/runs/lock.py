"""The lock of a run folder, run.lock: held by who trains the run or moves it, and free again when they die.

Processes of one machine have the system's lock on the file (flock), which ends with its process. Not every shared file
system has such locks, or has them between machines. So the file also tells who holds it, and the holder sets its
modification time anew a few times a minute: where that stops for `LEASE` seconds another machine may take the lock.
Who was only suspended for so long learns it before the next file is written (`check`).
"""

import errno
import fcntl
import json
import os
import secrets
import stat
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mnist_tui.errors import FileError, LockedError, StorageError
from mnist_tui.files import file_system_time, read_text
from mnist_tui.processes import is_alive, is_here, kernel, this_process
from mnist_tui.text import clean_line

FILE = "run.lock"
TRY_SECONDS = 0.3
"""How long a lock is tried before it counts as held: whoever lists the runs tries each for a moment."""
LEASE = 60.0
"""Seconds after which another machine may take a lock that was not renewed."""
RENEWALS = 6
"""How often a lock is renewed in that time."""
SETTLE_SECONDS = 0.2
"""How long who takes a lock without the system's waits before looking whether somebody else did at the same moment."""
_MAX_BYTES = 4_096
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""What flock says on a file system without locks."""
_A_DAY = 86_400
_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Lock:
    """The lock at a path; any thread may release it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._system = FileLock(path, thread_local=False)
        self._record: dict[str, Any] | None = None
        """What the file says while this holds it."""
        self._descriptor = -1
        """The file while this holds it, wherever the folder is moved."""
        self._is_over = threading.Event()
        self._renewing = threading.Lock()
        self.has_system_lock = True
        """Whether the file system has locks; known once it was tried."""

    def acquire(self, is_brief: bool = False) -> None:
        """Takes the lock and writes this process into it; raises `LockedError` naming the holder, and `OSError`.

        For a moment (`is_brief`) the system's lock is enough where there is one: a run is also deleted on a full disk.
        """
        holder = _in_words(*_read(self.path))
        self.has_system_lock = _has_locks(self.path)
        try:
            if self.has_system_lock:
                self._system.acquire(timeout=TRY_SECONDS, poll_interval=0.02)
        except Timeout:
            raise LockedError(holder) from None
        try:
            self._check_free()
            if is_brief and self.has_system_lock:
                return
            self._take()
        except BaseException:
            self.release()
            raise
        self._is_over = threading.Event()
        threading.Thread(target=_renew, args=(weakref.ref(self), self._is_over), daemon=True).start()

    def _check_free(self) -> None:
        record, text, renewed = _look(self.path)
        if _is_live(self.path, record, renewed, self.has_system_lock):
            raise LockedError(_in_words(record, text, None if is_here(record) else _now(self.path) - renewed))

    def _take(self) -> None:
        self._record = {**this_process(), "name": os.uname().nodename, "kernel": kernel(), "id": secrets.token_hex(8)}
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_TRUNC | _OPEN)
        with open(self._descriptor, "w", closefd=False) as file:
            file.write(json.dumps(self._record))
        if not self.has_system_lock:
            time.sleep(SETTLE_SECONDS)
            self.check()

    def check(self) -> None:
        """Raises `LockedError` where another process has taken the lock over since."""
        record, text = _read(self.path)
        if self._record is not None and record and record != self._record:
            raise LockedError(_in_words(record, text))

    def renew(self) -> None:
        """Says that this process is still there; raises `LockedError` as `check`, and `OSError`."""
        with self._renewing:
            self.check()
            if self._record is not None:
                os.utime(self._descriptor)

    def release(self) -> None:
        """Gives the lock back, and takes this process out of the file."""
        self._is_over.set()
        with self._renewing:
            if self._descriptor >= 0:
                with suppress(OSError, LockedError):
                    self.check()
                    os.ftruncate(self._descriptor, 0)
                os.close(self._descriptor)
            self._record, self._descriptor = None, -1
        self._system.release()


def _renew(lock: "weakref.ref[Lock]", is_over: threading.Event) -> None:
    while not is_over.wait(LEASE / RENEWALS):
        held = lock()
        if held is None:
            return
        try:
            held.renew()
        except LockedError:
            return  # Who holds it no more is told by `check`.
        except OSError:
            pass
        del held


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Holds a run's lock, so that nobody begins to train it meanwhile; raises `StorageError` where somebody does."""
    lock = Lock(folder / FILE)
    try:
        lock.acquire(is_brief=True)
    except LockedError:
        raise StorageError(f"{folder}: is being trained; stop it first") from None
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


def is_running(folder: Path) -> bool:
    """Whether some process holds the run's lock."""
    return is_held(folder / FILE)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock at `path`; nothing is written, and what is no file is held by nobody."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _OPEN)
    except OSError as error:
        # A lock that may not even be looked at is not ours to take.
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        is_locked = _try_system_lock(descriptor)
    finally:
        os.close(descriptor)
    record, _, renewed = _look(path)
    return is_locked or _is_live(path, record, renewed, is_locked is not None)


def _try_system_lock(descriptor: int) -> bool | None:
    """Whether another process has the system's lock on a file; None where its file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # Shared: of two that look none is in the other's way.
    except OSError as error:
        return None if error.errno in _NO_LOCKS else True
    return False


def _has_locks(path: Path) -> bool:
    """Whether the file system of a lock has locks; makes the file where there is none. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _OPEN, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, f"{path.name} is no regular file", str(path))
        return _try_system_lock(descriptor) is not None
    finally:
        os.close(descriptor)


# --- what the file says ---


def _is_live(path: Path, record: Mapping[str, Any], renewed: float, has_system_lock: bool) -> bool:
    """Whether a process that the system's lock does not tell of holds the lock, as far as can be seen from here."""
    if not record or (has_system_lock and record.get("kernel") == kernel()):
        return False
    if is_here(record):
        return is_alive(record)
    if abs(time.time() - renewed) > _A_DAY:  # No clocks differ by as much.
        return False
    # A time in the future is that of a clock that was set since: a process that lives renews it by the new one.
    return abs(_now(path) - renewed) <= LEASE


def _look(path: Path) -> tuple[dict[str, Any], str, float]:
    """What the file says and when that was last renewed; on NFS a file that was read is looked up anew."""
    record, text = _read(path)
    with suppress(OSError):
        return record, text, os.lstat(path).st_mtime
    return {}, "", 0.0


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """Who holds a lock, {} where it does not say, and the text of the file."""
    text = ""
    with suppress(FileError, ValueError, RecursionError):
        text = read_text(path, _MAX_BYTES, follow=False)
        record = json.loads(text)
        return record if isinstance(record, dict) else {}, text
    return {}, text


def _in_words(record: Mapping[str, Any], text: str, age: float | None = None) -> str:
    """The holder of a lock, such as `process 12 on vm`."""
    if not record:  # Version 0.1 wrote the words themselves.
        return clean_line(text, 200) or "another process"
    words = clean_line(f"process {record.get('pid')} on {record.get('name')}", 200)
    return words if age is None else f"{words}, {age:.0f} s ago; where it has died, try again in {LEASE - age:.0f} s"


def _now(path: Path) -> float:
    """The time by the clock that stamps the file of a lock, where it can be asked: clocks of machines differ."""
    try:
        return file_system_time(path.parent.parent)  # The folder of a run would look as if it had changed.
    except OSError:
        return time.time()
