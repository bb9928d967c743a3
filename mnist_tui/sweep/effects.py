"""The effect of each setting of a sweep on the accuracy, by least squares over all runs. numpy and scipy inside.

The model adds an effect for each setting: for each value against the first, or over a range from its low to its high
end. The noise is that between seeds of one configuration (pure error, Box, Draper, Empirical Model-Building, 1987,
ch. 3), each with its own, since a learning rate at which some seeds fail must not hide the effects among others; the
degrees of freedom are Satterthwaite's (Biometrics Bulletin 2 (1946) 110). Where every configuration has one run, the
noise is what the model leaves over. With several seeds, it is tested whether effects add up at all (lack of fit): where
they do not, the effect of one setting depends on the others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import TYPE_CHECKING, Any

from mnist_tui.analysis.statistics import LEVEL, ROUNDING, Interval
from mnist_tui.sweep.domains import Choices, Domain, Range
from mnist_tui.sweep.plan import Values

if TYPE_CHECKING:
    from numpy.typing import NDArray

Results = Sequence[tuple[Values, Sequence[float]]]
"""Each configuration's values, and the accuracies of its runs."""


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


def find_effects(domains: Mapping[str, Domain], results: Results) -> Effects | None:
    """The effects of settings, from each configuration's values and the accuracies of its runs.

    None where the runs cannot tell them apart: fewer than settings, or two settings that always changed together.
    Configurations whose values do not belong to the domains are left out: they were read from files.
    """
    import numpy as np

    results = [(values, accuracies) for values, accuracies in results if accuracies and _fits(domains, values)]
    columns = [column for path, domain in domains.items() for column in _columns(path, domain, results)]
    if not columns or not results:
        return None
    counts = np.array([len(accuracies) for _, accuracies in results], dtype=float)
    means = np.array([fmean(accuracies) for _, accuracies in results])
    matrix = np.array([[1.0, *(column.entries[row] for column in columns)] for row in range(len(results))])
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        return None
    weights = np.linalg.inv(matrix.T @ (counts[:, None] * matrix)) @ matrix.T * counts
    coefficients = weights @ means
    unexplained = float(counts @ (means - matrix @ coefficients) ** 2)
    missing = len(results) - matrix.shape[1]
    noise, variances, freedoms = _noise(results, unexplained, missing)
    of_means = variances / counts
    halves = [_half_width(row**2 * of_means, freedoms, noise == "model") if noise else None for row in weights]
    effects = [
        Effect(column.setting, column.value, column.against, float(each), _interval(float(each), half))
        for column, each, half in zip(columns, coefficients[1:], halves[1:], strict=True)
    ]
    is_tested = noise == "seeds" and missing > 0
    return Effects(tuple(effects), noise, _lack_of_fit(unexplained, missing, results) if is_tested else None)


def _fits(domains: Mapping[str, Domain], values: Values) -> bool:
    """Whether every setting with a range has a number."""
    ranges = ((path, domain) for path, domain in domains.items() if isinstance(domain, Range))
    return all(domain.number_of(values.get(path, "")) is not None for path, domain in ranges)


def _columns(path: str, domain: Domain, results: Sequence[tuple[Values, Any]]) -> list[_Column]:
    texts = [values.get(path, "") for values, _ in results]
    if isinstance(domain, Range):
        shares = tuple(_share(domain, number) for text in texts if (number := domain.number_of(text)) is not None)
        low, high = domain.ends
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


def _noise(results: Results, unexplained: float, missing: int) -> "tuple[str, NDArray[Any], NDArray[Any]]":
    """Where the noise is measured; for each configuration the variance of a run, and its degrees of freedom.

    A configuration with one run has the mean variance of the others.
    """
    import numpy as np

    pure, freedom = _pure_error(results)
    if math.sqrt(pure) > ROUNDING:
        variances = [variance(group) if len(group) > 1 else pure for _, group in results]
        freedoms = [len(group) - 1 or freedom for _, group in results]
        return "seeds", np.array(variances), np.array(freedoms)
    left_over = unexplained / missing if missing > 0 and not freedom else 0.0
    found = "model" if math.sqrt(left_over) > ROUNDING else ""
    return found, np.full(len(results), left_over), np.full(len(results), max(missing, 1))


def _pure_error(results: Results) -> tuple[float, int]:
    """The mean variance between seeds of one configuration, and its degrees of freedom."""
    freedom = sum(len(group) - 1 for _, group in results)
    total = sum((each - fmean(group)) ** 2 for _, group in results for each in group)
    return (total / freedom if freedom else 0.0), freedom


def _half_width(parts: "NDArray[Any]", freedoms: "NDArray[Any]", is_one_estimate: bool) -> float:
    """Half of the interval of an effect, from what each configuration adds to its variance.

    `is_one_estimate`: whether all variances are the same estimate, rather than one for each configuration.
    """
    from scipy.special import stdtrit

    if not (total := float(parts.sum())):
        return 0.0
    freedom = float(freedoms[0]) if is_one_estimate else total**2 / float((parts**2 / freedoms).sum())
    return float(stdtrit(freedom, (1 + LEVEL) / 2)) * math.sqrt(total)


def _interval(difference: float, half: float | None) -> Interval | None:
    return None if half is None else (difference - half, difference + half)


def _lack_of_fit(unexplained: float, missing: int, results: Results) -> float:
    from scipy.special import fdtrc

    pure, freedom = _pure_error(results)
    return float(fdtrc(missing, freedom, unexplained / missing / pure))
