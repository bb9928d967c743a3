"""An Optuna study in memory, rebuilt from the trials of a search whenever a proposal or a decision is needed.

So the run folders are all that a search keeps, and a process that is killed loses nothing. Sampler: Bergstra et al.,
NeurIPS 24 (2011) 2546 (`optuna.samplers.TPESampler`). Pruning: Golovin et al., KDD (2017) 1487, section 3.2.1
(`MedianPruner`, which lets the first five configurations finish), and Li et al., MLSys (2020), ASHA
(`SuccessiveHalvingPruner`). Only here is optuna used; it is loaded by what is called.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal

from mnist_tui.errors import MissingPackageError
from mnist_tui.sweep.domains import Choices, Domain
from mnist_tui.sweep.plan import SweepPlan, Values
from mnist_tui.sweep.search.trials import Trial
from mnist_tui.sweep.search_options import Search

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

DIRECTIONS: Mapping[str, Literal["maximize", "minimize"]] = {"accuracy": "maximize", "parameters": "minimize"}
STARTUP = 4, 10
"""A quarter of the trials are random before the estimator is asked, but so many at least, and at most."""
REDUCTION = 3
"""Successive halving lets the best third of the runs that reach a rung go on."""
RUNGS = 3
"""Rungs of successive halving: of 18 epochs after 2, 6 and 18."""


def check_installed() -> None:
    """Raises `MissingPackageError` where optuna is not installed."""
    if find_spec("optuna") is None:
        raise MissingPackageError("a search: optuna is not installed; pip install optuna")


def proposals(plan: SweepPlan, trials: Sequence[Trial], seed: int) -> Iterator[Values]:
    """What the sampler proposes after these trials, without end; equal trials and seeds give equal proposals.

    A proposal that was passed over counts as being trained, so that the next one keeps away from it: told as failed, it
    would be proposed again, hundreds of times where few configurations are left.
    """
    study = _rebuild(plan, trials, seed)
    distributions = {path: _distribution(domain) for path, domain in plan.domains.items()}
    while True:
        params = study.ask(distributions).params
        yield {path: _as_text(domain, params[path]) for path, domain in plan.domains.items()}


def should_prune(plan: SweepPlan, trials: Sequence[Trial], number: int, epoch: int) -> bool:
    """Whether the run of a configuration should be stopped after `epoch`, in view of all trials."""
    study = _rebuild(plan, [trial for trial in trials if trial.number != number], seed=0)
    own = next((trial for trial in trials if trial.number == number), None)
    if own is None or epoch not in own.by_epoch:
        return False
    frozen = _frozen(plan, own, epoch)
    if frozen is None:
        return False
    study.add_trial(frozen)
    return study.pruner.prune(study, study.get_trials(deepcopy=False)[-1])


def _rebuild(plan: SweepPlan, trials: Sequence[Trial], seed: int) -> "Study":
    import optuna

    assert plan.search is not None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        directions=[DIRECTIONS[name] for name in plan.search.objectives],
        sampler=_sampler(plan.search, seed),
        pruner=_pruner(plan),
    )
    study.add_trials([frozen for trial in trials if (frozen := _frozen(plan, trial))])
    return study


def _sampler(search: Search, seed: int) -> "BaseSampler":
    from optuna.samplers import RandomSampler, TPESampler

    if search.sampler != "tpe":
        return RandomSampler(seed=seed)
    fewest, most = STARTUP
    return TPESampler(seed=seed, n_startup_trials=min(max(search.trials // 4, fewest), most))


def _pruner(plan: SweepPlan) -> "BasePruner":
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    assert plan.search is not None
    match plan.search.prune:
        case "median":
            return MedianPruner()
        case "halving":
            return SuccessiveHalvingPruner(min_resource=_rungs(plan)[0], reduction_factor=REDUCTION)
        case "none":
            return NopPruner()


def _rungs(plan: SweepPlan) -> list[int]:
    """The epochs after which successive halving compares runs; the last is that of the base recipe, or before it."""
    first = max(1, plan.base.train.epochs // REDUCTION ** (RUNGS - 1))
    return [first * REDUCTION**rung for rung in range(RUNGS)]


# --- trials as Optuna's ---


def _frozen(plan: SweepPlan, trial: Trial, until: int | None = None) -> "FrozenTrial | None":
    """A trial as Optuna's; as it was while it ran, after epoch `until`. None where its values are not of the plan."""
    from optuna.trial import TrialState, create_trial

    assert plan.search is not None
    params = _params(plan.domains, trial.values)
    if params is None:
        return None
    states = {
        "running": TrialState.RUNNING,
        "ended": TrialState.COMPLETE,
        "pruned": TrialState.PRUNED,
        "failed": TrialState.FAIL,
    }
    state = "running" if until else trial.state
    by_epoch = {epoch: accuracy for epoch, accuracy in trial.by_epoch.items() if not until or epoch <= until}
    return create_trial(
        state=states[state],
        values=_objectives(plan.search, trial) if state == "ended" else None,
        params=params,
        distributions={path: _distribution(domain) for path, domain in plan.domains.items()},
        intermediate_values={} if trial.has_diverged else by_epoch,
        system_attrs=_rungs_done(plan, by_epoch, until) if plan.search.prune == "halving" else None,
    )


def _objectives(search: Search, trial: Trial) -> list[float]:
    assert trial.accuracy is not None
    assert trial.parameters is not None
    values = {"accuracy": trial.accuracy, "parameters": trial.parameters}
    return [values[name] for name in search.objectives]


def _rungs_done(plan: SweepPlan, by_epoch: Mapping[int, float], until: int | None) -> dict[str, float]:
    """What `SuccessiveHalvingPruner` notes of a trial at each rung; that of epoch `until` is still to be decided."""
    done = takewhile(lambda rung: rung in by_epoch and rung != until, _rungs(plan))
    return {f"completed_rung_{index}": by_epoch[rung] for index, rung in enumerate(done)}


@cache
def _distribution(domain: Domain) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Choices):
        return CategoricalDistribution(domain.texts)
    if domain.is_whole:
        return IntDistribution(round(domain.low), round(domain.high), log=domain.is_log)
    return FloatDistribution(domain.low, domain.high, log=domain.is_log)


def _as_text(domain: Domain, value: Any) -> str:
    return str(value) if isinstance(domain, Choices) else domain.text_of(value)


def _params(domains: Mapping[str, Domain], values: Values) -> dict[str, Any] | None:
    """The values that were trained, as the distributions hold them; None where one is not of its domain."""
    params: dict[str, Any] = {}
    try:
        for path, domain in domains.items():
            params[path] = _as_param(domain, values[path])
    except (KeyError, ValueError):
        return None
    return params


def _as_param(domain: Domain, text: str) -> str | float:
    if isinstance(domain, Choices):
        if text not in domain.texts:
            raise ValueError(text)
        return text
    number = domain.number_of(text)
    if number is None:
        raise ValueError(text)
    return round(number) if domain.is_whole else number
