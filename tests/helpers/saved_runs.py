"""Run folders without a training: written by the program's own writer, with made-up curves."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_tui.runs.events import EpochEnded, Outcome, RunEnded, best_of
from mnist_tui.runs.history import history_line
from mnist_tui.runs.storage import RunFolder
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec

EPOCHS = 20
NOTES = "# iter5, seed 0\n\n## Target\n\nnone\n\n## Result\n\n- completed\n\n## Analysis\n\n"
MNIST = {"name": "mnist", "sha256": "0" * 64, "test_images": 10_000, "val_images": 0}


def make_runs(runs_dir: Path, count: int) -> None:
    """Makes `count` runs: of all presets in turn, with growing seeds and different accuracies."""
    specs = list(presets.load_all(None))
    for index in range(count):
        spec = specs[index % len(specs)]
        make_run(runs_dir, spec, index // len(specs), 0.98 + index % 97 / 10_000, index)


def make_run(
    runs_dir: Path,
    spec: RunSpec,
    seed: int = 0,
    accuracy: float = 0.99,
    index: int = 0,
    epochs: int = EPOCHS,
    outcome: Outcome = "completed",
    accuracies: Sequence[float] = (),
    val_accuracies: Sequence[float] = (),
    **record: Any,
) -> Path:
    """Makes a run whose test accuracy rises to `accuracy`, begun `index` minutes into 2026; returns its folder.

    `accuracies` are the test accuracies of its epochs, in place of `accuracy` and `epochs`; `val_accuracies` those on
    its validation images, of which it has none without.
    """
    epochs = len(accuracies) or epochs
    seeded = spec.model_copy(update={"train": spec.train.model_copy(update={"seed": seed, "epochs": epochs})})
    created = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=index)).isoformat(timespec="seconds")
    provenance = {
        "created": created,
        "name": spec.name,
        "seed": seed,
        "parameters": spec.parameters,
        "dataset": MNIST,
        "device": "cpu",
        "device_name": "a processor",
        "threads": 1,
        "versions": {"torch": "2.11"},
    }
    folder = RunFolder.create(runs_dir, seeded, provenance | record)
    reached = accuracies or [accuracy - 0.05 / epoch + 0.05 / epochs for epoch in range(1, epochs + 1)]
    rows = [_row(epoch, each) for epoch, each in enumerate(reached, start=1)]
    if val_accuracies:
        rows = [replace(row, val_loss=0.1, val_accuracy=each) for row, each in zip(rows, val_accuracies, strict=True)]
    (folder.folder / "history.jsonl").write_bytes(b"".join(map(history_line, rows)))
    message = "all epochs trained" if outcome == "completed" else f"it {outcome} for a test"
    folder.end(RunEnded(outcome, message, epochs, best_of(rows), rows[-1], "test", None, 9.0 * epochs), NOTES)
    folder.close()
    begun = created.replace("-", "").replace(":", "").replace("+0000", "Z")
    while (named := runs_dir / f"{begun}-{spec.name}-s{seed}-{index:04x}").exists():
        index += 0x1000
    return folder.folder.rename(named)


def make_reference(runs_dir: Path, spec: RunSpec, seed: int = 0, accuracy: float = 0.99, index: int = 0) -> Path:
    """Makes a reference run of a preset, as `make_run`, with all its epochs; `runs_dir` is that of reference runs."""
    run = make_run(runs_dir.parent / "made", spec, seed, accuracy, index, spec.train.epochs)
    (run / "notes.md").unlink()
    (run / "run.lock").unlink(missing_ok=True)
    runs_dir.mkdir(parents=True, exist_ok=True)
    return run.rename(runs_dir / f"{spec.name}-s{seed}")


def _row(epoch: int, reached: float) -> EpochEnded:
    return EpochEnded(
        epoch, 0.4 / epoch, min(1.0, reached + 0.001), None, None, 0.3 / epoch, reached, 0.002, 9.0, 7_000.0
    )


def write_predictions(folder: Path, wrong: list[int], images: int = 100) -> None:
    """Writes predictions of the best epoch, wrong on the images with the indices `wrong`."""
    labels = np.arange(images, dtype=np.uint8) % 10
    predictions = labels.copy()
    predictions[wrong] = (labels[wrong] + 1) % 10
    np.savez_compressed(
        folder / "predictions.npz",
        epoch=np.int64(1),
        labels=labels,
        predictions=predictions,
        probabilities=np.ones(images, np.float32),
    )


def write_log_probs(folder: Path, labels: NDArray[np.uint8], log_probs: NDArray[np.float32]) -> None:
    """Predictions with these labels (N,) and log-probabilities (N, 10), in the format of this version."""
    np.savez_compressed(
        folder / "predictions.npz",
        epoch=np.int64(1),
        labels=labels,
        predictions=log_probs.argmax(1).astype(np.uint8),
        probabilities=np.exp(log_probs[np.arange(len(labels)), labels]).astype(np.float32),
        log_probs=log_probs.astype(np.float16),
    )


def random_log_probs(images: int = 200, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Labels (N,), and log-probabilities (N, 10) that are right for most images."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, images).astype(np.uint8)
    logits = random.normal(size=(images, 10)) * 2
    logits[np.arange(images), labels] += 4
    log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return labels, log_probs.astype(np.float32)
