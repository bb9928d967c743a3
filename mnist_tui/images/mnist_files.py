"""The four files of MNIST: where they are looked for on this machine, and how they are checked."""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import platformdirs

from mnist_tui.errors import DataError, FileError
from mnist_tui.files import read_bytes


@dataclass(frozen=True)
class RawFile:
    """Name, size and digest of one of the four files, unpacked."""

    name: str
    bytes: int
    sha256: str


RAW_FILES = (
    RawFile("train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    RawFile("train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    RawFile("t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    RawFile("t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
)
"""SHA-256 of the files with torchvision's MD5 sums (`torchvision.datasets.MNIST.resources`)."""
IMAGES_HEADER, LABELS_HEADER = 16, 8
"""Bytes before the first pixel and the first label of an IDX file; each of them is one byte."""


def folders(data_dir: Path | None) -> list[Path]:
    """The folders searched for MNIST: only the named one; where none is named, the user's cache folder and `./data`."""
    named = named_folder(data_dir)
    return [named] if named else [platformdirs.user_cache_path("mnist-tui") / "data", Path("data")]


def named_folder(data_dir: Path | None) -> Path | None:
    """The folder the user named: `data_dir`, else `MNIST_TUI_DATA_DIR`."""
    variable = os.environ.get("MNIST_TUI_DATA_DIR")
    return data_dir or (Path(variable) if variable else None)


def raw_folder(folder: Path) -> Path | None:
    """The folder with all four raw files: torchvision's `MNIST/raw` below `folder`, or `folder` itself."""
    for candidate in (folder / "MNIST" / "raw", folder / "raw", folder):
        if all((candidate / file.name).exists() for file in RAW_FILES):
            return candidate
    return None


def find(data_dir: Path | None) -> Path | None:
    """The raw folder that will be used, or None where MNIST is not on this machine."""
    return next((raw for folder in folders(data_dir) if (raw := raw_folder(folder))), None)


def read_raw(raw: Path, file: RawFile) -> bytes:
    """The content of one of the files in `raw`; raises `DataError` where it differs from the published file."""
    path = raw / file.name
    try:
        content = read_bytes(path, file.bytes)
    except FileError as error:
        raise DataError(f"{error}; delete it and MNIST is fetched anew") from None
    if wrong := find_damage(content, file):
        raise DataError(f"{path}: {wrong}; delete it and MNIST is fetched anew")
    return content


def find_damage(content: bytes, file: RawFile) -> str:
    """In what `content` differs from the published `file`, as a sentence; "" where it has its size and SHA-256."""
    if len(content) != file.bytes:
        return f"{file.name} has {len(content):,} bytes, not {file.bytes:,}"
    if sha256(content).hexdigest() != file.sha256:
        return f"{file.name} has the wrong SHA-256: damaged, or another data set"
    return ""
