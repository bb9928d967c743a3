"""What is to be trained of each preset, and its training as a sweep."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mnist_tui.analysis import published
from mnist_tui.cli import sweep_runs
from mnist_tui.cli.output import Output
from mnist_tui.errors import ExitCode
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.sweep import folder
from mnist_tui.sweep.place import Place
from mnist_tui.sweep.plan import SweepPlan, make_plan
from mnist_tui.text import duration
from reproduce_parts import collecting

SEEDS, HOUSE_SEEDS = 3, 10
SLOW_SECONDS = 30.0
"""An epoch that takes longer on one core: its preset is trained with one seed."""
SWEEP_PREFIX = "reproduce-"
"""How the names of the sweeps begin, one for each preset."""


@dataclass(frozen=True)
class Task:
    """A preset with the seeds that are planned, and those that the runs directory lacks."""

    spec: RunSpec
    seconds_per_epoch: float
    """On one core, measured as processor time, so that other programs on the machine do not count."""
    seeds: tuple[int, ...]
    missing: tuple[int, ...]

    @property
    def seconds(self) -> float:
        """Of everything that is missing, on one core."""
        return self.seconds_per_epoch * self.spec.train.epochs * len(self.missing)


def plan(specs: Sequence[RunSpec], options: Options) -> list[Task]:
    """The task of each preset, the cheapest first; takes a second for each, which measures its steps."""
    runs = collecting.completed_runs(options.runs_dir)
    tasks = [_task(spec, runs.get(published.recipe_of(spec), ()), options) for spec in specs]
    return sorted(tasks, key=lambda task: task.seconds_per_epoch * task.spec.train.epochs)


def _task(spec: RunSpec, runs: Sequence[Run], options: Options) -> Task:
    from mnist_tui.training.estimate import expected_cost  # torch: 2 s.

    seconds = float(expected_cost(spec, options, time.process_time)["seconds_per_epoch"])
    count = HOUSE_SEEDS if spec.name in presets.house_names() else 1 if seconds > SLOW_SECONDS else SEEDS
    seeds = tuple(spec.train.seed + index for index in range(count))
    done = {run.seed for run in runs}
    return Task(spec, seconds, seeds, tuple(seed for seed in seeds if seed not in done))


def print_plan(tasks: Sequence[Task]) -> None:
    """Prints a line for each preset, and the time of what is missing."""
    for task in tasks:
        alone = " (over 30 s an epoch on one core: one seed)" if len(task.seeds) == 1 else ""
        left = f"seeds {', '.join(map(str, task.missing))}: {duration(task.seconds)}" if task.missing else "done"
        cost = f"{task.seconds_per_epoch:6.1f} s an epoch, {task.spec.train.epochs:3} epochs"
        print(f"{task.spec.name:<12} {cost}  {left}{alone}")
    count = sum(len(task.missing) for task in tasks)
    print(f"{count} runs are left: about {duration(sum(task.seconds for task in tasks))} on one core")


def train(tasks: Sequence[Task], options: Options, jobs: int | None) -> ExitCode:
    """Trains what is missing, a sweep for each preset, until somebody interrupts it."""
    code = ExitCode.OK
    for task in tasks:
        if not task.missing:
            continue
        sweep = folder.start(options.runs_dir, sweep_plan(task), _sweep_name(task))
        sweep.allow()
        code = sweep_runs.train(sweep, options, Output(False, False), Place(jobs), False, False) or code
        if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            return code
    return code


def sweep_plan(task: Task) -> SweepPlan:
    """The preset as published, from the first seed that nobody else has trained."""
    spec = task.spec.model_dump(mode="json", exclude_none=True)
    first, last = min(task.missing), max(task.missing)
    base = {**spec, "train": {**spec["train"], "seed": first}}
    vary = {"preset": [task.spec.name]}
    plan = {"base": base, "presets": {task.spec.name: base}, "vary": vary, "seeds": last - first + 1}
    return make_plan({**plan, "choose_on": "test", "dataset": collecting.DATASET})


def _sweep_name(task: Task) -> str:
    return f"{SWEEP_PREFIX}{task.spec.name}-s{min(task.missing)}"
