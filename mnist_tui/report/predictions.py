"""The confusion matrix and the worst mistakes of a run, with their pictures where its data set is on this machine."""

from pathlib import Path

from mnist_tui.analysis.confusion import confusion_matrix, most_confused
from mnist_tui.analysis.label_errors import is_mnist_test_set
from mnist_tui.analysis.mistakes import ImagePrediction, mistakes
from mnist_tui.analysis.saved_predictions import read_predictions
from mnist_tui.errors import DataError, StorageError
from mnist_tui.report.model import Predictions
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line

SHOWN = 16
"""Mistakes with a picture."""
PAIRS = 5
"""Confused pairs of classes that are named."""

Picture = tuple[bytes, str]
"""784 grey values and a caption."""


def predictions_of(run: Run, data_dir: Path | None) -> tuple[Predictions | None, tuple[Picture, ...], tuple[str, ...]]:
    """What a run's best epoch predicts, the pictures of its worst mistakes, and why any of that is missing."""
    if run.is_imported:
        return None, (), ("the log of another program holds no predictions",)
    try:
        saved = read_predictions(run.folder)
    except StorageError as error:
        return None, (), (clean_line(str(error), 300),)
    matrix = confusion_matrix(saved)
    wrong = mistakes(saved, "loss", is_mnist_test_set(run.dataset, saved))
    classes = tuple(map(run.dataset_record.class_name, range(saved.classes)))
    pairs = tuple(most_confused(matrix, PAIRS))
    predictions = Predictions(saved.epoch, len(saved), len(wrong), classes, matrix, pairs, wrong[:SHOWN])
    try:
        return predictions, _pictures(run, predictions.mistakes, data_dir), ()
    except DataError as error:
        return predictions, (), (f"no pictures of mistakes: {clean_line(str(error), 300)}",)


def _pictures(run: Run, shown: tuple[ImagePrediction, ...], data_dir: Path | None) -> tuple[Picture, ...]:
    if not shown:
        return ()
    from mnist_tui.datasets.test_images import read_test_images

    name, sha256, _ = run.data
    images = read_test_images(name or "", sha256 or "", data_dir, [one.index for one in shown], run.own_folder)
    return tuple(
        (images[one.index], f"#{one.index} {one.label}→{one.prediction}") for one in shown if one.index in images
    )
