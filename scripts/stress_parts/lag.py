"""Event loop lag, time from a key to its repaint, and training speed with the dashboard, of iter5 (T5)."""

import json
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from helpers.event_loop import in_event_loop
from helpers.lab_terminal import Lab

from mnist_tui.runs.index import list_runs
from mnist_tui.runs.storage import load_run
from stress_parts.frame import Case, Part, Trial
from stress_parts.screens import F2, F3, seconds_to_paint

WARM_UP = 3.0
"""Seconds after the first step that are not counted: PyTorch loads parts of itself."""
BLOCKING = in_event_loop("await asyncio.sleep(0.5); time.sleep(0.4)")
"""A control: something that should be in a thread."""


def cases(trial: Trial) -> list[Case]:
    """One measurement: 20 ms at most for 99 of 100 samples, 100 ms at most at all; 100 and 1,000 with --quick."""
    seconds = trial.seconds or (8 if trial.is_quick else 60)
    return [Case(f"{seconds:g} s", partial(_measure, trial, seconds))]


def _measure(trial: Trial, seconds: float) -> str:
    where = ("--dataset", "digits") if trial.is_quick else ()
    headless = [] if trial.is_quick else _headless_speeds(trial.folder, "before")
    epochs = 40 * round(seconds)  # More than are trained in that time, on a GPU as well.
    log = trial.folder / "lag.jsonl"
    arguments = ("--preset", "iter5", "--set", f"epochs={epochs}", "--start", *where)
    lab = Lab(trial.folder, *arguments, before=trial.sabotage or "", size=(120, 40), MNIST_TUI_LAG_LOG=str(log))
    trial.exits.callback(lab.close)
    lab.wait(lambda: list(trial.folder.glob("runs/*/steps.jsonl")))
    began = time.time()
    lines = [f"first step: {began - lab.started_at:.1f} s after the start"]
    lab.read_for(seconds)
    end = time.time()
    speeds = [row.images_per_second for row in load_run(lab.run_folders()[0]).rows[1:]]
    paints = []
    for index in range(10 if trial.is_quick else 30):
        paints.append(1000 * seconds_to_paint(lab, F2 if index % 2 else F3))
        lab.read_for(0.3)
    lab.press("\x11")  # Ctrl-Q, which also leaves a field.
    lab.wait_for("Leave running")
    lab.press("s")
    code = lab.ended()
    assert code == 0, f"exit code {code}"
    rows = map(json.loads, log.read_text().splitlines())
    samples = sorted(row["lag_ms"] for row in rows if began + WARM_UP < row["t"] < end)
    lines += [_lag_text(samples), f"key to paint in ms: p95 {_part(paints, 95):.0f}, median {_part(paints, 50):.0f}"]
    if not trial.is_quick:  # Headless runs before and after, since the speed of the machine drifts.
        lines.append(_speed_ratio(speeds, headless + _headless_speeds(trial.folder, "after")))
    figures = "\n".join(lines)
    most = (100, 1_000) if trial.is_quick else (20, 100)
    assert _part(samples, 99) < most[0], figures
    assert samples[-1] < most[1], figures
    return figures


def _part(samples: list[float], percent: float) -> float:
    """The percentile of samples."""
    return sorted(samples)[int(len(samples) * percent / 100)]


def _lag_text(samples: list[float]) -> str:
    parts = ", ".join(f"p{percent:g} {_part(samples, percent):.1f}" for percent in (50, 95, 99, 99.9))
    return f"lag in ms: {parts}, max {samples[-1]:.1f} ({len(samples)} samples)"


def _headless_speeds(folder: Path, name: str) -> list[float]:
    """Images per second of the epochs of a headless run of iter5, without the first epoch."""
    command = [sys.executable, "-m", "mnist_tui", "--batch", "iter5", "--epochs", "4", "--runs-dir", str(folder / name)]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, env=Lab.environment())
    return [row.images_per_second for run in list_runs(folder / name) for row in run.rows[1:]]


def _speed_ratio(lab_speeds: list[float], headless_speeds: list[float]) -> str:
    lab, headless = statistics.median(lab_speeds), statistics.median(headless_speeds)
    return f"images a second: {lab:,.0f} in the laboratory, {headless:,.0f} headless: {lab / headless:.1%}"


PART = Part(cases, full=1, quick=1, controls={"something blocks the loop": BLOCKING}, case_seconds=400)
