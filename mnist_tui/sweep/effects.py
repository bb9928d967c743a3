"""The effect of each setting of a sweep on the accuracy, by least squares over all runs. numpy and scipy inside.

The model adds an effect for each setting: for each value against the first, or over a range from its low to its high
end. The noise is that between seeds of one configuration (pure error, Box, Draper, Empirical Model-Building, 1987,
ch. 3); where every configuration has one run, what the model leaves over. With several seeds, it is tested whether
effects add up at all (lack of fit): where they do not, the effect of one setting depends on the others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mnist_tui.analysis.statistics import LEVEL, ROUNDING, Interval
from mnist_tui.sweep.domains import Choices, Domain, Range
from mnist_tui.sweep.plan import Values

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Effect:
    """What a value of a setting does to the accuracy, against another."""

    setting: str
    value: str
    against: str
    difference: float
    """The mean accuracy with `value` − that with `against`, a fraction."""
    interval: Interval | None
    """The 95% interval; None where there are too few runs to tell noise."""


@dataclass(frozen=True)
class Effects:
    """The effects of all settings."""

    effects: tuple[Effect, ...]
    noise: str
    """seeds: noise is measured between seeds of one configuration; model: by what the effects leave over; "": not."""
    interaction: float | None
    """The p value of the test that effects add up; None where it cannot be tested."""


@dataclass(frozen=True)
class _Column:
    """A column of the design matrix, and the effect that its coefficient is."""

    setting: str
    value: str
    against: str
    entries: tuple[float, ...]


def find_effects(domains: Mapping[str, Domain], results: Sequence[tuple[Values, Sequence[float]]]) -> Effects | None:
    """The effects of settings, from each configuration's values and the accuracies of its runs.

    None where the runs cannot tell them apart: fewer than settings, or two settings that always changed together.
    """
    import numpy as np

    results = [(values, accuracies) for values, accuracies in results if accuracies]
    columns = [column for path, domain in domains.items() for column in _columns(path, domain, results)]
    if not columns or not results:
        return None
    counts = np.array([len(accuracies) for _, accuracies in results], dtype=float)
    means = np.array([fmean(accuracies) for _, accuracies in results])
    matrix = np.array([[1.0, *(column.entries[row] for column in columns)] for row in range(len(results))])
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        return None
    inverse = np.linalg.inv(matrix.T @ (counts[:, None] * matrix))
    coefficients = inverse @ matrix.T @ (counts * means)
    unexplained = float(counts @ (means - matrix @ coefficients) ** 2)
    noise, variance, freedom = _noise(results, unexplained, matrix.shape[1])
    halves = _half_widths(inverse, variance, freedom)
    effects = [
        Effect(column.setting, column.value, column.against, float(each), _interval(float(each), half))
        for column, each, half in zip(columns, coefficients[1:], halves[1:], strict=True)
    ]
    is_tested = noise == "seeds" and len(results) > matrix.shape[1]
    missing = len(results) - matrix.shape[1]
    return Effects(tuple(effects), noise, _lack_of_fit(unexplained, missing, variance, freedom) if is_tested else None)


def _columns(path: str, domain: Domain, results: Sequence[tuple[Values, Any]]) -> list[_Column]:
    texts = [values.get(path, "") for values, _ in results]
    if isinstance(domain, Range):
        shares = tuple(_share(domain, float(text)) for text in texts)
        low, high = str(domain).removesuffix(" log").split("..")
        return [_Column(path, high, low, shares)]
    tried = [text for text in _ordered(domain, texts) if text in texts]
    return [_Column(path, value, tried[0], tuple(float(text == value) for text in texts)) for value in tried[1:]]


def _ordered(domain: Choices, texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*domain.texts, *texts]))


def _share(domain: Range, value: float) -> float:
    """Where a value lies in a range, 0..1."""
    if domain.is_log:
        return math.log(value / domain.low) / math.log(domain.high / domain.low)
    return (value - domain.low) / (domain.high - domain.low)


def _noise(
    results: Sequence[tuple[Values, Sequence[float]]], unexplained: float, columns: int
) -> tuple[str, float, int]:
    """Where the noise is measured, its variance and its degrees of freedom; ("", 0, 0) where it cannot be."""
    pure = sum((each - fmean(group)) ** 2 for _, group in results for each in group)
    if (freedom := sum(len(group) - 1 for _, group in results)) > 0:
        variance = pure / freedom
        return ("seeds", variance, freedom) if math.sqrt(variance) > ROUNDING else ("", 0.0, 0)
    if (freedom := len(results) - columns) > 0 and math.sqrt(unexplained / freedom) > ROUNDING:
        return "model", unexplained / freedom, freedom
    return "", 0.0, 0


def _half_widths(inverse: "NDArray[Any]", variance: float, freedom: int) -> list[float | None]:
    if not freedom:
        return [None] * len(inverse)
    from scipy.special import stdtrit

    quantile = float(stdtrit(freedom, (1 + LEVEL) / 2))
    return [quantile * math.sqrt(variance * float(inverse[index][index])) for index in range(len(inverse))]


def _interval(difference: float, half: float | None) -> Interval | None:
    return None if half is None else (difference - half, difference + half)


def _lack_of_fit(unexplained: float, missing: int, variance: float, freedom: int) -> float:
    from scipy.special import fdtrc

    return float(fdtrc(missing, freedom, unexplained / missing / variance))
