"""Processes race for the lock of a run, owners of it are killed, and runs are read while they are written (S2)."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from helpers.reliability import KilledRuns, holder, race, small_spec, sound, started, without_lock

from mnist_tui.runs.index import list_runs
from mnist_tui.runs.storage import RunFolder, load_run
from stress_parts.frame import Case, Part, Trial

RACERS = 20


def cases(trial: Trial) -> list[Case]:
    """Races, killed owners and reads, in turn."""
    run = RunFolder.create(trial.folder / "raced", small_spec(), {})
    run.close()
    runs = KilledRuns(trial.folder, trial.seed)
    reads: list[int] = []
    kinds: list[tuple[str, Callable[[int], str | None]]] = [
        ("race", lambda _: _race(run.folder, trial.sabotage or sound)),
        ("killed owner", lambda _: _lose_owner(run.folder)),
        ("reads while it is written", lambda index: _read(runs, trial.folder / f"read-{index}", reads)),
    ]
    return [Case(f"{name} {index // 3 + 1}", partial(check, index)) for index in range(trial.size)
            for name, check in [kinds[index % 3]]]  # fmt: skip


def _race(folder: Path, sabotage: Callable[[], None]) -> None:
    winners = race(folder, RACERS, sabotage)
    assert winners == 1, f"{winners} of {RACERS} racers hold the lock"


def _lose_owner(folder: Path) -> None:
    """Kills the process that holds the lock of a run, and acquires the lock within a second."""
    process, connection = holder(folder)
    said = connection.recv()
    assert said == "held", f"the first process does not get the lock: {said}"
    process.kill()
    process.join()
    connection.close()
    began = time.monotonic()
    RunFolder(folder).close()
    took = time.monotonic() - began
    assert took < 1, f"the lock of a killed process was acquired after {took:.1f} s"


def _read(runs: KilledRuns, runs_dir: Path, counts: list[int]) -> str:
    """Reads a run repeatedly while a child trains it: no read fails and no row disappears."""
    process, reader = started(runs.begin(runs_dir))
    known_rows = reads = 0
    while process.is_alive():
        for saved in list_runs(runs_dir):
            rows = len(load_run(saved.folder).rows)
            assert rows >= known_rows, f"{known_rows} rows became {rows}"
            known_rows = rows
            reads += 1
    reader.close()
    counts.append(reads)
    return f"{sum(counts):,} reads while a run was written"


PART = Part(cases, full=90, quick=9, controls={"without the lock": without_lock})
