"""A search: the next configuration, proposed from the results of those before, new and within the constraints.

Proposals come from a sampler (study.py), then from the whole space at random, where the sampler insists on what was
tried or is not allowed; then, where the space is small, in order, so that nothing that is left is missed.
"""

import random
from collections.abc import Sequence
from itertools import chain, islice

from mnist_tui.errors import SweepError
from mnist_tui.sweep.domains import Choices
from mnist_tui.sweep.plan import SweepPlan, Values
from mnist_tui.sweep.search.study import check_installed, proposals
from mnist_tui.sweep.search.trials import Trial
from mnist_tui.sweep.space import draw, every

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
    drawn = islice(draw(plan.domains, chance), PROPOSALS + DRAWS)
    if not any(map(plan.is_candidate, chain(drawn, every(plan.domains) if plan.is_small else ()))):
        raise _nothing_left(plan)


def propose(plan: SweepPlan, trials: Sequence[Trial], number: int) -> Values:
    """The values of configuration `number`, which none of the trials before it has.

    Equal trials give equal values. Raises `SweepError` where no configuration is found that the plan allows.
    """
    seed = random.Random(f"{plan.base.train.seed} {number}").getrandbits(32)
    seen = {_key(plan, trial.values) for trial in trials}
    candidates = chain(
        islice(proposals(plan, trials, seed), PROPOSALS),
        islice(draw(plan.domains, random.Random(seed)), DRAWS),
        every(plan.domains) if plan.is_small else (),
    )
    for values in candidates:
        key = _key(plan, values)
        if key not in seen and plan.is_candidate(values):
            return values
        seen.add(key)
    raise _nothing_left(plan)


def _key(plan: SweepPlan, values: Values) -> tuple[str | None, ...]:
    return tuple(values.get(path) for path in plan.domains)


def _check_value(plan: SweepPlan, path: str, text: str, chance: random.Random) -> None:
    """Raises the error of a value that is impossible with whatever the other settings are."""
    for left, values in zip(reversed(range(CHECKS)), draw(plan.domains, chance), strict=False):
        try:
            plan.is_allowed({**values, path: text})
        except SweepError:
            if not left:
                raise
        else:
            return


def _nothing_left(plan: SweepPlan) -> SweepError:
    tried = "no configuration" if plan.is_small else f"none of {PROPOSALS + DRAWS:,} configurations"
    bounds = " and ".join(plan.where)
    return SweepError(f"{tried} keeps {bounds}; vary more, or loosen a bound" if bounds else f"{tried} is possible")
