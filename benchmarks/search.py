"""How fast a search reads its trials and proposes the next, and how well: `python benchmarks/search.py`.

Nothing is trained: the run folders are made up, and so is the accuracy that the samplers look for, which is 1 at the
best configuration. `--trials 200` are read; each sampler searches with `--budget 40` trials from `--seeds 20` seeds.
"""

import argparse
import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

from helpers.saved_runs import make_run

from mnist_tui.spec import presets
from mnist_tui.sweep import folder
from mnist_tui.sweep.claims import Claims
from mnist_tui.sweep.plan import Point, SweepPlan, Values
from mnist_tui.sweep.results import Results
from mnist_tui.sweep.search.proposals import propose
from mnist_tui.sweep.search.study import should_prune
from mnist_tui.sweep.search.trials import Trial, trials_of
from mnist_tui.sweep.sweep_file import plan_of

EPOCHS = 15
Vary = Mapping[str, tuple[str, ...] | str]
RANGES: Vary = {"optimizer.lr": "0.0001..0.1 log", "dropout": "0..0.5", "batch_size": "16..512 log"}
CHOICES: Vary = {
    "optimizer.lr": ("0.0001", "0.0003", "0.001", "0.003", "0.01", "0.03", "0.1"),
    "dropout": ("0", "0.05", "0.1", "0.2", "0.3", "0.5"),
    "batch_size": ("16", "32", "64", "128", "256", "512"),
}


def made_up_accuracy(values: Values) -> float:
    """1 at lr 0.003, dropout 0.05 and batches of 64; less, the farther from there."""
    rate = math.log10(float(values["optimizer.lr"]) / 0.003)
    dropout = (float(values["dropout"]) - 0.05) / 0.5
    batch = math.log2(float(values["batch_size"]) / 64) / 5
    return 1 - 0.1 * rate**2 - 0.1 * dropout**2 - 0.05 * batch**2


def make_plan(vary: Vary, seed: int = 0, **search: Any) -> SweepPlan:
    """A search of exp17's recipe."""
    base = presets.load("exp17").with_settings({"epochs": str(EPOCHS), "seed": str(seed)})
    return plan_of(base, vary, {"search": search, "choose_on": "test"})


# --- speed ---


def write_trials(runs_dir: Path, plan: SweepPlan, count: int) -> folder.Sweep:
    """A sweep with `count` finished trials of 15 epochs."""
    sweep, chance = folder.start(runs_dir, plan), random.Random(0)
    for number in range(count):
        values = {path: domain.at(chance.random()) for path, domain in plan.domains.items()}
        point = Point(number, plan.base.train.seed, values)
        reached = made_up_accuracy(values)
        curve = [reached - 0.1 / epoch + 0.1 / EPOCHS for epoch in range(1, EPOCHS + 1)]
        make_run(runs_dir, plan.spec_of(point), accuracies=curve, index=number, sweep=sweep.label(point))
    return sweep


def read_and_propose(sweep: folder.Sweep) -> dict[str, float]:
    """Seconds of each part of one proposal, from nothing, and of a decision about pruning."""
    times, began = {}, time.perf_counter()

    def note(name: str) -> None:
        nonlocal began
        times[name] = time.perf_counter() - began
        began = time.perf_counter()

    import optuna  # noqa: F401

    note("import optuna")
    results = Results(sweep)
    results.refresh()
    note("read the run folders")
    with closing(Claims(sweep.folder / "claims", 60)) as claims:
        trials = trials_of(results, claims)
        note("make trials of them")
        propose(sweep.plan, trials, len(trials))
        note("propose the next")
        should_prune(sweep.plan, trials, len(trials) - 1, EPOCHS - 1)
        note("decide on pruning")
        results.refresh()
        propose(sweep.plan, trials_of(results, claims), len(trials))
        note("read again and propose, nothing changed")
    return times


def print_speed(count: int) -> None:
    """Prints the parts and their sum."""
    with tempfile.TemporaryDirectory() as runs_dir:
        plan = make_plan(RANGES, sampler="tpe", trials=count + 1, prune="median")
        with mock.patch.object(os, "fsync"):  # With it, writing the folders would take a minute.
            sweep = write_trials(Path(runs_dir), plan, count)
        times = read_and_propose(sweep)
    for name, seconds in times.items():
        print(f"{name:45} {1000 * seconds:7.0f} ms")
    print(f"{f'{count} trials of {EPOCHS} epochs, first proposal':45} {1000 * sum(list(times.values())[:4]):7.0f} ms")


# --- quality ---


def search(plan: SweepPlan) -> float:
    """The best made-up accuracy that a search finds."""
    assert plan.search is not None
    trials: list[Trial] = []
    for number in range(plan.search.trials):
        values = propose(plan, trials, number)
        if values is None:
            break
        trials.append(Trial(number, values, "ended", made_up_accuracy(values), 0))
    return max(trial.accuracy or 0.0 for trial in trials)


def search_with_one_study(plan: SweepPlan) -> float:
    """The same by Optuna's own loop, with one study that lasts."""
    import optuna

    from mnist_tui.sweep.search import study

    assert plan.search is not None
    distributions = {path: study._distribution(domain) for path, domain in plan.domains.items()}
    sampler = optuna.samplers.TPESampler(seed=plan.base.train.seed)
    one = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(plan.search.trials):
        trial = one.ask(distributions)
        one.tell(trial, made_up_accuracy({path: str(value) for path, value in trial.params.items()}))
    return one.best_value


def print_quality(budget: int, seeds: int) -> None:
    """Prints medians over seeds of what is missing to the best accuracy."""
    for name, vary in (("ranges", RANGES), ("choices", CHOICES)):
        found: dict[str, list[float]] = {"random": [], "tpe": [], "tpe, one lasting study": []}
        for seed in range(seeds):
            for sampler in ("random", "tpe"):
                found[sampler].append(search(make_plan(vary, seed, sampler=sampler, trials=budget)))
            plan = make_plan(vary, seed, sampler="tpe", trials=budget)
            found["tpe, one lasting study"].append(search_with_one_study(plan))
        wins = sum(tpe > drawn for tpe, drawn in zip(found["tpe"], found["random"], strict=True))
        for sampler, best in found.items():
            points = [100 * (1 - value) for value in best]
            print(
                f"{name}, {sampler:25} {statistics.median(points):.3f} points below the best, worst {max(points):.3f}"
            )
        print(f"{name}, tpe better than random for {wins} of {seeds} seeds")


def main() -> None:
    """Prints both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--budget", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    print_speed(options.trials)
    print_quality(options.budget, options.seeds)


if __name__ == "__main__":
    main()
