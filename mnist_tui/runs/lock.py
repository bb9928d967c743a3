"""The lock of a run folder, run.lock: held by who trains the run or moves it, and free again when they die.

Processes of one machine have the system's lock on the file (flock), which ends with its process. Not every shared file
system has such locks, or has them between machines. So the file also tells who holds it, and the holder sets its
modification time anew a few times a minute: where that stops for `LEASE` seconds another machine may take the lock.
Who was only suspended for so long learns it before the next file is written (`check`).
"""

import errno
import fcntl
import os
import stat
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from mnist_tui.errors import LockedError, StorageError
from mnist_tui.runs.lock_holder import LEASE, Holder, new_text, read_holder

FILE = "run.lock"
TRY_SECONDS = 0.3
"""How long a lock is tried before it counts as held: whoever lists the runs tries each for a moment."""
POLL_SECONDS = 0.02
"""Between two tries."""
RENEWALS = 6
"""How often a lock is renewed in the time of its lease."""
SETTLE_SECONDS = 0.2
"""How long who takes a lock without the system's waits before looking whether somebody else did at the same moment."""
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""What flock says on a file system without locks."""
_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Lock:
    """The lock at a path, for one holder; any thread may release it."""

    def __init__(self, path: Path, name: object) -> None:
        """`name` is what is trained by who holds the lock, as messages call it."""
        self.path, self._name = path, name
        self._descriptor = -1
        """The file while this holds it, wherever the folder is moved."""
        self._text = ""
        """What it says while this holds it; "" for a moment's holder, who says nothing."""
        self._is_over = threading.Event()
        self._renewing = threading.Lock()
        self.has_system_lock = True
        """Whether the file system has locks; known once it was tried."""

    def __del__(self) -> None:
        self._is_over.set()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def acquire(self, is_brief: bool = False) -> None:
        """Takes the lock and writes this process into it; raises `LockedError` naming the holder, and `OSError`.

        For a moment (`is_brief`) the system's lock is enough where there is one: a run is also deleted on a full disk.
        """
        try:
            self._take_system_lock()
            holder = read_holder(self.path)
            if holder.is_live(self.has_system_lock):
                raise LockedError(f"{self._name} is being trained by {holder.with_remedy}")
            if is_brief and self.has_system_lock:
                return
            self._write()
            self._is_over = threading.Event()
            threading.Thread(target=_renew, args=(weakref.ref(self), self._is_over), daemon=True).start()
        except BaseException:
            self.release()
            raise

    def _take_system_lock(self) -> None:
        """Opens the file, which is made where there is none, and locks it if its file system has locks."""
        end = time.monotonic() + TRY_SECONDS
        while True:
            self._descriptor = _open_file(self.path)
            is_locked = _try_system_lock(self._descriptor, fcntl.LOCK_EX)
            self.has_system_lock = is_locked is not None
            if not is_locked and os.fstat(self._descriptor).st_nlink > 0:  # Who held it may have removed it.
                return
            self._close()
            if time.monotonic() > end:
                raise LockedError(f"{self._name} is being trained by {read_holder(self.path)}")
            time.sleep(POLL_SECONDS)

    def _write(self) -> None:
        self._text = new_text()
        with open(self._descriptor, "w", closefd=False) as file:
            file.write(self._text)
            file.truncate()  # Only now, so that nobody finds an empty file.
        if not self.has_system_lock:
            time.sleep(SETTLE_SECONDS)
            if other := self._successor():
                raise LockedError(f"{self._name} is being trained by {other}")

    def check(self) -> None:
        """Raises `LockedError` where another process has taken the lock over since."""
        if other := self._successor():
            raise LockedError(
                f"{self._name}: while this process was suspended, {other} has begun to train the run; nothing more is "
                "written to it here"
            )

    def _successor(self) -> Holder | None:
        """Who has written something else into the file than this process did; None where nobody has."""
        holder = read_holder(self.path)
        # Of two that wrote at the same moment the file may hold a part of each, which neither has written.
        return holder if self._text and holder.text not in ("", self._text) else None

    def renew(self) -> None:
        """Says that this process is still there; raises `LockedError` as `check`, and `OSError`."""
        with self._renewing:
            self.check()
            if self._text:
                os.utime(self._descriptor)

    def release(self) -> None:
        """Gives the lock back, and takes this process out of the file."""
        self._is_over.set()
        with self._renewing:
            if self._text:
                with suppress(OSError, LockedError):
                    self.check()
                    os.ftruncate(self._descriptor, 0)
            self._text = ""
            self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # A fork has the descriptor too, and with it the lock.
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):
                os.close(descriptor)


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


def hold_run(folder: Path) -> AbstractContextManager[None]:
    """Holds a run's lock, as `hold` does."""
    return hold(folder / FILE, folder)


@contextmanager
def hold(path: Path, name: object) -> Iterator[None]:
    """Holds a lock for a moment, so that nobody begins to train; raises `StorageError` where somebody does.

    `name` is what messages call what is trained.
    """
    lock = Lock(path, name)
    try:
        lock.acquire(is_brief=True)
    except LockedError as error:
        raise StorageError(f"{error}; stop it first") from None
    except OSError as error:
        raise StorageError(f"cannot write to {path.parent}: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


def is_running(folder: Path) -> bool:
    """Whether some process holds the run's lock."""
    return is_held(folder / FILE)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock at `path`; what is no file is held by nobody.

    Nothing in its folder is written. For a holder on another machine a file is made in the folder above for a moment,
    which has the time of the file system.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _OPEN)
    except OSError as error:
        # A lock that may not even be looked at is not ours to take.
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        is_locked = _try_system_lock(descriptor, fcntl.LOCK_SH)  # Shared: of two that look none is in the other's way.
    finally:
        os.close(descriptor)
    return bool(is_locked) or read_holder(path).is_live(is_locked is not None)


def _try_system_lock(descriptor: int, operation: int) -> bool | None:
    """Whether another process has the system's lock on a file; None where its file system has no locks."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in _NO_LOCKS else True
    return False


def _open_file(path: Path) -> int:
    """A descriptor of the file of a lock, which is made where there is none; raises `OSError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _OPEN, 0o644)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, f"{path.name} is no regular file", str(path))
