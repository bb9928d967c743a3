"""The jobs of the background worker: plain functions that may load torch or read the disk."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Downloading, Notice
from mnist_tui.runs.lr_range import RatesFound, RateTried
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.dialogs import SavedLine

if TYPE_CHECKING:
    from mnist_tui.analysis.coach.evidence import Advice
    from mnist_tui.spec.run_options import Options
    from mnist_tui.sweep.cost import Cost
    from mnist_tui.sweep.plan import SweepPlan
    from mnist_tui.training.predict import Predictions
    from mnist_tui.training.preview import AugmentedSample

DIGITS = 12
"""Digits per draw; the strip shows as many as fit."""
LISTED_RUNS = 200
"""Runs that the dialog to pin one lists."""


def warm_up() -> None:
    """Loads torch and what its first use takes, so that a run can begin at once."""
    from mnist_tui.training import warm_up

    warm_up.warm_up()


def rates(spec: RunSpec) -> Sequence[float]:
    """The learning rate over the run, sampled."""
    from mnist_tui.training import preview

    return preview.scheduled_rates(spec)


def sample_augmented(spec: RunSpec, options: "Options", draw: int, is_training: bool) -> "AugmentedSample":
    """Augmented training digits; none while this process trains if drawing them could change its random state."""
    from mnist_tui.training import preview

    return preview.sample_augmented(spec, options, DIGITS, draw, is_training)


def predict(spec: RunSpec, folder: Path, digits: Sequence[bytes]) -> "Predictions | None":
    """Predictions on digits by the newest checkpoint of a run; None if that cannot be read."""
    from mnist_tui.training import predict

    return predict.predict(spec, folder, digits)


def find_learning_rate(
    spec: RunSpec, options: "Options", control: Control, on_step: Callable[[Notice | Downloading | RateTried], None]
) -> RatesFound:
    """The result of a learning-rate range test; `on_step` gets every event before it."""
    from mnist_tui.training import lr_finder

    result = None
    for event in lr_finder.find_learning_rate(spec, options, control):
        if isinstance(event, RatesFound):
            result = event
        else:
            on_step(event)
    assert result is not None
    return result


def sweep_plan(base: RunSpec, vary: Mapping[str, tuple[str, ...]], dataset: str) -> "SweepPlan":
    """The plan of a sweep with one seed; raises `SweepError` and `SpecError` where a value cannot be."""
    from mnist_tui.sweep import sweep_file

    return sweep_file.plan_of(base, vary, {"dataset": dataset})


def sweep_cost(plan: "SweepPlan", options: "Options") -> "tuple[Cost, int]":
    """The cost of a sweep, and how many runs go at a time."""
    from mnist_tui.sweep import cost

    return cost.measured_elsewhere(plan, options)


def start_sweep(runs_dir: Path, plan: "SweepPlan", name: str | None) -> str:
    """Makes a sweep, or the one that tries the same larger; returns its name. Raises `SweepError`, `StorageError`."""
    from mnist_tui.sweep import folder

    sweep = folder.start(runs_dir, plan, name)
    sweep.allow()
    return sweep.name


def advice(folder: Path) -> "list[Advice]":
    """What the coach says about a run that ended, by its folder and the other runs beside it."""
    from mnist_tui.analysis.coach.rules import advise_on
    from mnist_tui.runs.index import RunIndex
    from mnist_tui.runs.reader import read_run

    index = RunIndex(folder.parent)
    index.refresh()
    return advise_on(read_run(folder), index.all)


def run_spec(folder: Path) -> RunSpec:
    """The spec that a run was started with."""
    from mnist_tui.runs import storage

    return storage.load_run(folder).spec


def seeds_sentence(accuracies: Sequence[float]) -> str:
    """Mean and 95 % interval of the best accuracies of several seeds, as a sentence."""
    from mnist_tui.analysis.statistics import mean_interval  # scipy: a second.

    mean = f"{len(accuracies)} seeds: mean best {sum(accuracies) / len(accuracies):.2%}"
    interval = mean_interval(accuracies)
    return mean if interval is None else f"{mean}, 95% interval {interval[0]:.2%} to {interval[1]:.2%}"


def live_run(runs_dir: Path) -> Path | None:
    """The folder of the newest run that a process is training; None for no such run."""
    from mnist_tui.runs import index

    return index.live_run(runs_dir)


def saved_lines(runs_dir: Path) -> list[SavedLine]:
    """One line for every readable run, the newest first."""
    from mnist_tui.runs import index

    lines = []
    for saved in islice(index.list_runs(runs_dir), LISTED_RUNS):
        best = max((row.test_accuracy for row in saved.rows), default=None)
        accuracy = f"{best:.2%}" if best is not None else "no epoch"
        outcome = str(saved.end.get("outcome")) if saved.end else "not ended"
        name = saved.folder.name
        lines.append(SavedLine(name, f"{accuracy:>8}  {saved.spec.parameters:>9,}  {outcome:<9}  {name}"))
    return lines


def reference_curves(preset: RunSpec) -> RunCurves | None:
    """The reference run of a preset: that of its own seed, else of the lowest; None for a preset without one."""
    from mnist_tui.analysis import published

    (found,) = published.replications([preset], published.reference_runs_of(preset.name))
    run = next((run for run in found.runs if run.seed == preset.train.seed), next(iter(found.runs), None))
    return None if run is None else RunCurves.from_saved(run.name, run.seed or 0, run.id, run.rows)


def saved_run_curves(folder: Path) -> RunCurves:
    """An earlier run, to draw behind the curves."""
    from mnist_tui.runs import storage

    saved = storage.load_run(folder)
    return RunCurves.from_saved(saved.spec.name, saved.spec.train.seed, folder.name, saved.rows)
