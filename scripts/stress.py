"""The long versions of the reliability tests: kills, failing disks, locks, lag, stops and quits.

Prints the seed, so that a failure can be had again with `--seed`, and keeps the folder where something was wrong.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from lab_terminal import PRESET, Lab  # noqa: E402  # the tests are no package
from reliability_helpers import (  # noqa: E402
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


def lag(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """How late the event loop is, how soon a key is seen, and what the screen costs, while iter5 trains (T5)."""
    epochs = max(10, options.seconds // 2)  # More than there is time for.
    log = folder / "lag.jsonl"
    alone = _alone(folder, "before")
    lab = Lab(
        folder,
        *("--preset", "iter5", "--set", f"epochs={epochs}", "--start"),
        size=(120, 40),
        MNIST_TUI_LAG_LOG=str(log),
    )
    lab.wait(lambda: list(folder.glob("runs/*/steps.jsonl")))
    began = time.time()
    yield f"first step after {began - lab.started_at:.1f} s"
    end = time.time() + options.seconds
    while time.time() < end:
        lab.read()
    watched = [row.images_per_second for row in load_run(lab.run_folders()[0]).rows[1:]]
    keys = []
    while len(keys) < 30:
        keys.append(_seconds_to_paint(lab, "\x1bOQ" if len(keys) % 2 else "\x1bOR"))  # F2 and F3
        pause = time.time() + 0.3
        while time.time() < pause:
            lab.read()
    lab.press("\x11")  # Ctrl-Q, which also leaves a field.
    lab.wait_for("Leave running")
    lab.press("s")
    code = lab.ended()
    assert code == 0, f"exit code {code}"
    rows = map(json.loads, log.read_text().splitlines())
    samples = sorted(row["lag_ms"] for row in rows if began + 3 < row["t"] < end)
    parts = ", ".join(f"p{part:g} {samples[int(len(samples) * part / 100)]:.1f}" for part in (50, 95, 99, 99.9))
    yield f"lag in ms: {parts}, max {samples[-1]:.1f} ({len(samples)} samples)"
    late = 1000 * sorted(keys)[int(len(keys) * 0.95)]
    yield f"key to paint in ms: p95 {late:.0f}, median {1000 * statistics.median(keys):.0f}"
    # Before and after, since the machine is not equally fast all the time.
    yield _compared(watched, alone + _alone(folder, "after"))


def _seconds_to_paint(lab: Lab, key: str) -> float:
    """From a key to the first thing that is drawn after it."""
    while lab.read(0.001):
        pass
    lab.press(key)
    began = time.perf_counter()
    lab.wait(lambda: lab.read(0.0005), 5)
    return time.perf_counter() - began


def _alone(folder: Path, name: str) -> list[float]:
    """Images per second of the epochs of iter5 without the laboratory, the first left out."""
    command = [sys.executable, "-m", "mnist_tui", "--batch", "iter5", "--epochs", "4", "--runs-dir", str(folder / name)]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, env=Lab.environment())
    return [row.images_per_second for run in list_runs(folder / name) for row in run.rows[1:]]


def _compared(watched: list[float], alone: list[float]) -> str:
    speeds = statistics.median(watched), statistics.median(alone)
    return f"images a second: {speeds[0]:,.0f} in the laboratory, {speeds[1]:,.0f} alone: {speeds[0] / speeds[1]:.1%}"


def quit_(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Leaves the laboratory at random moments; each time in two seconds, without an abort, and resumable (T4)."""
    chance = random.Random(options.seed)
    slowest = 0.0
    for index in range(options.n):
        place = folder / f"quit-{index}"
        place.mkdir()
        (place / "many.toml").write_text(PRESET.format(epochs=20))
        lab = Lab(place, "--preset", "many.toml", "--dataset", "digits", "--start")
        end = time.monotonic() + chance.uniform(0.3, 8)
        while time.monotonic() < end:
            lab.read()
        lab.press("q")
        lab.wait(lambda lab=lab: lab.process.poll() is not None or "Leave running" in lab.text())
        began = time.monotonic()
        lab.press("s")
        code = lab.ended()
        slowest = max(slowest, time.monotonic() - began)
        assert code == 0, f"exit code {code}: {lab.output[-500:]!r}"
        assert slowest < 2.5, f"took {slowest:.1f} s"
        assert all(load_run(run).can_resume or load_run(run).end for run in lab.run_folders())
        lab.close()
        yield f"{index + 1} quits, the slowest took {slowest:.2f} s"


def stop(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Stops iter5 at batch 64 at random moments: from the key to end.json, which comes after the checkpoint."""
    chance = random.Random(options.seed)
    seconds: list[float] = []
    lab = Lab(folder, "--preset", "iter5", "--device", "cpu", size=(120, 40))
    lab.wait_for("t trains")
    for index in range(options.n):
        lab.press("t")
        lab.wait(lambda index=index: len(list(folder.glob("runs/*/steps.jsonl"))) == index + 1)
        newest = max(folder.glob("runs/*/steps.jsonl"), key=lambda path: path.stat().st_mtime_ns).parent
        end = time.monotonic() + chance.uniform(0, 4)
        while time.monotonic() < end:
            lab.read()
        began = time.time()
        lab.press("s")
        lab.wait((newest / "end.json").exists)
        seconds.append((newest / "end.json").stat().st_mtime - began)
        yield f"{index + 1} stops: median {statistics.median(seconds):.3f} s, slowest {max(seconds):.3f} s"
        lab.wait_for("stopped")
    lab.close()


PARTS = {"stop": stop, "kill": kill, "diskfull": diskfull, "lock": lock, "lag": lag, "quit": quit_}


def main() -> int:
    """Runs one of them; the exit code is 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=tuple(PARTS))
    parser.add_argument("--n", type=int, default=200, help="how many kills or quits; a tenth as many races")
    parser.add_argument("--seconds", type=int, default=60, help="of measuring the lag, without keys (default: 60)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mnist-tui-stress-"))
    print(f"{options.what}, seed {options.seed}, in {folder}", flush=True)
    began = time.monotonic()
    line = ""
    try:
        for line in PARTS[options.what](folder, options):
            print(f"\r{line:<60}", end="\n" if options.what == "lag" else "", flush=True)
    except (AssertionError, StorageError) as error:
        print(f"\nFAILED after {line or 'nothing'}: {error}\nseed {options.seed}; kept: {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"\npassed in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
