"""SIGKILL at random instants of the command line, and resume (R1)."""

import shutil
from functools import partial

from helpers.reliability import KilledRuns, sound, without_history, without_random_state

from stress_parts.frame import Case, Part, Trial


def cases(trial: Trial) -> list[Case]:
    """A run that is killed, every second time again as it resumes, and must end as an undisturbed run does."""
    runs = KilledRuns(trial.folder, trial.seed)
    runs.sabotage = trial.sabotage or sound
    met: list[bool] = []
    return [Case(f"kill {index + 1}", partial(_kill, runs, index, met)) for index in range(trial.size)]


def _kill(runs: KilledRuns, index: int, met: list[bool]) -> str:
    met.append(runs.kill(index))
    shutil.rmtree(runs.folder / f"killed-{index}", ignore_errors=True)
    return f"{sum(met)} of {len(met)} kills met a run alive"


PART = Part(
    cases,
    full=200,
    quick=15,
    controls={"without the generator's state": without_random_state, "without the history": without_history},
)
