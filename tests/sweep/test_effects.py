"""Effects of settings, against numbers whose effects are known, and against another way to compute them."""

import math
from random import Random

import numpy as np
import pytest
from scipy import stats

from mnist_tui.sweep.domains import Choices, Domain, Range
from mnist_tui.sweep.effects import Effect, find_effects
from mnist_tui.sweep.plan import Values

GRID: dict[str, Domain] = {"lr": Choices(("1", "2", "3")), "dropout": Choices(("0", "0.1"))}
Results = list[tuple[Values, list[float]]]


def grid_results(noise: float, seeds: int, interaction: float = 0.0, seed: int = 0) -> Results:
    """Lr 2 gives 2 points, 3 gives 3; dropout takes one away; together they may do more."""
    chance = Random(seed)
    found: Results = []
    for lr, gain in {"1": 0.0, "2": 0.02, "3": 0.03}.items():
        for dropout, loss in {"0": 0.0, "0.1": -0.01}.items():
            mean = 0.9 + gain + loss + (interaction if lr == "3" and loss else 0.0)
            found.append(({"lr": lr, "dropout": dropout}, [mean + chance.gauss(0, noise) for _ in range(seeds)]))
    return found


def by_name(domains: dict[str, Domain], results: Results) -> dict[str, Effect]:
    """The effects by setting and value."""
    effects = find_effects(domains, results)
    assert effects is not None
    return {f"{each.setting} {each.value}": each for each in effects.effects}


def test_known_effects_are_found() -> None:
    """Against the first value of each setting, with intervals that hold them."""
    effects = by_name(GRID, grid_results(0.001, 3))

    assert {name: round(each.difference, 2) for name, each in effects.items()} == {
        "lr 2": 0.02,
        "lr 3": 0.03,
        "dropout 0.1": -0.01,
    }
    for each, true in zip(effects.values(), (0.02, 0.03, -0.01), strict=True):
        assert each.interval is not None
        assert each.interval[0] < true < each.interval[1]
    assert effects["lr 2"].against == "1"


def test_the_intervals_hold_the_truth_in_95_of_100() -> None:
    """Of 400 sweeps with two seeds of each configuration; so do they with one, where nothing acts together."""
    for seeds in (1, 2):
        held = 0
        for seed in range(400):
            interval = by_name(GRID, grid_results(0.005, seeds, seed=seed))["lr 3"].interval
            assert interval is not None
            held += interval[0] <= 0.03 <= interval[1]

        assert 0.92 < held / 400 < 0.98


def test_an_effect_is_the_difference_of_two_means() -> None:
    """In a whole grid with as many seeds everywhere; its interval is Welch's, from the spread of each configuration."""
    results = grid_results(0.01, 4)
    effect = by_name(GRID, results)["dropout 0.1"]
    without, with_it = (
        [value for values, accuracies in results for value in accuracies if values["dropout"] == dropout]
        for dropout in ("0", "0.1")
    )
    parts = np.array([np.var(accuracies, ddof=1) / 4 / 9 for _, accuracies in results])
    freedom = parts.sum() ** 2 / (parts**2 / 3).sum()
    half = stats.t.ppf(0.975, freedom) * math.sqrt(parts.sum())

    assert math.isclose(effect.difference, np.mean(with_it) - np.mean(without))
    assert effect.interval is not None
    assert np.allclose(effect.interval, (effect.difference - half, effect.difference + half))


def test_the_effect_of_a_range_is_that_from_end_to_end() -> None:
    """Also where equal factors count alike."""
    domains: dict[str, Domain] = {"lr": Range(0.001, 0.1, is_log=True)}
    results: Results = [({"lr": str(lr)}, [0.9 + 0.01 * math.log10(lr)]) for lr in (0.001, 0.003, 0.02, 0.05)]
    effect = by_name(domains, results)["lr 0.1"]

    assert math.isclose(effect.difference, 0.02)
    assert effect.against == "0.001"


def test_a_value_at_which_seeds_fail_does_not_hide_the_others() -> None:
    """Its own effect is uncertain; that between values whose seeds agree is not."""
    results = grid_results(0.001, 3)
    failing = [(values, [0.1, 0.95, 0.1] if values["lr"] == "3" else accuracies) for values, accuracies in results]
    sure, unsure = (by_name(GRID, failing)[f"lr {value}"].interval for value in "23")

    assert sure is not None
    assert unsure is not None
    assert 0.015 < sure[0] < 0.02 < sure[1] < 0.025
    assert unsure[1] - unsure[0] > 0.5


def test_settings_that_act_together_are_noticed() -> None:
    """With several seeds; where they add up they are not."""
    together, apart = (find_effects(GRID, grid_results(0.001, 3, interaction)) for interaction in (0.02, 0.0))

    assert together is not None
    assert apart is not None
    assert together.interaction is not None
    assert together.interaction < 0.001
    assert apart.interaction is not None
    assert apart.interaction > 0.05


@pytest.mark.parametrize("results", [[], grid_results(0.1, 1)[:1], [grid_results(0.1, 1)[0], grid_results(0.1, 1)[3]]])
def test_what_cannot_be_told_apart_is_not(results: Results) -> None:
    """Too few configurations; or two settings that changed together."""
    assert find_effects(GRID, results) is None


@pytest.mark.parametrize("text", ["abc", "", "nan", "inf"])
def test_a_value_in_a_file_that_is_no_number_is_left_out(text: str) -> None:
    """A run.json may say anything; the other configurations tell what they told without it."""
    domains: dict[str, Domain] = {"lr": Range(0.001, 0.1, is_log=True)}
    results: Results = [({"lr": "0.001"}, [0.9, 0.91]), ({"lr": "0.1"}, [0.95, 0.96])]

    assert find_effects(domains, [*results, ({"lr": text}, [0.5, 0.6])]) == find_effects(domains, results)


def test_a_value_in_a_file_that_has_no_logarithm_counts_as_the_low_end() -> None:
    """Not a number of the range either, but nothing that could not be reckoned with."""
    domains: dict[str, Domain] = {"lr": Range(0.001, 0.1, is_log=True)}
    results: Results = [({"lr": "-3"}, [0.9, 0.91]), ({"lr": "0.1"}, [0.95, 0.96])]
    at_the_end: Results = [({"lr": "0.001"}, [0.9, 0.91]), ({"lr": "0.1"}, [0.95, 0.96])]

    assert find_effects(domains, results) == find_effects(domains, at_the_end)


def test_without_noise_there_is_no_interval() -> None:
    """Seeds that are all equal tell nothing of chance."""
    effects = find_effects(GRID, grid_results(0.0, 3))

    assert effects is not None
    assert effects.noise == ""
    assert {each.interval for each in effects.effects} == {None}
