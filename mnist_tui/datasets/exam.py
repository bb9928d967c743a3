"""The second exam: QMNIST's 50,000 test digits beside MNIST's own 10,000, with the writer of every digit.

Yadav, Bottou 2019, "Cold Case: The Lost MNIST Digits" (arXiv:1905.10498): the 60,000 test digits that MNIST was drawn
from, of which the first 10,000 are MNIST's. Column 0 of the labels is the class, column 2 the NIST writer.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.datasets.formats import read_idx, unpack
from mnist_tui.datasets.places import read_file
from mnist_tui.datasets.published import MNIST, PUBLISHED, QMNIST
from mnist_tui.datasets.record import DataSet
from mnist_tui.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TAKEN_ON = (MNIST.name, QMNIST.name)
"""The data sets whose networks can take the exam."""
WRITER = 2
"""The column of the labels that holds the writer."""


@dataclass(frozen=True, eq=False)
class ExamDigits:
    """N test digits, the first of them MNIST's own test images."""

    pixels: "NDArray[np.uint8]"
    """(N, 1, 28, 28), 0 to 255."""
    labels: "NDArray[np.int64]"
    """(N,), 0 to 9."""
    writers: "NDArray[np.int64]"
    """(N,): the number of the person who wrote the digit."""
    known: int = MNIST.test_images
    """How many of them are MNIST's test images."""


def exam_data() -> DataSet:
    """QMNIST's test files alone, which is all that the exam needs."""
    data = PUBLISHED[QMNIST.name]
    return replace(data, files=data.files[2:], download_bytes=data.download_bytes // 2)


def read_exam(raw: Path) -> ExamDigits:
    """The digits from the two files in `raw`; raises `DataError` where one is missing or damaged."""
    import numpy as np

    data = exam_data()
    pixels, rows = (read_idx(unpack(data, read_file(data, raw, file))) for file in data.files)
    known = PUBLISHED[MNIST.name].test_images
    is_whole = pixels.ndim == 3 and rows.ndim == 2 and rows.shape[1] > WRITER
    if not is_whole or len(pixels) != len(rows) or len(rows) <= known or pixels.shape[1:] != data.shape[1:]:
        raise DataError(f"{raw}: the test files of {data.title} do not hold labelled digits")
    numbers = rows.astype(np.int64)
    return ExamDigits(np.ascontiguousarray(pixels[:, None], np.uint8), numbers[:, 0], numbers[:, WRITER], known)
