"""The test images of a run, read without torch: of MNIST's files or of the small digits, where they are the run's."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.errors import DataError
from mnist_tui.images import mnist_files
from mnist_tui.images.small_digits import TEST_DIGITS, read_digits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Part = tuple[NDArray[np.uint8], NDArray[np.uint8]]
    """Pixels (N, 28, 28), and labels (N,)."""

SHA256 = {
    "mnist": "1e35582d42a90940c55b956deb61875c020b567ed20e3c5b174f52bf7809ed9b",
    "digits": "96d3bb0514e624432c3477ab1e31cc9e1ff935c01c52628222af8b82e1144774",
}
"""The digest that a run stores of each data set, of all its pixels and labels (`training.data.Dataset.sha256`).

The files are checked one by one, so that the test images can be read without the training images.
"""


def read_test_images(name: str, sha256: str, data_dir: Path | None, indices: Sequence[int]) -> dict[int, bytes]:
    """784 grey values, row by row, of the test images at `indices`, by their index; an index beyond them is left out.

    `name` and `sha256` are those of a run's data set. Nothing is downloaded; raises `DataError` where that data set is
    not on this machine, or damaged.
    """
    pixels, _ = _test_part(name, sha256, data_dir)
    return {index: pixels[index].tobytes() for index in indices if 0 <= index < len(pixels)}


def class_mean(name: str, sha256: str, data_dir: Path | None, label: int) -> bytes:
    """784 grey values, row by row: the mean of all test images of a class; as `read_test_images` for the rest."""
    import numpy as np

    pixels, labels = _test_part(name, sha256, data_dir)
    mean: bytes = pixels[labels == label].mean(axis=0).round().astype(np.uint8).tobytes()
    return mean


def _test_part(name: str, sha256: str, data_dir: Path | None) -> "Part":
    """The test images of the data set of this name and digest."""
    raw = mnist_files.find(data_dir) if name == "mnist" else None
    if SHA256.get(name) != sha256 or (name == "mnist" and raw is None):
        raise DataError(f"the run's data set, {name}, is not on this machine; --data-dir names its folder")
    return _read(raw)


@lru_cache(maxsize=2)
def _read(raw: Path | None) -> "Part":
    """MNIST's test images in a folder; without one those of the small digits."""
    if raw is None:
        pixels, labels = read_digits()
        return pixels[:TEST_DIGITS], labels[:TEST_DIGITS]
    import numpy as np

    pixel_bytes, label_bytes = (mnist_files.read_raw(raw, file) for file in mnist_files.RAW_FILES[2:])
    pixels = np.frombuffer(pixel_bytes, np.uint8, offset=mnist_files.IMAGES_HEADER).reshape(-1, 28, 28)
    return pixels, np.frombuffer(label_bytes, np.uint8, offset=mnist_files.LABELS_HEADER)
