"""Sweeps on Ray: on a local one, and on a cluster of two nodes on this machine, which die."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
import pytest
from helpers.lab_terminal import PRESET
from helpers.python_processes import StartPython, environment, python_processes, saved
from safetensors.numpy import load_file

from mnist_tui.runs.control import Control
from mnist_tui.runs.storage import SavedRun, checkpoints, load_run
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.cluster.connection import PARENT, PREFIX
from mnist_tui.sweep.folder import sweeps
from mnist_tui.training import session

EPOCHS = 8
"""Of a run that something happens to meanwhile: a few seconds."""


# --- a cluster, and a process that trains a sweep on one ---


@dataclass
class TestCluster:
    """Two nodes that train, and the addresses of the head."""

    __test__ = False
    process: "subprocess.Popen[str]"
    address: str
    client_address: str

    def ask(self, command: str) -> None:
        """Has a node killed, or added."""
        _input(self.process).write(f"{command}\n")
        _input(self.process).flush()
        _output(self.process).readline()


def _input(process: "subprocess.Popen[str]") -> IO[str]:
    assert process.stdin is not None
    return process.stdin


def _output(process: "subprocess.Popen[str]") -> IO[str]:
    assert process.stdout is not None
    return process.stdout


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """A cluster for all tests of this file."""
    with open(tmp_path_factory.mktemp("cluster") / "stderr", "w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.ray_cluster", "2", "1"],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(),
        )
        yield TestCluster(process, *(_output(process).readline().strip() for _ in range(2)))
        process.communicate(timeout=60)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartPython]:
    """Starts a sweep of two configurations."""
    with python_processes(tmp_path) as start_python:

        def run(on: str, *flags: str, per_run: str = "", seeds: int = 1, epochs: int = 2) -> "subprocess.Popen[str]":
            (tmp_path / "small.toml").write_text(PRESET.format(epochs=epochs))
            sweep = ("-m", "helpers.ray_sweep", on, per_run, "small.toml", str(seeds), *flags)
            return start_python(*sweep)

        yield run


def wait(is_so: Callable[[], object], process: "subprocess.Popen[str]", seconds: float = 180) -> None:
    """Waits until `is_so` returns something true, while a process lives."""
    end = time.monotonic() + seconds
    while not is_so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "the condition never became true"
        time.sleep(0.05)


def finish(process: "subprocess.Popen[str]") -> tuple[list[dict[str, Any]], str]:
    """The messages of a process, and its errors."""
    out, err = process.communicate(timeout=120)
    return [json.loads(line) for line in out.splitlines()], err


def result(run: SavedRun) -> dict[str, Any]:
    """All numbers of a run, bit by bit, but for how long things took."""
    rows = [replace(row, seconds=0.0, images_per_second=0.0) for row in run.rows]
    weights = {name: array.tobytes() for name, array in load_file(checkpoints(run.folder)[0]).items()}
    with np.load(run.folder / "predictions.npz") as predictions:
        return {
            "rows": rows,
            "weights": weights,
            "predictions": {key: predictions[key].tobytes() for key in predictions},
        }


@cache
def alone(folder: Path, run: str) -> dict[str, Any]:
    """The same run alone, with one thread."""
    spec = load_run(folder / "runs" / run).spec
    options = Options(runs_dir=folder / "alone", dataset="digits", threads=1)
    list(session.run(spec, options, Control()))
    return result(load_run(max((folder / "alone").iterdir(), key=lambda path: path.stat().st_ctime)))


def outcomes(folder: Path) -> list[Any]:
    """How the runs ended."""
    return [run.end and run.end["outcome"] for run in saved(folder)]


def is_left(folder: Path) -> bool:
    """Whether the sweep of a working folder has a marker left."""
    return any(list(sweep.folder.glob(".shared-*")) for sweep in sweeps(folder / "runs"))


# --- a local Ray ---


def ray_processes(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """What a process has started, and so on."""
    children: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return children


def listening(process: psutil.Process) -> set[str]:
    """Where a process listens."""
    with suppress(psutil.Error):
        return {socket.laddr.ip for socket in process.net_connections() if socket.status == psutil.CONN_LISTEN}
    return set()


def lives(process: psutil.Process) -> bool:
    """Whether a process has not ended; a zombie has."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def test_a_local_ray_trains_all_points_and_leaves_nothing(start: StartPython, tmp_path: Path) -> None:
    """It listens on the loopback device only, prints nothing, and writes nothing into the home directory."""
    tokens = Path.home() / ".ray"
    had_tokens, folders = tokens.exists(), set(PARENT.glob(f"{PREFIX}*"))
    process = start("ray", seeds=2)
    wait(lambda: len(saved(tmp_path)) == 2, process)
    started = ray_processes(process)
    places = set().union(*(listening(each) for each in [psutil.Process(process.pid), *started]))
    folder = set(PARENT.glob(f"{PREFIX}*")) - folders
    messages, err = finish(process)

    assert (process.returncode, err) == (0, "")
    assert outcomes(tmp_path) == ["completed"] * 4
    assert sorted(each["point"] for each in messages if each["kind"] == "JobEnded") == [
        f"0000{point}-s{seed}" for point in (0, 1) for seed in (0, 1)
    ]
    assert places == {"127.0.0.1", "::ffff:127.0.0.1"}
    assert len(started) > 4
    assert not [each for each in started if lives(each)]
    assert (len(folder), next(iter(folder)).exists()) == (1, False)
    assert tokens.exists() == had_tokens
    assert not is_left(tmp_path)
    assert [result(run) for run in saved(tmp_path)[:2]] == [
        alone(tmp_path, run.folder.name) for run in saved(tmp_path)[:2]
    ]


def test_a_closed_terminal_saves_all_runs(start: StartPython, tmp_path: Path) -> None:
    """The signal goes to every process of the terminal, those of Ray too."""
    process = start("ray", epochs=1000)
    wait(lambda: len(saved(tmp_path)) == 2 and all(run.rows for run in saved(tmp_path)), process)
    started = ray_processes(process)
    os.killpg(process.pid, signal.SIGHUP)
    _, err = finish(process)

    assert (process.returncode, err) == (130, "")
    assert outcomes(tmp_path) == ["stopped", "stopped"]
    assert not [each for each in started if lives(each)]


# --- a cluster ---


def test_the_run_of_a_node_that_died_is_resumed_elsewhere(
    cluster: TestCluster, start: StartPython, tmp_path: Path
) -> None:
    """In its folder, once, with the numbers of the run alone; the other one is not touched."""
    process = start(cluster.address, epochs=EPOCHS)
    wait(lambda: len(saved(tmp_path)) == 2 and all(run.rows for run in saved(tmp_path)), process)
    cluster.ask("kill")
    messages, err = finish(process)
    cluster.ask("add")
    notices = [each["text"] for each in messages if each["kind"] == "Notice"]

    assert (process.returncode, err) == (0, "")
    assert [text for text in notices if "died" in text] == ["its node died; it is resumed"]
    assert outcomes(tmp_path) == ["completed", "completed"]
    assert sorted(len((run.folder / "resumed.jsonl").exists() * "x") for run in saved(tmp_path)) == [0, 1]
    assert [result(run) for run in saved(tmp_path)] == [alone(tmp_path, run.folder.name) for run in saved(tmp_path)]


def test_without_a_second_attempt_the_run_of_a_dead_node_is_lost(
    cluster: TestCluster, start: StartPython, tmp_path: Path
) -> None:
    """The control of the test before; called again, the sweep resumes it."""
    process = start(cluster.address, "--once", "--apart", epochs=EPOCHS)
    wait(lambda: len(saved(tmp_path)) == 2 and all(run.rows for run in saved(tmp_path)), process)
    cluster.ask("kill")
    messages, _ = finish(process)
    cluster.ask("add")
    ended = outcomes(tmp_path)
    again = start(cluster.address, "--apart", epochs=EPOCHS)
    more, err = finish(again)

    assert sorted(each["error"] for each in messages if each["kind"] == "JobEnded") == ["", "its node died"]
    assert sorted(map(str, ended)) == ["None", "completed"]
    assert (again.returncode, err) == (0, "")
    assert [each["epochs_done"] > 0 for each in more if each["kind"] == "RunStarted"] == [True]
    assert outcomes(tmp_path) == ["completed", "completed"]
    assert [result(run) for run in saved(tmp_path)] == [alone(tmp_path, run.folder.name) for run in saved(tmp_path)]


def test_folders_of_nodes_apart_land_whole_through_the_client(
    cluster: TestCluster, start: StartPython, tmp_path: Path
) -> None:
    """While it is trained a run is seen as one under way; a request in its folder reaches it, and so does Ctrl-C."""
    process = start(cluster.client_address, "--apart", epochs=1000)
    # Ray's server for clients at times loses a first connection, and says so after 30 s.
    wait(lambda: len(saved(tmp_path)) == 2 and all(run.rows for run in saved(tmp_path)), process, 150)
    first, second = saved(tmp_path)
    (first.folder / "control.jsonl").write_text('{"request": "stop"}\n')
    wait(lambda: load_run(first.folder).end, process)
    is_other_running = load_run(second.folder).end is None
    os.killpg(process.pid, signal.SIGINT)
    _, err = finish(process)

    assert (process.returncode, err) == (130, "")
    assert is_other_running
    assert outcomes(tmp_path) == ["stopped", "stopped"]
    assert all(checkpoints(run.folder) for run in saved(tmp_path))
    assert not is_left(tmp_path)


@pytest.mark.parametrize(
    ("on", "per_run", "code", "message"),
    [
        ("CLUSTER", "cpu=1000", 2, "--per-run cpu=1000: no node of the cluster has as much; the most are "),
        ("127.0.0.1:1", "", 3, "127.0.0.1:1: Connection refused"),
        ("ray://127.0.0.1:1", "", 3, "127.0.0.1:1: Connection refused"),
    ],
)
def test_what_cannot_be_begins_nothing(
    on: str, per_run: str, code: int, message: str, cluster: TestCluster, start: StartPython, tmp_path: Path
) -> None:
    """One line."""
    process = start(cluster.address if on == "CLUSTER" else on, per_run=per_run)
    messages, err = finish(process)

    assert (process.returncode, messages, err.count("\n")) == (code, [], 1)
    assert message in err
    assert saved(tmp_path) == []
