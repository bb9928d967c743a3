"""Many hours: 2,000 epochs headless, and 8 hours of the dashboard 96 times faster, and nothing grows (T10)."""

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil
from helpers.canned_training import canned
from helpers.lab_terminal import Lab

from stress_parts.frame import Case, Part, Trial

RECIPE = """
layers = '''
AvgPool2d(4)
Flatten()
Linear(10)
'''
[train]
epochs = {epochs}
batch_size = 1437
optimizer = "SGD(lr=0.01)"
"""
"""An epoch is one step."""
RATE = 96
MOST_BYTES_AN_EPOCH = 2_500
"""Of everything in the run folder together: the checkpoints, too, hold the row of each epoch."""
MOST_GROWN = 0.15
"""Memory that is added in the second half, at most, as a share of what there was: what a row takes is far less."""


@dataclass(frozen=True)
class Sample:
    """What a process uses at one moment."""

    megabytes: float
    threads: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.megabytes:.0f} MB, {self.threads} threads, {self.descriptors} descriptors"


def _sample(process: psutil.Process) -> Sample:
    return Sample(process.memory_info().rss / 1e6, process.num_threads(), process.num_fds())


def check_bounded(samples: list[Sample]) -> str:
    """The first sample after the start, that in the middle and the last; raises where the second half has added."""
    samples = [sample for sample in samples if sample.megabytes]  # A process that has just ended has none.
    assert len(samples) > 8, f"only {len(samples)} samples"
    first, middle, last = (samples[len(samples) * part // 20] for part in (2, 10, 19))
    figures = f"at the start {first}; in the middle {middle}; at the end {last}"
    assert last.megabytes < middle.megabytes * (1 + MOST_GROWN), figures
    assert last.threads <= middle.threads + 1, figures
    assert last.descriptors <= middle.descriptors + 2, figures
    return figures


def cases(trial: Trial) -> list[Case]:
    """Both kinds of hours; a fiftieth of them with --quick."""
    share = trial.seconds / 400 if trial.seconds else (0.02 if trial.is_quick else 1)
    said: list[str] = []
    return [
        Case("many epochs", partial(_train, trial, max(100, round(2_000 * share)), said)),
        Case("hours of the dashboard", partial(_watch, trial, 8 * share, said)),
    ][-trial.size :]


def _train(trial: Trial, epochs: int, said: list[str]) -> str:
    """A run without a dashboard: memory, threads, descriptors and the files are bounded."""
    (trial.folder / "short.toml").write_text(RECIPE.format(epochs=epochs))
    leak = trial.sabotage["headless"] if trial.sabotage else ""
    program = f"{leak}\nfrom mnist_tui.cli.main import main; main()"
    arguments = ["--batch", "short.toml", "--dataset", "digits", "--device", "cpu", "--threads", "1", "--quiet"]
    run = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=trial.folder,
        env=Lab.environment(),
        stdout=subprocess.DEVNULL,
    )
    trial.exits.callback(run.kill)
    process, samples = psutil.Process(run.pid), list[Sample]()
    while run.poll() is None:
        if list(trial.folder.glob("runs/*/history.jsonl")):
            samples.append(_sample(process))
        time.sleep(0.05)  # Between two samples.
    assert run.returncode == 0, f"exit code {run.returncode}"
    (history,) = trial.folder.glob("runs/*/history.jsonl")
    assert len(history.read_bytes().splitlines()) == epochs
    sizes = {_kind(path.name): path.stat().st_size for path in history.parent.iterdir()}
    files = ", ".join(f"{name} {size / 1e3:.0f} kB" for name, size in sorted(sizes.items()) if size > 500)
    said.append(f"{epochs:,} epochs: {check_bounded(samples)}\nfiles: {files}")
    total = sum(path.stat().st_size for path in history.parent.iterdir())
    assert total < 200_000 + MOST_BYTES_AN_EPOCH * epochs, said[-1]
    return said[-1]


def _kind(name: str) -> str:
    return re.sub(r"ckpt-\d+", "a checkpoint", name)


def _watch(trial: Trial, hours: float, said: list[str]) -> str:
    """A laboratory that gets the events of many hours; keys are pressed now and then."""
    before = canned(hours, RATE) + (trial.sabotage["lab"] if trial.sabotage else "")
    lab = Lab(trial.folder, "--preset", "iter5", "--dataset", "digits", before=before, size=(120, 40))
    trial.exits.callback(lab.close)
    lab.wait_for("t trains")
    keys = ["1", "2", "1", "\x1bOR", "\x1b", "z", "\x1b", "?", "\x1b"]
    for key in (*keys, "t"):  # What is loaded once, is loaded before the first sample.
        lab.press(key)
        lab.read_for(0.5)
    folder = trial.folder / "runs" / "canned"
    lab.wait(folder.exists)
    process, samples = psutil.Process(lab.child()), list[Sample]()
    while not (folder / "end.json").exists():
        lab.press(keys[len(samples) % len(keys)])
        lab.read_for(0.2 if hours < 1 else 1)
        assert process.is_running(), lab.text()
        samples.append(_sample(process))
        lab.output = lab.output[-100_000:]
    for key in ("\x1b", "1", "\x11"):  # Whatever has the focus, Ctrl-Q quits from the laboratory.
        lab.press(key)
        lab.read_for(0.5)
    code = lab.ended()
    assert code == 0, f"exit code {code}: {lab.output[-600:].decode(errors='replace')}"
    said.append(f"{hours:.2g} hours of the dashboard, {RATE} times faster: {check_bounded(samples)}")
    return "\n".join(said)


LEAKS: dict[str, Any] = {
    "lab": "from mnist_tui.tui.runner import Runner; note, kept = Runner._note, []\n"
    "def leak(self, event): kept.append(bytearray(50_000)); note(self, event)\n"
    "Runner._note = leak\n",
    "headless": "from mnist_tui.training.session import RunWriter; write, kept = RunWriter.write, []\n"
    "def leak(self, event): kept.append(bytearray(500_000)); return write(self, event)\n"
    "RunWriter.write = leak\n",
}
PART = Part(cases, full=2, quick=2, controls={"every event is kept": LEAKS}, has_end=True, case_seconds=560)
