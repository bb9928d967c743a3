"""A folder in which commands that write are cut short at any system call, and brought to their end again."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, chdir, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers import reliability, traced
from helpers.reliability import LAYERS, patched_session
from helpers.saved_runs import make_run
from helpers.writing_checks import check_files, check_training, end_states, new_files
from helpers.writing_commands import COMMANDS, KEPT, RUN_RECIPE, TRAINED, TRAINS, Answer, in_this_process
from mnist_tui.cli import main as cli
from mnist_tui.runs import annotations, trash
from mnist_tui.spec import presets
from mnist_tui.training import loop, session


def chosen(names: Sequence[str]) -> Sequence[str]:
    """The names of commands, or of all where none are given; raises `ValueError` for one that there is not."""
    for name in names:
        if name not in COMMANDS:
            raise ValueError(f"no command {name!r}; there are {', '.join(COMMANDS)}")
    return names or list(COMMANDS)


Context = Callable[[], AbstractContextManager[Any]]
"""Makes what surrounds a command in its process, such as a patch."""


def ignore(_: traced.Call) -> None:
    """Lets a system call happen."""


@dataclass
class Workplace:
    """A working folder that is filled anew for every attempt."""

    folder: Path
    sabotage: Context = nullcontext
    """What the commands lack that are cut short; those that go on have it again."""
    wanted: dict[str, Any] = field(default_factory=dict)
    """What an undisturbed command leaves: the state of every run, by its learning rate, or the contents of files."""

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.work = self.folder / "work"
        self._streams = self.folder / "streams"
        self._streams.mkdir(parents=True)

    def attempt(self, name: str, on_call: traced.OnCall = ignore, fault: Context = nullcontext) -> Answer:
        """Fills the working folder and runs a command in it, in a process whose system calls are passed on.

        `fault` is one that is no system call, such as a clock that jumps.
        """
        self._fill(name)
        trained = next(self.work.glob("runs/*-small-*"), self.work).name
        arguments = [trained if word == TRAINED else word for word in COMMANDS[name]]
        return self._trace(arguments, on_call, self.sabotage, fault)

    def calls(self, name: str) -> list[tuple[str, str]]:
        """The system calls of an undisturbed command, as names of calls and files; keeps what it leaves as `wanted`."""
        calls: list[tuple[str, str]] = []
        answer = self.attempt(name, lambda each: calls.append((each.name, each.path.name)))
        assert answer.code == 0, answer
        with chdir(self.work):
            self.wanted[name] = end_states() if name in TRAINS else new_files()
        return calls

    def check(self, name: str, answer: Answer) -> None:
        """Raises `AssertionError` where something was lost, or the command cannot be brought to its end."""
        with chdir(self.work):
            if name in TRAINS:
                check_training(name, answer, self.wanted[name], self.call)
            else:
                check_files(name, self.wanted[name], self.call)

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

    def _trace(self, arguments: Sequence[str], on_call: traced.OnCall, *contexts: Context) -> Answer:
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
            with patched_session(), in_this_process(), ExitStack() as exits:
                for context in contexts:
                    exits.enter_context(context())
                cli.main()

        code = traced.trace(run, self.work, on_call)
        return Answer(code, out.read_text(errors="replace"), err.read_text(errors="replace"))
