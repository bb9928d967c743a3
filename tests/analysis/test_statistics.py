"""The statistics, against published numbers and against what chance does."""

import random
from statistics import fmean, stdev, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t, ttest_ind

from mnist_tui.analysis import statistics
from mnist_tui.analysis.comparison import holm


@pytest.mark.parametrize(("first", "second", "p"), [(30, 15, 0.0357), (35, 25, 0.2451), (0, 0, 1.0), (5, 5, 1.0)])
def test_exact_mcnemar(first: int, second: int, p: float) -> None:
    """P is that of R's binom.test on the images that only one classifier has right."""
    rights = [True] * first + [False] * second + [True, False] * 50
    others = [False] * first + [True] * second + [True, False] * 50
    result = statistics.mcnemar(rights, others)

    assert (result.only_first, result.only_second) == (first, second)
    assert result.p == pytest.approx(p, abs=5e-5)


def test_wilson() -> None:
    """9,940 of 10,000 has the interval 99.23 to 99.53 percent."""
    low, high = statistics.wilson(9940, 10_000)

    assert (round(low, 4), round(high, 4)) == (0.9923, 0.9953)


def test_mean_interval() -> None:
    """For seeds close together the interval is that of Student's t: 4.303 standard errors at two degrees of freedom."""
    low, high = statistics.mean_interval([0.4999, 0.5, 0.5001]) or (0.0, 0.0)

    assert (low, high) == pytest.approx((0.5 - 0.00043027 / 3**0.5, 0.5 + 0.00043027 / 3**0.5), abs=1e-8)
    assert statistics.mean_interval([0.99]) is None
    assert statistics.mean_interval([0.99, 0.99]) is None


def test_an_accuracy_is_a_share() -> None:
    """The interval stays below 100 %, where t on the accuracies themselves would reach 100.17 %."""
    accuracies = [0.985, 0.994, 0.9935]
    half = t.ppf(0.975, 2) * (variance(accuracies) / 3) ** 0.5
    low, high = statistics.mean_interval(accuracies) or (0.0, 0.0)

    assert fmean(accuracies) + half > 1
    assert 0.9 < low < fmean(accuracies) < high < 1


shares = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.99, 1 - 2**-53, 5e-324])


@given(st.lists(shares, min_size=2, max_size=8) | shares.map(lambda share: [share] * 3))
def test_every_interval_of_a_mean_contains_it_and_stays_a_share(accuracies: list[float]) -> None:
    """The interval contains the mean and stays in 0..1, for distant seeds, too; equal ones have none."""
    interval = statistics.mean_interval(accuracies)

    assert (interval is None) == (stdev(accuracies) <= statistics.ROUNDING)
    assert interval is None or 0 <= interval[0] <= fmean(accuracies) <= interval[1] <= 1


@given(*[st.lists(st.integers(0, 10_000).map(lambda right: right / 10_000), min_size=2, max_size=6)] * 2)
def test_interval_and_p_of_a_difference_agree(first: list[float], second: list[float]) -> None:
    """The interval excludes 0 exactly where p is below 0.05, and contains the difference."""
    result = statistics.welch(first, second)

    if result.p is None or result.interval is None:
        assert len(set(first)) == len(set(second)) == 1
    else:
        assert -1 <= result.interval[0] <= result.difference <= result.interval[1] <= 1
        assert (result.p < 0.05) is not (result.interval[0] <= 0 <= result.interval[1]) or abs(result.p - 0.05) < 1e-9


def test_rounding_is_no_spread() -> None:
    """Accuracies that differ only in their last binary digit have no spread, so there is no test."""
    rounded = [0.3, 0.1 + 0.2]
    result = statistics.welch(rounded, [share + 1e-16 for share in rounded])

    assert rounded[0] != rounded[1]
    assert (result.p, result.interval, result.seeds_needed) == (None, None, None)


def test_welch() -> None:
    """P and interval are scipy's."""
    first = [0.275, 0.21, 0.19, 0.236, 0.17, 0.179, 0.169, 0.201, 0.219, 0.226, 0.231, 0.196, 0.19, 0.217, 0.214]
    second = [0.271, 0.22, 0.208, 0.234, 0.234, 0.235, 0.258, 0.22, 0.248, 0.202, 0.219, 0.221]
    result, expected = statistics.welch(first, second), ttest_ind(second, first, equal_var=False)

    assert result.difference == pytest.approx(fmean(second) - fmean(first))
    assert result.p == pytest.approx(expected.pvalue)
    assert result.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))


@pytest.mark.parametrize(("first", "second"), [([0.99], [0.98, 0.97]), ([0.99, 0.99], [0.98, 0.98]), ([1.0], [1.0])])
def test_nothing_to_test(first: list[float], second: list[float]) -> None:
    """A group of one seed, or two groups of equal results, cannot be tested."""
    result = statistics.welch(first, second)

    assert (result.p, result.interval, result.seeds_needed) == (None, None, None)


def test_false_alarms_are_as_rare_as_they_say() -> None:
    """Of groups that do not differ one in twenty comparisons is significant."""
    chance = random.Random(7)
    draws = [[chance.gauss(0.994, 0.0004) for _ in range(6)] for _ in range(800)]
    ps = [statistics.welch(one, two).p or 1.0 for one, two in zip(draws[::2], draws[1::2], strict=True)]

    assert 0.02 < fmean(p < 0.05 for p in ps) < 0.09


def test_with_as_many_seeds_as_needed_it_is_significant() -> None:
    """With that many seeds a difference is found four times in five, with a fifth of them it is not."""
    chance = random.Random(3)
    one, two = [0.9940, 0.9944, 0.9948], [0.9944, 0.9948, 0.9952]
    needed = statistics.seeds_needed(0.0004, one, two)
    assert needed is not None

    def draw(mean: float, seeds: int) -> list[float]:
        return [chance.gauss(mean, 0.0004) for _ in range(seeds)]

    def found(seeds: int) -> float:
        return fmean((statistics.welch(draw(0.994, seeds), draw(0.9944, seeds)).p or 1.0) < 0.05 for _ in range(300))

    assert 0.72 < found(needed) < 0.95
    assert found(max(2, needed // 5)) < 0.5


def test_no_difference_needs_no_number() -> None:
    """There is no number of seeds for equal groups, nor one above `MAX_SEEDS`."""
    assert statistics.seeds_needed(0.0, [1.0, 2.0], [1.0, 2.0]) is None
    assert statistics.seeds_needed(1e-9, [1.0, 2.0], [1.0, 2.0]) is None


def test_holm() -> None:
    """The smallest p is multiplied by the number of comparisons, and the order stays."""
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
