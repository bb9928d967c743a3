"""A run folder on two machines that share no disk: what changed in the one that is trained is written into the other.

The files of an epoch are sent when it ends, and written in the order in which the trainer writes them: checkpoint,
history, and the end last. So the copy is a valid run at every moment: under way while its lock is held, and
interrupted after its last whole epoch where its node or the process that writes it dies.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mnist_tui.errors import FileError, StorageError
from mnist_tui.files import read_bytes, sync_folder, write_atomically
from mnist_tui.runs import lock
from mnist_tui.runs.control import Requests
from mnist_tui.runs.storage import MAX_CHECKPOINT
from mnist_tui.text import clean_line

LAST = ("history.jsonl", "end.json")
"""Files that are written after all others, in this order."""
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")

Files = Mapping[str, bytes]
"""The content of files by their name; a run folder has no folders in it."""


@dataclass(frozen=True)
class Changes:
    """What changed in a run folder."""

    run: str
    """Name of the folder."""
    files: Files
    removed: tuple[str, ...] = ()


def read_files(folder: Path) -> dict[str, bytes]:
    """All files of a run folder but its lock, temporary ones and links; raises `StorageError`."""
    try:
        return {name: read_bytes(folder / name, MAX_CHECKPOINT, follow=False) for name in sorted(_stamps(folder))}
    except FileError as error:
        raise StorageError(str(error)) from None


class Original:
    """The run folder that is trained."""

    def __init__(self, folder: Path, renamed: tuple[Path, Path] | None = None) -> None:
        self._folder = folder
        self._renamed = renamed
        """The path of its parent, and by what it is replaced in messages in files."""
        self._sent: dict[str, object] = {}

    def write(self, files: Files) -> None:
        """Makes the folder with files that the copy has; raises `OSError`."""
        self._folder.mkdir(parents=True)
        for name, content in files.items():
            (self._folder / name).write_bytes(content)
        self._sent = _stamps(self._folder)

    def changes(self) -> Changes:
        """What changed since the last call; raises `StorageError`."""
        stamps = _stamps(self._folder)
        files: dict[str, bytes] = {}
        for name, stamp in stamps.items():
            if self._sent.get(name) != stamp:
                with suppress(FileError):  # Gone since, so it is in the next changes.
                    files[name] = self._read(name)
        removed = tuple(name for name in self._sent if name not in stamps)
        self._sent = stamps
        return Changes(self._folder.name, files, removed)

    def _read(self, name: str) -> bytes:
        content = read_bytes(self._folder / name, MAX_CHECKPOINT, follow=False)
        if self._renamed and name in ("end.json", "run.log"):
            old, new = (str(path).encode() for path in self._renamed)
            return content.replace(old, new)
        return content


class Mirror:
    """The copy of a run folder; this process holds its lock until it is closed."""

    def __init__(self, runs_dir: Path, run: str, is_new: bool) -> None:
        """Raises `StorageError`, also where a new run has the name of one that is there."""
        if not _FOLDER_NAME.fullmatch(run):
            raise StorageError(f"{clean_line(run, 60)!r} is no name of a run folder")
        self.folder = runs_dir / run
        self._lock = lock.Lock(self.folder / lock.FILE, self.folder)
        try:
            if is_new:
                self.folder.mkdir()
                sync_folder(runs_dir)
            self._lock.acquire()
        except FileExistsError:
            raise StorageError(f"{self.folder}: is there already; nothing is overwritten") from None
        except OSError as error:
            raise StorageError(f"cannot write to {self.folder}: {error.strerror}") from None
        self.requests = Requests(self.folder)
        """What other processes ask of the run through the copy."""

    def apply(self, changes: Changes) -> None:
        """Writes what changed; raises `StorageError`, before anything is written where a name is none of a run's."""
        for name in (*changes.files, *changes.removed):
            if not _FILE_NAME.fullmatch(name) or name == lock.FILE:
                raise StorageError(f"{clean_line(name, 60)!r} is no name of a file of a run")
        self._lock.check()
        try:
            for name in sorted(changes.files, key=_order):
                write_atomically(self.folder / name, changes.files[name])
            for name in changes.removed:
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot write to {self.folder}: {error.strerror}") from None

    def close(self) -> None:
        """Releases the lock."""
        self._lock.release()


def _order(name: str) -> tuple[int, str]:
    return (LAST.index(name) + 1 if name in LAST else 0), name


def _stamps(folder: Path) -> dict[str, object]:
    """By the name of every file what differs once it was written again."""
    stamps: dict[str, object] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if (
                    entry.is_file(follow_symlinks=False)
                    and _FILE_NAME.fullmatch(entry.name)
                    and entry.name != lock.FILE
                ):
                    status = entry.stat(follow_symlinks=False)
                    stamps[entry.name] = (status.st_ino, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}") from None
    return stamps
