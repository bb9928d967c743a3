"""Damages run folders at random: every command that reads them answers, or says in one line why it cannot (S3)."""

from contextlib import ExitStack
from functools import partial
from unittest import mock

from helpers.mutated_runs import MutatedRuns

from mnist_tui.runs import history, record
from stress_parts.frame import Case, Part, Trial


def cases(trial: Trial) -> list[Case]:
    """A damaged runs directory, and some commands on it."""
    homes = {f"XDG_{name}_HOME": str(trial.folder / "home") for name in ("CACHE", "CONFIG", "STATE")}
    trial.exits.enter_context(mock.patch.dict("os.environ", homes))
    runs = MutatedRuns(trial.folder, trial.seed)
    if trial.sabotage:
        trial.sabotage(trial.exits)
    return [Case(f"folder {number}", partial(_check, runs, number)) for number in range(trial.size)]


def _check(runs: MutatedRuns, number: int) -> str:
    ugly = runs.check(number)
    assert not ugly, "\n".join(ugly)
    codes = ", ".join(f"{count} with exit code {code}" for code, count in sorted(runs.codes.items()))
    return f"{runs.commands} commands: {codes}"


def _trust(exits: ExitStack) -> None:
    """Takes numbers and rows as they are."""
    exits.enter_context(mock.patch.object(history, "_is_row", lambda row: "epoch" in row))
    for name in ("count", "finite_number", "fraction"):
        exits.enter_context(mock.patch.object(record, name, lambda value: value))


PART = Part(cases, full=1_500, quick=40, controls={"without checks of numbers": _trust})
