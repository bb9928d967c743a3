"""Sweeps without a training: their points as run folders with made-up accuracies."""

from pathlib import Path
from typing import Any

from helpers.saved_runs import make_run
from mnist_tui.spec import presets
from mnist_tui.sweep import folder, sweep_file
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.plan import Point, SweepPlan

LR = "optimizer.lr"


def lr_plan(*rates: str, **more: Any) -> SweepPlan:
    """A plan that varies the learning rate of iter5."""
    return sweep_file.plan_of(presets.load("iter5"), {LR: rates or ("0.001", "0.01")}, more)


def lr_sweep(runs_dir: Path, *rates: str, **more: Any) -> Sweep:
    """A sweep that varies the learning rate of iter5."""
    return folder.start(runs_dir, lr_plan(*rates, **more))


def make_point(sweep: Sweep, point: Point, accuracy: float = 0.98, test: float = 0.97, **more: Any) -> Path:
    """A run of a point, with this accuracy on its validation images and that on the test images; returns its folder."""
    label = sweep.label(point)
    spec = sweep.plan.spec_of(point)
    index = 30_000 + 100 * point.number + point.seed
    return make_run(
        sweep.runs_dir, spec, point.seed, index=index, accuracies=[test], val_accuracies=[accuracy], sweep=label, **more
    )
