"""What a search proposes, from trials that are made up; and that it proposes the same from run folders."""

import math
from contextlib import closing
from pathlib import Path

import pytest
from helpers.searches import RANGES, ended, make_plan, save_run, start

from mnist_tui.errors import MissingPackageError, SweepError
from mnist_tui.sweep.claims import Claims
from mnist_tui.sweep.folder import load
from mnist_tui.sweep.plan import Point, SweepPlan, Values
from mnist_tui.sweep.plan import make_plan as plan_from
from mnist_tui.sweep.report import make_report
from mnist_tui.sweep.results import Results
from mnist_tui.sweep.search import study
from mnist_tui.sweep.search.proposals import propose
from mnist_tui.sweep.search.trials import DIVERGED_ACCURACY, Trial, trials_of


def accuracy(values: Values) -> float:
    """1 at lr 0.02 with a width of 30."""
    return 1 - math.log10(float(values["optimizer.lr"]) / 0.02) ** 2 / 10 - ((int(values["width"]) - 30) / 40) ** 2


def search_through(plan: SweepPlan, count: int) -> list[Trial]:
    """The trials of a search by `accuracy`."""
    trials: list[Trial] = []
    for number in range(count):
        values = propose(plan, trials, number)
        trials.append(ended(number, values, accuracy(values)))
    return trials


# --- the same history, the same proposal ---


@pytest.mark.parametrize("sampler", ["tpe", "random", "halving"])
def test_equal_trials_give_equal_proposals(sampler: str) -> None:
    """Asked again, a search proposes the same; with another history, or for another number, something else."""
    plan = make_plan(sampler=sampler)
    trials = search_through(plan, 15)

    assert propose(plan, trials, 15) == propose(plan, list(trials), 15)
    assert propose(plan, trials, 15) != propose(plan, trials, 16)
    if sampler == "tpe":
        other = [ended(each.number, each.values, 1 - (each.accuracy or 0)) for each in trials]
        assert propose(plan, trials, 15) != propose(plan, other, 15)


def test_run_folders_hold_the_whole_search(tmp_path: Path) -> None:
    """A process that knows nothing but the folders proposes what the one before it would have."""
    sweep = start(tmp_path, make_plan())
    trials = search_through(sweep.plan, 14)
    for trial in trials:
        save_run(sweep, Point(trial.number, 0, trial.values), (0.5, accuracy(trial.values)))

    results = Results(load(tmp_path, sweep.name))
    results.refresh()
    with closing(Claims(sweep.folder / "claims", 60)) as claims:
        read = trials_of(results, claims)

    assert [trial.values for trial in read] == [trial.values for trial in trials]
    assert propose(sweep.plan, read, 14) == propose(sweep.plan, trials, 14)


def test_damaged_runs_are_left_out() -> None:
    """Values that are none of the plan's do not end the search."""
    plan = make_plan()
    trials = search_through(plan, 12)
    good = trials[0].values
    bad = [{**good, "width": "many"}, {**good, "dropout": "0.7"}, {**good, "optimizer.lr": "nan"}, {"width": "3"}]
    for values in bad:
        assert propose(plan, [*trials, ended(12, values, 0.99)], 13) == propose(plan, trials, 13)


def test_text_that_was_trained_is_told() -> None:
    """A number of four digits that lies beside the end of its range is told as that end."""
    plan = make_plan({"optimizer.lr": "0.0012345..0.1 log"})
    params = study._params(plan.domains, {"optimizer.lr": "0.001234"})

    assert params == {"optimizer.lr": 0.0012345}
    assert propose(plan, [ended(0, {"optimizer.lr": "0.001234"}, 0.9)], 1)


def test_search_without_runs_has_a_report(tmp_path: Path) -> None:
    """Before the first run there is no effect of a range, and no error."""
    report = make_report(start(tmp_path, make_plan()))

    assert (report.planned, report.effects, report.ranked) == (20, None, ())


# --- the sampler ---


@pytest.mark.slow
def test_tpe_is_better_than_random() -> None:
    """With 30 trials from each of 8 seeds, what is missing to the best accuracy is less at the median."""

    def missing(sampler: str, seed: int) -> float:
        plan = make_plan({"optimizer.lr": RANGES["optimizer.lr"], "width": "1..40"}, sampler=sampler, trials=30)
        plan = plan.model_copy(update={"base": plan.base.with_settings({"seed": str(seed)})})
        return min(1 - (trial.accuracy or 0) for trial in search_through(plan, 30))

    tpe, drawn = (sorted(missing(sampler, seed) for seed in range(8)) for sampler in ("tpe", "random"))

    assert tpe[4] < 0.7 * drawn[4]


@pytest.mark.parametrize(("state", "least", "most"), [("ended", 0, 12), ("failed", 24, 30)])
def test_divergence_keeps_proposals_away(state: str, least: int, most: int) -> None:
    """Where lr above 0.3 diverges, the worst accuracy keeps the next 30 from there; told as failed, most go there."""
    plan = make_plan({"optimizer.lr": RANGES["optimizer.lr"]}, trials=60)
    trials: list[Trial] = []
    for number in range(60):
        values = propose(plan, trials, number)
        rate = float(values["optimizer.lr"])
        if rate <= 0.3:
            trials.append(ended(number, values, rate))
        elif state == "ended":
            trials.append(ended(number, values, DIVERGED_ACCURACY, has_diverged=True))
        else:
            trials.append(Trial(number, values, "failed"))
    diverged = sum(float(trial.values["optimizer.lr"]) > 0.3 for trial in trials[30:])

    assert least <= diverged <= most


def test_running_trials_are_kept_away_from() -> None:
    """A configuration that another process trains is known to the sampler."""
    plan = make_plan()
    trials = search_through(plan, 14)
    running = propose(plan, trials, 14)
    assert propose(plan, [*trials, Trial(14, running, "running")], 14) != running


def test_two_objectives() -> None:
    """With accuracies that are all equal, small networks are proposed where parameters are an objective."""

    def mean_width(objectives: tuple[str, ...]) -> float:
        plan = make_plan({"width": "1..40", "optimizer.lr": "0.001..1 log"}, objectives=objectives, trials=40)
        trials: list[Trial] = []
        for number in range(40):
            values = propose(plan, trials, number)
            trials.append(ended(number, values, 0.5, parameters=100 * int(values["width"])))
        return sum(int(trial.values["width"]) for trial in trials[20:]) / 20

    assert mean_width(("accuracy", "parameters")) < 0.6 * mean_width(("accuracy",))


# --- constraints and finite spaces ---


@pytest.mark.slow
@pytest.mark.parametrize(("where", "most"), [(("parameters<60_000",), 60_000), ((), 300_000)])
def test_constraints_are_kept(where: tuple[str, ...], most: int) -> None:
    """No proposal breaks a bound, though the best ones would; without it, some are above it."""
    plan = make_plan(where=where, trials=40)
    trials: list[Trial] = []
    for number in range(40):
        values = propose(plan, trials, number)
        trials.append(ended(number, values, int(values["width"]) / 100))
    parameters = [plan.spec_of(Point(0, 0, trial.values)).parameters for trial in trials]

    assert max(parameters) < most
    assert where or max(parameters) > 60_000


def test_nothing_allowed_is_said_before_anything_starts() -> None:
    """A bound that no configuration keeps is refused with the plan."""
    with pytest.raises(SweepError, match=r"none of 1,000 configurations keeps parameters<10; vary more, or loosen"):
        make_plan(where=("parameters<10",))


def test_impossible_values_are_said_before_anything_starts() -> None:
    """So is a value that fits nothing, by its name."""
    with pytest.raises(SweepError, match=r"dropout 7.*Dropout"):
        make_plan({"optimizer.lr": "0.001..1 log", "dropout": ("0.1", "7")})
    with pytest.raises(SweepError, match="wdith"):
        make_plan({"wdith": "1..4"})


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_finite_space_is_tried_whole_and_once(sampler: str) -> None:
    """Of 3 x 4 configurations, 3 of them forbidden, each of the 9 others is proposed once; then that is said."""
    plan = make_plan({"dropout": ("0", "0.1", "0.2"), "width": "1..4"}, where=("parameters<27_000",), sampler=sampler)
    trials: list[Trial] = []
    for number in range(plan.trials):
        trials.append(ended(number, propose(plan, trials, number), 0.5))

    assert len({tuple(trial.values.values()) for trial in trials}) == len(trials) == plan.runs == 9
    with pytest.raises(SweepError, match="no configuration keeps parameters<27_000"):
        propose(plan, trials, 9)


def test_number_of_trials() -> None:
    """That which was asked for, unless there are fewer configurations; of ranges there are always enough."""
    assert make_plan({"width": "1..4"}, trials=3).trials == 3
    assert make_plan({"width": "1..4"}, trials=5).trials == 4
    assert make_plan({"optimizer.lr": "0.1..0.2"}, trials=5_000).trials == 5_000


@pytest.mark.slow
def test_last_of_a_large_finite_space_is_found() -> None:
    """The one configuration of 9,999 that is left is proposed, though no draw hits it."""
    plan = make_plan({"width": "1..9999"}, sampler="random")
    tried = [ended(number, {"width": str(number + 1)}, 0.5) for number in range(9_999) if number != 7_776]

    assert propose(plan, tried, 9_998) == {"width": "7777"}


# --- what is asked for ---


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without optuna one line says what to install, before there is a plan."""
    monkeypatch.setattr(study, "find_spec", lambda name: None)

    with pytest.raises(MissingPackageError, match=r"a search: optuna is not installed; pip install optuna"):
        make_plan()


def test_halving_implies_pruning() -> None:
    """The sampler `halving` prunes by halving; a plan that is read back says the same, and median is refused."""
    plan = make_plan(sampler="halving")
    assert plan.search is not None

    assert plan.search.prune == "halving"
    assert plan_from(plan.model_dump(mode="json")) == plan
    with pytest.raises(SweepError, match="sampler halving prunes by halving, not median"):
        make_plan(sampler="halving", prune="median")
    with pytest.raises(SweepError, match="two objectives"):
        make_plan(sampler="halving", objectives=("accuracy", "parameters"))
