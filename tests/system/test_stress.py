"""A taste of the parts of `scripts/stress.py` that no other test tries, their controls, and the frame of all parts."""

import re
import signal
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
import stress
from helpers import traced
from helpers.faults import vanishing
from helpers.lab_terminal import HungError
from helpers.time_limits import time_limit
from helpers.workplace import Workplace
from helpers.writing_commands import TRAINS, WRITES
from rich.console import Console
from stress_parts import faults, frame, monkey, net, oom, soak
from stress_parts.frame import Case, Part, Trial, detects, passes
from stress_parts.syscalls import PART as SYSCALLS

from mnist_tui.errors import StorageError

SEED = 20_261_130
on_linux = pytest.mark.skipif(not traced.IS_POSSIBLE, reason="system calls are seen on Linux on x86-64 only")


@pytest.fixture
def console() -> Console:
    """Where verdicts are printed."""
    return Console(file=StringIO(), width=200)


def said(console: Console) -> str:
    """What was printed."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


# --- the frame ---


def raising(error: BaseException | None) -> str:
    """A check that goes wrong, or has a figure."""
    if error is not None:
        raise error
    return "12 of 12"


def part_of(*errors: BaseException | None) -> Part:
    """A part with a case for each error; with a sabotage the last one fails."""

    def cases(trial: Trial) -> list[Case]:
        found = [Case(f"case {index}", partial(raising, error)) for index, error in enumerate(errors)]
        return [*found, Case("sabotage", partial(raising, trial.sabotage))] if trial.sabotage else found

    return Part(cases, full=1, quick=1, controls={"a sabotage": AssertionError("found")})


def test_a_verdict_counts_by_kind(tmp_path: Path, console: Console) -> None:
    """What is lost, what crashes and what takes too long; the seed and the folder are named, and what failed."""
    part = part_of(None, AssertionError("an epoch"), StorageError("torn"), HungError("for ever"), KeyError("x"), None)

    assert not passes(part, Trial(tmp_path, 7, 1), "kill", console)
    assert "kill: FAILED: 6 tried, 2 lost, 1 crashed, 1 hung; seed 7" in said(console)
    assert f"kept: {tmp_path}" in said(console)
    assert "FAILED case 1: an epoch" in said(console)


def test_all_is_well(tmp_path: Path, console: Console) -> None:
    """Figures follow the verdict."""
    assert passes(part_of(None, None), Trial(tmp_path, 7, 1), "kill", console)
    assert "kill: passed: 2 tried, 0 lost, 0 crashed, 0 hung; seed 7" in said(console)
    assert said(console).endswith("12 of 12\n")


def test_no_case_at_all_is_a_failure(tmp_path: Path, console: Console) -> None:
    """A part that tries nothing proves nothing."""
    assert not passes(part_of(), Trial(tmp_path, 7, 1), "kill", console)


def test_a_case_that_takes_too_long_hangs(tmp_path: Path, console: Console) -> None:
    """It is ended, and counted as such."""
    part = Part(lambda _: [Case("sleep", lambda: signal.pause())], full=1, quick=1, controls={}, case_seconds=1)

    assert not passes(part, Trial(tmp_path, 7, 1), "kill", console)
    assert "0 crashed, 1 hung" in said(console)


def test_a_part_ends_in_its_time(tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a case that may take longer, and one that is tried in any case."""
    monkeypatch.setattr(frame, "MOST_SECONDS", 0.5)
    monkeypatch.setattr(frame, "FULL_SECONDS", 0.2)
    waits = [Case(f"sleep {index}", lambda: time.sleep(20)) for index in range(3)]
    part = Part(lambda _: waits, full=3, quick=3, controls={}, has_end=True)

    assert not passes(part, Trial(tmp_path, 7, 1), "kill", console)
    assert "2 of 3 tried, 0 lost, 0 crashed, 2 hung; seed 7, 2 s" in said(console)


def sleep_within(outer: float, inner: float) -> None:
    """Sleeps until the inner limit, then until the outer one, or for a second."""
    with time_limit(outer, HungError("outer")):
        with suppress(KeyboardInterrupt), time_limit(inner, KeyboardInterrupt()):
            time.sleep(1)
        time.sleep(1)


@pytest.mark.parametrize("inner", [0.05, 0.5])
def test_a_limit_inside_another(inner: float) -> None:
    """The inner one does not end the outer one, whose error comes in its time or, where that is over, at once."""
    with pytest.raises(HungError, match="outer"):
        sleep_within(0.2, inner)


def test_an_error_without_words(tmp_path: Path, console: Console) -> None:
    """Its line of the source stands for a reason, and all of its traceback for the details."""
    assert not passes(part_of(AssertionError()), Trial(tmp_path, 7, 1), "kill", console)
    assert "FAILED case 0: Traceback" in said(console)

    part = replace(part_of(None), controls={"wordless": AssertionError()})
    assert detects(part, Trial(tmp_path, 7, 1), "kill", "wordless", console)
    assert said(console).endswith("  AssertionError: raise error\n")


def test_every_sabotage_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also after one that was not detected, whose folder is kept and named; the others are removed."""
    controls = {"one": None, "other": AssertionError("found"), "third": None}
    monkeypatch.setattr(stress, "_load", lambda _: replace(part_of(None), controls=controls))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["stress.py", "kill", "--control"])
    code = stress.main()
    printed = capsys.readouterr().out

    assert code == 1
    assert [line.split(": ")[1] for line in printed.splitlines() if "control" in line] == [
        "NOT DETECTED",
        "detected",
        "NOT DETECTED",
    ]
    assert sorted(map(str, tmp_path.iterdir())) == sorted(re.findall(r"kept: (.*)", printed))


def test_a_control_must_fail(tmp_path: Path, console: Console) -> None:
    """A sabotage that no case finds is told, and is a failure of the part."""
    part = part_of(None)

    assert detects(part, Trial(tmp_path, 7, 1), "kill", "a sabotage", console)
    part = Part(lambda _: [Case("blind", lambda: None)], full=1, quick=1, controls={"a sabotage": True})
    assert not detects(part, Trial(tmp_path, 7, 1), "kill", "a sabotage", console)
    assert "kill, control 'a sabotage': NOT DETECTED: 1 tried, 0 lost" in said(console)


# --- system calls ---


def first_lines(path: Path) -> None:
    """Writes a file in two steps, in a process of its own."""
    with path.open("w") as file:
        file.write("one\n")
        file.flush()
        file.write("two\n")


@on_linux
def test_a_process_is_killed_before_a_call(tmp_path: Path) -> None:
    """What was done before is there, what would have come is not; the last call is followed by the end."""
    path = tmp_path / "lines"
    left = []
    for number in range(1, 5):
        path.unlink(missing_ok=True)
        was_killed = traced.killed_before(number, lambda: first_lines(path), tmp_path)
        left.append((was_killed, path.read_text() if path.exists() else None))

    assert left == [(True, None), (True, ""), (True, "one\n"), (False, "one\ntwo\n")]


@on_linux
def test_threads_and_children_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that a thread writes, and one that another program writes."""
    monkeypatch.chdir(tmp_path)
    program = (
        "import threading, pathlib, subprocess\n"
        "thread = threading.Thread(target=pathlib.Path('thread').write_text, args=('x',))\n"
        "thread.start(); thread.join()\n"
        "subprocess.run(['sh', '-c', 'echo x > child'], check=True)\n"
    )
    changed = []
    code = traced.trace(lambda: exec(program), tmp_path, lambda call: changed.append((call.name, call.path.name)))

    assert code == 0
    assert changed == [("openat", "thread"), ("write", "thread"), ("openat", "child"), ("write", "child")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Where commands are cut short."""
    return Workplace(tmp_path_factory.mktemp("place"))


def kill_spread(place: Workplace, name: str, kills: int) -> tuple[int, int]:
    """Kills a command so often, at calls from its first to its last; returns how many came in time, and of how many."""
    calls = len(place.calls(name))
    codes = []
    for number in sorted({1 + index * (calls - 1) // (kills - 1) for index in range(kills)}):
        answer = place.attempt(name, traced.killer(number))
        place.check(name, answer)
        codes.append(answer.code)
    return codes.count(-signal.SIGKILL), len(codes)


@on_linux
@pytest.mark.parametrize("name", WRITES)
def test_a_killed_command_loses_nothing(place: Workplace, name: str) -> None:
    """What was there is intact, what is new is whole or not there, and the command can be called again."""
    in_time, kills = kill_spread(place, name, 5)

    assert in_time == kills
    assert kills >= 4  # Some make no more calls than that.


@on_linux
@pytest.mark.parametrize("name", TRAINS)
def test_a_killed_training_loses_nothing(place: Workplace, name: str) -> None:
    """What was reported is there, and the run ends in the same bits as an undisturbed one."""
    assert kill_spread(place, name, 3)[0] >= 2  # Checkpoints beside an epoch that ends make a call more or less.


@on_linux
def test_runs_that_are_gone_at_the_end_of_a_sweep(place: Workplace) -> None:
    """All of them were trained, and then the disk was unplugged: the exit code has a reason."""
    fault = vanishing(place.work / "runs", len(place.calls("sweep")) - 1)
    answer = place.attempt("sweep", fault.on_call)
    fault.end()

    assert answer.code == 1
    assert "sweep small: 0 of 2 runs done (2 waiting); mnist-tui sweep resume small trains what is left" in answer.err
    assert faults.wrong_end("sweep", answer, must_succeed=False) is None
    place.check("sweep", answer)


# --- other parts ---

TASTES: dict[str, tuple[Part, int]] = {
    "faults": (faults.PART, 8),
    "net": (net.PART, 60),
    "monkey": (monkey.PART, 2),
    "soak": (soak.PART, 1),
}
"""The parts, and how many cases of each are tried."""


def names(parts: Mapping[str, object]) -> list[object]:
    """The names of parts as parameters; those that look at system calls are tried where these are seen."""
    return [pytest.param(name, marks=on_linux if name in ("faults", "syscalls") else ()) for name in parts]


@pytest.mark.parametrize("name", names(TASTES))
def test_a_taste(name: str, tmp_path: Path, console: Console) -> None:
    """A few cases of a part."""
    part, size = TASTES[name]

    trial = Trial(tmp_path, SEED, size, is_quick=True, only=("batch", "note", "export folder"))
    assert passes(part, trial, name, console), said(console)


CONTROLS: dict[str, tuple[Part, int]] = {
    "syscalls": (SYSCALLS, 200),
    "faults": (faults.PART, 500),
    "net": (net.PART, 60),
    "oom": (oom.PART, 1),
    "monkey": (monkey.PART, 20),
}


@pytest.mark.parametrize("name", names(CONTROLS))
def test_a_sabotaged_program_is_detected(name: str, tmp_path: Path, console: Console) -> None:
    """Negative control: the part fails where the program lacks what it tests."""
    part, size = CONTROLS[name]
    (sabotage,) = part.controls

    trial = Trial(tmp_path, SEED, size, is_quick=True, only=("tag", "config set", "report"))
    assert detects(part, trial, name, sabotage, console), said(console)


@pytest.mark.parametrize("has_failed", [False, True])
def test_an_interrupted_trial_leaves_its_folder_only_where_a_case_has_failed(
    has_failed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is no failure, and what failed before it stays to be looked at."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    options = Namespace(quick=True, seconds=0.0, only=())
    with suppress(KeyboardInterrupt), stress._trial(SEED, 1, options) as trial:
        trial.has_failed = has_failed
        raise KeyboardInterrupt

    assert len(list(tmp_path.iterdir())) == has_failed


def test_a_number_of_cases_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 does not stand for the usual number."""
    monkeypatch.setattr(sys, "argv", ["stress.py", "kill", "--n", "0"])

    with pytest.raises(SystemExit) as ended:
        stress._options()
    assert ended.value.code == 2
