"""Confusion matrices and class scores, against scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.saved_runs import random_log_probs, write_log_probs, write_predictions
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.analysis import confusion
from mnist_tui.analysis.confusion import ConfusedPair
from mnist_tui.analysis.saved_predictions import SavedPredictions, read_predictions
from mnist_tui.errors import RunError

Pairs = list[tuple[int, int]]


def predictions_of(pairs: Pairs) -> SavedPredictions:
    """Predictions of a run with these labels and answers, without log-probabilities."""
    labels, answers = (np.array(side, np.uint8) for side in zip(*pairs, strict=True))
    return SavedPredictions(Path("run"), 1, labels, answers, np.ones(len(pairs), np.float32), None)


@pytest.fixture(scope="module")
def metrics() -> Any:
    """scikit-learn's; it takes 1.5 s to load, which only the process that runs these tests shall wait for."""
    from sklearn import metrics

    return metrics


@given(pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60))
def test_as_scikit_learn(metrics: Any, pairs: Pairs) -> None:
    """Counts, precision, recall, F1 and support, classes that never occur included."""
    saved = predictions_of(pairs)
    matrix = confusion.confusion_matrix(saved)
    classes = list(range(10))
    scores = confusion.class_scores(matrix)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        saved.labels, saved.predictions, labels=classes, zero_division=0
    )

    assert matrix == tuple(map(tuple, metrics.confusion_matrix(saved.labels, saved.predictions, labels=classes)))
    assert [one.precision for one in scores] == pytest.approx(precision)
    assert [one.recall for one in scores] == pytest.approx(recall)
    assert [one.f1 for one in scores] == pytest.approx(f1)
    assert [one.support for one in scores] == list(support)


def test_most_confused() -> None:
    """The most frequent pair first; right answers are no pair."""
    matrix = confusion.confusion_matrix(predictions_of([(4, 9)] * 3 + [(7, 2)] + [(1, 1)] * 9 + [(3, 5)]))

    assert confusion.most_confused(matrix, 2) == [ConfusedPair(4, 9, 3), ConfusedPair(3, 5, 1)]


def test_the_images_of_a_cell() -> None:
    """By their place in the test set."""
    saved = predictions_of([(4, 9), (4, 4), (9, 4), (4, 9)])

    assert confusion.cell_images(saved, 4, 9) == (0, 3)


def test_two_runs(tmp_path: Path) -> None:
    """The difference of their counts, and the images that only one of them has right."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, wrong in zip(folders, ([1, 2, 3], [3, 11]), strict=True):
        folder.mkdir()
        write_predictions(folder, wrong)
    first, second = map(read_predictions, folders)
    difference = confusion.matrix_difference(*map(confusion.confusion_matrix, (first, second)))

    assert confusion.discordant(first, second).only_first == (11,)
    assert confusion.discordant(first, second).only_second == (1, 2)
    assert (difference[2][2], difference[2][3], difference[1][1], difference[1][2]) == (1, -1, 0, 0)
    assert all(sum(row) == 0 for row in difference)

    write_log_probs(folders[1], *random_log_probs(100))
    with pytest.raises(RunError, match="different images"):
        confusion.discordant(first, read_predictions(folders[1]))
