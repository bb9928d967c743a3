"""The long versions of the reliability tests: kills, failing disks, locks. `python scripts/stress.py kill --n 200`.

Prints the seed, so that a failure can be had again with `--seed`, and keeps the folder where something was wrong.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from reliability_helpers import (  # noqa: E402  # the tests are no package
    DiskFailures,
    KilledRuns,
    holder,
    race,
    small_spec,
    started,
)

from mnist_tui.storage import RunFolder, StorageError, list_runs, load_run  # noqa: E402


def kill(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """SIGKILL at random instants of the command line, and resume (R1)."""
    runs = KilledRuns(folder, options.seed)
    met_alive = 0
    for index in range(options.n):
        met_alive += runs.kill(index)
        shutil.rmtree(folder / f"killed-{index}", ignore_errors=True)
        yield f"{index + 1} kills, {met_alive} of them met a run alive"


def diskfull(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Every call of a run that changes the disk fails in every way (S1)."""
    failures = DiskFailures(folder)
    for mode in ("full", "short", "error"):
        for fail_at in range(1, failures.calls + 1):
            failures.check(fail_at, mode)
            shutil.rmtree(folder / f"{mode}-{fail_at}", ignore_errors=True)
            yield f"{mode}: {fail_at} of {failures.calls} calls"


def lock(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Racers for one run, killed owners, and readers while runs are written (S2)."""
    run = RunFolder.create(folder / "raced", small_spec(), {})
    run.close()
    for index in range(options.n // 10):
        winners = race(run.folder, 20)
        assert winners == 1, f"{winners} of 20 racers hold the lock"
        yield f"race {index + 1}: one of 20"
    for index in range(options.n // 10):
        _lose_owner(run.folder)
        yield f"killed owner {index + 1}: the lock is free"
    runs, reads = KilledRuns(folder, options.seed), 0
    while reads < 50 * options.n:
        reads += _read_while_written(runs, folder / f"read-{reads}")
        yield f"{reads} reads while a run was written"


def _lose_owner(folder: Path) -> None:
    """Kills the owner of a lock and takes it."""
    process, connection = holder(folder)
    assert connection.recv() == "held"
    process.kill()
    process.join()
    connection.close()
    began = time.monotonic()
    RunFolder(folder).close()
    assert time.monotonic() - began < 1


def _read_while_written(runs: KilledRuns, runs_dir: Path) -> int:
    """Reads a run again and again while a child trains it: no error, and no row that goes away."""
    process, reader = started(runs.begin(runs_dir))
    reads = rows = 0
    while process.is_alive():
        for saved in list_runs(runs_dir):
            found = len(load_run(saved.folder).rows)
            assert found >= rows, f"{rows} rows became {found}"
            rows = found
            reads += 1
    reader.close()
    assert rows == 3, f"{rows} rows were seen"
    return reads


def main() -> int:
    """Runs one of the three; the exit code is 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("kill", "diskfull", "lock"))
    parser.add_argument("--n", type=int, default=200, help="how many kills; a tenth as many races (default: 200)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mnist-tui-stress-"))
    print(f"{options.what}, seed {options.seed}, in {folder}", flush=True)
    began = time.monotonic()
    line = ""
    try:
        for line in {"kill": kill, "diskfull": diskfull, "lock": lock}[options.what](folder, options):
            print(f"\r{line:<60}", end="", flush=True)
    except (AssertionError, StorageError) as error:
        print(f"\nFAILED after {line or 'nothing'}: {error}\nseed {options.seed}; kept: {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"\npassed in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
