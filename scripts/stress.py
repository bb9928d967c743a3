"""The long versions of the reliability tests: kills, failing disks, locks, typing, traffic, lag, stops and quits.

Prints the seed, so that a failure can be repeated with `--seed`, and keeps the folder of a failure. The helpers are
those of the tests, which an editable install (CONTRIBUTING.md) finds.
"""

import argparse
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from helpers.lab_terminal import PRESET, Lab
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
    while not lab.read(0.0005):
        assert time.perf_counter() - began < 5, f"{key!r} changed nothing"
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


def typing(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Random keys at 0 to 30 ms in fields, layers and dialogs: each place holds what a plain text field would hold."""
    state = folder / "state"
    lab = Lab(folder, "--preset", "iter5", size=(120, 40), XDG_STATE_HOME=str(state))
    lab.wait_for("t trains")
    typist = Typist(lab, state, random.Random(options.seed))
    while typist.typed < options.n:
        wrong = typist.type_somewhere()
        assert not wrong, f"{wrong}\n{lab.text()}"
        yield f"{typist.typed} keys, each place as it should be"
    rate, share = measured(lab, 3)
    assert rate < 2, f"an idle screen sends {rate:.1f} kB/s afterwards"
    yield f"{typist.typed} keys; afterwards {rate:.2f} kB/s and {share:.0%} of a core"
    lab.close()


def traffic(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """What is sent to the terminal, and what it costs: with each dialog open, idle and while iter5 trains."""
    yield f"{'':<26}{'local':>24}{'over SSH':>24}"
    tables = [dict(_traffic(folder / name, **env)) for name, env in (("local", {}), ("ssh", {"SSH_CONNECTION": "x"}))]
    for what in tables[0]:
        yield f"{what:<26}" + "".join(f"{table[what]:>24}" for table in tables)


SCREENS = {"help": "?", "zoom": "z", "palette": "\x10", "optimizers": "\x1bOS" + "\x1b[B" * 3 + "\r", "rate": "l"}
"""How each dialog is opened; the rate can only be changed while something is trained."""


def _traffic(folder: Path, **env: str) -> Iterator[tuple[str, str]]:
    folder.mkdir()
    lab = Lab(folder, "--preset", "iter5", "--set", "epochs=500", size=(120, 40), **env)
    lab.wait_for("t trains")
    for state in ("idle", "training"):
        if state == "training":
            lab.press("t")
            lab.wait(lambda: list(folder.glob("runs/*/steps.jsonl")))
        yield f"{state}: closed", rated(measured(lab, 5))
        for name, keys in SCREENS.items():
            if name != "rate" or state == "training":
                lab.press(keys)
                yield f"{state}: {name}", rated(measured(lab, 5))
                _close(lab)
    lab.press("s")
    lab.wait_for("stopped")
    for name, keys in {"Down between fields": "\x1b[B", "F2, F3": "\x1bOQ\x1bOR"}.items():
        lab.press("\x1bOS")
        yield name, _moved(lab, keys)
    lab.close()


def _close(lab: Lab) -> None:
    """Back to the panes, with none of them in the keys' way."""
    lab.press("\x1b")
    measured(lab, 0.5)
    lab.press("\x1b")
    measured(lab, 0.5)


def measured(lab: Lab, seconds: float) -> tuple[float, float]:
    """Kilobytes per second that a laboratory writes, and its share of a core, once it is settled."""
    process = psutil.Process(lab.child())
    _read(lab, 1.0)
    written, busy, began = len(lab.output), sum(process.cpu_times()[:2]), time.monotonic()
    _read(lab, seconds)
    passed = time.monotonic() - began
    return (len(lab.output) - written) / passed / 1000, (sum(process.cpu_times()[:2]) - busy) / passed


def rated(found: tuple[float, float]) -> str:
    """Traffic and cost as text."""
    return f"{found[0]:.2f} kB/s, {found[1]:.0%} CPU"


def _moved(lab: Lab, keys: str, times: int = 10) -> str:
    """What a move of the focus sends and costs, each key by itself."""
    process = psutil.Process(lab.child())
    _read(lab, 1.0)
    each = re.findall(r"\x1b(?:O|\[).", keys) * times
    written, busy, slowest = len(lab.output), sum(process.cpu_times()[:2]), []
    for key in each:
        slowest.append(_seconds_to_paint(lab, key))
        _read(lab, 0.3)
    cost = (sum(process.cpu_times()[:2]) - busy) / len(each)
    sent = (len(lab.output) - written) / len(each)
    return f"{sent / 1000:.2f} kB, {1000 * cost:.0f} ms CPU, {1000 * statistics.median(slowest):.0f} ms"


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
    "lag": lag,
    "quit": quit_,
}


def main() -> int:
    """Runs one of them; the exit code is 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=tuple(PARTS))
    parser.add_argument("--n", type=int, default=200, help="how many kills, quits or keys; a tenth as many races")
    parser.add_argument("--seconds", type=int, default=60, help="of measuring the lag, without keys (default: 60)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mnist-tui-stress-"))
    print(f"{options.what}, seed {options.seed}, in {folder}", flush=True)
    began = time.monotonic()
    line = ""
    try:
        for line in PARTS[options.what](folder, options):
            print(f"\r{line:<60}", end="\n" if options.what in ("lag", "traffic") else "", flush=True)
    except (AssertionError, StorageError) as error:
        print(f"\nFAILED after {line or 'nothing'}: {error}\nseed {options.seed}; kept: {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"\npassed in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
