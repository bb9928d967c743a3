"""What a sweep will cost: runs, time and disk. Steps are measured where there are few networks, else between some."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.sweep.designs import configurations
from mnist_tui.sweep.plan import Point, SweepPlan, Values
from mnist_tui.sweep.vocabulary import MAX_POINTS
from mnist_tui.text import duration

MEASURED = 4
"""Networks whose steps are measured."""
SAMPLED = 64
"""Configurations that stand for all of a search, whose own are not known before."""


@dataclass(frozen=True)
class Cost:
    """An estimate."""

    runs: int
    seconds: float
    """Of all runs one after the other."""
    bytes: int


def expected_cost(plan: SweepPlan, options: Options) -> Cost:
    """The cost of all runs of a plan, those that are done already too; takes a second for each network measured."""
    specs = [plan.spec_of(Point(0, plan.base.train.seed, values)) for values in _sample(plan)]
    seconds = _seconds(specs, replace(options, threads=options.threads or 1), plan.dataset)
    scale = plan.runs / len(specs)
    return Cost(plan.runs, scale * sum(seconds), round(scale * sum(_bytes(spec) for spec in specs)))


def measured_elsewhere(plan: SweepPlan, options: Options) -> tuple[Cost, int]:
    """The cost of a plan and how many runs go at a time; measured in a process of its own.

    So a run that this process trains keeps its random numbers and its threads.
    """
    from mnist_tui.sweep import pool

    pool.preload()
    return pool.call_elsewhere(_cost_and_jobs, plan, options)


def _cost_and_jobs(plan: SweepPlan, options: Options) -> tuple[Cost, int]:
    from mnist_tui.training import environment

    return expected_cost(plan, options), environment.jobs_at_a_time(MAX_POINTS, options)


def cost_words(plan: SweepPlan, cost: Cost, jobs: int | None) -> str:
    """`9 configurations with 3 seeds: 27 runs, about 14 min with 2 at a time, about 22 MB`."""
    if plan.search:
        what = f"{plan.trials} configurations proposed by {plan.search.sampler}"
    else:
        what = f"{len(plan.configurations)} configurations ({plan.design})"
    seeds = f" with {plan.seeds} seeds" if plan.seeds > 1 else ""
    early = ", less where runs are stopped early" if plan.search and plan.search.prune != "none" else ""
    return (
        f"{what}{seeds}: {cost.runs} runs, about {time_words(cost.seconds, jobs)}{early}, "
        f"about {cost.bytes / 1e6:,.0f} MB on disk"
    )


def time_words(seconds: float, jobs: int | None) -> str:
    """How long runs take with `jobs` at a time; on a cluster, whose nodes are not known, in all."""
    if jobs is None:
        return f"{duration(seconds)} on one core of this machine"
    return f"{duration(seconds / jobs)} with {jobs} at a time"


def _sample(plan: SweepPlan) -> Sequence[Values]:
    if plan.search is None:
        return plan.configurations
    drawn = configurations("random", plan.domains, SAMPLED, MAX_POINTS)
    return list(islice(filter(plan.is_candidate, drawn), SAMPLED)) or drawn[:1]


def _seconds(specs: Sequence[RunSpec], options: Options, dataset: str) -> list[float]:
    """The expected seconds of each run.

    Recipes that differ in what a step costs are measured, at most `MEASURED` of them, from the smallest network to the
    largest; the others lie between those by their multiply-adds.
    """
    kinds = {_kind(spec): spec for spec in specs}
    by_size = sorted(kinds.values(), key=_size)
    last = len(by_size) - 1
    chosen = (
        [by_size[round(index * last / (MEASURED - 1))] for index in range(MEASURED)] if last >= MEASURED else by_size
    )
    measured = [(_size(spec), _per_epoch(spec, options, dataset)) for spec in chosen]
    exact = {_kind(spec): seconds for spec, (_, seconds) in zip(chosen, measured, strict=True)}

    def between(size: float) -> float:
        at = min(max(bisect_left(measured, (size, 0.0)), 1), len(measured) - 1)
        (low, fast), (high, slow) = measured[at - 1], measured[at]
        return fast if high == low else max(0.0, fast + (slow - fast) * (size - low) / (high - low))

    return [spec.train.epochs * (exact.get(_kind(spec)) or between(_size(spec))) for spec in specs]


def _kind(spec: RunSpec) -> tuple[object, ...]:
    """Equal for recipes whose epochs take the same time."""
    train = spec.train
    calls = (train.optimizer.name, train.batch_size, str(train.augment), train.precision, train.validation_images)
    return (spec.layers, tuple(row.multiply_adds for row in spec.rows), *calls)


def _size(spec: RunSpec) -> float:
    return sum(row.multiply_adds for row in spec.rows)


def _per_epoch(spec: RunSpec, options: Options, dataset: str) -> float:
    from mnist_tui.training import estimate

    cost: Mapping[str, Any] = estimate.expected_cost(spec, options)
    share = spec.data.dataset_for(dataset).train_images / spec.dataset.train_images
    return share * float(cost["seconds_per_epoch"])


def _bytes(spec: RunSpec) -> int:
    """Three checkpoints with two moments for each weight, predictions, and a line of steps every 0.3 s."""
    return 36 * spec.parameters + 250_000 + 20_000 * spec.train.epochs
