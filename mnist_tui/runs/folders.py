"""The folders of a runs directory: one scan for all who look for runs. No file in them is read.

A link and a folder that holds no run are listed too. Nothing is followed out of the directory.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from mnist_tui.errors import StorageError
from mnist_tui.runs import reference


def scan(runs_dir: Path) -> list[os.DirEntry[str]]:
    """The folders and links in a runs directory, without hidden ones and that of reference runs; [] without one.

    An installed program has reference runs of its own, and leaves out those of a checkout in which it is used, too.
    Raises `StorageError` where the directory cannot be read.
    """
    try:
        with os.scandir(runs_dir) as entries:
            return [entry for entry in entries if not entry.name.startswith(".") and _is_folder_or_link(entry)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"{runs_dir}: {error.strerror}; name another folder with --runs-dir") from None


def _is_folder_or_link(entry: os.DirEntry[str]) -> bool:
    try:
        if entry.is_symlink():
            return True
        is_run = entry.name != reference.NAME or os.path.lexists(f"{entry.path}/run.json")
        return is_run and entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def newest_first(runs_dir: Path) -> Iterator[Path]:
    """The folders that hold a run.json, by their names, which begin with the time; raises `StorageError` as `scan`."""
    folders = sorted((entry.path for entry in scan(runs_dir) if not entry.is_symlink()), reverse=True)
    return (Path(folder) for folder in folders if os.path.lexists(f"{folder}/run.json"))


def reference_names(preset: str | None = None) -> list[str]:
    """The names of the reference runs, sorted; of `preset` those of its seeds."""
    names = sorted(entry.name for entry in scan(reference.runs_dir()))
    return names if preset is None else [name for name in names if name.startswith(f"{preset}-s")]
