"""The statistics, against published numbers and against what chance does."""

import random
from statistics import fmean, variance

import pytest
from scipy.stats import t

from mnist_tui import statistics
from mnist_tui.comparison import holm


@pytest.mark.parametrize(("first", "second", "p"), [(30, 15, 0.0357), (35, 25, 0.2451), (0, 0, 1.0), (5, 5, 1.0)])
def test_exact_mcnemar(first: int, second: int, p: float) -> None:
    """As R's binom.test gives it; images that both have right, or both miss, do not count."""
    rights = [True] * first + [False] * second + [True, False] * 50
    others = [False] * first + [True] * second + [True, False] * 50
    found = statistics.mcnemar(rights, others)

    assert (found.only_first, found.only_second) == (first, second)
    assert found.p == pytest.approx(p, abs=5e-5)


def test_wilson() -> None:
    """9940 of 10,000: from 99.23 to 99.53 percent."""
    low, high = statistics.wilson(9940, 10_000)

    assert (round(low, 4), round(high, 4)) == (0.9923, 0.9953)


def test_mean_interval() -> None:
    """By Student's t with two degrees of freedom: 4.303 standard errors."""
    low, high = statistics.mean_interval([1.0, 2.0, 3.0]) or (0.0, 0.0)

    assert (low, high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-3)
    assert statistics.mean_interval([1.0]) is None


def test_welch() -> None:
    """Held against the formula: its own degrees of freedom for unequal spreads."""
    first = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]
    second = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 28.3]
    found = statistics.welch(first, second)

    errors = [variance(group) / len(group) for group in (first, second)]
    freedom = sum(errors) ** 2 / sum(error**2 / (len(first) - 1) for error in errors)

    assert found.p == pytest.approx(2 * t.sf((fmean(second) - fmean(first)) / sum(errors) ** 0.5, freedom))
    assert found.difference == pytest.approx(fmean(second) - fmean(first))
    assert found.interval is not None
    assert found.interval[0] < found.difference < found.interval[1]
    assert found == statistics.welch(first, second)  # The bootstrap draws the same again.


@pytest.mark.parametrize(("first", "second"), [([0.99], [0.98, 0.97]), ([0.99, 0.99], [0.98, 0.98]), ([1.0], [1.0])])
def test_nothing_to_test(first: list[float], second: list[float]) -> None:
    """One seed has no spread; neither have equal results."""
    found = statistics.welch(first, second)

    assert (found.p, found.interval, found.seeds_needed) == (None, None, None)


def test_false_alarms_are_as_rare_as_they_say() -> None:
    """Of groups that do not differ, one in twenty is told apart."""
    chance = random.Random(7)
    draws = [[chance.gauss(0.994, 0.0004) for _ in range(6)] for _ in range(800)]
    ps = [_p(one, two) for one, two in zip(draws[::2], draws[1::2], strict=True)]

    assert 0.02 < fmean(p < 0.05 for p in ps) < 0.09


def _p(one: list[float], two: list[float]) -> float:
    """Of `welch`, without its bootstrap, which would take minutes here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "_bootstrap", lambda first, second: (0.0, 0.0))
        return statistics.welch(one, two).p or 1.0


def test_with_as_many_seeds_as_needed_it_is_told() -> None:
    """Four times in five, as `POWER` says; with a fifth of them it is not."""
    chance = random.Random(3)
    one, two = [0.9940, 0.9944, 0.9948], [0.9944, 0.9948, 0.9952]
    needed = statistics.seeds_needed(0.0004, one, two)
    assert needed is not None

    def found(seeds: int) -> float:
        return fmean(
            _p(
                [chance.gauss(0.994, 0.0004) for _ in range(seeds)],
                [chance.gauss(0.9944, 0.0004) for _ in range(seeds)],
            )
            < 0.05
            for _ in range(300)
        )

    assert 0.72 < found(needed) < 0.95
    assert found(max(2, needed // 5)) < 0.5


def test_no_difference_needs_no_number() -> None:
    """No number of seeds tells what is equal, and a million would be no advice."""
    assert statistics.seeds_needed(0.0, [1.0, 2.0], [1.0, 2.0]) is None
    assert statistics.seeds_needed(1e-9, [1.0, 2.0], [1.0, 2.0]) is None


def test_holm() -> None:
    """The smallest is judged hardest, and the order stays."""
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
