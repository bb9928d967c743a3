"""The reader of predictions.npz: what a run's best epoch says about every test image. numpy is loaded by reading."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_tui.datasets.published import MNIST
from mnist_tui.errors import FileError, RunError, StorageError
from mnist_tui.files import read_bytes
from mnist_tui.runs import reference
from mnist_tui.runs.history import read_history
from mnist_tui.runs.numbers import count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = "predictions.npz"
MAX_BYTES = 16 * 2**20
"""The largest file that is read; that of 10,000 images of 10 classes has 0.2 MB."""
MAX_UNPACKED = 4 * MAX_BYTES
MNIST_CLASSES = len(MNIST.classes)
MAX_IMAGES = 1_000_000


@dataclass(frozen=True, eq=False)
class SavedPredictions:
    """What a network says about N test images; the arrays are not to be changed."""

    folder: Path
    epoch: int
    """The epoch of the network, from 1."""
    labels: "NDArray[np.uint8]"
    """(N,): the true classes."""
    predictions: "NDArray[np.uint8]"
    """(N,): the class with the highest probability."""
    probabilities: "NDArray[np.float32]"
    """(N,): the probability of the true class."""
    all_log_probs: "NDArray[np.float16] | None"
    """(N, classes); None in files of version 0.1, which did not keep them."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """The number of classes; 10 in files of version 0.1, whose runs were all on digits."""
        return MNIST_CLASSES if self.all_log_probs is None else int(self.all_log_probs.shape[1])

    @property
    def has_log_probs(self) -> bool:
        """Whether confidence and the probabilities of other classes than the true one are known."""
        return self.all_log_probs is not None

    @property
    def log_probs(self) -> "NDArray[np.float32]":
        """(N, classes), with the precision of float16; raises `RunError` where the file has none."""
        import numpy as np

        if self.all_log_probs is None:
            raise RunError(
                f"{self.folder / FILE}: was written by version 0.1, which kept no log-probabilities; "
                "train the run again to see confidences"
            )
        return self.all_log_probs.astype(np.float32)

    @property
    def confidences(self) -> "NDArray[np.float32]":
        """(N,): the probability of the predicted class; raises `RunError` where the file has no log-probabilities."""
        import numpy as np

        confidences: NDArray[np.float32] = np.exp(self.log_probs[np.arange(len(self)), self.predictions])
        return confidences

    @property
    def is_right(self) -> "NDArray[np.bool_]":
        """(N,): whether the prediction is the label."""
        right: NDArray[np.bool_] = self.labels == self.predictions
        return right


def read_predictions(folder: Path) -> SavedPredictions:
    """The predictions of a run folder; raises `StorageError` where the file is missing, damaged or too large.

    Nothing is unpickled, and nothing is unpacked that says it is larger than `MAX_UNPACKED` bytes.
    """
    path = folder / FILE
    try:
        content = read_bytes(path, MAX_BYTES, follow=False)
    except FileError as error:
        reference.check_has_weights(folder)
        raise StorageError(f"{error}{_why_missing(folder) if error.is_missing else ''}") from None
    try:
        return _check(folder, _arrays(content))
    except (ValueError, TypeError, KeyError, OSError, EOFError, NotImplementedError, RuntimeError, MemoryError):
        # RuntimeError and NotImplementedError: an encrypted file, or a compression that zipfile does not know.
        raise StorageError(f"{path}: is damaged, or was not written by this program") from None


def _why_missing(folder: Path) -> str:
    """The end of the sentence that a run has no predictions."""
    epochs = len(read_history(folder))
    if not epochs:
        return "; it is written at the end of the first epoch"
    return f", though {epochs} epoch{'s are' if epochs > 1 else ' is'} done; train the run again"


def _arrays(content: bytes) -> dict[str, Any]:
    """The arrays of an npz file by name; raises `ValueError`, or what numpy and zipfile raise for damaged files."""
    import zlib

    import numpy as np

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > MAX_UNPACKED:
                raise ValueError("too large")
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(str(error)) from None


def _check(folder: Path, arrays: dict[str, Any]) -> SavedPredictions:
    """The arrays, when shapes, dtypes and ranges are right; raises `ValueError`."""
    import numpy as np

    epoch, labels, predictions = arrays["epoch"], arrays["labels"], arrays["predictions"]
    probabilities, log_probs = arrays["probabilities"], arrays.get("log_probs")
    images = len(labels)
    if not 0 < images <= MAX_IMAGES or epoch.shape or epoch.dtype.kind not in "iu" or count(int(epoch)) is None:
        raise ValueError("sizes")
    for array, dtype in ((labels, np.uint8), (predictions, np.uint8), (probabilities, np.float32)):
        if array.shape != (images,) or array.dtype != dtype:
            raise ValueError("shapes and dtypes")
    classes = MNIST_CLASSES if log_probs is None or log_probs.ndim != 2 else log_probs.shape[1]
    if max(labels.max(), predictions.max()) >= classes or not ((probabilities >= 0) & (probabilities <= 1.001)).all():
        raise ValueError("ranges")
    if log_probs is not None:
        if log_probs.shape != (images, classes) or log_probs.dtype != np.float16:
            raise ValueError("shapes and dtypes")
        if not (log_probs <= np.float16(0.001)).all():  # NaN is not.
            raise ValueError("ranges")
    return SavedPredictions(folder, int(epoch), labels, predictions, probabilities, log_probs)


def check_same_images(first: SavedPredictions, second: SavedPredictions) -> None:
    """Raises `RunError` where two runs were tested on images with other labels."""
    if first.labels.tobytes() != second.labels.tobytes():
        raise RunError(
            f"{first.folder.name} and {second.folder.name} were tested on different images; "
            "name two runs on the same data set"
        )
