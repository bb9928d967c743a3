"""Confusion matrices, the scores of each class that follow from them, and the images that only one of two runs gets.

The definitions are scikit-learn's (`confusion_matrix`, `precision_recall_fscore_support` with `zero_division=0`).
"""

from dataclasses import dataclass

from mnist_tui.analysis.saved_predictions import SavedPredictions, check_same_images

Matrix = tuple[tuple[int, ...], ...]
"""A row and a column for each class: row i, column j: how many images of class i were predicted as class j."""


@dataclass(frozen=True)
class ClassScores:
    """How well one class is told from the others, by its counts of true positives TP, false ones FP, missed ones FN."""

    label: int
    precision: float
    """TP / (TP + FP): how many of the predictions of this class are right; 0 where it was never predicted."""
    recall: float
    """TP / (TP + FN): how many of its images were recognised; 0 where there are none."""
    f1: float
    """2 TP / (2 TP + FP + FN), the harmonic mean of both; 0 where the class neither occurs nor was predicted."""
    support: int
    """TP + FN: its images in the test set."""


@dataclass(frozen=True)
class ConfusedPair:
    """A cell of the matrix off its diagonal."""

    label: int
    prediction: int
    count: int


@dataclass(frozen=True)
class Discordant:
    """The images that McNemar's test counts, by their index in the test set."""

    only_first: tuple[int, ...]
    """Those that only the first run has right."""
    only_second: tuple[int, ...]


def confusion_matrix(predictions: SavedPredictions) -> Matrix:
    """The counts of a run."""
    import numpy as np

    classes = predictions.classes
    cells = predictions.labels.astype(np.int64) * classes + predictions.predictions
    counts = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
    return tuple(tuple(row) for row in counts.tolist())


def matrix_difference(first: Matrix, second: Matrix) -> Matrix:
    """Counts of the second run less those of the first: above 0 off the diagonal is worse, on the diagonal better."""
    return tuple(tuple(new - old for old, new in zip(*rows, strict=True)) for rows in zip(first, second, strict=True))


def class_scores(matrix: Matrix) -> tuple[ClassScores, ...]:
    """The scores of every class."""
    columns = [sum(column) for column in zip(*matrix, strict=True)]
    return tuple(
        ClassScores(
            label=label,
            precision=_ratio(row[label], columns[label]),
            recall=_ratio(row[label], sum(row)),
            f1=_ratio(2 * row[label], columns[label] + sum(row)),
            support=sum(row),
        )
        for label, row in enumerate(matrix)
    )


def _ratio(part: int, whole: int) -> float:
    """0 for 0/0, as scikit-learn counts it."""
    return part / whole if whole else 0.0


def most_confused(matrix: Matrix, limit: int = 10) -> list[ConfusedPair]:
    """The pairs of true and predicted class that occur, the most frequent first, then by class; at most `limit`."""
    pairs = [
        ConfusedPair(label, prediction, count)
        for label, row in enumerate(matrix)
        for prediction, count in enumerate(row)
        if label != prediction and count
    ]
    return sorted(pairs, key=lambda pair: -pair.count)[:limit]


def cell_images(predictions: SavedPredictions, label: int, prediction: int) -> tuple[int, ...]:
    """The indices of the images of one cell of the matrix."""
    is_in_cell = (predictions.labels == label) & (predictions.predictions == prediction)
    return tuple(is_in_cell.nonzero()[0].tolist())


def discordant(first: SavedPredictions, second: SavedPredictions) -> Discordant:
    """The images that one of two runs has right and the other does not; raises `RunError` for different images."""
    check_same_images(first, second)
    one, two = first.is_right, second.is_right
    only_first, only_second = (one & ~two).nonzero()[0].tolist(), (two & ~one).nonzero()[0].tolist()
    return Discordant(tuple(only_first), tuple(only_second))
