"""Exports a run: first the checks that need no torch, then all files of a format, or none."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path

from mnist_tui.errors import MissingPackageError, RunError, StorageError
from mnist_tui.export.formats import Format
from mnist_tui.files import write_together
from mnist_tui.runs.reader import check_readable
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line


def export(run: Run, how: Format, path: Path | None = None, force: bool = False) -> tuple[Path, ...]:
    """Writes a run in a format, and returns the files; without a path they are named after the run.

    Raises `RunError` for a run with nothing to export and a path that is none for the format, `StorageError` where a
    file is there already, without `force`, or cannot be written, `CheckpointError` where the weights cannot be read,
    and `MissingPackageError`. Then no file is written or changed.
    """
    path = path or default_path(run, how)
    files = how.files(path)
    _check_packages(how)
    _check_run(run)
    try:
        _check_path(path, how)
        _check_files(files, force)
        contents = dict(zip(files, how.make(run, path), strict=True))
        with nullcontext() if how.suffix else _make_folder(path):
            write_together(contents)
    except OSError as error:
        raise StorageError(f"{clean_line(str(path), 200)}: {error.strerror}; name another place with -o") from None
    return files


def default_path(run: Run, how: Format) -> Path:
    """Where a run goes: in the current folder, named by what follows the time in the name of its folder."""
    name = re.sub(r"^\d{8}T\d{6}Z-", "", run.folder.name)
    if not how.suffix:
        return Path(how.name, name)
    return Path(f"{re.sub(r'[^0-9A-Za-z_]', '_', name) if how.suffix == '.py' else name}{how.suffix}")


def _check_packages(how: Format) -> None:
    missing = [name for name in how.needs if find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        names = ", ".join(missing)
        raise MissingPackageError(f"--to {how.name}: {names} {verb} not installed; pip install {' '.join(how.needs)}")


def _check_run(run: Run) -> None:
    check_readable(run)
    if not run.rows:
        raise RunError(f"{run.id}: {run.state}, and no epoch of it is finished: there is nothing to export")


def _check_path(path: Path, how: Format) -> None:
    path_text = clean_line(str(path), 200)
    if not how.suffix:
        if os.path.lexists(path) and not path.is_dir():
            raise RunError(f"{path_text}: is no folder; name one for {how.name}, such as {how.name}/run")
    elif path.is_dir():
        raise RunError(f"{path_text}: is a folder; name a file that ends in {how.suffix}")
    elif path.suffix.lower() != how.suffix:
        raise RunError(f"{path_text}: --to {how.name} writes a file that ends in {how.suffix}")
    elif not path.parent.is_dir():
        parent = clean_line(str(path.parent), 200)
        raise StorageError(f"{parent}: there is no such folder; make it first, or name another place")


def _check_files(files: Sequence[Path], force: bool) -> None:
    for file in files:
        file_text = clean_line(str(file), 200)
        if file.is_dir():
            raise RunError(f"{file_text}: is a folder, and a file of this name is to be written; name another place")
        if os.path.lexists(file) and not force:
            raise StorageError(f"{file_text}: is there already; --force overwrites it")


@contextmanager
def _make_folder(folder: Path) -> Iterator[None]:
    """Makes a folder with those above it; where what follows fails, the new ones are removed again."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
        raise
