"""The trials of a search: its configurations, each with what is known of it from run folders and claims. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

from mnist_tui.sweep.claims import Claims
from mnist_tui.sweep.plan import Point, SweepPlan, Values
from mnist_tui.sweep.results import PointRun, Results, accuracy_by_epoch, accuracy_of

TrialState = Literal["running", "ended", "pruned", "failed"]

DIVERGED_ACCURACY = 0.0
"""What a run that diverged counts with.

Optuna's samplers ignore trials that failed (optuna.trial.TrialState.FAIL) and would propose the same learning rates
again; the worst accuracy keeps them away. Only the order of accuracies matters to the estimator.
"""


@dataclass(frozen=True)
class Trial:
    """A configuration that was proposed."""

    number: int
    values: Values
    state: TrialState
    """running: not all its seeds have ended; they are trained, or can be resumed."""
    accuracy: float | None = None
    """Mean over its seeds, a fraction; None unless it ended."""
    parameters: int | None = None
    by_epoch: Mapping[int, float] = field(default_factory=dict)
    """By epoch the accuracy of its run, where runs are stopped early; there is one run of each configuration then."""
    has_diverged: bool = False
    """Whether a run of it did."""


def first_key(plan: SweepPlan, number: int) -> str:
    """The key of a configuration's first point, whose claim tells the values."""
    return Point(number, plan.seed_range[0], {}).key


def known_values(number: int, results: Results, claims: Claims) -> Values | None:
    """The values of a configuration, from one of its runs or its claim; None where it was not proposed yet."""
    plan = results.sweep.plan
    for seed in plan.seed_range:
        if run := results.of(Point(number, seed, {}).key):
            return run.point.values
    claim = claims.newest(first_key(plan, number))
    return None if claim is None else claim.values


def trials_of(results: Results, claims: Claims) -> list[Trial]:
    """Every configuration that was proposed and whose values are known, by number."""
    plan = results.sweep.plan
    trials = []
    for number in range(plan.trials):
        points = [Point(number, seed, {}) for seed in plan.seed_range]
        runs = {point.seed: run for point in points if (run := results.of(point.key))}
        if runs:
            trials.append(_trial(plan, number, runs))
        elif values := known_values(number, results, claims):
            claim = claims.newest(first_key(plan, number))
            trials.append(Trial(number, values, "failed" if claim and claim.error else "running"))
    return trials


def _trial(plan: SweepPlan, number: int, runs: Mapping[int, PointRun]) -> Trial:
    first = next(iter(runs.values()))
    states = {run.state for run in runs.values()}
    parameters = first.run.parameters
    can_prune = plan.search is not None and plan.search.prune != "none"
    by_epoch = accuracy_by_epoch(first.run, plan) if can_prune else {}
    state: TrialState = "running"
    accuracy = None
    if "pruned" in states:
        state = "pruned"
    elif len(runs) == plan.seeds and states <= {"completed", "diverged", "failed"}:
        accuracies = [each for run in runs.values() if (each := _accuracy(run, plan)) is not None]
        accuracy = fmean(accuracies) if accuracies and parameters is not None else None
        state = "failed" if accuracy is None else "ended"
    return Trial(number, first.point.values, state, accuracy, parameters, by_epoch, "diverged" in states)


def _accuracy(run: PointRun, plan: SweepPlan) -> float | None:
    """What a run counts with; None for one that ended by an error."""
    if run.state == "diverged":
        return DIVERGED_ACCURACY
    return accuracy_of(run.run, plan) if run.state == "completed" else None
