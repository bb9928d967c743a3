"""Faults at any system call of every command that writes: full and failing disks, vanishing folders, jumping clocks."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from unittest import mock

from helpers import faults, traced
from helpers.faults import ERRORS, Fault
from helpers.workplace import Workplace, chosen
from helpers.writing_commands import TRAINS, Answer

from mnist_tui import files
from stress_parts.frame import Case, Part, Trial

WORDS = (*map(os.strerror, ERRORS.values()), os.strerror(errno.ENOENT), " runs done (")
"""Why a disk fails, and what a sweep says whose runs are gone when it ends."""


def cases(trial: Trial) -> list[Case]:
    """A command with a fault ends, in one sentence where it failed; then nothing is lost, and it can be finished."""
    assert traced.IS_POSSIBLE, "system calls are seen on Linux on x86-64 only"
    place = Workplace(trial.folder)
    calls = {name: len(place.calls(name)) for name in chosen(trial.only)}
    if trial.sabotage:
        place.sabotage = trial.sabotage
    found = [
        Case(f"{name}, {fault} at call {at}", partial(_check, place, name, partial(make, at)))
        for name in calls
        for fault, make in _faults(place).items()
        for at in range(1, calls[name] + 1)
    ]
    return trial.sample(found)


def _faults(place: Workplace) -> dict[str, Callable[[int], Fault]]:
    failing = {
        f"{error} {'from then on' if for_ever else 'once'}": partial(_failing, error, for_ever)
        for error in ERRORS
        for for_ever in (False, True)
    }
    return {
        **failing,
        "short writes": faults.short_writes,
        "a slow disk": faults.slow,
        "a vanishing folder": partial(faults.vanishing, place.work / "runs"),
        "a jumping clock": faults.jumping_clock,
    }


def _failing(error: str, for_ever: bool, at: int) -> Fault:
    return faults.failing(error, at, for_ever)


def _check(place: Workplace, name: str, make: Callable[[], Fault]) -> None:
    fault = make()
    answer = place.attempt(name, fault.on_call, fault.context)
    fault.end()
    problem = wrong_end(name, answer, fault.is_harmless)
    assert problem is None, problem
    place.check(name, answer)


def wrong_end(name: str, answer: Answer, must_succeed: bool) -> str | None:
    """What is wrong with how a command ended; None where nothing is."""
    if must_succeed and answer.code:
        return f"exit code {answer.code}: {answer.err}"
    if answer.code < 0 or "Traceback" in answer.err or "internal error" in answer.err + answer.out:
        return f"exit code {answer.code}: {answer.err[-2_000:]}"
    # A training tells its reason in its events, or in the line of its run.
    has_reason = "mnist-tui: " in answer.err or (name in TRAINS and any(map((answer.out + answer.err).count, WORDS)))
    return None if answer.code == 0 or has_reason else f"exit code {answer.code} without a reason: {answer.err}"


@contextmanager
def _ignoring_errors() -> Iterator[None]:
    write_all = files.write_all

    def write(*arguments: object) -> None:
        try:
            write_all(*arguments)  # type: ignore[arg-type]
        except OSError:
            return

    with mock.patch.object(files, "write_all", write):
        yield


PART = Part(cases, full=1_000, quick=40, controls={"errors of writes are ignored": _ignoring_errors})
