"""Searches in which nothing is trained: run folders are made up, with the accuracies that a test wants."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.saved_runs import make_run
from mnist_tui.runs.events import Outcome
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.sweep import folder
from mnist_tui.sweep.claims import Claims
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.jobs import Job
from mnist_tui.sweep.plan import Point, SweepPlan, Values
from mnist_tui.sweep.points import Points
from mnist_tui.sweep.results import Results
from mnist_tui.sweep.search.trials import Trial
from mnist_tui.sweep.sweep_file import plan_of

LAYERS = """
Conv2d(width, 3)
Dropout(dropout)
Flatten()
Linear(10)
"""
RANGES: Mapping[str, tuple[str, ...] | str] = {
    "optimizer.lr": "0.001..1 log",
    "width": "1..40",
    "dropout": ("0", "0.1", "0.2"),
}


def make_plan(vary: Mapping[str, tuple[str, ...] | str] = RANGES, **more: Any) -> SweepPlan:
    """A search by TPE with 20 trials, chosen on test images, unless `more` says otherwise."""
    search_keys = ("sampler", "trials", "prune", "objectives")
    search = {"sampler": "tpe", "trials": 20} | {key: more.pop(key) for key in search_keys if key in more}
    recipe = {"epochs": more.pop("epochs", 9), "optimizer": "SGD(lr=0.1)"}
    knobs = {"width": 4, "dropout": 0.1}
    base = make_spec({"name": "searched", "layers": LAYERS, "knobs": knobs, "train": recipe})
    return plan_of(base, vary, {"search": search, "choose_on": "test", **more})


def save_run(sweep: Sweep, point: Point, accuracies: Sequence[float] = (0.9,), outcome: Outcome = "completed") -> Path:
    """The folder of a point's run."""
    spec = sweep.plan.spec_of(point)
    return make_run(
        sweep.runs_dir,
        spec,
        point.seed,
        index=point.number,
        accuracies=accuracies,
        outcome=outcome,
        sweep=sweep.label(point),
    )


def ended(number: int, values: Values, accuracy: float, parameters: int = 100, **more: Any) -> Trial:
    """A trial that ended."""
    return Trial(number, values, "ended", accuracy, parameters, **more)


class Process:
    """A process that takes part in a search: what it knows, and the points that it takes and ends."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.results = Results(sweep)
        self.results.refresh()
        self.claims = Claims(sweep.folder / "claims", sweep.plan.lease)
        self.points = Points(sweep, Options(runs_dir=sweep.runs_dir), self.claims, self.results)

    def take(self) -> Point | None:
        """The next point, claimed."""
        return self.points.taken[-1] if self.points.take() else None

    def take_job(self) -> Job | None:
        """The job of the next point."""
        return self.points.take()

    def end(self, point: Point, accuracy: float = 0.9) -> None:
        """Saves a run of the point and gives it back."""
        save_run(self.sweep, point, (accuracy,))
        self.points.finish(point)

    def die(self) -> None:
        """Ends as by a kill: what it holds is held no more, and was not given back."""
        self.claims.close()
        for path in (self.sweep.folder / "claims").iterdir():
            if '"released"' not in path.read_text():
                path.write_text(json.dumps(json.loads(path.read_text()) | {"started": 0}))


def start(runs_dir: Path, plan: SweepPlan) -> Sweep:
    """The sweep of a plan, in an empty runs directory."""
    return folder.start(runs_dir, plan)
