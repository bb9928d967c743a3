"""The test images that a run has wrong, in the order in which a person wants to look at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mnist_tui.analysis.label_errors import LABEL_ERRORS
from mnist_tui.analysis.saved_predictions import SavedPredictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Order = Literal["loss", "confidence", "class"]
ORDERS: dict[Order, str] = {
    "loss": "highest loss first",
    "confidence": "surest first",
    "class": "by true class, then by prediction",
}
TOP = 3
"""Classes that are named for each image."""


@dataclass(frozen=True)
class ImagePrediction:
    """What a run says about one test image."""

    index: int
    """Its place in the test set, from 0."""
    label: int
    prediction: int
    loss: float
    """Cross-entropy: the negative natural logarithm of the true class's probability; inf where that is 0."""
    top: tuple[tuple[int, float], ...]
    """The `TOP` most probable classes with their probabilities; () where the file has no log-probabilities."""
    published_guess: int | None
    """The class that the study of label errors proposed, where it found the label wrong; None elsewhere."""

    @property
    def confidence(self) -> float | None:
        """The probability of the predicted class; None where it is not known."""
        return self.top[0][1] if self.top else None


def mistakes(
    predictions: SavedPredictions, order: Order = "loss", is_mnist: bool = False
) -> tuple[ImagePrediction, ...]:
    """Every mistake of a run; those of one rank come by index. Published label errors are marked where `is_mnist`.

    Raises `RunError` for the order "confidence" where the file has no log-probabilities.
    """
    import numpy as np

    wrong = (~predictions.is_right).nonzero()[0]
    match order:
        case "loss":
            rank = -losses(predictions)[wrong]
        case "confidence":
            rank = -predictions.confidences[wrong].astype(np.float64)
        case "class":
            rank = predictions.labels[wrong] * np.float64(predictions.classes) + predictions.predictions[wrong]
    return image_predictions(predictions, wrong[np.argsort(rank, kind="stable")].tolist(), is_mnist)


def image_predictions(
    predictions: SavedPredictions, indices: Sequence[int], is_mnist: bool = False
) -> tuple[ImagePrediction, ...]:
    """What a run says about the test images at `indices`, right or wrong, in their order."""
    loss, tops = losses(predictions), _tops(predictions, list(indices))
    return tuple(
        ImagePrediction(
            index=index,
            label=int(predictions.labels[index]),
            prediction=int(predictions.predictions[index]),
            loss=float(loss[index]),
            top=top,
            published_guess=LABEL_ERRORS[index].guess if is_mnist and index in LABEL_ERRORS else None,
        )
        for index, top in zip(indices, tops, strict=True)
    )


def losses(predictions: SavedPredictions) -> "NDArray[np.float64]":
    """(N,): the cross-entropy of each image.

    From the float32 probability of the true class; where that is 0, from the log-probability, which reaches further.
    """
    import numpy as np

    with np.errstate(divide="ignore"):
        loss: NDArray[np.float64] = -np.log(predictions.probabilities.astype(np.float64))
    if predictions.has_log_probs:
        of_truth = predictions.log_probs[np.arange(len(predictions)), predictions.labels]
        loss = np.where(predictions.probabilities > 0, loss, -of_truth)
    return np.maximum(loss, 0)  # A probability may be 1 + 1e-7.


def _tops(predictions: SavedPredictions, indices: list[int]) -> list[tuple[tuple[int, float], ...]]:
    """The most probable classes of each image, the predicted one first where float16 makes two equal."""
    import numpy as np

    if not predictions.has_log_probs:
        return [()] * len(indices)
    log_probs = predictions.log_probs[indices]
    is_predicted = np.arange(log_probs.shape[1]) == predictions.predictions[indices][:, None]
    order = np.lexsort((~is_predicted, -log_probs), axis=1)[:, :TOP]
    values = np.exp(np.take_along_axis(log_probs, order, axis=1))
    return [tuple(zip(*pair, strict=True)) for pair in zip(order.tolist(), values.tolist(), strict=True)]
