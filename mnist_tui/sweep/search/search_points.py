"""The points of a search: configuration after configuration, each with all its seeds before the next is proposed.

The claim on a configuration's first seed holds its values, so that no two processes train different ones under one
number: of two that propose at the same time one succeeds, and the other takes over its values and goes on.
"""

from collections.abc import Iterator, Sequence

from mnist_tui.sweep.claims import Claims
from mnist_tui.sweep.plan import Point, Values
from mnist_tui.sweep.results import Results
from mnist_tui.sweep.search.proposals import propose
from mnist_tui.sweep.search.study import check_installed
from mnist_tui.sweep.search.trials import first_key, known_values, trials_of


class SearchPoints:
    """The points of a search in the order of their numbers; raises `MissingPackageError` without optuna."""

    def __init__(self, results: Results, claims: Claims) -> None:
        check_installed()
        self._results, self._claims, self._plan = results, claims, results.sweep.plan
        self._numbers = list(range(self._plan.trials))
        """Configurations whose points were not returned yet."""

    @property
    def may_come(self) -> bool:
        """Whether `next_configuration` may return points later where it returns none now."""
        return bool(self._numbers)

    def known_points(self) -> Iterator[Point]:
        """The points of all configurations that were proposed by now."""
        for number in tuple(self._numbers):
            if values := known_values(number, self._results, self._claims):
                yield from self._points_of(number, values)

    def next_configuration(self) -> Sequence[Point]:
        """The points of the next configuration, proposed by now or here, where its first seed is claimed; else ()."""
        for number in tuple(self._numbers):
            values = known_values(number, self._results, self._claims) or self._choose_values(number)
            if values is not None:
                return self._points_of(number, values)
        return ()

    def _points_of(self, number: int, values: Values) -> Sequence[Point]:
        self._numbers.remove(number)
        return [Point(number, seed, values) for seed in self._plan.seed_range]

    def _choose_values(self, number: int) -> Values | None:
        """Proposes values and claims them, or takes those of a faster process; None where they are not known yet."""
        self._results.refresh()
        self._claims.refresh()
        key = first_key(self._plan, number)
        claim = self._claims.newest(key)
        if claim is not None and (claim.values is not None or claim.state == "held"):
            return claim.values  # None while another process writes it.
        values = propose(self._plan, trials_of(self._results, self._claims), number)
        if self._claims.take(key, values):
            return values
        return known_values(number, self._results, self._claims)
