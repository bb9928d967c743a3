"""The test images of a run as pictures, read without torch: of the data set that it was tested on alone."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256 as new_digest
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.datasets import places
from mnist_tui.datasets.published import MNIST, PUBLISHED, SMALL_DIGITS
from mnist_tui.datasets.read import read_part
from mnist_tui.datasets.record import GREY_28, DataSet, OwnFolder
from mnist_tui.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Part = tuple[NDArray[np.uint8], NDArray[np.int64]]
    """Grey pixels (N, 28, 28), and labels (N,)."""

SHA256 = {
    MNIST.name: "1e35582d42a90940c55b956deb61875c020b567ed20e3c5b174f52bf7809ed9b",
    SMALL_DIGITS.name: "96d3bb0514e624432c3477ab1e31cc9e1ff935c01c52628222af8b82e1144774",
}
"""The digest that a run stores of a data set, of all its pixels and labels (`training.data.Dataset.sha256`).

Files are checked one by one, so that the test images can be read without the training images; of data sets that are not
named here only by that.
"""
SIDE = GREY_28[1]


def read_test_images(
    name: str, sha256: str, data_dir: Path | None, indices: Sequence[int], own: OwnFolder | None = None
) -> dict[int, bytes]:
    """784 grey values, row by row, of the test images at `indices`, by their index; an index beyond them is left out.

    Images of another size or with colours are made grey and scaled. `name` and `sha256` are those of a run's data set,
    `own` is its folder where it is one. Nothing is downloaded; raises `DataError` where that data set is not on this
    machine, or damaged.
    """
    pixels, _ = _test_part(name, sha256, data_dir, own)
    return {index: pixels[index].tobytes() for index in indices if 0 <= index < len(pixels)}


def class_mean(name: str, sha256: str, data_dir: Path | None, label: int, own: OwnFolder | None = None) -> bytes:
    """784 grey values, row by row: the mean of all test images of a class; as `read_test_images` for the rest."""
    import numpy as np

    pixels, labels = _test_part(name, sha256, data_dir, own)
    mean: bytes = pixels[labels == label].mean(axis=0).round().astype(np.uint8).tobytes()
    return mean


def _test_part(name: str, sha256: str, data_dir: Path | None, own: OwnFolder | None) -> "Part":
    """The test images of the data set of this name and digest."""
    if own is not None:
        return _read_own(own, sha256)
    dataset = PUBLISHED.get(name)
    raw = places.find(dataset, data_dir) if dataset else None
    if dataset is None or SHA256.get(name, sha256) != sha256 or (dataset.files and raw is None):
        raise DataError(f"the run's data set, {name}, is not on this machine; --data-dir names its folder")
    return _read(dataset, raw)


@lru_cache(maxsize=2)
def _read(dataset: DataSet, raw: Path | None) -> "Part":
    """The test images of a published data set; `raw` is the folder of its files."""
    pixels, labels = read_part(dataset, raw, "test")
    return _as_grey_28(pixels), labels


@lru_cache(maxsize=2)
def _read_own(own: OwnFolder, sha256: str) -> "Part":
    digest = new_digest()
    for part in ("train", "test"):
        pixels, labels = read_part(own.dataset, None, part, own.options)
        digest.update(pixels.tobytes())
        digest.update(labels.tobytes())
    if digest.hexdigest() != sha256:
        raise DataError(f"{own.options.path}: its images are not those that the run was tested on")
    return _as_grey_28(pixels), labels


def _as_grey_28(pixels: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """(N, C, H, W) as (N, 28, 28): the mean of the channels, at the nearest pixels."""
    import numpy as np

    grey = pixels[:, 0] if pixels.shape[1] == 1 else pixels.mean(axis=1).round().astype(np.uint8)
    rows, columns = (((np.arange(SIDE) + 0.5) * side / SIDE).astype(int) for side in grey.shape[1:])
    return grey if grey.shape[1:] == (SIDE, SIDE) else grey[:, rows][:, :, columns]
