"""The trash of a runs directory: run folders that were deleted, until it is emptied. No torch.

Nothing is overwritten, and no link is followed, neither into the trash nor out of it.
"""

import itertools
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_tui.errors import StorageError
from mnist_tui.files import sync_folder
from mnist_tui.runs import lock
from mnist_tui.runs.reader import check_is_run

TRASH = ".trash"


def delete(folder: Path) -> Path:
    """Moves a run to the trash of its runs directory; returns its new path.

    Raises `StorageError` for a run that is being trained, for a link, for what is no run, and for what is in the
    trash already.
    """
    check_is_run(folder)
    if folder.parent.name == TRASH:
        raise StorageError(f"{folder}: is in the trash already")
    trash = folder.parent / TRASH
    with _as_storage_error(folder), lock.hold(folder):
        _make_folder(trash)
        target = next(path for path in _free_names(trash / folder.name) if not os.path.lexists(path))
        now = time.time_ns()
        os.utime(folder, ns=(now, now))  # The newest in the trash is the one that was deleted last.
        _move(folder, target)
    return target


def restore(folder: Path) -> Path:
    """Moves a run out of the trash; returns its new path.

    Raises `StorageError` where its name is taken, and for what is not in a trash.
    """
    check_is_run(folder)
    if folder.parent.name != TRASH or folder.parent.is_symlink():
        raise StorageError(f"{folder}: is in no trash")
    target = folder.parent.parent / folder.name
    if os.path.lexists(target):
        raise StorageError(f"{target}: is there already; rename one of the two first")
    with _as_storage_error(folder), lock.hold(folder):
        _move(folder, target)
    return target


def trashed(runs_dir: Path) -> list[Path]:
    """The folders in the trash, the newest deletion first."""
    trash = runs_dir / TRASH
    if trash.is_symlink() or not trash.is_dir():
        return []
    with _as_storage_error(trash), os.scandir(trash) as entries:
        folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        folders.sort(key=lambda entry: entry.stat(follow_symlinks=False).st_mtime_ns, reverse=True)
    return [trash / entry.name for entry in folders]


def empty_trash(runs_dir: Path) -> int:
    """Removes for good what is in the trash; returns how many runs that were. Links are not followed.

    Raises `StorageError` where one is being trained, or cannot be removed; those before it are gone.
    """
    folders = trashed(runs_dir)
    for folder in folders:
        with _as_storage_error(folder), lock.hold(folder):
            shutil.rmtree(folder)
    return len(folders)


def _make_folder(trash: Path) -> None:
    if trash.is_symlink():
        raise StorageError(f"{trash}: is a link, which is not followed; remove it")
    trash.mkdir(exist_ok=True)


def _free_names(path: Path) -> Iterator[Path]:
    yield path
    for count in itertools.count(2):
        yield path.with_name(f"{path.name}.{count}")


def _move(folder: Path, target: Path) -> None:
    folder.rename(target)
    sync_folder(target.parent)
    sync_folder(folder.parent)


@contextmanager
def _as_storage_error(path: Path) -> Iterator[None]:
    """Raises what the disk refuses as `StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{error.filename or path}: {error.strerror or error}") from None
