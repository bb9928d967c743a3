"""SIGKILL before every system call by which a command changes the disk, for every command that writes."""

from functools import partial

from helpers import traced
from helpers.workplace import Workplace, chosen
from helpers.writing_commands import writing_in_place

from stress_parts.frame import Case, Part, Trial


def cases(trial: Trial) -> list[Case]:
    """For each call of each command: what was there is intact, what is new is whole, the work can be finished."""
    assert traced.IS_POSSIBLE, "system calls are seen on Linux on x86-64 only"
    place = Workplace(trial.folder)
    calls = {name: place.calls(name) for name in chosen(trial.only)}
    if trial.sabotage:
        place.sabotage = trial.sabotage
    found = [
        Case(f"{name}, call {number}: {call} {file}", partial(_kill, place, name, number))
        for name in calls
        for number, (call, file) in enumerate(calls[name], start=1)
    ]
    return trial.sample(found)


def _kill(place: Workplace, name: str, number: int) -> None:
    place.check(name, place.attempt(name, traced.killer(number)))


PART = Part(cases, full=2_000, quick=40, controls={"files are written in place": writing_in_place})
