"""The files of data sets on this machine: where they are looked for, and how they are checked."""

import os
from pathlib import Path

import platformdirs

from mnist_tui.datasets.published import FASHION_MNIST, MNIST, PUBLISHED
from mnist_tui.datasets.record import DataFile, DataSet, find_damage
from mnist_tui.errors import DataError, FileError
from mnist_tui.files import read_bytes

FIRST_LABELS = {
    FASHION_MNIST.name: bytes((9, 0, 0, 3, 0, 2, 7, 2, 5, 5)),
    MNIST.name: bytes((5, 0, 4, 1, 9, 2, 1, 3, 1, 4)),
}
"""The first labels of the training images, by which unpacked files without a published digest are recognised."""
_LABELS_HEADER = 8


def folders(data_dir: Path | None) -> list[Path]:
    """The folders searched for data sets: only the named one; else the user's cache folder and `./data`."""
    named = named_folder(data_dir)
    return [named] if named else [platformdirs.user_cache_path("mnist-tui") / "data", Path("data")]


def named_folder(data_dir: Path | None) -> Path | None:
    """The folder the user named: `data_dir`, else `MNIST_TUI_DATA_DIR`."""
    variable = os.environ.get("MNIST_TUI_DATA_DIR")
    return data_dir or (Path(variable) if variable else None)


def raw_folder(data: DataSet, folder: Path) -> Path | None:
    """The folder with all files of a data set: that of torchvision below `folder`, or `folder` itself."""
    for candidate in (folder / name for name in data.folders):
        if all((candidate / file.name).exists() for file in data.files):
            return candidate
    return None


def find(data: DataSet, data_dir: Path | None) -> Path | None:
    """The folder of the files that will be used, or None where the data set is not on this machine."""
    return next((raw for folder in folders(data_dir) if (raw := raw_folder(data, folder))), None)


def download_folder(data: DataSet, data_dir: Path | None) -> Path:
    """The folder that a data set is downloaded to."""
    return folders(data_dir)[0] / data.folders[0]


def read_file(data: DataSet, raw: Path, file: DataFile) -> bytes:
    """The content of one of the files in `raw`; raises `DataError` where it differs from the published file."""
    path = raw / file.name
    try:
        content = read_bytes(path, file.size)
    except FileError as error:
        raise DataError(f"{error}; delete it and {data.title} is fetched anew") from None
    if not (wrong := find_damage(content, file)):
        return content
    if other := _recognise(raw, content):
        advice = f"train with --dataset {other.name}, or move them" if other.name != data.name else "move them"
        raise DataError(f"{path}: {wrong}. These are the files of {other.title}, not of {data.title}: {advice}")
    raise DataError(f"{path}: {wrong}; delete it and {data.title} is fetched anew")


def _recognise(raw: Path, content: bytes) -> DataSet | None:
    """The data set that a file belongs to, by its digest, or by the labels beside it; None where it is unknown."""
    for other in PUBLISHED.values():
        if any(file.is_content(content) for file in other.files):
            return other
    try:
        labels = read_bytes(raw / "train-labels-idx1-ubyte", 100_000)[_LABELS_HEADER:]
    except FileError:
        return None
    return next((PUBLISHED[name] for name, first in FIRST_LABELS.items() if labels.startswith(first)), None)
