"""The trash of a runs directory: run folders that were deleted, until it is emptied. No torch.

Nothing is overwritten, and no link is followed, neither into the trash nor out of it. A run that is removed for good is
renamed to `.removing.NAME` first: whatever kills the removal, a run in the trash is whole, or its name says that it may
not be.
"""

import itertools
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_tui.errors import RunError, StorageError
from mnist_tui.files import sync_folder
from mnist_tui.runs import lock, reference
from mnist_tui.runs.reader import check_is_run

TRASH = ".trash"
REMOVING = ".removing."
"""How the names begin of runs of which a part may be gone already."""
HALF_REMOVED = "was being removed for good, and parts of it may be gone; mnist-tui delete --empty-trash finishes that"


def delete(folder: Path) -> Path:
    """Moves a run to the trash of its runs directory; returns its new path.

    Raises `StorageError` for a run that is being trained, for a link, for what is no run, for what is in the trash
    already, and for a reference run.
    """
    check_is_run(folder)
    reference.check_changeable(folder)
    if folder.parent.name == TRASH:
        raise StorageError(f"{folder}: is in the trash already")
    trash = folder.parent / TRASH
    with _as_storage_error(folder), lock.hold_run(folder):
        check_is_run(folder)  # Once more: it may have been deleted since.
        _make_folder(trash)
        target = _free_name(trash / folder.name)
        now = time.time_ns()
        os.utime(folder, ns=(now, now))  # The newest in the trash is the one that was deleted last.
        _move(folder, target)
    return target


def restore(folder: Path) -> Path:
    """Moves a run out of the trash; returns its new path.

    Raises `StorageError` where its name is taken, and for what is not in a trash, or not whole.
    """
    if folder in half_removed(folder.parent.parent):
        raise RunError(f"{folder.name.removeprefix(REMOVING)}: {HALF_REMOVED}")
    check_is_run(folder)
    if folder.parent.name != TRASH or folder.parent.is_symlink():
        raise StorageError(f"{folder}: is in no trash")
    target = folder.parent.parent / folder.name
    if os.path.lexists(target):
        raise StorageError(f"{target}: is there already; rename one of the two first")
    with _as_storage_error(folder), lock.hold_run(folder):
        check_is_run(folder)
        _move(folder, target)
    return target


def trashed(runs_dir: Path) -> list[Path]:
    """The folders in the trash, the newest deletion first; not those of `half_removed`."""
    return [folder for folder in _folders(runs_dir) if not _is_half_removed(folder)]


def half_removed(runs_dir: Path) -> list[Path]:
    """The folders in the trash whose removal did not come to its end; `empty_trash` finishes it."""
    return [folder for folder in _folders(runs_dir) if _is_half_removed(folder)]


def _folders(runs_dir: Path) -> list[Path]:
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
    whole, begun = trashed(runs_dir), half_removed(runs_dir)
    for folder in begun:
        with _as_storage_error(folder):
            shutil.rmtree(folder)
    for folder in whole:
        with _as_storage_error(folder), lock.hold_run(folder):
            removed = _free_name(folder.with_name(f"{REMOVING}{folder.name}"))
            _move(folder, removed)
            shutil.rmtree(removed)
    return len(whole) + len(begun)


def _is_half_removed(folder: Path) -> bool:
    """Whether its removal was begun; older versions removed runs under their own names, often run.json early."""
    return folder.name.startswith(REMOVING) or not os.path.lexists(folder / "run.json")


def _make_folder(trash: Path) -> None:
    if trash.is_symlink():
        raise StorageError(f"{trash}: is a link, which is not followed; remove it")
    trash.mkdir(exist_ok=True)


def _free_name(path: Path) -> Path:
    names = itertools.chain([path], (path.with_name(f"{path.name}.{count}") for count in itertools.count(2)))
    return next(each for each in names if not os.path.lexists(each))


def _move(folder: Path, target: Path) -> None:
    folder.rename(target)
    for parent in {target.parent, folder.parent}:
        sync_folder(parent)


@contextmanager
def _as_storage_error(path: Path) -> Iterator[None]:
    """Raises what the disk refuses as `StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{error.filename or path}: {error.strerror or error}") from None
