"""A search: the next configuration, proposed from the results of those before, new and within the constraints.

Proposals come from a sampler (study.py), then from the whole space at random, where the sampler insists on what was
tried or is not allowed; then, where the space is small, in order, so that nothing that is left is missed.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import chain, islice, product
from math import prod

from mnist_tui.errors import SweepError
from mnist_tui.sweep.domains import Choices, Domain
from mnist_tui.sweep.plan import MAX_POINTS, SweepPlan, Values
from mnist_tui.sweep.study import check_installed, proposals
from mnist_tui.sweep.trials import Trial

PROPOSALS = 100
"""Proposals of the sampler that are looked at."""
DRAWS = 900
"""Configurations that are drawn at random where none of those will do."""
CHECKS = 20
"""Random configurations with a value of one setting, one of which must be possible before the search begins."""


def check(plan: SweepPlan) -> None:
    """Raises `MissingPackageError` without optuna, `SweepError` where a value fits nothing, or no draw is allowed."""
    check_installed()
    chance = random.Random(0)
    for path, domain in plan.domains.items():
        for text in domain.texts if isinstance(domain, Choices) else (domain.at(0.0), domain.at(1.0)):
            _check_value(plan, path, text, chance)
    if not any(_is_allowed(plan, values) for values in _draw(plan, chance, PROPOSALS + DRAWS)):
        raise SweepError(_nothing_allowed(plan))


def propose(plan: SweepPlan, trials: Sequence[Trial], number: int) -> Values | None:
    """The values of configuration `number`, from the trials before it; None where every allowed one was tried.

    Equal trials give equal values. Raises `SweepError` where no allowed configuration is found.
    """
    seed = random.Random(f"{plan.base.train.seed} {number}").getrandbits(32)
    seen = {_key(plan, trial.values) for trial in trials}
    candidates = chain(
        islice(proposals(plan, trials, seed), PROPOSALS), _draw(plan, random.Random(seed), DRAWS), _every(plan)
    )
    for values in candidates:
        key = _key(plan, values)
        if key not in seen and _is_allowed(plan, values):
            return values
        seen.add(key)
    if _size(plan) <= MAX_POINTS:
        return None
    raise SweepError(_nothing_allowed(plan))


def _key(plan: SweepPlan, values: Values) -> tuple[str | None, ...]:
    return tuple(values.get(path) for path in plan.domains)


def _is_allowed(plan: SweepPlan, values: Values) -> bool:
    """Whether a configuration keeps the constraints and is possible: of ranges, not every pair need fit together."""
    try:
        return plan.is_allowed(values)
    except SweepError:
        return False


def _check_value(plan: SweepPlan, path: str, text: str, chance: random.Random) -> None:
    """Raises the error of a value that is impossible with whatever the other settings are."""
    for left, values in zip(reversed(range(CHECKS)), _draw(plan, chance, CHECKS), strict=True):
        try:
            plan.is_allowed({**values, path: text})
        except SweepError:
            if not left:
                raise
        else:
            return


def _nothing_allowed(plan: SweepPlan) -> str:
    bounds = " and ".join(plan.where) or "what fits together"
    return f"none of {PROPOSALS + DRAWS:,} configurations keeps {bounds}; vary more, or loosen a bound"


def _draw(plan: SweepPlan, chance: random.Random, count: int) -> Iterator[Values]:
    """Configurations at random."""
    for _ in range(count):
        yield {path: domain.at(chance.random()) for path, domain in plan.domains.items()}


def _every(plan: SweepPlan) -> Iterator[Values]:
    """Every configuration of a space of at most 10,000; nothing of a larger one."""
    if _size(plan) <= MAX_POINTS:
        for texts in product(*(_texts(domain) for domain in plan.domains.values())):
            yield dict(zip(plan.domains, texts, strict=True))


def _size(plan: SweepPlan) -> float:
    """The number of configurations, infinite where a setting is any number of a range."""
    return prod(_count(domain) for domain in plan.domains.values())


def _count(domain: Domain) -> float:
    if isinstance(domain, Choices):
        return len(domain.texts)
    return domain.high - domain.low + 1 if domain.is_whole else float("inf")


def _texts(domain: Domain) -> Sequence[str]:
    """Every value of a setting that has so many."""
    if isinstance(domain, Choices):
        return domain.texts
    return [str(number) for number in range(round(domain.low), round(domain.high) + 1)]
