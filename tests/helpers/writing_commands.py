"""Every command that writes, run in a process that may be cut short at any system call, and what must hold then.

What was there before is there afterwards; what is new is whole or not there; what was reported is not lost; and the
same command, or `resume`, brings the work to the end that an undisturbed command has. Nothing here needs pytest.
"""

import itertools
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, chdir, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from helpers import reliability, traced
from helpers.reliability import LAYERS, RECIPE, check_same, leftovers, patched_session, state_on_disk
from helpers.saved_runs import make_run
from mnist_tui.cli import main as cli
from mnist_tui.runs import annotations, trash
from mnist_tui.runs.control import Control
from mnist_tui.runs.storage import load_run
from mnist_tui.spec import presets
from mnist_tui.sweep import pool, worker
from mnist_tui.sweep.jobs import JobSource, Message
from mnist_tui.training import loop, session

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
OWN_FILES = {"run.lock", "tags.txt", "notes.md", "run.log"}
"""The files of a run that tag and note change, or that hold nothing."""


Within = Callable[[], AbstractContextManager[Any]]


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


Call = Callable[..., Answer]


def ignore(_: traced.Call) -> None:
    """Lets a system call happen."""


@dataclass
class Workplace:
    """A working folder that is filled anew for every attempt."""

    folder: Path
    within: Within = nullcontext
    """A context of the process that is cut short: a sabotage or none."""
    wanted: dict[str, Any] = field(default_factory=dict)
    """What an undisturbed command leaves: the state of every run, by its learning rate, or the contents of files."""

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.work = self.folder / "work"
        self._streams = self.folder / "streams"
        self._streams.mkdir(parents=True)

    def attempt(self, name: str, on_call: traced.OnCall = ignore, more: Within = nullcontext) -> Answer:
        """Fills the working folder and runs a command in it, in a process whose system calls are passed on.

        `more` is a further context of that process.
        """
        self._fill(name)
        trained = next(self.work.glob("runs/*-small-*"), self.work).name
        return self._trace(
            [trained if word == TRAINED else word for word in COMMANDS[name]], on_call, self.within, more
        )

    def calls(self, name: str) -> list[tuple[str, str]]:
        """The system calls of an undisturbed command, as names of calls and files; keeps what it leaves as `wanted`."""
        calls: list[tuple[str, str]] = []
        answer = self.attempt(name, lambda each: calls.append((each.name, each.path.name)))
        assert answer.code == 0, answer
        with chdir(self.work):
            self.wanted[name] = _end_states() if name in TRAINS else _new_files()
        return calls

    def check(self, name: str, answer: Answer) -> None:
        """Raises `AssertionError` where something was lost, or the command cannot be brought to its end."""
        with chdir(self.work):
            if name in TRAINS:
                _check_training(name, answer, self.wanted[name], self.call)
            else:
                _check_files(name, self.wanted[name], self.call)

    def call(self, *arguments: str) -> Answer:
        """Calls a command in the working folder as it stands, undisturbed and without a sabotage."""
        return self._trace(arguments, ignore)

    def _fill(self, name: str) -> None:
        """Fills the working folder with what the command needs; it is made once."""
        start = {"resume": "stopped", "extend": "completed", "batch": "empty", "sweep": "empty"}.get(name, "saved")
        good = self.folder / start
        if not good.exists():
            good.mkdir()
            with chdir(good):
                self._make(start)
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(good, self.work)
        if name in ("restore", "empty trash"):
            trash.delete(self.work / KEPT)

    def _make(self, start: str) -> None:
        if start == "saved":
            make_run(Path("runs"), presets.load("iter5"), epochs=3)
            annotations.write_tags(KEPT, ["old"])
            Path("log.csv").write_text("epoch,train_loss,train_accuracy,test_accuracy\n1,0.3,0.9,0.95\n")
            Path("run.csv").write_text("old\n")
            return
        recipe = "".join(f"{key} = {json.dumps(value)}\n" for key, value in RUN_RECIPE.items())
        Path("small.toml").write_text(f"layers = '''{LAYERS}'''\n[train]\n{recipe}")
        if start != "empty":
            steps = 7 if start == "stopped" else 10_000
            list(reliability.run(Path("runs"), presets.load("small.toml"), steps))

    def _trace(self, arguments: Sequence[str], on_call: traced.OnCall, *within: Within) -> Answer:
        out, err = self._streams / "out", self._streams / "err"

        def run() -> None:
            for number, path in ((1, out), (2, err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
            os.chdir(self.work)
            for kind in ("CACHE", "CONFIG", "STATE"):
                os.environ[f"XDG_{kind}_HOME"] = str(self.folder / "home")
            sys.argv = ["mnist-tui", *arguments]
            # Every step is reported and saved, so that calls do not depend on the clock.
            loop.PROGRESS_SECONDS = session.CHECKPOINT_SECONDS = 0
            with patched_session(), _in_this_process(), ExitStack() as contexts:
                for each in within:
                    contexts.enter_context(each())
                cli.main()

        code = traced.trace(run, self.work, on_call)
        return Answer(code, out.read_text(errors="replace"), err.read_text(errors="replace"))


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
def _in_this_process() -> Iterator[None]:
    with mock.patch.object(pool, "Pool", InThisProcess), mock.patch.object(pool, "preload"):
        yield


# --- trainings ---


def _trained() -> list[Path]:
    return sorted(path.parent for path in Path("runs").glob("*/run.json"))


def _end_states() -> dict[str, Any]:
    return {_key(folder): state_on_disk(folder) for folder in _trained()}


def _key(folder: Path) -> str:
    """What tells the runs of one working folder apart: the learning rate, and the number of epochs."""
    train = load_run(folder).spec.train
    return f"{train.optimizer} {train.epochs}"


def _check_training(name: str, answer: Answer, wanted: Mapping[str, Any], call: Call) -> None:
    known = {row.epoch for folder in _trained() for row in load_run(folder).rows}
    assert answer.reported <= known, f"lost reported epochs {answer.reported - known}"
    if name == "sweep":
        again = call(*COMMANDS[name], "--retry-failed")
        assert again.code == 0, again
    for folder in _trained():
        if name == "sweep" and not load_run(folder).rows:
            continue  # It died before its first epoch, and another took its place.
        if load_run(folder).can_resume:
            resumed = call("resume", str(folder), *HERE)
            assert resumed.code == 0, resumed
        check_same(state_on_disk(folder), wanted[_key(folder)])
        assert not leftovers(folder), leftovers(folder)
    if name in ("sweep", "resume"):
        ended = sorted(_key(folder) for folder in _trained() if load_run(folder).end)
        assert ended == sorted(wanted), f"of {sorted(wanted)} ended {ended}"


# --- files ---


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a run folder but for those that commands change."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in OWN_FILES}


def _new_files() -> dict[str, Any]:
    """What the commands that write files leave, as far as it can be compared."""
    new: dict[str, Any] = {path.name: path.read_bytes() for path in Path().glob("*") if path.suffix in (".csv", ".md")}
    new["copy"] = contents(Path("copy")) if Path("copy").exists() else None
    return new


def _imported() -> list[Path]:
    return [path.parent for path in Path("runs").glob("*/run.json") if path.parent.name != RUN]


def _check_files(name: str, wanted: Mapping[str, Any], call: Call) -> None:
    _check_run(name)
    _check_new(wanted, call)
    for made in (Path("run.zip"), Path("copy")):  # An archive is never overwritten.
        if made.exists():
            shutil.rmtree(made) if made.is_dir() else made.unlink()
    before = _temporary_files()
    again = call(*COMMANDS[name])
    is_done = "is not in the trash" in again.err or "is no run folder" in again.err
    assert again.code == 0 or (name in ("delete", "restore") and is_done), again
    _check_run(name)
    _check_new(wanted, call)
    left = [path for path in before if path.exists() and path in _temporary_files()]
    assert not left, f"still there: {left}"


def _check_run(name: str) -> None:
    """The run is whole, in one place; only what is being removed for good need not be."""
    places = [place for place in (KEPT, Path("runs", ".trash", RUN)) if place.exists()]
    if name == "empty trash" and not places:
        return
    assert len(places) == 1, f"the run is in {len(places)} places"
    assert {path.name for path in places[0].iterdir()} >= {"run.json", "end.json", "history.jsonl", "notes.md"}
    assert len(load_run(places[0]).rows) == 3
    assert annotations.read_tags(places[0]) in (("old",), ("old", "kept"), ("kept", "old"))
    assert "completed" in (places[0] / "notes.md").read_text()


def _check_new(wanted: Mapping[str, Any], call: Call) -> None:
    """What is new is whole, or not there."""
    for path in Path().glob("*"):
        if path.suffix in (".csv", ".md"):
            assert path.read_bytes() in (wanted.get(path.name), b"old\n"), f"{path} is torn"
    if Path("mnist-tui.toml").exists():
        assert call("config", "get", "threads").code == 0
    if Path("run.zip").exists():
        with zipfile.ZipFile("run.zip") as archive:
            assert archive.testzip() is None
            assert len(archive.namelist()) >= 5
    if Path("copy").exists():
        assert contents(Path("copy")) == contents(KEPT)
    for folder in _imported():
        assert len((folder / "history.jsonl").read_text().splitlines()) == 1


def _temporary_files() -> list[Path]:
    return [path for path in Path().rglob("*.tmp") if path.parent.suffix != ".tmp"]


@contextmanager
def writing_in_place() -> Iterator[None]:
    """A sabotage: files are written under their own names, as most programs do."""
    from mnist_tui import files
    from mnist_tui.runs import storage

    def write(path: Path, content: bytes) -> None:
        path.write_bytes(content)

    with mock.patch.object(files, "write_atomically", write), mock.patch.object(storage, "write_atomically", write):
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith("mnist_tui") and hasattr(module, "write_atomically"):
                module.write_atomically = write  # In a process that ends soon.
        yield
