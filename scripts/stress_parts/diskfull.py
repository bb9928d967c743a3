"""Each call of a training that changes the disk fails, in every way (S1)."""

import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest import mock

from helpers.reliability import DiskFailures

from mnist_tui import files
from mnist_tui.files import write_all
from mnist_tui.runs import history
from stress_parts.frame import Case, Part, Trial


def cases(trial: Trial) -> list[Case]:
    """A run on a disk that is full, stores a part, or has an error: one sentence, and with room again the same bits."""
    failures = DiskFailures(trial.folder)
    if trial.sabotage:
        for module in (files, history):
            trial.exits.enter_context(mock.patch.object(module, "write_all", trial.sabotage))
    modes = ("full", "short", "error")
    calls = range(1, failures.calls + 1)
    return trial.sample(
        [Case(f"{mode}, call {at}", partial(_check, failures, at, mode)) for mode in modes for at in calls]
    )


def _check(failures: DiskFailures, fail_at: int, mode: str) -> None:
    failures.check(fail_at, mode)
    shutil.rmtree(failures.folder / f"{mode}-{fail_at}", ignore_errors=True)


def _write_blindly(path: Path, content: bytes, flags: int) -> None:
    with suppress(OSError):
        write_all(path, content, flags)


PART = Part(cases, full=1_000, quick=20, controls={"errors of writes are ignored": _write_blindly})
