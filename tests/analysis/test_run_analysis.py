"""The analysis of a run, and of one against another, as text and as JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.saved_runs import make_run, random_log_probs, write_log_probs, write_predictions

from mnist_tui.analysis.analysis_report import as_json, report_lines
from mnist_tui.analysis.label_errors import LABEL_ERRORS
from mnist_tui.analysis.run_analysis import RunAnalysis, analyse, compare_with
from mnist_tui.errors import RunError, StorageError
from mnist_tui.runs.reader import read_run
from mnist_tui.spec import presets


def analysed(runs_dir: Path, seed: int = 0, answers_seed: int = 0, **record: Any) -> RunAnalysis:
    """A run of iter5 with 200 answers to the same images."""
    folder = make_run(runs_dir, presets.load("iter5"), seed, 0.99, seed, **record)
    labels, log_probs = random_log_probs()
    if answers_seed:
        log_probs = np.roll(log_probs, answers_seed, axis=1).astype(np.float32)
    write_log_probs(folder, labels, log_probs)
    return analyse(read_run(folder))


@pytest.fixture
def analysis(tmp_path: Path) -> RunAnalysis:
    """A run with 200 answers."""
    return analysed(tmp_path)


def test_json(analysis: RunAnalysis) -> None:
    """The keys that are promised, and numbers that agree with one another."""
    document = json.loads(json.dumps(as_json(analysis), allow_nan=False))
    confusion = document["confusion"]

    assert len(confusion) == 10
    assert all(len(row) == 10 for row in confusion)
    assert sum(map(sum, confusion)) == document["images"] == 200
    assert sum(confusion[label][label] for label in range(10)) / 200 == pytest.approx(document["accuracy"])
    assert [one["class"] for one in document["per_class"]] == list(range(10))
    assert set(document["per_class"][0]) == {"class", "name", "precision", "recall", "f1", "support"}
    assert [one["support"] for one in document["per_class"]] == [sum(row) for row in confusion]
    assert 0 < document["ece"] < 1
    assert sum(one["count"] for one in document["reliability"]) == 200
    assert [one["count"] for one in document["selective"]] == [190, 180]
    assert len(document["mistakes"]) == 200 - round(200 * document["accuracy"])
    assert document["mistakes"][0]["top"][0]["class"] == document["mistakes"][0]["prediction"]
    assert {advice["rule"] for advice in document["coach"]} >= {"heavy-layer", "bias-before-batch-norm"}
    assert (document["label_errors"], document["confidence_missing"]) == (None, None)
    assert "against" not in document


def test_text(analysis: RunAnalysis) -> None:
    """Everything in the order numbers, mistakes, confidence, coach; pictures where there are images."""
    lines = report_lines(analysis)
    text = "\n".join(lines)
    worst = analysis.mistakes[0]
    headings = ["true \\ predicted", "class  precision", "most confused", "mistakes, highest", "expected cal", "coach"]
    places = [text.index(heading) for heading in headings]

    assert places == sorted(places)
    assert f"{analysis.accuracy:.2%} on 200 test images, {len(analysis.mistakes)} mistakes" in lines[0]
    assert f"#{worst.index:<5} {worst.label} → {worst.prediction}  loss" in text
    assert "  bias-before-batch-norm: 24 of 18,422 parameters learn nothing" in text
    assert "study" not in text
    assert len(report_lines(analysis, pictures={worst.index: bytes(784)})) == len(lines) + 1 + 16


def test_text_in_ascii(analysis: RunAnalysis) -> None:
    """No other sign, pictures and comparison included."""
    picture = {analysis.mistakes[0].index: bytes(range(256)) * 3 + bytes(16)}
    lines = report_lines(analysis, compare_with(analysis, analysis), picture, ascii_only=True)

    assert "\n".join(lines).isascii()


def test_settings_as_the_command_line_takes_them(tmp_path: Path) -> None:
    """Quoted for the shell, so that a line can be copied."""
    spec = presets.load("iter5").with_settings({"target.epochs": "30", "target.test_accuracy": "0.999"})
    folder = make_run(tmp_path, spec, epochs=20)
    write_predictions(folder, [1])
    text = "\n".join(report_lines(analyse(read_run(folder))))

    assert "Train 30 epochs. --set epochs=30" in text


def test_against(tmp_path: Path) -> None:
    """What the run has right and the other does not, and how probable so uneven a split is by chance."""
    one, other = analysed(tmp_path), analysed(tmp_path, seed=1, answers_seed=1)
    versus = compare_with(one, other)
    document = as_json(one, versus)["against"]
    text = "\n".join(report_lines(one, versus))

    right, others = one.predictions.is_right, other.predictions.is_right
    assert document["only_this"] == np.flatnonzero(right & ~others).tolist()
    assert document["only_other"] == np.flatnonzero(others & ~right).tolist()
    assert document["p"] < 1e-6
    assert document["difference"][0][0] == one.matrix[0][0] - other.matrix[0][0]
    assert f"against {other.run.id}" in text
    assert f"right in this run alone: {len(document['only_this'])} images: #" in text


def test_files_of_version_0_1(tmp_path: Path) -> None:
    """Everything but confidence is there, and a sentence says why it is not."""
    folder = make_run(tmp_path, presets.load("iter5"))
    write_predictions(folder, [4, 7])
    analysis = analyse(read_run(folder))
    document = as_json(analysis)

    assert document["accuracy"] == 0.98
    assert (document["ece"], document["reliability"], document["selective"]) == (None, None, None)
    assert "train the run again" in document["confidence_missing"]
    assert document["mistakes"][0]["confidence"] is None
    assert any(line.startswith("confidence: ") and "version 0.1" in line for line in report_lines(analysis))


def test_a_loss_that_is_infinite(tmp_path: Path) -> None:
    """JSON cannot say it: null."""
    folder = make_run(tmp_path, presets.load("iter5"))
    log_probs = np.full((1, 10), -np.inf, np.float32)
    log_probs[0, 3] = 0
    write_log_probs(folder, np.zeros(1, np.uint8), log_probs)

    assert json.dumps(as_json(analyse(read_run(folder)))["mistakes"][0]["loss"], allow_nan=False) == "null"


def test_what_cannot_be_analysed(tmp_path: Path) -> None:
    """No run, predictions that are gone, no epoch yet, and other test images."""
    with pytest.raises(RunError, match="no run"):
        analyse(read_run(tmp_path))
    folder = make_run(tmp_path, presets.load("iter5"))
    with pytest.raises(StorageError, match=r"predictions\.npz: .*, though 20 epochs are done; train the run again$"):
        analyse(read_run(folder))
    (folder / "history.jsonl").unlink()
    with pytest.raises(StorageError, match=r"predictions\.npz: .*; it is written at the end of the first epoch$"):
        analyse(read_run(folder))

    one = analysed(tmp_path)
    other = analysed(tmp_path, seed=1, dataset={"name": "digits", "sha256": "1" * 64, "test_images": 200})
    with pytest.raises(RunError, match="tested on different images"):
        compare_with(one, other)


def test_the_published_label_errors(tmp_path: Path) -> None:
    """On MNIST's test set the ceiling is told, and the images are marked."""
    folder = make_run(tmp_path, presets.load("iter5"))
    labels = np.zeros(10_000, np.uint8)
    for error in LABEL_ERRORS.values():
        labels[error.index] = error.label
    log_probs = np.full((10_000, 10), -20, np.float32)
    log_probs[np.arange(10_000), labels] = 0
    log_probs[947, 8], log_probs[947, 9] = -5, 0
    write_log_probs(folder, labels, log_probs)
    analysis = analyse(read_run(folder))
    text = "\n".join(report_lines(analysis))

    assert as_json(analysis)["label_errors"] == {
        "counted_wrong": 1,
        "read_as_guessed": 1,
        "accuracy_on_others": 1.0,
    }
    assert "#947   8 → 9  loss   5.00  9 100%, 8 1%, 0 0%  label wrong by the published study; proposed: 9" in text
    assert "1 of them count as mistakes here, 1 are predicted as proposed by the study;" in text
    assert "on the other 9,985 images the accuracy is 100.00%. More than 99.85%" in text
