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

def slow_fork(fork=os.fork):
    child = fork()
    if child:
        time.sleep(FORK_SECONDS)
    return child

if FORK_SECONDS:
    os.fork = slow_fork
supervisor.run_supervised(dashboard)
"""

WITHOUT_SUPERVISOR = (
    "from mnist_tui.tui import supervisor\nsupervisor.run_supervised = lambda main: os._exit(main(supervisor.Report()))"
)


@pytest.fixture
def open_supervised(tmp_path: Path) -> Iterator[Open]:
    """Opens a stand-in whose dashboard does what is asked for, with the supervisor or without."""
    opened: list[Lab] = []

    def open_one(body: str, protected: bool = True, fork_seconds: float = 0) -> Lab:
        program = STAND_IN.replace("BODY", body.replace("\n", "\n    "))
        program = program.replace("FORK_SECONDS", str(fork_seconds))
        if not protected:
            program = program.replace("from mnist_tui.tui import supervisor", WITHOUT_SUPERVISOR)
        opened.append(Lab(tmp_path, before=program))
        return opened[-1]

    yield open_one
    for lab in opened:
        lab.close()


def note(lab: Lab) -> str:
    """The text that the stand-in wrote into its note, once it did."""
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
def test_the_exit_code_is_the_dashboards(body: str, code: int, words: str, open_supervised: Open) -> None:
    """However it ends by itself; an exception is not lost on the way."""
    lab = open_supervised(body)

    assert lab.ended() == code
    assert words.encode() in lab.output
    assert b"resume" not in lab.output


KILLED = 'report.folder("runs/of-mine")\nnote("ready")\ntime.sleep(600)'


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGRTMIN + 3], ids=int)
def test_a_killed_dashboard_leaves_a_usable_terminal(number: int, open_supervised: Open) -> None:
    """Modes off, attributes as before, what happened, how to resume, and 128 + signal."""
    lab = open_supervised(KILLED)
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


def test_control_without_a_supervisor_the_modes_stay_on(open_supervised: Open) -> None:
    """Negative control: without the supervisor the terminal modes stay set."""
    lab = open_supervised(KILLED, protected=False)
    note(lab)
    lab.process.kill()
    code = lab.ended()

    assert code == -signal.SIGKILL
    assert {"alternate screen", "mouse", "bracketed paste"} <= set(lab.modes_left_on())
    assert not lab.is_as_before()
    assert b"resume" not in lab.output


def test_nothing_to_resume_is_not_spoken_of(open_supervised: Open) -> None:
    """A run that has ended is reported as an empty folder; a long name arrives whole in between."""
    lab = open_supervised('report.folder("x" * 10_000)\nreport.folder("")\nos.kill(os.getpid(), signal.SIGKILL)')

    assert lab.ended() == 137
    assert b"resume" not in lab.output


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_frozen_dashboard_that_ends_itself(protected: bool, open_supervised: Open) -> None:
    """One that could not put the keyboard back, since its terminal took nothing, is no reason to leave it raw."""
    lab = open_supervised("os._exit(143)", protected)

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


@pytest.mark.parametrize("fork_seconds", [0, 0.5])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_signals_reach_the_dashboard(number: int, fork_seconds: float, open_supervised: Open) -> None:
    """Whoever signals the process that was started means the dashboard; also before the supervisor gets a processor."""
    lab = open_supervised(HEARS, fork_seconds=fork_seconds)
    lab.wait((lab.folder / "ready").exists)
    lab.process.send_signal(number)

    assert lab.ended() == 128 + number
    assert note(lab) == str(int(number))


def test_ctrl_c_does_not_end_the_supervisor(open_supervised: Open) -> None:
    """The supervisor ignores Ctrl-C, which the dashboard handles."""
    lab = open_supervised(HEARS)
    lab.wait((lab.folder / "ready").exists)
    lab.process.send_signal(signal.SIGINT)
    time.sleep(0.2)  # It would have ended at once.
    alive = lab.process.poll() is None
    lab.process.terminate()

    assert alive
    assert lab.ended() == 143


LEAVES = """
report.leave("it keeps training")
end = time.monotonic() + 60
while not os.path.exists("go") and time.monotonic() < end:
    time.sleep(0.02)
note(f"{os.getsid(0) == os.getpid()} {os.isatty(0)} {os.isatty(1)} {os.isatty(2)}")
return 0
"""


def test_left_alone_it_keeps_running_without_a_terminal(open_supervised: Open) -> None:
    """The supervisor says so and ends at once; the child has a session of its own, and outlives the terminal."""
    lab = open_supervised(LEAVES)
    code = lab.ended(10)
    lab.hang_up()
    done_before = (lab.folder / "note").exists()
    (lab.folder / "go").touch()

    assert code == 0
    assert not done_before
    assert b"it keeps training" in lab.output
    assert note(lab) == "True False False False"


def test_control_without_leaving_the_shell_would_wait(open_supervised: Open) -> None:
    """The supervisor waits for a dashboard that says nothing, and the lost terminal ends that one."""
    lab = open_supervised(LEAVES.replace('report.leave("it keeps training")', 'note("began")'))
    note(lab)
    (lab.folder / "note").unlink()
    waits = lab.process.poll() is None
    child = psutil.Process(lab.child())
    lab.hang_up()
    child.wait(10)
    (lab.folder / "go").touch()

    assert waits
    assert not (lab.folder / "note").exists()


@pytest.mark.parametrize("fork_seconds", [0, 0.5])
def test_stopping_and_continuing_take_the_supervisor_along(open_supervised: Open, fork_seconds: float) -> None:
    """The shell waits for the supervisor: when the dashboard stops itself (Ctrl-Z) it must too, and wake it
    afterwards. Also where the supervisor gets a processor only after the dashboard has stopped.
    """
    lab = open_supervised('note("stops")\nos.kill(os.getpid(), signal.SIGSTOP)\nreturn 7', fork_seconds=fork_seconds)
    note(lab)
    supervisor_process = psutil.Process(lab.process.pid)
    lab.wait(lambda: supervisor_process.status() == psutil.STATUS_STOPPED)
    lab.process.send_signal(signal.SIGCONT)

    assert lab.ended() == 7


def test_a_supervisor_that_is_killed_does_not_take_the_dashboard_along(open_supervised: Open) -> None:
    """The dashboard and its run survive a killed supervisor."""
    lab = open_supervised('signal.signal(signal.SIGHUP, signal.SIG_IGN)\nnote("began")\n' + LEAVES.partition("\n")[2])
    note(lab)
    (lab.folder / "note").unlink()
    lab.process.kill()
    lab.process.wait()
    (lab.folder / "go").touch()

    assert "False" in note(lab)


def test_without_fork_there_is_no_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard is then run as it is; what it reports is heard by nobody."""
    monkeypatch.delattr(os, "fork")

    def main(report: supervisor.Report) -> int:
        report.folder("runs/of-mine")
        return 5

    with pytest.raises(SystemExit) as ended:
        supervisor.run_supervised(main)
    assert ended.value.code == 5


def test_the_supervisor_is_small(open_supervised: Open) -> None:
    """It is forked before anything heavy is loaded: what stays behind is a bare interpreter."""
    lab = open_supervised("import json\nnote(json.dumps(sorted(sys.modules)))\ntime.sleep(600)")
    loaded = json.loads(note(lab))

    assert not {"torch", "numpy", "textual", "rich"} & set(loaded)
    assert psutil.Process(lab.process.pid).memory_info().rss < 60 * 2**20
