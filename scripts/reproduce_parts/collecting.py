"""What is kept of completed runs as reference runs: their histories, without weights."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_tui.analysis import published
from mnist_tui.errors import InputError
from mnist_tui.files import write_atomically
from mnist_tui.runs import history, reference
from mnist_tui.runs.index import read_runs
from mnist_tui.runs.record import Run
from mnist_tui.spec.run_spec import RunSpec

DATASET = "mnist"
MAX_BYTES = 2_000_000
"""Of all reference runs."""
RECORD_KEYS = (
    *("format", "run", "created", "name", "seed", "parameters", "dataset", "device", "device_name", "processor"),
    *("threads", "fused", "versions", "spec"),
)
"""What a reference run keeps of run.json: nothing that names a machine, a person, a folder or a command line."""
DATASET_KEYS = ("name", "sha256", "train_images", "val_images", "test_images")
END_KEYS = (
    "format",
    "outcome",
    "message",
    "epochs",
    "best",
    "last",
    "chosen_by",
    "target",
    "seconds",
    "is_out_of_memory",
)


def completed_runs(runs_dir: Path) -> dict[str, list[Run]]:
    """The completed runs on MNIST by their recipe, the oldest first; whatever command trained them."""
    by_recipe: dict[str, list[Run]] = {}
    for run in reversed(read_runs(runs_dir)):
        if run.state == "completed" and run.dataset == DATASET and not run.is_rate_changed and not run.extends:
            by_recipe.setdefault(run.recipe, []).append(run)
    return by_recipe


def collect(specs: Sequence[RunSpec], runs_dir: Path) -> list[str]:
    """Copies the completed runs of each preset to the reference runs; returns a line for each that is new or changed.

    A reference run is replaced only by one of the same preset and seed. Raises `InputError`, and writes nothing, where
    all of them would be larger than `MAX_BYTES`, and where there is no such runs directory.
    """
    if not runs_dir.is_dir():
        raise InputError(f"{runs_dir}: there is no such folder of runs; name another with --runs-dir")
    runs = completed_runs(runs_dir)
    copies = {
        f"{spec.name}-s{run.seed}": compact(run) for spec in specs for run in runs.get(published.recipe_of(spec), ())
    }
    stored = {path.name: _stored(path) for path in sorted(reference.runs_dir().glob("*/"))}
    size = sum(len(content) for files in {**stored, **copies}.values() for content in files.values())
    if size > MAX_BYTES:
        raise InputError(f"the reference runs would be {size:,} bytes, at most {MAX_BYTES:,} are allowed; name presets")
    changed = [name for name, files in copies.items() if stored.get(name) != files]
    for name in changed:
        _write(reference.runs_dir() / name, copies[name])
    return [f"{'replaced' if name in stored else 'new'}: {name}" for name in changed]


def compact(run: Run) -> dict[str, bytes]:
    """The files of a reference run by name: without weights, and without what names a machine or a person."""
    record = {key: run.record[key] for key in RECORD_KEYS if key in run.record}
    record["run"] = f"{run.name}-s{run.seed}"
    record["dataset"] = {key: run.part("dataset")[key] for key in DATASET_KEYS if key in run.part("dataset")}
    end = {key: run.end[key] for key in END_KEYS if key in run.end}
    rows = b"".join(map(history.history_line, history.read_history(run.folder)))
    return {"run.json": _json_bytes(record), history.FILE: rows, "end.json": _json_bytes(end)}


def _json_bytes(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def _stored(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir()}


def _write(run: Path, files: Mapping[str, bytes]) -> None:
    run.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(run / name, content)
