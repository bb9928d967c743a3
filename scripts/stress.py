"""The long versions of the reliability tests: kills, failing disks, locks, damaged runs, typing, traffic, lag, quits.

Prints the seed, so that a failure can be repeated with `--seed`, and keeps the folder of a failure. The helpers are
those of the tests, which an editable install (CONTRIBUTING.md) finds.
"""

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
from helpers.killed_sweep import KilledSweep, RayNodes
from helpers.lab_terminal import PRESET, Lab
from helpers.mutated_runs import MutatedRuns
from helpers.reliability import DiskFailures, KilledRuns, holder, race, small_spec, started
from helpers.typing_model import Typist

from mnist_tui.errors import StorageError
from mnist_tui.runs.index import list_runs
from mnist_tui.runs.storage import RunFolder, load_run


def kill(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """SIGKILL at random instants of the command line, and resume (R1)."""
    runs = KilledRuns(folder, options.seed)
    met_alive = 0
    for index in range(options.n):
        met_alive += runs.kill(index)
        shutil.rmtree(folder / f"killed-{index}", ignore_errors=True)
        yield f"{index + 1} kills, {met_alive} of them met a run alive"


def diskfull(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Fails every call of a run that changes the disk, in every way (S1)."""
    failures = DiskFailures(folder)
    for mode in ("full", "short", "error"):
        for fail_at in range(1, failures.calls + 1):
            failures.check(fail_at, mode)
            shutil.rmtree(folder / f"{mode}-{fail_at}", ignore_errors=True)
            yield f"{mode}: {fail_at} of {failures.calls} calls"


def lock(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Processes race for the lock of a run, owners of it are killed, and runs are read while they are written (S2)."""
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


def fuzz(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Damages run folders at random: every command that reads them answers, or says in one line why it cannot."""
    for name in ("CACHE", "CONFIG", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(folder / "home")
    runs = MutatedRuns(folder, options.seed)
    for number in range(options.first, options.first + options.n):
        ugly = runs.check(number)
        assert not ugly, "\n".join(ugly)
        codes = ", ".join(f"{count} with exit code {code}" for code, count in sorted(runs.codes.items()))
        yield f"{number + 1 - options.first} folders, {runs.commands} commands: {codes}"


def sweep(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Three processes share a sweep of 60 points; drivers and trainers are killed at random: each point ends once."""
    killed = KilledSweep(folder / "sweep", options.seed, points=60, epochs=20, workers=3)
    yield from _kill_sweep(killed, options.n)


def ray(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """A sweep of 60 points on a Ray cluster of two nodes; the driver, trainers and nodes are killed at random."""
    with closing(RayNodes()) as nodes:
        killed = KilledSweep(folder / "sweep", options.seed, points=60, epochs=20, workers=1, nodes=nodes)
        yield from _kill_sweep(killed, options.n)


def _kill_sweep(killed: KilledSweep, kills: int) -> Iterator[str]:
    with closing(killed):
        for index in range(kills):
            killed.kill()
            yield f"{index + 1} kills {killed.kills}, {killed.done} of 60 points done"
        killed.finish(600)
        yield f"{kills} kills {killed.kills}: {killed.check()}"


def _lose_owner(folder: Path) -> None:
    """Kills the process that holds the lock of a run, and acquires the lock within a second."""
    process, connection = holder(folder)
    assert connection.recv() == "held"
    process.kill()
    process.join()
    connection.close()
    began = time.monotonic()
    RunFolder(folder).close()
    assert time.monotonic() - began < 1


def _read_while_written(runs: KilledRuns, runs_dir: Path) -> int:
    """Reads a run repeatedly while a child trains it: no read fails and no row disappears; the number of reads."""
    process, reader = started(runs.begin(runs_dir))
    reads = known_rows = 0
    while process.is_alive():
        for saved in list_runs(runs_dir):
            rows = len(load_run(saved.folder).rows)
            assert rows >= known_rows, f"{known_rows} rows became {rows}"
            known_rows = rows
            reads += 1
    reader.close()
    assert known_rows == 3, f"{known_rows} rows were read"
    return reads


def lag(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Event loop lag, time from a key to its repaint, and training speed with the dashboard, of iter5 (T5)."""
    epochs = 40 * options.seconds  # More than are trained in that time, on a GPU as well.
    log = folder / "lag.jsonl"
    headless = _headless_speeds(folder, "before")
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
    lab_speeds = [row.images_per_second for row in load_run(lab.run_folders()[0]).rows[1:]]
    paint_seconds: list[float] = []
    while len(paint_seconds) < 30:
        paint_seconds.append(_seconds_to_paint(lab, "\x1bOQ" if len(paint_seconds) % 2 else "\x1bOR"))  # F2 and F3
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
    p95 = 1000 * sorted(paint_seconds)[int(len(paint_seconds) * 0.95)]
    yield f"key to paint in ms: p95 {p95:.0f}, median {1000 * statistics.median(paint_seconds):.0f}"
    # Headless runs before and after, since the speed of the machine drifts.
    yield _speed_ratio(lab_speeds, headless + _headless_speeds(folder, "after"))


def _seconds_to_paint(lab: Lab, key: str) -> float:
    """Seconds from a key to the first output after it."""
    while lab.read(0.001):
        pass
    lab.press(key)
    began = time.perf_counter()
    while not lab.read(0.0005):
        assert time.perf_counter() - began < 5, f"{key!r} changed nothing:\n{lab.text()}"
    return time.perf_counter() - began


def _headless_speeds(folder: Path, name: str) -> list[float]:
    """Images per second of the epochs of a headless run of iter5, without the first epoch."""
    command = [sys.executable, "-m", "mnist_tui", "--batch", "iter5", "--epochs", "4", "--runs-dir", str(folder / name)]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, env=Lab.environment())
    return [row.images_per_second for run in list_runs(folder / name) for row in run.rows[1:]]


def _speed_ratio(lab_speeds: list[float], headless_speeds: list[float]) -> str:
    lab, headless = statistics.median(lab_speeds), statistics.median(headless_speeds)
    return f"images a second: {lab:,.0f} in the laboratory, {headless:,.0f} headless: {lab / headless:.1%}"


def quit_(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Quits the laboratory at random moments: exit code 0 within 2.5 s, and every run can be resumed (T4)."""
    chance = random.Random(options.seed)
    slowest = 0.0
    for index in range(options.n):
        seconds = _quit_after(folder / f"quit-{index}", chance.uniform(0.3, 8))
        assert seconds < 2.5, f"took {seconds:.1f} s"
        slowest = max(slowest, seconds)
        yield f"{index + 1} quits, the slowest took {slowest:.2f} s"


def _quit_after(folder: Path, seconds: float) -> float:
    """Quits a laboratory that trains after so many seconds; the seconds from the answer to its end."""
    folder.mkdir()
    (folder / "many.toml").write_text(PRESET.format(epochs=20))
    lab = Lab(folder, "--preset", "many.toml", "--dataset", "digits", "--start")
    _read(lab, seconds)
    lab.press("q")
    lab.wait(lambda: lab.process.poll() is not None or "Leave running" in lab.text())
    began = time.monotonic()
    lab.press("s")
    code = lab.ended()
    took = time.monotonic() - began
    assert code == 0, f"exit code {code}: {lab.output[-500:]!r}"
    assert all(load_run(run).can_resume or load_run(run).end for run in lab.run_folders())
    lab.close()
    return took


def stop(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Stops iter5 at random moments: seconds from the key to end.json, which is written after the checkpoint."""
    chance = random.Random(options.seed)
    seconds: list[float] = []
    lab = Lab(folder, "--preset", "iter5", "--device", "cpu", size=(120, 40))
    lab.wait_for("t trains")
    for index in range(options.n):
        seconds.append(_train_and_stop(lab, index, chance.uniform(0, 4)))
        yield f"{index + 1} stops: median {statistics.median(seconds):.3f} s, slowest {max(seconds):.3f} s"
        lab.wait_for("stopped")
    lab.close()


def _train_and_stop(lab: Lab, runs: int, seconds: float) -> float:
    """Begins a run in a laboratory that has had `runs`, stops it after so many seconds; how long the stop took."""
    lab.press("t")
    lab.wait(lambda: len(list(lab.folder.glob("runs/*/steps.jsonl"))) == runs + 1)
    folder = max(lab.folder.glob("runs/*/steps.jsonl"), key=lambda path: path.stat().st_mtime_ns).parent
    _read(lab, seconds)
    began = time.time()
    lab.press("s")
    lab.wait((folder / "end.json").exists)
    return (folder / "end.json").stat().st_mtime - began


def typing(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Random keys every 0 to 30 ms in fields, layers and dialogs: each field ends with the text that was typed."""
    state = folder / "state"
    lab = Lab(folder, "--preset", "iter5", size=(120, 40), XDG_STATE_HOME=str(state))
    lab.wait_for("t trains")
    typist = Typist(lab, state, random.Random(options.seed))
    while typist.typed < options.n:
        difference = typist.type_somewhere()
        assert not difference, f"{difference}\n{lab.text()}"
        yield f"{typist.typed} keys, every field holds what was typed"
    rate, share = measure(lab, 3)
    assert rate < 2, f"an idle screen sends {rate:.1f} kB/s afterwards"
    yield f"{typist.typed} keys; afterwards {rate:.2f} kB/s and {share:.0%} of a core"
    lab.close()


def traffic(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Output to the terminal and CPU time: with each dialog open, idle and while iter5 trains."""
    yield f"{'':<26}{'local':>24}{'over SSH':>24}"
    tables = [dict(_traffic(folder / name, **env)) for name, env in (("local", {}), ("ssh", {"SSH_CONNECTION": "x"}))]
    for state in tables[0]:
        yield f"{state:<26}" + "".join(f"{table[state]:>24}" for table in tables)


SCREENS = {"help": "?", "zoom": "z", "palette": "\x10", "optimizers": "\x1bOS" + "\x1b[B" * 3 + "\r", "rate": "l"}
"""The keys that open each dialog; the one for the learning rate opens only while a run is trained."""
MATRIX = "4" + "\x1b[<0;5;2M" + "\x1b[<0;5;2m"
"""Analyse, and a click on its first view."""
MODES = {"Runs": "2", "Compare": "3", "Analyse": MATRIX, "Mistakes": "4a", "Draw": "5"}
"""The keys that open each mode."""
DOWN, RIGHT, LEFT, HOME = "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H"
PAGE_UP, PAGE_DOWN, F2, F3, F4 = "\x1b[5~", "\x1b[6~", "\x1bOQ", "\x1bOR", "\x1bOS"
MOVES = {
    "Down between fields": (F4, [DOWN]),
    "F2, F3": ("", [F2, F3]),
    "Right in the matrix": (MATRIX + HOME, [RIGHT, LEFT]),
    "Right between mistakes": ("4a", [RIGHT]),
    "Page of mistakes": ("4a", [PAGE_DOWN, PAGE_UP]),
    "Right with the pen down": ("5 ", [RIGHT]),
}
"""The keys to begin with, and those whose cost is measured."""


def _traffic(folder: Path, **env: str) -> Iterator[tuple[str, str]]:
    folder.mkdir()
    lab = Lab(folder, "--preset", "iter5", "--set", "epochs=500", size=(120, 40), **env)
    lab.wait_for("t trains")
    for state in ("idle", "training"):
        if state == "training":
            lab.press("t")
            lab.wait(lambda: list(folder.glob("runs/*/steps.jsonl")))
        yield f"{state}: closed", traffic_text(*measure(lab, 5))
        for name, keys in SCREENS.items():
            if name != "rate" or state == "training":
                lab.press(keys)
                yield f"{state}: {name}", traffic_text(*measure(lab, 5))
                _close(lab)
    for name, keys in MODES.items():
        _press_slowly(lab, keys)
        yield f"training: {name}", traffic_text(*measure(lab, 5))
        lab.press("1")
    lab.press("s")
    lab.wait_for("stopped")
    for name, keys in MODES.items():
        _press_slowly(lab, keys)
        yield f"idle: {name}", traffic_text(*measure(lab, 5))
        lab.press("1")
    for name, (first, moves) in MOVES.items():
        _press_slowly(lab, first)
        yield name, _move_cost(lab, moves)
        _press_slowly(lab, "\x1b1")
    lab.close()


def _press_slowly(lab: Lab, keys: str) -> None:
    """Sends keys one after another, each when the one before has been drawn."""
    for key in re.findall(r"\x1b\[[<\d;]*[A-Za-z~]|\x1bO.|\x1b|[^\x1b]", keys):
        lab.press(key)
        _read(lab, 1.0)


def _close(lab: Lab) -> None:
    """Closes the dialog, then leaves the field that has the focus."""
    for _ in range(2):
        lab.press("\x1b")
        measure(lab, 0.5)


def measure(lab: Lab, seconds: float) -> tuple[float, float]:
    """Kilobytes per second that a laboratory writes, and its share of a core, after a second without measuring."""
    process = psutil.Process(lab.child())
    _read(lab, 1.0)
    written, busy, began = len(lab.output), sum(process.cpu_times()[:2]), time.monotonic()
    _read(lab, seconds)
    passed = time.monotonic() - began
    return (len(lab.output) - written) / passed / 1000, (sum(process.cpu_times()[:2]) - busy) / passed


def traffic_text(kilobytes: float, share: float) -> str:
    """Kilobytes per second and share of a core as text."""
    return f"{kilobytes:.2f} kB/s, {share:.0%} CPU"


def _move_cost(lab: Lab, keys: list[str], times: int = 10) -> str:
    """Output, CPU time and time to repaint of one move of the focus or a cursor, as text."""
    process = psutil.Process(lab.child())
    _read(lab, 1.0)
    presses = keys * times
    written, busy = len(lab.output), sum(process.cpu_times()[:2])
    paint_seconds: list[float] = []
    for key in presses:
        paint_seconds.append(_seconds_to_paint(lab, key))
        _read(lab, 0.3)
    cpu = (sum(process.cpu_times()[:2]) - busy) / len(presses)
    sent = (len(lab.output) - written) / len(presses)
    return f"{sent / 1000:.2f} kB, {1000 * cpu:.0f} ms CPU, {1000 * statistics.median(paint_seconds):.0f} ms"


def _read(lab: Lab, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        lab.read(0.02)


PARTS = {
    "typing": typing,
    "traffic": traffic,
    "stop": stop,
    "kill": kill,
    "diskfull": diskfull,
    "lock": lock,
    "fuzz": fuzz,
    "sweep": sweep,
    "ray": ray,
    "lag": lag,
    "quit": quit_,
}


def main() -> int:
    """Runs one of `PARTS`; the exit code is 1 if a check failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=tuple(PARTS))
    parser.add_argument(
        "--n", type=int, default=200, help="how many kills, quits, keys, folders; a tenth as many races"
    )
    parser.add_argument("--first", type=int, default=0, help="of fuzz: the number of the first folder (default: 0)")
    parser.add_argument("--seconds", type=int, default=60, help="how long the lag is measured (default: 60)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mnist-tui-stress-"))
    print(f"{options.part}, seed {options.seed}, in {folder}", flush=True)
    began = time.monotonic()
    line = ""
    try:
        for line in PARTS[options.part](folder, options):
            print(f"\r{line:<60}", end="\n" if options.part in ("lag", "traffic") else "", flush=True)
    except (AssertionError, StorageError) as error:
        print(f"\nFAILED after {line or 'nothing'}: {error}\nseed {options.seed}; kept: {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"\npassed in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
