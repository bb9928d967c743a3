"""What can be said of accuracies with few seeds and 10,000 images. scipy is loaded by what is asked for.

Sources: Wilson, JASA 22 (1927) 209, for the interval of a share; McNemar, Psychometrika 12 (1947) 153, in its exact
form, for two classifiers on the same images; Welch, Biometrika 34 (1947) 28, for two means with their own spreads;
Efron, Annals of Statistics 7 (1979) 1, for the bootstrap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

LEVEL = 0.95
"""Of every interval."""
POWER = 0.8
"""How surely a difference is to be found, where seeds are counted."""
RESAMPLES = 5_000
"""Of the bootstrap."""
MAX_SEEDS = 100_000

Interval = tuple[float, float]


@dataclass(frozen=True)
class Paired:
    """Two classifiers on the same images."""

    only_first: int
    """Images that the first alone has right."""
    only_second: int
    p: float
    """Probability of a split that uneven, or more so, were both as good: the exact two-sided McNemar test."""


@dataclass(frozen=True)
class Unpaired:
    """Two groups of results."""

    difference: float
    """Mean of the second less mean of the first."""
    p: float | None
    """Of Welch's t test, two-sided; None where the groups have no spread or fewer than two results."""
    interval: Interval | None
    """Of the difference, by the bootstrap; None where `p` is."""
    seeds_needed: int | None
    """Seeds in each group to tell a difference of this size; None where it cannot be said."""


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Of the mean of values that scatter like normal ones, by Student's t; None with fewer than two."""
    if len(values) < 2:
        return None
    from scipy.stats import t

    half = float(t.ppf((1 + LEVEL) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def wilson(right: int, total: int) -> Interval:
    """Of the share of images that a classifier has right, from how many of `total` it had right."""
    from scipy.stats import binomtest

    found = binomtest(right, total).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """Whether two classifiers differ, from which images each has right, in the same order."""
    from scipy.stats import binomtest

    pairs = list(zip(first, second, strict=True))
    only_first = sum(one and not two for one, two in pairs)
    only_second = sum(two and not one for one, two in pairs)
    different = only_first + only_second
    return Paired(only_first, only_second, float(binomtest(only_first, different).pvalue) if different else 1.0)


def welch(first: Sequence[float], second: Sequence[float]) -> Unpaired:
    """Whether the means of two groups differ; each needs two results or more for that."""
    difference = fmean(second) - fmean(first)
    if min(len(first), len(second)) < 2 or not (stdev(first) or stdev(second)):
        return Unpaired(difference, None, None, None)
    from scipy.stats import ttest_ind

    p = float(ttest_ind(first, second, equal_var=False).pvalue)
    return Unpaired(difference, p, _bootstrap(first, second), seeds_needed(difference, first, second))


def _bootstrap(first: Sequence[float], second: Sequence[float]) -> Interval:
    """The percentile interval of the difference of the means; the same for the same results."""
    import numpy as np
    from scipy.stats import bootstrap

    def difference(one: "np.ndarray[Any, Any]", two: "np.ndarray[Any, Any]", axis: int) -> Any:
        return np.mean(two, axis=axis) - np.mean(one, axis=axis)

    found = bootstrap(
        (first, second), difference, n_resamples=RESAMPLES, confidence_level=LEVEL, method="percentile", rng=0
    ).confidence_interval
    return float(found.low), float(found.high)


def seeds_needed(difference: float, first: Sequence[float], second: Sequence[float]) -> int | None:
    """Seeds in each group with which a difference of this size, at this spread, is found with 80 % probability.

    By the normal approximation, and two more for Student's t; None where there is no difference to find.
    """
    variance = stdev(first) ** 2 + stdev(second) ** 2
    if difference == 0 or variance == 0:
        return None
    from scipy.stats import norm

    factor = float(norm.ppf((1 + LEVEL) / 2) + norm.ppf(POWER))
    count = math.ceil(variance * (factor / difference) ** 2) + 2
    return count if count <= MAX_SEEDS else None
