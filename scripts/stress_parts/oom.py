"""Memory that runs out at any moment of a training: the run fails with a hint, and the next one works (R6)."""

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import psutil
import torch
from helpers.lab_terminal import ROOT
from helpers.reliability import run, small_spec

from mnist_tui.runs.events import RunEnded
from mnist_tui.training import checkpoint, session
from stress_parts.frame import Case, Part, Trial

PLACES = {
    "forward": (torch.nn.Conv2d, "forward"),
    "backward": (torch.Tensor, "backward"),
    "update": (torch.optim.Adam, "step"),
    "checkpoint": (checkpoint, "dump"),
}
"""What a training calls again and again."""
REASONS: dict[str, Callable[[], Exception]] = {
    "MemoryError": MemoryError,
    "PyTorch's error": lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't "
                                            "allocate memory: you tried to allocate 4294967296 bytes."),
    "CUDA's error": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
}  # fmt: skip
MOST_LEAKED = 50e6
LARGE = """
layers = '''
Conv2d(64, 3)
ReLU()
Flatten()
Linear(10)
'''
[train]
epochs = 1
batch_size = 1437
"""
"""1,437 maps of 64 x 26 x 26 numbers: 250 MB for each layer."""


def cases(trial: Trial) -> list[Case]:
    """Allocations that fail, as Python and PyTorch say it, and a limit on the address space of a real process."""
    if trial.sabotage:
        trial.exits.enter_context(mock.patch.object(session, "_failure_message", trial.sabotage))
    torch.set_num_threads(1)
    leaks: list[float] = []
    injected = [
        Case(f"{reason} in {place}", partial(_inject, trial.folder, place, reason, trial.random.randrange(1, 8), leaks))
        for _ in range(trial.size)
        for place in PLACES
        for reason in REASONS
    ]
    sizes = [trial.random.randrange(50, 1_500) for _ in range(trial.size)]
    return [*injected, *(Case(f"{size} MB of address space", partial(_limit, trial.folder, size)) for size in sizes)]


def _inject(folder: Path, place: str, reason: str, at: int, leaks: list[float]) -> str:
    """Lets the n-th call of a function fail; the run fails with the hint, the next one completes, little is leaked."""
    with _failing(*PLACES[place], at=at, error=REASONS[reason]):
        ended = _last(folder / "runs")
    assert ended.outcome == "failed", ended
    assert "out of memory; try a smaller train.batch_size" in ended.message, ended.message
    assert _last(folder / "runs").outcome == "completed"
    shutil.rmtree(folder / "runs")
    gc.collect()
    leaks.append(psutil.Process().memory_info().rss)
    grown = leaks[-1] - leaks[min(9, len(leaks) - 1)]  # What is loaded once, is loaded by then.
    assert grown < MOST_LEAKED, f"{grown / 1e6:.0f} MB were leaked in {len(leaks)} runs"
    return f"after {2 * len(leaks)} runs {grown / 1e6:.1f} MB more than after {2 * min(10, len(leaks))}"


@contextmanager
def _failing(owner: object, name: str, at: int, error: Callable[[], Exception]) -> Iterator[None]:
    original, calls = getattr(owner, name), 0

    def call(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == (min(at, 2) if name == "dump" else at):
            raise error()
        return original(*arguments, **named)

    with mock.patch.object(owner, name, call):
        yield


def _last(runs_dir: Path) -> RunEnded:
    ended = list(run(runs_dir, small_spec()))[-1]
    assert isinstance(ended, RunEnded)
    return ended


def _limit(folder: Path, megabytes: int) -> None:
    """A process that may have so much more than it has at the start: it completes, or says that memory is out."""
    (folder / "large.toml").write_text(LARGE)
    program = (
        "import resource, sys, psutil, torch; from mnist_tui.cli import main; from mnist_tui.training import warm_up;"
        "warm_up.warm_up();"
        f"most = psutil.Process().memory_info().vms + {megabytes} * 10**6;"
        "resource.setrlimit(resource.RLIMIT_AS, (most, most)); sys.argv[0] = 'mnist-tui'; main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--batch", "large.toml", "--dataset", "digits", "--threads", "1"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(folder / "runs", ignore_errors=True)
    problem = f"exit code {done.returncode}: {done.stderr[-1_000:]}"
    assert done.returncode in (0, 1, 3), problem
    assert done.returncode == 0 or "out of memory" in done.stderr, problem
    assert "Traceback" not in done.stderr, problem


def _without_hint(error: BaseException, folder: object) -> str:
    return str(error)


PART = Part(cases, full=20, quick=1, controls={"memory that runs out is an error like others": _without_hint})
