"""What the background worker does for the screen: each a plain function that may load torch or read the disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.errors import StorageError
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.dialogs import SavedLine

if TYPE_CHECKING:
    from mnist_tui.spec.run_options import Options
    from mnist_tui.training.predict import Predictions
    from mnist_tui.training.preview import AugmentedSample

DIGITS = 12
"""Digits of one draw; the strip shows as many as fit."""
LISTED_RUNS = 200


def warm_up() -> None:
    """Loads torch and what its first use takes, so that a run can begin at once."""
    from mnist_tui.training import warm_up

    warm_up.warm_up()


def rates(spec: RunSpec) -> Sequence[float]:
    """The learning rate over the run, sampled."""
    from mnist_tui.training import preview

    return preview.scheduled_rates(spec)


def fed(spec: RunSpec, options: "Options", draw: int, is_training: bool) -> "AugmentedSample":
    """Training digits as the network is fed with them; none while this process trains and they could disturb it."""
    from mnist_tui.training import preview

    return preview.sample_augmented(spec, options, DIGITS, draw, is_training)


def predict(spec: RunSpec, folder: Path, digits: Sequence[bytes]) -> "Predictions | None":
    """What the network of a run says about digits, by its newest checkpoint; None where that cannot be read."""
    from mnist_tui.training import predict

    return predict.predict(spec, folder, digits)


def run_spec(folder: Path) -> RunSpec:
    """What a run was set to do."""
    from mnist_tui.runs import storage

    return storage.load_run(folder).spec


def seeds_sentence(accuracies: Sequence[float]) -> str:
    """Mean and interval over the best accuracies of the seeds of one action."""
    from mnist_tui.analysis.statistics import mean_interval  # scipy: a second.

    mean = f"{len(accuracies)} seeds: mean best {sum(accuracies) / len(accuracies):.2%}"
    interval = mean_interval(accuracies)
    return mean if interval is None else f"{mean}, 95% interval {interval[0]:.2%} to {interval[1]:.2%}"


def live_run(runs_dir: Path) -> Path | None:
    """The newest run that some process trains; None where there is none."""
    from mnist_tui.runs import storage

    for folder in _newest_first(runs_dir):
        if not (folder / "end.json").exists() and storage.is_running(folder):
            return folder
    return None


def _newest_first(runs_dir: Path) -> list[Path]:
    if not runs_dir.is_dir():
        return []
    return sorted((path.parent for path in runs_dir.glob("*/run.json")), reverse=True)[:LISTED_RUNS]


def saved_lines(runs_dir: Path) -> list[SavedLine]:
    """One line for every readable run, the newest first."""
    from mnist_tui.runs import storage

    lines = []
    for folder in _newest_first(runs_dir):
        try:
            saved = storage.load_run(folder)
        except StorageError:
            continue
        best = max((row.test_accuracy for row in saved.rows), default=None)
        accuracy = f"{best:.2%}" if best is not None else "no epoch"
        outcome = str(saved.end.get("outcome")) if saved.end else "not ended"
        lines.append(SavedLine(folder.name, f"{accuracy:>8}  {saved.spec.parameters:>9,}  {outcome:<9}  {folder.name}"))
    return lines


def saved_run_curves(folder: Path) -> RunCurves:
    """An earlier run, to draw behind the curves."""
    from mnist_tui.runs import storage

    saved = storage.load_run(folder)
    return RunCurves.from_saved(saved.spec.name, saved.spec.train.seed, folder.name, saved.rows)
