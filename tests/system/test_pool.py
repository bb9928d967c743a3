"""Runs side by side in processes: the same numbers as alone, and what happens when processes are stopped or killed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

import psutil
import pytest
from helpers.lab_terminal import PRESET, Lab
from helpers.python_processes import StartPython, numbers, python_processes, saved, train_alone, wait


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartPython]:
    """Starts a batch of a preset of a few seconds."""
    with python_processes(tmp_path) as start_python:

        def run(*arguments: str, epochs: int = 2) -> "subprocess.Popen[str]":
            (tmp_path / "small.toml").write_text(PRESET.format(epochs=epochs))
            return start_python("-m", "mnist_tui", "--batch", "small.toml", "--dataset", "digits", *arguments)

        yield run


def trainers(folder: Path) -> list[psutil.Process]:
    """The processes that hold a lock of a run in a working folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(file.path.startswith(str(folder / "runs")) for file in process.open_files()):
                found.append(process)
    return found


def test_runs_side_by_side_are_the_runs_alone(start: StartPython, tmp_path: Path) -> None:
    """Bit for bit; every line and event says which run it is about, and the folders come last, in order."""
    out, err = start("--seeds", "3", "--jobs", "2", epochs=1).communicate(timeout=120)
    together = [numbers(run) for run in saved(tmp_path)]
    events, _ = start("--seeds", "3", "--jobs", "2", "--json", "--quiet", epochs=1).communicate(timeout=120)
    (alone,) = train_alone(tmp_path, "--seed", "1")
    records = [json.loads(line) for line in events.splitlines()]

    assert [line.split("-")[-2] for line in out.splitlines()[-3:]] == ["s0", "s1", "s2"]
    assert len([line for line in out.splitlines() if line.startswith("small s1  epoch")]) == 1
    assert "mean best" in out
    assert err.count("1 thread") == 3
    assert numbers(alone) == together[1]
    assert len({json.dumps(each) for each in together}) == 3
    assert len({record["run"] for record in records if record["event"] == "EpochEnded"}) == 3
    assert all(record["run"] for record in records if record["event"] != "Notice")


def test_a_killed_process_fails_no_run(start: StartPython, tmp_path: Path) -> None:
    """Its run is resumed once, and ends as it would have; killed again, it fails, and the others end."""
    process = start("--seeds", "2", "--jobs", "2", epochs=4)
    wait(lambda: any(run.rows for run in saved(tmp_path)) and trainers(tmp_path))
    trainers(tmp_path)[0].kill()
    _, err = process.communicate(timeout=120)
    runs = saved(tmp_path)
    expected = [numbers(run) for run in train_alone(tmp_path, "--seeds", "2")]

    assert process.returncode == 0, err
    assert "was killed by signal 9 (Killed); out of memory?; it is resumed" in " ".join(err.replace("\n", " ").split())
    assert [numbers(run) for run in runs] == expected
    assert [run.end and run.end["outcome"] for run in runs] == ["completed", "completed"]


def test_a_run_that_is_killed_twice_fails(start: StartPython, tmp_path: Path) -> None:
    """It can be resumed by hand; the other one is trained to its end; exit code 1."""
    process = start("--seeds", "2", "--jobs", "2", epochs=30)
    for count in (1, 2):
        victim = None
        while victim is None:
            wait(lambda: saved(tmp_path) and saved(tmp_path)[0].rows)
            first = str(saved(tmp_path)[0].folder)
            victim = next((one for one in trainers(tmp_path) if _holds(one, first)), None)
        victim.kill()
        wait(partial(_is_gone, victim))
        if count == 1:
            wait(lambda: (saved(tmp_path)[0].folder / "resumed.jsonl").exists())
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)

    assert process.returncode == 130
    assert "small s0: its process was killed by signal 9" in err
    assert saved(tmp_path)[0].end is None
    assert saved(tmp_path)[0].can_resume
    assert saved(tmp_path)[1].end is not None


def _is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _holds(process: psutil.Process, folder: str) -> bool:
    with suppress(psutil.Error):
        return any(file.path.startswith(folder) for file in process.open_files())
    return False


def test_ctrl_c_stops_and_saves_all_runs(start: StartPython, tmp_path: Path) -> None:
    """As a terminal sends it: to every process. Those that wait are not begun."""
    process = start("--seeds", "4", "--jobs", "2", epochs=1000)
    wait(lambda: len(saved(tmp_path)) == 2 and all(run.rows for run in saved(tmp_path)))
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130, err
    assert [run.end and run.end["outcome"] for run in saved(tmp_path)] == ["stopped", "stopped"]
    assert out.count("not begun") == 2
    assert err.count("resume it with") == 2


def test_ctrl_c_twice_aborts(start: StartPython, tmp_path: Path) -> None:
    """At once, without a traceback; no process is left."""
    process = start("--seeds", "2", "--jobs", "2", epochs=1000)
    wait(lambda: len(saved(tmp_path)) == 2)
    workers = trainers(tmp_path)
    for worker in workers:
        worker.suspend()  # So that none of them stops by itself in between.
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)  # Two signals that come at once are one.
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert all(map(_is_gone, workers))


def test_without_the_process_that_shows_them_runs_are_stopped_and_saved(start: StartPython, tmp_path: Path) -> None:
    """And their processes end."""
    process = start("--seeds", "2", "--jobs", "2", epochs=1000)
    wait(lambda: len(saved(tmp_path)) == 2 and all(run.rows for run in saved(tmp_path)))
    workers = trainers(tmp_path)
    process.kill()
    wait(lambda: all(run.end for run in saved(tmp_path)))
    wait(lambda: not any(worker.is_running() for worker in workers))

    assert [run.end and run.end["outcome"] for run in saved(tmp_path)] == ["stopped", "stopped"]
    assert workers


@pytest.mark.parametrize(
    ("arguments", "lines", "message"),
    [
        (("--jobs", "0"), 1, "--jobs 0: must be auto or a whole number between 1 and 1,000"),
        (("--jobs", "two"), 1, "--jobs two: must be auto or a whole number"),
        # The first line says that MNIST is going to be downloaded.
        (("--data-dir", "nowhere", "--dataset", "mnist", "--jobs", "2", "--seeds", "2"), 2, "nowhere"),
        (("--runs-dir", "small.toml", "--jobs", "2", "--seeds", "2"), 1, "small.toml"),
    ],
)
def test_bad_input_begins_nothing(
    start: StartPython, arguments: tuple[str, ...], lines: int, message: str, tmp_path: Path
) -> None:
    """One line; no folder."""
    process = start(*arguments)
    out, err = process.communicate(timeout=60)

    assert process.returncode in (2, 3)
    assert message in err
    assert (out, err.count("\n")) == ("", lines)
    assert not (tmp_path / "runs").exists()


# --- seeds in the laboratory ---


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The laboratory, training two seeds."""
    (tmp_path / "small.toml").write_text(PRESET.format(epochs=request.param))
    lab = Lab(
        tmp_path, "--preset", "small.toml", "--dataset", "digits", "--seeds", "2", "--start", size=(120, 40), warm=True
    )
    yield lab
    lab.close()


@pytest.mark.parametrize("lab", [2], indirect=True)
def test_the_laboratory_trains_seeds_side_by_side(lab: Lab, tmp_path: Path) -> None:
    """It shows them one after the other; their numbers are those of the runs alone."""
    lab.wait(lambda: [run.end and run.end["outcome"] for run in saved(tmp_path)] == ["completed"] * 2, 120)
    lab.wait_for("s1  completed")
    together = [numbers(run) for run in saved(tmp_path)]
    began = [run.record["created"] for run in saved(tmp_path)]
    ended = [(run.folder / "end.json").stat().st_mtime for run in saved(tmp_path)]
    alone = train_alone(tmp_path, "--seeds", "2")

    assert [numbers(run) for run in alone] == together
    assert datetime.fromisoformat(began[1]).timestamp() < ended[0]


@pytest.mark.parametrize("lab", [1000], indirect=True)
def test_keys_of_the_laboratory_reach_every_seed(lab: Lab, tmp_path: Path) -> None:
    """Pause and stop."""
    lab.wait(lambda: len(saved(tmp_path)) == 2 and all(run.rows for run in saved(tmp_path)), 120)
    lab.press(" ")
    lab.wait_for("paused")
    time.sleep(1)  # The other one may be about to end an epoch.
    lengths = [len(run.rows) for run in saved(tmp_path)]
    lab.wait(partial(_has_passed, time.monotonic() + 1.5))
    paused = [len(run.rows) for run in saved(tmp_path)]
    lab.press(" ")
    lab.wait(lambda: all(len(run.rows) > count for run, count in zip(saved(tmp_path), lengths, strict=True)))
    lab.press("s")
    lab.wait(lambda: all(run.end for run in saved(tmp_path)))

    assert paused == lengths
    assert [run.end and run.end["outcome"] for run in saved(tmp_path)] == ["stopped", "stopped"]


def _has_passed(moment: float) -> bool:
    return time.monotonic() > moment
