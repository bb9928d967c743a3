"""Python processes of a test: each in its own process group and without a terminal; the runs that they leave."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import Any

from helpers.command import call
from helpers.lab_terminal import ROOT
from mnist_tui.runs.storage import SavedRun, load_run

StartPython = Callable[..., "subprocess.Popen[str]"]


def environment() -> dict[str, str]:
    """That of a process: with this checkout's packages, one thread, and no Ray cluster that the tester uses."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**inherited, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}


@contextmanager
def python_processes(folder: Path) -> Iterator[StartPython]:
    """Starts `python` with arguments in a folder; what is left of the processes is killed at the end."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        processes.append(
            subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                env=environment(),
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )
        return processes[-1]

    try:
        yield start
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def saved(folder: Path) -> list[SavedRun]:
    """The runs of a working folder, by seed, then by point."""
    runs = [load_run(path.parent) for path in folder.glob("runs/*/run.json")]
    return sorted(runs, key=lambda run: (run.spec.train.seed, run.record.get("sweep", {}).get("point", 0)))


def train_alone(folder: Path, *arguments: str) -> list[SavedRun]:
    """The runs of `mnist-tui --batch small.toml` with one thread on the small digits, one after the other.

    They are trained in a working folder by this process, in which PyTorch is loaded; a new one takes 4 s for it.
    """
    with chdir(folder):
        code, out, err = call(
            *("--batch", "small.toml", "--dataset", "digits", "--threads", "1", "--jobs", "1", "-q", *arguments)
        )
    assert code == 0, err
    return [load_run(folder / line) for line in out.splitlines() if line.startswith("runs/")]


def numbers(run: SavedRun) -> list[tuple[Any, ...]]:
    """The rows of a run without how long they took."""
    return [(row.epoch, row.train_loss, row.test_loss, row.test_accuracy, row.learning_rate) for row in run.rows]


def wait(is_so: Callable[[], object], seconds: float = 60) -> None:
    """Waits until `is_so` returns something true."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "the condition never became true"
        time.sleep(0.02)
