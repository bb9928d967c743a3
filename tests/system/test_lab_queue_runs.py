"""The queue in a real terminal: trained to its end when the terminal is closed, and after the process was killed."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.lab_terminal import PRESET, Lab

from mnist_tui.runs.queue import Queue

OPTIONS = ("--preset", "many.toml", "--dataset", "digits", "--device", "cpu", "--threads", "1")


@pytest.fixture
def open_lab(tmp_path: Path) -> Iterator[Callable[[], Lab]]:
    """Opens the laboratory on a run of a second or two; whatever is left of it is ended with the test."""
    (tmp_path / "many.toml").write_text(PRESET.format(epochs=5))
    opened: list[Lab] = []

    def open_one() -> Lab:
        opened.append(Lab(tmp_path, *OPTIONS, size=(120, 40), warm=True, XDG_STATE_HOME=str(tmp_path / "state")))
        opened[-1].wait_for("t trains")
        return opened[-1]

    yield open_one
    for lab in opened:
        lab.close()


def outcomes(lab: Lab) -> list[str]:
    """How the runs ended that have ended."""
    ends = [folder / "end.json" for folder in lab.run_folders()]
    return [json.loads(end.read_text())["outcome"] for end in ends if end.exists()]


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.1)
    return is_so()


def test_two_designs_outlive_the_terminal(open_lab: Callable[[], Lab], tmp_path: Path) -> None:
    """Both runs complete without it, then the process ends with 0, and the queue is empty."""
    lab = open_lab()
    lab.press("T")
    lab.wait_for("queued: 1 design waits")
    lab.wait(lambda: len(lab.run_folders()) == 1)
    lab.press("T")
    lab.wait(lambda: len(Queue(tmp_path / "runs").entries()) == 2)
    lab.hang_up()

    assert wait_until(lambda: outcomes(lab) == ["completed", "completed"])
    assert lab.process.wait(20) == 0
    assert wait_until(lambda: not Queue(tmp_path / "runs").entries())


def test_left_running_it_goes_on(open_lab: Callable[[], Lab], tmp_path: Path) -> None:
    """The question says what waits; the terminal is free at once, and the shell is told that the queue follows."""
    lab = open_lab()
    lab.press("T")
    lab.wait(lambda: len(lab.run_folders()) == 1)
    lab.press("T")
    lab.wait(lambda: len(Queue(tmp_path / "runs").entries()) == 2)
    lab.press("q")
    lab.wait_for("1 design waits in the queue; left running, it is trained too.")
    lab.press("l")

    assert lab.ended(20) == 0
    assert b"the run keeps training, and then what waits in the queue: runs/" in lab.output
    assert wait_until(lambda: outcomes(lab) == ["completed", "completed"])
    assert wait_until(lambda: Queue(tmp_path / "runs").entries() == [])


def test_after_a_kill_the_run_is_resumed(open_lab: Callable[[], Lab], tmp_path: Path) -> None:
    """Asked for by P in the next laboratory; it is the same run, and no other is begun for it."""
    lab = open_lab()
    lab.press("T")
    lab.wait(lambda: any((folder / "history.jsonl").exists() for folder in lab.run_folders()))
    os.kill(lab.child(), signal.SIGKILL)
    lab.ended()
    again = open_lab()
    again.wait_for("1 design waits in the queue: P trains it")
    before = outcomes(again)
    again.press("P")

    assert before == []
    assert wait_until(lambda: (again.read(0.01), outcomes(again))[1] == ["completed"])
    assert len(again.run_folders()) == 1
    assert wait_until(lambda: not Queue(tmp_path / "runs").entries())
