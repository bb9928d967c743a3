"""Every command that writes, for those that cut them short (workplace.py), and a sabotage of all of them."""

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from helpers.reliability import RECIPE
from mnist_tui import files
from mnist_tui.runs.control import Control
from mnist_tui.sweep import pool, worker
from mnist_tui.sweep.jobs import JobSource, Message

RUN = "20260101T000000Z-iter5-s0-0000"
KEPT = Path("runs", RUN)
TRAINED = "TRAINED"
"""Stands for the name of the run that was trained before."""
HERE = ("--dataset", "digits", "--device", "cpu", "--threads", "1")
SWEEP = ("sweep", "run", "small.toml", "--set", "optimizer.lr=0.01,0.02", "--jobs", "1", "--dataset", "digits")
TRAINS = {
    "batch": ("--batch", "small.toml", *HERE, "--json"),
    "resume": ("resume", *HERE, "--json"),
    "extend": ("extend", TRAINED, "1", *HERE, "--json"),
    "sweep": (*SWEEP, "--device", "cpu", "--json"),
}
WRITES = {
    "config set": ("config", "set", "--project", "threads", "1"),
    "tag": ("tag", RUN, "kept"),
    "note": ("note", RUN, "-m", "Over-fits."),
    "delete": ("delete", RUN),
    "restore": ("restore", RUN),
    "empty trash": ("delete", "--empty-trash"),
    "export csv": ("export", RUN, "--to", "csv", "-o", "run.csv", "--force"),
    "export zip": ("export", RUN, "run.zip"),
    "export folder": ("export", RUN, "copy"),
    "report": ("report", RUN, "-o", "mine.md", "--force"),
    "import": ("import", "log.csv"),
}
COMMANDS = WRITES | TRAINS
"""The command lines, by name."""
RUN_RECIPE = RECIPE | {"scheduler": "StepLR(step_size=4, gamma=0.5)"}
"""A schedule that a longer run can go on with."""


@dataclass
class Answer:
    """How a command ended."""

    code: int
    """The exit code, or minus the signal that ended it."""
    out: str
    err: str

    @property
    def reported(self) -> set[int]:
        """The epochs that it reported, each on a whole line."""
        events = [json.loads(line) for line in self.out.split("\n")[:-1] if line.startswith("{")]
        return {event["epoch"] for event in events if event.get("event") == "EpochEnded"}


class InThisProcess:
    """A place where runs are trained, as `pool.Pool` is: here and now, so that nothing waits for other processes."""

    def __init__(self, size: int, is_silent: bool = False) -> None:
        pass

    def train(self, source: JobSource, control: Control) -> Iterator[tuple[int, Message]]:
        """The events of all jobs, one after the other."""
        for index in itertools.count():
            job = source.take()
            if job is None:
                return
            for message in worker.train(job, control):
                yield index, message

    def stop(self, index: int) -> None:
        """Nothing is trained at the same time."""

    def close(self) -> None:
        """Nothing is left."""

    kill = close


@contextmanager
def in_this_process() -> Iterator[None]:
    """A context in which the runs of sweeps are trained so."""
    with mock.patch.object(pool, "Pool", InThisProcess), mock.patch.object(pool, "preload"):
        yield


@contextmanager
def writing_in_place() -> Iterator[None]:
    """A sabotage: files are written under their own names, as most programs do."""

    def write(contents: Mapping[Path, bytes]) -> None:
        for path, content in contents.items():
            path.write_bytes(content)

    with mock.patch.object(files, "write_together", write):
        yield
