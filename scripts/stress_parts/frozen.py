"""A terminal that nobody reads: the training goes on, memory stays, and SIGTERM ends it with a checkpoint (T9)."""

import json
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import psutil
from helpers.event_loop import HEARTBEAT, WITHOUT_ENFORCER, fill_terminal
from helpers.lab_terminal import PRESET, HungError, Lab

from stress_parts.frame import Case, Part, Trial

MOST_GROWN = 30e6
SLOWEST = 0.5
"""The share of the steps that must be taken without a reader; wanted are 0.95, on a machine that does nothing else."""


def cases(trial: Trial) -> list[Case]:
    """Laboratories that train, each left unread for a while after keys have filled the pipe."""
    seconds = trial.seconds or (4 if trial.is_quick else 60)
    before = HEARTBEAT + (trial.sabotage or "")
    return [Case(f"terminal {index + 1}", partial(_freeze, trial.folder / str(index), seconds, before))
            for index in range(trial.size)]  # fmt: skip


def _freeze(folder: Path, seconds: float, before: str) -> str:
    folder.mkdir()
    # Epochs of a fraction of a second, so that few seconds hold several.
    (folder / "many.toml").write_text(PRESET.format(epochs=10_000).replace("batch_size = 1\n", "batch_size = 32\n"))
    arguments = ("--preset", "many.toml", "--dataset", "digits", "--device", "cpu", "--threads", "1", "--start")
    lab = Lab(folder, *arguments, before=before, warm=True)
    try:
        lab.wait(lambda: any((run / "history.jsonl").exists() for run in lab.run_folders()))
        process = psutil.Process(lab.child())
        read = _epochs_in(lab, seconds / 2, is_read=True)
        fill_terminal(lab)
        memory = process.memory_info().rss
        unread = _epochs_in(lab, seconds, is_read=False) / 2
        grown = process.memory_info().rss - memory
        lab.process.send_signal(signal.SIGTERM)
        took = _seconds_to_end(lab)
        assert lab.process.returncode == 143, f"exit code {lab.process.returncode}"
        end = json.loads((lab.run_folders()[-1] / "end.json").read_text())
        assert end["outcome"] == "stopped", end
        figures = f"{unread:.0f} epochs unread, {read:.0f} read; {grown / 1e6:.1f} MB more; ended after {took:.1f} s"
        assert grown < MOST_GROWN, figures
        assert unread > SLOWEST * read, figures
    finally:
        lab.close()
    return figures


def _epochs_in(lab: Lab, seconds: float, is_read: bool) -> float:
    """How many epochs are trained in so many seconds."""
    history = lab.run_folders()[-1] / "history.jsonl"
    before = len(history.read_bytes().splitlines())
    lab.read_for(seconds) if is_read else time.sleep(seconds)
    return len(history.read_bytes().splitlines()) - before


def _seconds_to_end(lab: Lab, most: float = 10) -> float:
    began = time.monotonic()
    try:
        lab.process.wait(most)
    except subprocess.TimeoutExpired:
        raise HungError(f"SIGTERM did not end it within {most:g} s") from None
    return time.monotonic() - began


PART = Part(cases, full=3, quick=1, controls={"nobody ends a stuck screen": WITHOUT_ENFORCER})
