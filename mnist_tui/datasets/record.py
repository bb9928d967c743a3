"""The record of a data set: what its images are, its files with their digests, and where it is published."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5, sha256
from pathlib import Path
from typing import Literal

Format = Literal["idx", "qmnist", "emnist", "cifar", "digits", "folder"]
"""How the files hold images and labels; a reader for each is in `read.py`."""
Part = Literal["train", "test"]

FOLDER = "folder:"
"""What the name of a data set of one's own begins with; the path follows."""
MOST_CLASSES = 250
GREY_28 = (1, 28, 28)
"""The shape of MNIST's images, which what is drawn or photographed is prepared as."""


@dataclass(frozen=True)
class DataFile:
    """A published file: its name on this machine, its size and its digest."""

    name: str
    size: int
    """In bytes; where only an MD5 sum is published, the most that it may have."""
    sha256: str = ""
    """Of the unpacked file, whose source is NAME.gz."""
    md5: str = ""
    """Of the file as it is published, which is kept packed; used where no SHA-256 is known."""

    @property
    def is_kept_unpacked(self) -> bool:
        """Whether the file is unpacked when it is downloaded."""
        return bool(self.sha256)

    @property
    def source_name(self) -> str:
        """The name of the file where it is published."""
        return f"{self.name}.gz" if self.is_kept_unpacked else self.name

    def is_content(self, content: bytes) -> bool:
        """Whether `content` has the digest of this file."""
        if self.sha256:
            return len(content) == self.size and sha256(content).hexdigest() == self.sha256
        return len(content) <= self.size and md5(content, usedforsecurity=False).hexdigest() == self.md5


def find_damage(content: bytes, file: DataFile) -> str:
    """In what `content` differs from the published `file`, as a sentence; "" where it has its size and digest."""
    if file.sha256 and len(content) != file.size:
        return f"{file.name} has {len(content):,} bytes, not {file.size:,}"
    if not file.is_content(content):
        kind = "SHA-256" if file.sha256 else "MD5 sum"
        return f"{file.name} has the wrong {kind}: damaged, or another data set"
    return ""


@dataclass(frozen=True)
class DataSet:
    """A data set of labelled images."""

    name: str
    """As `--dataset` and `[data]` take it."""
    title: str
    classes: tuple[str, ...]
    """The names of the classes, in the order of their labels from 0."""
    train_images: int
    test_images: int
    mean: float
    """Of the pixels of the training images in 0..1, over all channels; the default of `normalize`."""
    std: float
    """The standard deviation of the same pixels."""
    shape: tuple[int, int, int] = GREY_28
    """Channels, height and width of an image."""
    format: Format = "idx"
    first_label: int = 0
    """The label of the first class in the files."""
    files: tuple[DataFile, ...] = ()
    folders: tuple[str, ...] = ()
    """Where the files are looked for below a data folder; a download goes to the first."""
    sources: tuple[str, ...] = ()
    """The https addresses of the folders that hold the files."""
    download_bytes: int = 0
    """Of all files as they are published."""
    licence: str = ""
    page: str = ""
    """Where it is described."""

    @property
    def is_grey_28(self) -> bool:
        """Whether its images have the shape of MNIST's."""
        return self.shape == GREY_28

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes where they say more than the numbers; else ()."""
        return () if all_digits(self.classes) else self.classes

    def class_name(self, label: int) -> str:
        """The name of a class; the number of one that the data set does not have."""
        return self.classes[label] if 0 <= label < len(self.classes) else str(label)

    def labelled(self, label: int) -> str:
        """A class in a sentence: its number, and its name where that is another: `9 (Ankle boot)`."""
        name = self.class_name(label)
        return name if name == str(label) else f"{label} ({name})"


def all_digits(classes: Sequence[str]) -> bool:
    """Whether the classes are called by their numbers."""
    return list(classes) == [str(label) for label in range(len(classes))]


# --- folder:PATH ---


@dataclass(frozen=True)
class FolderOptions:
    """How a folder of images becomes a data set."""

    path: Path
    size: int
    """Pixels of a side."""
    channels: int
    """1: grey, 3: red, green and blue."""
    test_share: float
    seed: int


def path_of(name: str) -> Path | None:
    """The folder of `folder:PATH`; None for the name of a published data set."""
    return Path(name.removeprefix(FOLDER)).expanduser() if name.startswith(FOLDER) else None


@dataclass(frozen=True)
class OwnFolder:
    """The data set of a run on `folder:PATH`, and how its images are read."""

    dataset: DataSet
    options: FolderOptions
