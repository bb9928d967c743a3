"""predictions.npz: what is written is read, and nothing else is believed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.reliability import few_images, only_folder, run, small_spec
from helpers.saved_runs import random_log_probs, write_log_probs, write_predictions

from mnist_tui.analysis.saved_predictions import check_same_images, read_predictions
from mnist_tui.errors import RunError, StorageError
from mnist_tui.runs.storage import RunFolder, load_run
from mnist_tui.spec import presets


def test_what_a_run_wrote(tmp_path: Path) -> None:
    """The best epoch, its accuracy and loss, and ten log-probabilities that agree with the rest."""
    list(run(tmp_path, small_spec(epochs=3)))
    saved = read_predictions(only_folder(tmp_path))
    row = load_run(saved.folder).rows[saved.epoch - 1]

    assert saved.labels.tolist() == few_images().test.labels.tolist()
    assert saved.is_right.mean() == pytest.approx(row.test_accuracy)
    assert -np.log(saved.probabilities).mean() == pytest.approx(row.test_loss, rel=1e-4)
    assert saved.log_probs.argmax(1).tolist() == saved.predictions.tolist()
    assert np.exp(saved.log_probs).sum(1) == pytest.approx(np.ones(len(saved)), abs=2e-3)
    of_truth = np.exp(saved.log_probs[np.arange(len(saved)), saved.labels])
    assert of_truth == pytest.approx(saved.probabilities, abs=2e-3)


def test_very_small_probabilities_stay_finite(tmp_path: Path) -> None:
    """What float16 cannot hold becomes its lowest number; only -inf is -inf."""
    folder = RunFolder.create(tmp_path, presets.load("iter5"), {})
    log_probs = torch.full((1, 10), -1e6)
    log_probs[0, 0], log_probs[0, 1] = 0.0, -torch.inf
    classes = torch.zeros(1, dtype=torch.uint8)
    folder.save_predictions(3, classes.long(), classes, torch.ones(1), log_probs)
    folder.close()
    saved = read_predictions(folder.folder)

    assert saved.epoch == 3
    assert saved.log_probs[0].tolist() == [0.0, -np.inf, *[-65504.0] * 8]


def test_files_of_version_0_1(tmp_path: Path) -> None:
    """They are read; what needs the log-probabilities says that they are not there."""
    write_predictions(tmp_path, wrong=[1, 2])
    saved = read_predictions(tmp_path)

    assert saved.is_right.sum() == 98
    assert not saved.has_log_probs
    with pytest.raises(RunError, match=r"predictions\.npz: was written by version 0\.1, .*train the run again"):
        _ = saved.confidences


def _change(name: str, value: object) -> Callable[[Path], None]:
    """Writes the file anew with one array replaced."""

    def change(folder: Path) -> None:
        labels, log_probs = random_log_probs(20)
        write_log_probs(folder, labels, log_probs)
        with np.load(folder / "predictions.npz") as stored:
            arrays = dict(stored)
        np.savez(folder / "predictions.npz", **arrays | {name: np.array(value)})

    return change


NAN = np.full((20, 10), np.nan, np.float16)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "predictions.npz").write_bytes(b"PK\x03\x04 half"),
        lambda folder: (folder / "predictions.npz").write_bytes(b""),
        lambda folder: np.savez(folder / "predictions.npz", labels=np.zeros(5, np.uint8)),
        lambda folder: np.savez_compressed(folder / "predictions.npz", labels=np.zeros(80_000_000, np.uint8)),
        _change("labels", [{}] * 20),
        _change("labels", np.zeros(0, np.uint8)),
        _change("labels", np.uint8(3)),
        _change("labels", np.full(20, 10, np.uint8)),
        _change("labels", np.zeros(20, np.int64)),
        _change("predictions", np.zeros(19, np.uint8)),
        _change("predictions", np.zeros((20, 1), np.uint8)),
        _change("probabilities", np.full(20, np.nan, np.float32)),
        _change("probabilities", np.full(20, 2, np.float32)),
        _change("epoch", [1, 2]),
        _change("epoch", "one"),
        _change("log_probs", np.zeros((20, 9), np.float16)),
        _change("log_probs", np.zeros((20, 10), np.float32)),
        _change("log_probs", np.ones((20, 10), np.float16)),
        _change("log_probs", NAN),
    ],
)
def test_damaged_files(damage: Callable[[Path], None], tmp_path: Path) -> None:
    """Half a file, other shapes, dtypes and ranges, objects, more than is read: one error in one line."""
    damage(tmp_path)
    with pytest.raises(StorageError, match=r"predictions\.npz: is damaged, or was not written by this program$"):
        read_predictions(tmp_path)


@pytest.mark.slow
def test_every_byte_may_be_wrong(tmp_path: Path) -> None:
    """Whatever one byte becomes, the file is read or refused, and nothing else is raised."""
    write_log_probs(tmp_path, *random_log_probs(5))
    path = tmp_path / "predictions.npz"
    content = path.read_bytes()
    refused = 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            read_predictions(tmp_path)
        except StorageError:
            refused += 1

    assert refused > len(content) / 3


def test_missing_and_linked_files(tmp_path: Path) -> None:
    """Before the first epoch there is none; a link is not followed."""
    with pytest.raises(StorageError, match="written at the end of the first epoch"):
        read_predictions(tmp_path)

    write_predictions(tmp_path, [])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "predictions.npz").symlink_to(tmp_path / "predictions.npz")
    with pytest.raises(StorageError, match="is a link"):
        read_predictions(tmp_path / "other")


def test_different_images(tmp_path: Path) -> None:
    """Two runs on other test sets cannot be put side by side."""
    for name, images in (("one", 100), ("two", 99)):
        (tmp_path / name).mkdir()
        write_predictions(tmp_path / name, [], images)
    with pytest.raises(RunError, match="one and two were tested on different images"):
        check_same_images(read_predictions(tmp_path / "one"), read_predictions(tmp_path / "two"))
