"""Copies of a run: a new folder, or an archive to send to somebody. No torch."""

import errno
import os
import re
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mnist_tui.errors import StorageError
from mnist_tui.files import sync_folder
from mnist_tui.runs import lock
from mnist_tui.runs.reader import check_is_run
from mnist_tui.temporary_files import remove_leftovers, temporary_path
from mnist_tui.text import clean_line

ARCHIVES = (".zip", ".tar.gz", ".tgz")
_ENDING = re.compile(r"\.([A-Za-z][A-Za-z0-9]{0,9}|7z)$")
"""Of a file's name; folders are called after versions and dates too: `iter5-0.2`."""


def export(folder: Path, destination: Path, checkpoints: bool = True) -> Path:
    """Copies a run to a new folder, or to an archive that ends in .zip or .tar.gz; returns its path.

    Links, locks and temporary files stay behind, and without `checkpoints` the weights. Raises `StorageError` for
    what is no run, and where the destination is there already, lies in the run, or cannot be written; and `ValueError`
    for `.`, `..` and the name of another kind of file.
    """
    check_is_run(folder)
    if wrong := wrong_destination(destination):
        raise ValueError(wrong)
    if os.path.lexists(destination):
        raise StorageError(f"{destination}: is there already; nothing is overwritten")
    if folder.resolve() in destination.resolve().parents:
        raise StorageError(f"{destination}: lies in the run itself; name another place")
    remove_leftovers(destination.parent)
    temporary = temporary_path(destination)
    try:
        _pack(folder, temporary, destination.name, _exportable(folder, checkpoints))
        temporary.rename(destination)
        sync_folder(destination.parent)
    except OSError as error:
        _remove(temporary)
        raise StorageError(_failure(error, temporary, destination)) from None
    except BaseException:
        _remove(temporary)
        raise
    return destination


def _failure(error: OSError, temporary: Path, destination: Path) -> str:
    """Why an export failed, and where: in the run, or at the destination, which has a temporary name until the end."""
    is_source = error.filename is not None and not str(error.filename).startswith(str(temporary))
    if error.errno == errno.ENOENT and not is_source:
        return f"{destination.parent}: there is no such folder; make it first, or name another place"
    return f"{error.filename if is_source else destination}: {error.strerror or error}"


def wrong_destination(destination: Path) -> str | None:
    """What is wrong with where an export is to go, in a sentence; None for an archive, or for the name of a folder."""
    if destination.name in ("", ".."):
        return f"{destination}: is there already; name a new folder, or a file that ends in {' or '.join(ARCHIVES[:2])}"
    if destination.name.lower().endswith(ARCHIVES) or not _ENDING.search(destination.name):
        return None
    ending = clean_line(destination.suffix, 20)
    return (
        f"{clean_line(str(destination), 200)}: a run is exported to a new folder, or to a file that ends in "
        f"{', '.join(ARCHIVES[:-1])} or {ARCHIVES[-1]}, not in {ending}"
    )


def _exportable(folder: Path, checkpoints: bool) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file()
        and not path.is_symlink()
        and path.name != lock.FILE
        and not path.name.startswith(".")
        and (checkpoints or not path.name.startswith("ckpt-"))
    ]


def _pack(folder: Path, temporary: Path, name: str, files: Sequence[Path]) -> None:
    if name.lower().endswith(".zip"):
        # A ZIP file knows no time before 1980.
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for path in files:
                archive.write(path, f"{folder.name}/{path.name}")
    elif name.lower().endswith(ARCHIVES):
        with tarfile.open(temporary, "x:gz") as archive:
            for path in files:
                archive.add(path, f"{folder.name}/{path.name}", recursive=False)
    else:
        temporary.mkdir()
        for path in files:
            shutil.copy2(path, temporary / path.name, follow_symlinks=False)


def _remove(temporary: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(temporary) if temporary.is_dir() else temporary.unlink()
