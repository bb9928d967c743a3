"""SIGKILL at random instants of the real command line: nothing reported is lost, resume ends in the same bits (R1)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.reliability import KilledRuns, without_history, without_random_state

KILLS = 6
"""tests/system/test_stress.py kills at chosen system calls, which is faster; here everything is as a user has it."""
CONTROL_KILLS = 20
SEED = 20_261_120


def test_a_killed_run_is_resumed_to_the_same_bits(tmp_path: Path) -> None:
    """Some kills, a third of them early; half of the resumed runs are killed once more."""
    runs = KilledRuns(tmp_path, SEED)
    met_alive = [runs.kill(index) for index in range(KILLS)]

    # The instants are random; most of them must meet a run alive, or nothing was tested.
    assert sum(met_alive) > KILLS // 2


@pytest.mark.parametrize("sabotage", [without_random_state, without_history])
def test_a_run_that_loses_something_is_detected(tmp_path: Path, sabotage: Callable[[], None]) -> None:
    """Negative control: with a piece of the state or the history lost at a kill, one of a few kills shows it."""
    runs = KilledRuns(tmp_path, SEED)
    runs.sabotage = sabotage
    damage = ""
    for index in range(CONTROL_KILLS):
        try:
            runs.kill(index)
        except AssertionError as error:
            damage = str(error)
            break

    assert damage
