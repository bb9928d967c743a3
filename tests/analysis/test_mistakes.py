"""The mistakes of a run and the published label errors of MNIST."""

import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from helpers.saved_runs import random_log_probs, write_log_probs, write_predictions

from mnist_tui.analysis import label_errors
from mnist_tui.analysis.label_errors import LABEL_ERRORS, is_mnist_test_set
from mnist_tui.analysis.mistakes import TOP, Order, image_predictions, losses, mistakes
from mnist_tui.analysis.saved_predictions import SavedPredictions, read_predictions
from mnist_tui.errors import RunError


@pytest.fixture
def saved(tmp_path: Path) -> SavedPredictions:
    """200 answers, most of them right."""
    write_log_probs(tmp_path, *random_log_probs())
    return read_predictions(tmp_path)


def test_by_loss(saved: SavedPredictions) -> None:
    """All mistakes and nothing else, the highest loss first, with the three most probable classes."""
    images = mistakes(saved)
    labels, log_probs = random_log_probs()

    assert sorted(one.index for one in images) == np.flatnonzero(log_probs.argmax(1) != labels).tolist()
    assert [one.loss for one in images] == sorted((one.loss for one in images), reverse=True)
    for one in images:
        best = np.argsort(-log_probs[one.index])[:TOP]
        assert [label for label, _ in one.top] == best.tolist()
        assert [p for _, p in one.top] == pytest.approx(np.exp(log_probs[one.index][best]), rel=6e-3)
        assert one.loss == pytest.approx(-log_probs[one.index][labels[one.index]], rel=1e-5)
        assert (one.label, one.prediction) == (labels[one.index], best[0])


@pytest.mark.parametrize("order", ["confidence", "class"])
def test_other_orders(order: Order, saved: SavedPredictions) -> None:
    """The surest first; or by true class, then by prediction."""
    images = mistakes(saved, order)
    if order == "class":
        ranks = [(one.label, one.prediction, one.index) for one in images]
        assert ranks == sorted(ranks)
    else:
        confidences = [one.confidence for one in images if one.confidence is not None]
        assert len(confidences) == len(images) > 1
        assert confidences == sorted(confidences, reverse=True)
    assert len(images) == len(mistakes(saved))


def test_equal_in_float16(tmp_path: Path) -> None:
    """The predicted class comes first, even where float16 has the same number for another."""
    log_probs = np.full((1, 10), -20, np.float32)
    log_probs[0, 2], log_probs[0, 7] = -0.69315, -0.69314
    write_log_probs(tmp_path, np.array([2], np.uint8), log_probs)
    saved = read_predictions(tmp_path)
    assert saved.log_probs[0, 2] == saved.log_probs[0, 7]

    assert [label for label, _ in mistakes(saved)[0].top[:2]] == [7, 2]


def test_a_loss_beyond_float32(tmp_path: Path) -> None:
    """Where the probability is 0 in float32, the log-probability still tells; in old files the loss is infinite."""
    log_probs = np.full((2, 10), -200, np.float32)
    log_probs[:, 1] = 0
    write_log_probs(tmp_path, np.array([0, 1], np.uint8), log_probs)
    saved = read_predictions(tmp_path)
    old = SavedPredictions(tmp_path, 1, saved.labels, saved.predictions, saved.probabilities, None)

    assert losses(saved).tolist() == [200, 0]
    assert losses(old).tolist() == [math.inf, 0]


def test_files_of_version_0_1(tmp_path: Path) -> None:
    """Losses are known, confidences are not."""
    write_predictions(tmp_path, [3, 5])
    saved = read_predictions(tmp_path)

    assert [(one.index, one.top, one.confidence) for one in mistakes(saved)] == [(3, (), None), (5, (), None)]
    with pytest.raises(RunError, match="was written by version"):
        mistakes(saved, "confidence")


# --- wrong labels ---


@pytest.fixture(scope="module")
def labels() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The labels of MNIST's test set, from its file."""
    folder = os.environ.get("MNIST_TUI_DATA_DIR")
    path = Path(folder or "data") / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    if not path.exists():
        pytest.skip("MNIST is not on this machine")
    content = path.read_bytes()
    assert struct.unpack(">2I", content[:8]) == (2049, 10_000)
    return np.frombuffer(content[8:], np.uint8)


def with_answers(labels: np.ndarray[tuple[int], np.dtype[np.uint8]], changes: dict[int, int]) -> SavedPredictions:
    """The right answers, but for these."""
    predictions = labels.copy()
    for index, prediction in changes.items():
        predictions[index] = prediction
    return SavedPredictions(Path("run"), 1, labels, predictions, np.ones(len(labels), np.float32), None)


def test_the_published_label_errors(labels: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
    """The labels that the study calls wrong are the labels that MNIST has at these places."""
    assert len(LABEL_ERRORS) == 15
    assert all(labels[error.index] == error.label != error.guess for error in LABEL_ERRORS.values())
    assert label_errors.CEILING == 0.9985


def test_the_ceiling(labels: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
    """Two images predicted as the study proposed, one otherwise, and ten real mistakes."""
    changes = {947: 9, 1621: 6, 1901: 7} | {index: (int(labels[index]) + 1) % 10 for index in range(10)}
    saved = with_answers(labels, changes)
    ceiling = label_errors.ceiling(saved)

    assert is_mnist_test_set("mnist", saved)
    assert (ceiling.counted_wrong, ceiling.read_as_guessed) == (3, 2)
    assert ceiling.accuracy_on_others == 1 - 10 / 9985
    marked = {one.index: one.published_guess for one in mistakes(saved, is_mnist=True)}
    assert {index: guess for index, guess in marked.items() if guess is not None} == {947: 9, 1621: 6, 1901: 4}
    assert all(one.published_guess is None for one in mistakes(saved))


def test_other_images_have_no_published_label_errors(labels: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
    """Another data set, fewer images, or another order."""
    assert not is_mnist_test_set("digits", with_answers(labels, {}))
    assert not is_mnist_test_set("mnist", with_answers(labels[:5000], {}))
    assert not is_mnist_test_set("mnist", with_answers(labels[::-1], {}))


def test_answers_in_a_given_order(saved: SavedPredictions) -> None:
    """Images come in the order asked for, right predictions too."""
    assert [one.index for one in image_predictions(saved, (7, 0, 7))] == [7, 0, 7]
