"""How many runs of a sweep are trained at a time."""

import pytest

from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.place import Place


@pytest.mark.parametrize(("jobs", "runs", "expected"), [(16, 2, 2), (2, 16, 2), (1, 0, 1)])
def test_no_more_at_a_time_than_there_are_runs(jobs: int, runs: int, expected: int) -> None:
    """Else the time that is told would be divided by processes that nothing is left for."""
    assert Place(jobs).jobs_at_a_time(runs, Options()) == expected


def test_a_cluster_decides_by_itself() -> None:
    """Its nodes are not known."""
    assert Place(on="local").jobs_at_a_time(5, Options()) is None
