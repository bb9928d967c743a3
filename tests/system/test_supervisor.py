"""The small parent of the dashboard, with a stand-in for it, in real terminals; each protection with its control."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from helpers.lab_terminal import Lab

from mnist_tui.tui import supervisor

Open = Callable[..., Lab]

STAND_IN = """
import os, pathlib, signal, sys, time, tty
from mnist_tui.tui import supervisor

def screen():
    tty.setraw(0)
    sys.stdout.write("\\x1b[?1049h\\x1b[?1000h\\x1b[?1003h\\x1b[?1004h\\x1b[?2004h\\x1b[?25ldrawn")
    sys.stdout.flush()

def note(text):
    path = pathlib.Path("note.part")
    path.write_text(str(text))
    path.rename("note")

def dashboard(report):
    screen()
    BODY

supervisor.run_supervised(dashboard)
"""

WITHOUT_GUARD = (
    "from mnist_tui.tui import supervisor\nsupervisor.run_supervised = lambda main: os._exit(main(supervisor.Report()))"
)


@pytest.fixture
def open_guarded(tmp_path: Path) -> Iterator[Open]:
    """Opens a stand-in whose dashboard does what is asked for, with the guard or without."""
    opened: list[Lab] = []

    def open_one(body: str, protected: bool = True) -> Lab:
        program = STAND_IN.replace("BODY", body.replace("\n", "\n    "))
        if not protected:
            program = program.replace("from mnist_tui.tui import supervisor", WITHOUT_GUARD)
        opened.append(Lab(tmp_path, before=program))
        return opened[-1]

    yield open_one
    for lab in opened:
        lab.close()


def note(lab: Lab) -> str:
    """What the stand-in wrote down, once it did."""
    lab.wait((lab.folder / "note").exists)
    return (lab.folder / "note").read_text()


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("return 0", 0, ""),
        ("return 4", 4, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no')", 1, ""),
        ("raise ZeroDivisionError('a mistake')", 1, "ZeroDivisionError: a mistake"),
    ],
)
def test_the_exit_code_is_the_dashboards(body: str, code: int, words: str, open_guarded: Open) -> None:
    """However it ends by itself; an exception is not lost on the way."""
    lab = open_guarded(body)

    assert lab.ended() == code
    assert words.encode() in lab.output
    assert b"resume" not in lab.output


KILLED = 'report.folder("runs/of-mine")\nnote("ready")\ntime.sleep(600)'


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGRTMIN + 3], ids=int)
def test_a_killed_dashboard_leaves_a_usable_terminal(number: int, open_guarded: Open) -> None:
    """Modes off, attributes as before, what happened, how to go on, and 128 + signal."""
    lab = open_guarded(KILLED)
    note(lab)
    raw = not lab.is_as_before()
    os.kill(lab.child(), number)
    code = lab.ended()

    assert raw
    assert code == 128 + number
    assert lab.modes_left_on() == []
    assert lab.is_as_before()
    assert b"\x1b[?25h" in lab.output
    assert f"killed by signal {number}".encode() in lab.output
    assert b"mnist-tui resume runs/of-mine" in lab.output
    assert b"Traceback" not in lab.output


def test_control_without_a_guard_the_modes_stay_on(open_guarded: Open) -> None:
    """What the user would be left with."""
    lab = open_guarded(KILLED, protected=False)
    note(lab)
    lab.process.kill()
    code = lab.ended()

    assert code == -signal.SIGKILL
    assert {"alternate screen", "mouse", "bracketed paste"} <= set(lab.modes_left_on())
    assert not lab.is_as_before()
    assert b"resume" not in lab.output


def test_nothing_to_resume_is_not_spoken_of(open_guarded: Open) -> None:
    """A run that has ended is reported as an empty folder; a long name arrives whole in between."""
    lab = open_guarded('report.folder("x" * 10_000)\nreport.folder("")\nos.kill(os.getpid(), signal.SIGKILL)')

    assert lab.ended() == 137
    assert b"resume" not in lab.output


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_frozen_dashboard_that_ends_itself(protected: bool, open_guarded: Open) -> None:
    """One that could not put the keyboard back, since its terminal took nothing, is no reason to leave it raw."""
    lab = open_guarded("os._exit(143)", protected)

    assert lab.ended() == 143
    assert lab.is_as_before() is protected


HEARS = """
def hear(number, frame):
    note(number)
    os._exit(128 + number)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, hear)
pathlib.Path("ready").touch()
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_signals_reach_the_dashboard(number: int, open_guarded: Open) -> None:
    """Whoever signals the process that was started means the dashboard."""
    lab = open_guarded(HEARS)
    lab.wait((lab.folder / "ready").exists)
    lab.process.send_signal(number)

    assert lab.ended() == 128 + number
    assert note(lab) == str(int(number))


def test_ctrl_c_does_not_end_the_guard(open_guarded: Open) -> None:
    """It is the dashboard's own business."""
    lab = open_guarded(HEARS)
    lab.wait((lab.folder / "ready").exists)
    lab.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    alive = lab.process.poll() is None
    lab.process.terminate()

    assert alive
    assert lab.ended() == 143


LEAVES = """
report.leave("it goes on")
end = time.monotonic() + 60
while not os.path.exists("go") and time.monotonic() < end:
    time.sleep(0.02)
note(f"{os.getsid(0) == os.getpid()} {os.isatty(0)} {os.isatty(1)} {os.isatty(2)}")
return 0
"""


def test_left_alone_it_goes_on_without_a_terminal(open_guarded: Open) -> None:
    """The guard says so and ends at once; the child has a session of its own, and outlives the terminal."""
    lab = open_guarded(LEAVES)
    code = lab.ended(10)
    lab.hang_up()
    done_before = (lab.folder / "note").exists()
    (lab.folder / "go").touch()

    assert code == 0
    assert not done_before
    assert b"it goes on" in lab.output
    assert note(lab) == "True False False False"


def test_control_without_leaving_the_shell_would_wait(open_guarded: Open) -> None:
    """The guard waits for a dashboard that says nothing, and the lost terminal ends that one."""
    lab = open_guarded(LEAVES.replace('report.leave("it goes on")', 'note("began")'))
    note(lab)
    (lab.folder / "note").unlink()
    waits = lab.process.poll() is None
    child = psutil.Process(lab.child())
    lab.hang_up()
    child.wait(10)
    (lab.folder / "go").touch()

    assert waits
    assert not (lab.folder / "note").exists()


def test_stopping_and_going_on_take_the_guard_along(open_guarded: Open) -> None:
    """The shell waits for the guard: when the dashboard stops itself (Ctrl-Z) it must too, and wake it afterwards."""
    lab = open_guarded('note("stops")\nos.kill(os.getpid(), signal.SIGSTOP)\nreturn 7')
    note(lab)
    guardian = psutil.Process(lab.process.pid)
    lab.wait(lambda: guardian.status() == psutil.STATUS_STOPPED)
    lab.process.send_signal(signal.SIGCONT)

    assert lab.ended() == 7


def test_a_guard_that_is_killed_does_not_take_the_dashboard_along(open_guarded: Open) -> None:
    """What it is there for is the run."""
    lab = open_guarded('signal.signal(signal.SIGHUP, signal.SIG_IGN)\nnote("began")\n' + LEAVES.partition("\n")[2])
    note(lab)
    (lab.folder / "note").unlink()
    lab.process.kill()
    lab.process.wait()
    (lab.folder / "go").touch()

    assert "False" in note(lab)


def test_without_fork_there_is_no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard is then run as it is; what it reports is heard by nobody."""
    monkeypatch.delattr(os, "fork")

    def main(report: supervisor.Report) -> int:
        report.folder("runs/of-mine")
        return 5

    with pytest.raises(SystemExit) as ended:
        supervisor.run_supervised(main)
    assert ended.value.code == 5


def test_the_guard_is_small(open_guarded: Open) -> None:
    """It is forked before anything heavy is loaded: what stays behind is a bare interpreter."""
    lab = open_guarded("import json\nnote(json.dumps(sorted(sys.modules)))\ntime.sleep(600)")
    loaded = json.loads(note(lab))

    assert not {"torch", "numpy", "textual", "rich"} & set(loaded)
    assert psutil.Process(lab.process.pid).memory_info().rss < 60 * 2**20
