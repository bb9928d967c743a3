"""Designs of experiments: which configurations are tried. scipy and numpy are loaded by what draws.

Random draws: Bergstra, Bengio, JMLR 13 (2012) 281. Sobol points, which cover the space more evenly: Sobol, USSR Comp.
Math. 7 (1967) 86, scrambled as in Owen, J. Complexity 14 (1998) 466 (`scipy.stats.qmc.Sobol`).
"""

from collections.abc import Iterable, Iterator, Mapping

from mnist_tui.errors import SweepError
from mnist_tui.sweep.domains import Domain, Range
from mnist_tui.sweep.space import Values, every, size
from mnist_tui.sweep.vocabulary import Design

DRAWS = 20
"""So many times as many draws as points, before it is said that there are no more different ones."""


def configurations(design: Design, domains: Mapping[str, Domain], points: int | None, most: int) -> list[Values]:
    """Every configuration, each once; with more points, the first ones stay the same. Raises `SweepError`."""
    if design == "grid":
        return list(_grid(domains, most))
    if points is None:
        raise SweepError(f"a {design} design needs the number of points, such as --points 16")
    distinct: dict[tuple[str, ...], Values] = {}
    for shares in _draw(design, len(domains), points):
        values = {path: domain.at(share) for (path, domain), share in zip(domains.items(), shares, strict=True)}
        distinct.setdefault(tuple(values.values()), values)
        if len(distinct) == points:
            break
    return list(distinct.values())


def _grid(domains: Mapping[str, Domain], most: int) -> Iterator[Values]:
    for path, domain in domains.items():
        if isinstance(domain, Range):
            values = ", or ".join(domain.with_values)
            raise SweepError(f"{path}={domain}: a grid needs values: write {values}, or use --design sobol")
    if (count := size(domains)) > most:
        raise SweepError(f"the grid has {count:,} points, at most {most:,} are tried; --design sobol --points 64 draws")
    return every(domains)


def _draw(design: Design, dimensions: int, points: int) -> Iterable[list[float]]:
    """Points in the unit cube, more than are needed."""
    import numpy as np

    if design == "random":
        return (row.tolist() for row in np.random.default_rng(0).random((DRAWS * points, dimensions)))
    from scipy.stats import qmc

    exponent = (DRAWS * points - 1).bit_length()  # Powers of two, for which the points are balanced.
    return (row.tolist() for row in qmc.Sobol(dimensions, rng=np.random.default_rng(0)).random_base2(exponent))
