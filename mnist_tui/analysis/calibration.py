"""Whether a network's probabilities can be believed, and how accurate it is where it is sure."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_tui.analysis.saved_predictions import SavedPredictions

BINS = 15
"""As in Guo et al. 2017."""
COVERAGES = (0.95, 0.90)
"""Shares of the images that are answered, the surest ones."""


@dataclass(frozen=True)
class Bin:
    """The images whose confidence lies in (low, high]."""

    low: float
    high: float
    count: int
    accuracy: float
    """The share that is right; 0 in an empty bin."""
    confidence: float
    """The mean probability of the predicted class; 0 in an empty bin."""


@dataclass(frozen=True)
class Selected:
    """The result when the network may leave the images unanswered that it is least sure of."""

    coverage: float
    """The share that is answered, 0 to 1."""
    count: int
    accuracy: float
    """Of the answered images."""
    threshold: float
    """The lowest confidence among them."""


def reliability_bins(predictions: SavedPredictions, bins: int = BINS) -> tuple[Bin, ...]:
    """The bars of a reliability diagram: bins of equal width over the confidences 0 to 1, empty ones included.

    Raises `RunError` where the file has no log-probabilities.
    """
    import numpy as np

    confidences = predictions.confidences.astype(np.float64)
    numbers = np.clip(np.ceil(confidences * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(numbers, minlength=bins)
    rights = np.bincount(numbers, weights=predictions.is_right, minlength=bins) / np.maximum(counts, 1)
    means = np.bincount(numbers, weights=confidences, minlength=bins) / np.maximum(counts, 1)
    columns = zip(counts.tolist(), rights.tolist(), means.tolist(), strict=True)
    return tuple(Bin(number / bins, (number + 1) / bins, *column) for number, column in enumerate(columns))


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """ECE = sum over the bins of n_b / n * |accuracy_b - confidence_b|, 0 (perfect) to 1.

    Guo, Pleiss, Sun, Weinberger 2017, "On Calibration of Modern Neural Networks" (arXiv:1706.04599), equation 3.
    """
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / total


def selective_accuracy(predictions: SavedPredictions, coverage: float) -> Selected:
    """The accuracy on the `coverage` * N images of the highest confidence, rounded, at least one; ties go by index.

    Selective classification as in Geifman, El-Yaniv 2017 (arXiv:1705.08500), with the softmax response as confidence.
    Raises `RunError` where the file has no log-probabilities.
    """
    import numpy as np

    confidences = predictions.confidences
    count = max(1, round(coverage * len(predictions)))
    surest = np.argsort(-confidences, kind="stable")[:count]
    accuracy = float(predictions.is_right[surest].mean())
    return Selected(count / len(predictions), count, accuracy, float(confidences[surest[-1]]))
