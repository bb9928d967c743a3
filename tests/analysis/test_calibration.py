"""Reliability bins, the expected calibration error and accuracy at a coverage, by hand and by the formula."""

from pathlib import Path

import numpy as np
import pytest
from helpers.saved_runs import random_log_probs, write_log_probs, write_predictions

from mnist_tui.analysis.calibration import expected_calibration_error, reliability_bins, selective_accuracy
from mnist_tui.analysis.saved_predictions import SavedPredictions, read_predictions
from mnist_tui.errors import RunError


def with_confidences(folder: Path, answers: list[tuple[float, bool]]) -> SavedPredictions:
    """Answers of this confidence in class 3, each right or wrong."""
    labels = np.array([3 if is_right else 4 for _, is_right in answers], np.uint8)
    log_probs = np.array([[np.log((1 - p) / 9 + 1e-9)] * 10 for p, _ in answers], np.float32)
    log_probs[:, 3] = [np.log(p) for p, _ in answers]
    write_log_probs(folder, labels, log_probs)
    return read_predictions(folder)


def test_by_hand(tmp_path: Path) -> None:
    """Four answers at 0.9, three of them right, and one wrong at 0.5: 4/5 * 0.15 + 1/5 * 0.5 = 0.22."""
    saved = with_confidences(tmp_path, [(0.9, True)] * 3 + [(0.9, False), (0.5, False)])
    bins = reliability_bins(saved)
    filled = {number: one for number, one in enumerate(bins) if one.count}

    assert len(bins) == 15
    assert {number: one.count for number, one in filled.items()} == {7: 1, 13: 4}
    assert (filled[13].low, filled[13].high) == (13 / 15, 14 / 15)
    assert filled[13].accuracy == 0.75
    assert filled[13].confidence == pytest.approx(0.9, abs=1e-4)
    assert expected_calibration_error(bins) == pytest.approx(0.22, abs=1e-4)


def test_perfect_and_worst(tmp_path: Path) -> None:
    """Sure and right is 0, sure and wrong is 1."""
    assert expected_calibration_error(reliability_bins(with_confidences(tmp_path, [(1, True)] * 4))) == 0
    assert expected_calibration_error(reliability_bins(with_confidences(tmp_path, [(1, False)] * 4))) == 1


def test_by_the_formula(tmp_path: Path) -> None:
    """Bins that are closed above, as in the paper, over many answers."""
    write_log_probs(tmp_path, *random_log_probs(2000))
    saved = read_predictions(tmp_path)
    confidences, is_right = saved.confidences.astype(np.float64), saved.is_right
    error = 0.0
    for number in range(15):
        inside = (confidences > number / 15) & (confidences <= (number + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(is_right[inside].mean() - confidences[inside].mean())

    assert expected_calibration_error(reliability_bins(saved)) == pytest.approx(error)
    assert sum(one.count for one in reliability_bins(saved)) == 2000


def test_only_the_surest_are_answered(tmp_path: Path) -> None:
    """Twenty answers of which the two least sure are wrong."""
    saved = with_confidences(tmp_path, [(0.5, False), (0.6, False)] + [(0.7 + n / 100, True) for n in range(18)])
    at_95, at_90 = selective_accuracy(saved, 0.95), selective_accuracy(saved, 0.9)

    assert (at_95.count, at_95.accuracy, at_95.coverage) == (19, 18 / 19, 0.95)
    assert (at_90.count, at_90.accuracy) == (18, 1.0)
    assert at_95.threshold == pytest.approx(0.6, abs=1e-3)
    assert selective_accuracy(saved, 0.0).count == 1


def test_files_of_version_0_1(tmp_path: Path) -> None:
    """Without log-probabilities no confidence is known."""
    write_predictions(tmp_path, [1])
    saved = read_predictions(tmp_path)
    with pytest.raises(RunError, match="was written by version"):
        reliability_bins(saved)
    with pytest.raises(RunError, match="was written by version"):
        selective_accuracy(saved, 0.9)
