"""Ctrl-C, SIGTERM, a closed terminal and a reader that leaves, in processes of their own; each with its control.

A control is the same process with the protection taken away: it must lose what the protection keeps.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_tui.cli import main as cli

ROOT = Path(__file__).parents[2]
EPOCHS = 5

PRESET = f"""
layers = '''
AvgPool2d(4)
Flatten()
Linear(10)
'''
[train]
epochs = {EPOCHS}
batch_size = 1
optimizer = "SGD(lr=0.001)"
"""
"""1,437 steps an epoch: the whole run takes seconds, so that a signal after the first epoch falls into it."""

TRAIN = ["--batch", "many.toml", "--dataset", "digits", "--device", "cpu", "--threads", "1"]

MAIN = "from mnist_tui.cli.main import main; main()"


def _take_signals() -> None:
    """A test run in the background of a script inherits that these are ignored; a user's terminal does not."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the processes, with the preset."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "many.toml").write_text(PRESET)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    return folder


@pytest.fixture
def start(work: Path) -> Iterator[Start]:
    """Starts `mnist-tui` after some code of its own; ends it with the test."""
    started: list[subprocess.Popen[str]] = []

    def popen(arguments: list[str], before: str = "", **options: Any) -> subprocess.Popen[str]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", f"{before}\n{MAIN}", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            text=True,
            preexec_fn=_take_signals,
            **streams,
        )
        started.append(process)
        return process

    yield popen
    for process in started:
        process.kill()
        process.communicate()


def run_folder(work: Path) -> Path:
    """The one run folder there is."""
    (folder,) = work.glob("runs/*")
    return folder


def ending(folder: Path) -> str | None:
    """How end.json says that the run ended; None without one."""
    path = folder / "end.json"
    return json.loads(path.read_text())["outcome"] if path.exists() else None


def epochs(folder: Path) -> list[int]:
    """The epochs in a run's history."""
    return [json.loads(line)["epoch"] for line in (folder / "history.jsonl").read_text().splitlines()]


def resume(monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """`mnist-tui resume` in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["mnist-tui", "resume", "--device", "cpu", "--threads", "1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def wait_for_line(process: subprocess.Popen[str], word: str) -> str:
    """The next line of stdout with `word` in it."""
    assert process.stdout is not None
    return next(line for line in process.stdout if word in line)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_stops_after_the_step_and_resume_completes(
    number: signal.Signals, code: int, work: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an epoch: saved, says how to resume, 128 + signal; `resume` trains the rest, each epoch once."""
    process = start([*TRAIN, "--json"])
    wait_for_line(process, '"EpochEnded"')
    wait_for_line(process, '"Progress"')
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    folder = run_folder(work)
    done, outcome = epochs(folder), ending(folder)

    resumed = resume(monkeypatch)

    assert process.returncode == code
    assert outcome == "stopped"
    assert 1 <= len(done) < EPOCHS
    assert json.loads(out.splitlines()[-1])["outcome"] == "stopped"
    assert f"mnist-tui resume {folder.relative_to(work)}" in err
    assert "stopping after this step" in err
    assert "Traceback" not in err
    assert resumed == 0
    assert ending(folder) == "completed"
    assert epochs(folder) == list(range(1, EPOCHS + 1))


WITHOUT_HANDLERS = """
import signal
signal.signal = lambda number, handler: signal.getsignal(number)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_control_without_handlers_a_signal_ends_the_run_unsaved(
    number: signal.Signals, work: Path, start: Start
) -> None:
    """No end.json and no checkpoint of the epoch under way: what the tests of the handlers would then see."""
    process = start([*TRAIN, "--json"], before=WITHOUT_HANDLERS)
    wait_for_line(process, '"EpochEnded"')
    wait_for_line(process, '"Progress"')
    process.send_signal(number)
    process.communicate(timeout=60)

    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert ending(run_folder(work)) is None


def test_a_stop_is_not_followed_by_the_next_run(work: Path, start: Start) -> None:
    """With several seeds, Ctrl-C ends the whole command; the table says what became of the first."""
    process = start([*TRAIN, "--seeds", "3", "--jobs", "1"])
    wait_for_line(process, "epoch ")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert out.splitlines()[-1] == str(run_folder(work).relative_to(work))
    assert process.returncode == 130


ANNOUNCED_TORCH = """
import sys
class Announce:
    def find_spec(self, name, path=None, target=None):
        if name == "torch.nn":
            print("torch is being loaded", flush=True)
sys.meta_path.insert(0, Announce())
"""


def test_ctrl_c_before_the_first_step_writes_nothing(work: Path, start: Start) -> None:
    """While torch is being loaded there is nothing to save: 130 at once, and no traceback."""
    process = start(TRAIN, before=ANNOUNCED_TORCH)
    wait_for_line(process, "torch is being loaded")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert (out, err) == ("", "")
    assert not (work / "runs").exists()


HANGING_STEP = """
import pathlib, time
from mnist_tui.training.step import TrainStep
step = TrainStep.__call__
def hang(self, inputs, labels):
    if pathlib.Path("hang").exists():
        print("hanging", flush=True)
        time.sleep(600)
    return step(self, inputs, labels)
TrainStep.__call__ = hang
"""


def test_a_second_ctrl_c_aborts_a_step_that_takes_too_long(
    work: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one waits for the step, and says how to abort; after the second the run can still be resumed."""
    process = start(TRAIN, before=HANGING_STEP)
    assert process.stderr is not None
    wait_for_line(process, "epoch ")
    (work / "hang").touch()
    wait_for_line(process, "hanging")
    process.send_signal(signal.SIGINT)
    said = next(line for line in process.stderr if "stopping" in line)
    waited = process.poll()
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    seconds = time.monotonic() - started
    folder = run_folder(work)
    outcome = ending(folder)
    (work / "hang").unlink()

    resumed = resume(monkeypatch)

    assert "Ctrl-C again aborts" in said
    assert waited is None
    assert process.returncode == 130
    assert seconds < 30
    assert "Traceback" not in err
    assert outcome is None
    assert resumed == 0
    assert epochs(folder) == list(range(1, EPOCHS + 1))


OWN_TERMINAL = "import os; os.open(os.ttyname(0), os.O_RDWR)"
"""The first terminal that the leader of a session opens is the one whose closing sends it SIGHUP."""


def _close_the_terminal_after_an_epoch(start: Start, before: str) -> subprocess.Popen[str]:
    master, slave = os.openpty()
    process = start(TRAIN, before=before, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    shown = b""
    while b"\nepoch 1/" not in shown.replace(b"\x1b[2K", b"\n").replace(b"\r", b"\n"):
        shown += os.read(master, 4_096)
    os.close(master)
    process.wait(timeout=120)
    return process


def test_a_closed_terminal_does_not_end_the_run(work: Path, start: Start) -> None:
    """SIGHUP comes and nothing can be written any more; all epochs are trained, and the exit code is 0."""
    process = _close_the_terminal_after_an_epoch(start, OWN_TERMINAL)

    assert process.returncode == 0
    assert ending(run_folder(work)) == "completed"
    assert epochs(run_folder(work)) == list(range(1, EPOCHS + 1))


def test_control_a_closed_terminal_sends_a_signal(work: Path, start: Start) -> None:
    """The signal does come: a process that does not know SIGHUP is ended by it."""
    process = _close_the_terminal_after_an_epoch(start, f"{OWN_TERMINAL}\n{WITHOUT_HANDLERS}")

    assert process.returncode == -signal.SIGHUP
    assert ending(run_folder(work)) is None


def _leave_after_a_line(process: subprocess.Popen[str]) -> str:
    """As `| head -1` does; what is on stderr afterwards."""
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=120)
    return err


def test_a_reader_that_leaves_does_not_end_the_run(work: Path, start: Start) -> None:
    """Nobody reads stdout after its first line: the run trains to its end, without a traceback."""
    process = start([*TRAIN, "--epochs", "4"])

    err = _leave_after_a_line(process)

    assert "Traceback" not in err
    assert "BrokenPipe" not in err
    assert epochs(run_folder(work)) == [1, 2, 3, 4]
    assert ending(run_folder(work)) == "completed"
    assert process.returncode == 0


PLAIN_WRITE = """
from mnist_tui.cli import output
output._write = lambda stream, text: print(text, end="", file=stream, flush=True)
"""


def test_control_a_plain_print_would_end_the_run(work: Path, start: Start) -> None:
    """The pipe is closed indeed, and who does not look after it is thrown out."""
    process = start([*TRAIN, "--epochs", "4"], before=PLAIN_WRITE)

    _leave_after_a_line(process)

    assert ending(run_folder(work)) is None
    assert len(epochs(run_folder(work))) < 4
