"""The terminal goes, the run stays: every row of the signal table in a real terminal, each with its negative control.

A control is the same program with the protection taken away: it must lose what the protection keeps.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.event_loop import HEARTBEAT, WITHOUT_ENFORCER, fill_terminal
from helpers.lab_terminal import MAIN, PRESET, Lab

Open = Callable[..., Lab]

EPOCHS = 5

TRAIN = ("--preset", "many.toml", "--dataset", "digits", "--device", "cpu", "--threads", "1", "--start")
"""A run of a few seconds."""

LONG = (*TRAIN, "--epochs", "1000")
"""A run that lasts until it is stopped."""


@pytest.fixture
def open_lab(tmp_path: Path) -> Iterator[Open]:
    """Opens the laboratory in a folder with the preset; whatever is left of it is ended with the test."""
    opened: list[Lab] = []
    work = tmp_path / "work"
    work.mkdir()
    (work / "many.toml").write_text(PRESET.format(epochs=EPOCHS))

    def open_one(*arguments: str, before: str = "", **env: Any) -> Lab:
        opened.append(Lab(work, *(arguments or TRAIN), before=before, warm=True, **env))
        return opened[-1]

    yield open_one
    for lab in opened:
        lab.close()


def training(lab: Lab) -> Path:
    """The folder of the run, once its first epoch is on the disk."""
    lab.wait(lambda: any((folder / "history.jsonl").exists() for folder in lab.run_folders()))
    return lab.run_folders()[-1]


def outcome(folder: Path) -> str | None:
    """How end.json says that the run ended; None without one."""
    path = folder / "end.json"
    return json.loads(path.read_text())["outcome"] if path.exists() else None


def epochs(folder: Path) -> int:
    """Epochs in the history."""
    return len((folder / "history.jsonl").read_text().splitlines())


def wait_until(what: Callable[[], object], seconds: float = 40) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


WITHOUT_SIGNALS = """
import contextlib
import mnist_tui.tui.app as app
app.signals = lambda *arguments: contextlib.nullcontext()
"""


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_hang_up(protected: bool, open_lab: Open) -> None:
    """A lost terminal does not end the run: it completes, and the process ends with 0."""
    lab = open_lab(before="" if protected else WITHOUT_SIGNALS)
    folder = training(lab)
    child = lab.child()
    lab.hang_up()
    gone = wait_until(lambda: not Path(f"/proc/{child}").exists() or "\nState:\tZ" in status(child), 60)

    assert gone
    assert (outcome(folder) == "completed") is protected
    if protected:
        assert lab.process.wait(10) == 0
        assert epochs(folder) == EPOCHS


WITHOUT_SIGHUP = """
import os
import signal
pass_on = os.kill
os.kill = lambda process, number: number == signal.SIGHUP and process != os.getpid() or pass_on(process, number)
"""

WITHOUT_LOOK = """
import mnist_tui.tui.shutdown as shutdown
shutdown.has_terminal = lambda: True
"""


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_hang_up_without_a_signal(protected: bool, open_lab: Open) -> None:
    """The screen, or a look now and then, finds that the terminal is gone: the run completes all the same."""
    lab = open_lab(before=WITHOUT_SIGHUP + ("" if protected else WITHOUT_LOOK))
    folder = training(lab)
    lab.hang_up()
    seconds = 60 if protected else 12  # 12 s: twice the rest of a run.
    ended = wait_until(lambda: lab.process.poll() is not None, seconds)

    assert (ended and lab.process.returncode == 0 and outcome(folder) == "completed") is protected


def status(process: int) -> str:
    """What the system says of a process; "" where it is gone."""
    path = Path(f"/proc/{process}/status")
    return path.read_text() if path.exists() else ""


def screen_seconds(process: int) -> float:
    """Processor time that the thread of the screen has used."""
    fields = Path(f"/proc/{process}/task/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_hung_up_it_costs_nothing_but_the_run(open_lab: Open) -> None:
    """Without a terminal the thread of the screen rests; a pause ends, since nobody is left who could end it."""
    lab = open_lab(*LONG)
    folder = training(lab)
    lab.press(" ")
    lab.wait_for("paused")
    child = lab.child()
    lab.hang_up()
    time.sleep(1)  # What it does once, as it notices, is not counted.
    before = screen_seconds(child)
    time.sleep(2)  # The time in which it is measured.
    used = screen_seconds(child) - before

    then = epochs(folder)

    assert used < 0.1
    assert wait_until(lambda: epochs(folder) > then)


@pytest.mark.parametrize("asked", [True, False], ids=["stop", "control"])
def test_hang_up_that_stops(asked: bool, open_lab: Open) -> None:
    """With `on_hangup = "stop"` the run is saved and the process ends with 129; by default it is not."""
    lab = open_lab(*LONG, MNIST_TUI_ON_HANGUP="stop") if asked else open_lab()
    folder = training(lab)
    lab.hang_up()
    code = lab.process.wait(60)

    assert (code, outcome(folder)) == ((129, "stopped") if asked else (0, "completed"))


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_sigterm(protected: bool, open_lab: Open) -> None:
    """SIGTERM saves the run, puts the terminal back and ends with 143."""
    lab = open_lab(*LONG, before="" if protected else WITHOUT_SIGNALS)
    folder = training(lab)
    lab.process.send_signal(signal.SIGTERM)
    code = lab.ended()

    assert (outcome(folder) == "stopped") is protected
    assert code == 143
    if protected:
        assert lab.modes_left_on() == []
        assert lab.is_as_before()
        assert b"Traceback" not in lab.output


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_sigterm_at_a_frozen_terminal(protected: bool, open_lab: Open) -> None:
    """Nobody reads what is drawn: the run is saved all the same, and the process ends, with the keyboard put back."""
    lab = open_lab(*LONG, before=HEARTBEAT + ("" if protected else WITHOUT_ENFORCER))
    folder = training(lab)
    fill_terminal(lab)
    lab.process.send_signal(signal.SIGTERM)
    ended = wait_until(lambda: lab.process.poll() is not None, 20 if protected else 6)

    assert ended is protected
    assert outcome(folder) == "stopped"
    if protected:
        assert lab.process.returncode == 143
        assert lab.is_as_before()


WITHOUT_SUPERVISOR = """
import mnist_tui.tui.supervisor as supervisor
supervisor.run_supervised = lambda main: __import__("os")._exit(main(supervisor.Report()))
"""


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_killed(protected: bool, open_lab: Open) -> None:
    """SIGKILL of the dashboard: the supervisor resets the terminal and says how to resume."""
    lab = open_lab(*LONG, before="" if protected else WITHOUT_SUPERVISOR)
    folder = training(lab)
    os.kill(lab.child() if protected else lab.process.pid, signal.SIGKILL)
    code = lab.ended()

    assert (lab.modes_left_on() == []) is protected
    assert (code == 137) is protected
    if protected:
        assert lab.is_as_before()
        assert f"mnist-tui resume runs/{folder.name}".encode() in lab.output


IN_A_SHELL = "import os; os.environ['PS1'] = 'PROMPT '; os.execvp('sh', ['sh', '-i'])"

BLIND_TO_ITS_PARENT = "import os; os.getppid = lambda: 1"


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_killed_supervisor(protected: bool, open_lab: Open, tmp_path: Path) -> None:
    """The shell then takes the terminal back: the run completes without one, and nothing draws over the prompt."""
    program = tmp_path / "program.py"
    program.write_text(f"{'' if protected else BLIND_TO_ITS_PARENT}\n{MAIN}")
    lab = open_lab(before=IN_A_SHELL)
    lab.wait_for("PROMPT")
    lab.press(f"{sys.executable} {program} {' '.join(TRAIN)}\n")
    folder = training(lab)
    dashboard = psutil.Process(lab.child()).children()[0]
    os.kill(lab.child(), signal.SIGKILL)
    completed = wait_until(lambda: (lab.read(0.01), outcome(folder))[1] == "completed")
    gone = wait_until(lambda: not lab.read(0.01) and not dashboard.is_running(), 10 if protected else 2)
    if not gone:
        dashboard.kill()

    assert completed
    assert gone is protected
    assert (lab.modes_left_on() == []) is protected


def test_ctrl_c_stops_and_stays(open_lab: Open) -> None:
    """Ctrl-C stops the run and saves it; the laboratory stays, and is left by q with 0."""
    lab = open_lab(*LONG)
    folder = training(lab)
    lab.press("\x03")
    stopped = wait_until(lambda: (lab.read(), outcome(folder))[1] == "stopped")
    lab.wait_for("stopped")
    alive = lab.process.poll() is None
    lab.press("q")
    code = lab.ended()

    assert stopped
    assert alive
    assert code == 0
    assert lab.modes_left_on() == []


def test_quit_and_save(open_lab: Open) -> None:
    """Q asks; s stops, saves, leaves in two seconds, and says how to resume."""
    lab = open_lab(*LONG)
    folder = training(lab)
    lab.press("q")
    lab.wait_for("Leave running")
    started = time.monotonic()
    lab.press("s")
    code = lab.ended()
    seconds = time.monotonic() - started

    assert code == 0
    assert outcome(folder) == "stopped"
    assert seconds < 3
    assert f"mnist-tui resume runs/{folder.name}".encode() in lab.output


@pytest.mark.parametrize("on_hangup", ["continue", "stop"])
def test_leave_running(on_hangup: str, open_lab: Open) -> None:
    """q, l: the shell has its prompt back at once, and the run completes without a terminal; it is no hang-up."""
    lab = open_lab(MNIST_TUI_ON_HANGUP=on_hangup)
    folder = training(lab)
    lab.press("q")
    lab.wait_for("Leave running")
    lab.press("l")
    code = lab.ended(10)
    at_once = outcome(folder)
    lab.hang_up()
    completed = wait_until(lambda: outcome(folder) == "completed", 60)

    assert (code, at_once) == (0, None)
    assert f"mnist-tui watch {folder.name}".encode() in lab.output
    assert completed


def test_watch_stops_the_run_of_another_process(open_lab: Open) -> None:
    """A second laboratory shows the run that the first one trains, and stops it."""
    lab = open_lab(*LONG)
    folder = training(lab)
    other = open_lab("watch")
    other.wait_for("in another process")
    other.press("s")
    stopped = wait_until(lambda: (lab.read(0.01), other.read(0.01), outcome(folder))[2] == "stopped")
    other.press("q")

    assert stopped
    assert other.ended() == 0


NOISE = """
import os
import mnist_tui.tui.lab.jobs as jobs
warm_up = jobs.warm_up
def noisy():
    print("NOISE of Python", flush=True)
    os.write(1, b"NOISE of C")
    os.write(2, b"NOISE of C")
    warm_up()
jobs.warm_up = noisy
"""

WITHOUT_LOG = """
import contextlib
import mnist_tui.tui.app as app
app.reserve_terminal = contextlib.nullcontext
"""


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_nothing_draws_over_the_screen(protected: bool, open_lab: Open) -> None:
    """What a library prints while the screen is up, from Python or from C, does not reach the terminal."""
    lab = open_lab(*LONG, before=NOISE if protected else NOISE + WITHOUT_LOG)
    folder = training(lab)
    lab.press("\x03")
    lab.wait(lambda: outcome(folder) == "stopped")
    lab.wait_for("stopped")
    lab.press("q")
    lab.ended()

    assert (b"NOISE" in lab.output) is not protected


FAILING_STEP = """
import threading
import mnist_tui.tui.runner as runner
from mnist_tui.cli import main as cli
def fail(self, specs):
    raise ZeroDivisionError("in the thread of the run")
    yield
runner.Runner._train = fail
"""

FAILING_TRAINING = """
import mnist_tui.cli.headless
from mnist_tui.training.state import Training
def fail(*arguments):
    raise ZeroDivisionError("in the training")
Training.begin_epoch = fail
"""

FAILING_THREAD = """
import threading
import mnist_tui.tui.lab.screen as lab
begin = lab.LabScreen._begin
def broken(self):
    begin(self)
    threading.Thread(target=lambda: 1 / 0).start()
lab.LabScreen._begin = broken
"""

FAILING_SCREEN = """
import mnist_tui.tui.lab.screen as lab
lab.LabScreen._begin = lambda self: 1 / 0
"""


@pytest.mark.parametrize("failing", [FAILING_STEP, FAILING_THREAD, FAILING_SCREEN], ids=["run", "thread", "screen"])
def test_an_exception_leaves_one_sentence(failing: str, open_lab: Open) -> None:
    """Whatever thread it comes from: the terminal is put back, one sentence names the log, and the code is not 0."""
    lab = open_lab(before=failing)
    code = lab.ended()

    assert code == 1
    assert lab.modes_left_on() == []
    assert lab.is_as_before()
    assert b"ZeroDivisionError" in lab.output
    assert b"crash.log" in lab.output
    assert b"Traceback" not in lab.output


def test_an_exception_in_training_fails_the_run(open_lab: Open) -> None:
    """The run is marked as failed and the laboratory shows why; it is left with 1, and the reason is said again."""
    lab = open_lab(before=FAILING_TRAINING)
    lab.wait_for("The run failed")
    (folder,) = lab.run_folders()
    lab.press("\r")
    lab.press("q")
    code = lab.ended()

    assert code == 1
    assert outcome(folder) == "failed"
    assert b"run.log" in lab.output
    assert "in the training" in (folder / "run.log").read_text()
    assert lab.modes_left_on() == []
