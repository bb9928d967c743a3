"""Quits and stops at random moments of a training in the laboratory (T4)."""

import statistics
import time
from functools import partial

from helpers.lab_terminal import PRESET, Lab

from mnist_tui.runs.storage import load_run
from stress_parts.frame import Case, Part, Trial

MOST_QUIT, MOST_STOP = 2.5, 1.0
"""Seconds. Wanted are 2 s and 300 ms, with figures in benchmarks/README.md; here other programs may use the cores.

What is slower than this waits for something, such as the end of an epoch. The slowest is printed.
"""
UNSAVED = """
import threading
from mnist_tui.tui.runner import Runner
start = threading.Thread.start
def start_as_daemon(thread):
    thread.daemon = thread.daemon or thread.name == "run"
    start(thread)
threading.Thread.start = start_as_daemon
Runner.join = Runner.send_request = lambda *arguments: None
"""
"""The thread that trains is not told to stop, and nobody waits for it."""
SLOW_STOP = """
import time
from mnist_tui.runs.control import Control
stop = Control.stop
Control.stop = lambda self: (time.sleep(1.5), stop(self))
"""


def quit_cases(trial: Trial) -> list[Case]:
    """Quits with "stop and save": exit code 0 within `MOST_QUIT`, and every run is saved and can be resumed."""
    seconds: list[float] = []
    before = trial.sabotage or ""
    return [Case(f"quit {index}", partial(_quit, trial, index, seconds, before)) for index in range(trial.size)]


def _quit(trial: Trial, index: int, seconds: list[float], before: str) -> str:
    """Quits during the first seconds of a run; every fourth time during those of the program, while it loads."""
    folder = trial.folder / str(index)
    folder.mkdir()
    (folder / "many.toml").write_text(PRESET.format(epochs=1_000))
    lab = Lab(folder, "--preset", "many.toml", "--dataset", "digits", "--start", before=before)
    try:
        if index % 4 != 3:
            lab.wait(lambda: list(folder.glob("runs/*/steps.jsonl")))
        lab.read_for(trial.random.uniform(0, 4))
        lab.press("q")
        lab.wait(lambda: lab.process.poll() is not None or "Leave running" in lab.text())
        began = time.monotonic()
        lab.press("s")
        code = lab.ended()
        seconds.append(time.monotonic() - began)
        assert code == 0, f"exit code {code}: {lab.output[-500:]!r}"
        assert seconds[-1] < MOST_QUIT, f"took {seconds[-1]:.1f} s"
        assert all(load_run(run).end for run in lab.run_folders()), "a run was not saved"
    finally:
        lab.close()
    return f"the slowest took {max(seconds):.2f} s"


def stop_cases(trial: Trial) -> list[Case]:
    """Stops iter5: `MOST_STOP` from the key to end.json, which is written after the checkpoint."""
    dataset = ("--dataset", "digits") if trial.is_quick else ()
    arguments = ("--preset", "iter5", "--set", "epochs=1000", "--device", "cpu", *dataset)
    lab = Lab(trial.folder, *arguments, before=trial.sabotage or "", size=(120, 40), warm=True)
    trial.exits.callback(lab.close)
    lab.wait_for("t trains")
    seconds: list[float] = []
    return [
        Case(f"stop {index}", partial(_stop, lab, trial.random.uniform(0, 4), seconds)) for index in range(trial.size)
    ]


def _stop(lab: Lab, after: float, seconds: list[float]) -> str:
    """Begins a run and stops it after so many seconds."""
    runs = len(seconds)
    lab.press("t")
    lab.wait(lambda: len(list(lab.folder.glob("runs/*/steps.jsonl"))) == runs + 1)
    folder = max(lab.folder.glob("runs/*/steps.jsonl"), key=lambda path: path.stat().st_mtime_ns).parent
    lab.read_for(after)
    began = time.time()
    lab.press("s")
    lab.wait((folder / "end.json").exists)
    seconds.append((folder / "end.json").stat().st_mtime - began)
    lab.wait_for("stopped")
    assert seconds[-1] < MOST_STOP, f"took {seconds[-1]:.2f} s"
    return f"from the key to end.json: median {statistics.median(seconds):.3f} s, slowest {max(seconds):.3f} s"


QUIT = Part(quit_cases, full=50, quick=2, controls={"a quit that stops nothing": UNSAVED})
STOP = Part(stop_cases, full=15, quick=2, controls={"a stop that is slow": SLOW_STOP})
