"""The images of a data set as numpy arrays; nothing is downloaded."""

from functools import partial
from pathlib import Path

from mnist_tui.datasets.folder import read_folder
from mnist_tui.datasets.formats import LabelledImages, read_cifar, read_emnist, read_idx_files
from mnist_tui.datasets.places import read_file
from mnist_tui.datasets.record import DataSet, FolderOptions, Part
from mnist_tui.datasets.small_digits import TEST_DIGITS, read_digits
from mnist_tui.errors import DataError

_READERS = {"idx": read_idx_files, "qmnist": read_idx_files, "emnist": read_emnist, "cifar": read_cifar}


def read_part(data: DataSet, raw: Path | None, part: Part, folder: FolderOptions | None = None) -> LabelledImages:
    """The training or test images of a data set.

    `raw` is the folder of its files (`places.find`), `folder` says how those of `folder:PATH` become images. Raises
    `DataError` where a file is missing, damaged, or another data set's.
    """
    if data.format == "digits":
        return _small_digits(part)
    if data.format == "folder":
        assert folder is not None
        return read_folder(folder, part, data.classes)
    if raw is None:
        raise DataError(f"{data.title} is not on this machine; --data-dir names its folder")
    return _READERS[data.format](data, partial(_content, data, raw), part)


def _content(data: DataSet, raw: Path, index: int) -> bytes:
    return read_file(data, raw, data.files[index])


def _small_digits(part: Part) -> LabelledImages:
    import numpy as np

    pixels, labels = read_digits()
    chosen = slice(TEST_DIGITS) if part == "test" else slice(TEST_DIGITS, None)
    return LabelledImages(pixels[chosen, None], labels[chosen].astype(np.int64))
