"""Sweeps by the command line, in processes that are stopped and killed."""

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from helpers.killed_sweep import WITHOUT_CLAIMS, KilledSweep
from helpers.lab_terminal import PRESET
from helpers.python_processes import StartPython, numbers, python_processes, saved, train_alone, wait


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartPython]:
    """Starts a command in the working folder, which has a preset of some seconds."""
    (tmp_path / "small.toml").write_text(PRESET.format(epochs=3))
    with python_processes(tmp_path) as start_python:
        yield partial(start_python, "-m", "mnist_tui")


RATES = ("--set", "optimizer.lr=0.001,0.002", "--dataset", "digits")
MANY_EPOCHS = ("--set", "epochs=200")


def test_a_sweep_trains_what_the_runs_alone_do(start: StartPython, tmp_path: Path) -> None:
    """Bit for bit; the report comes last; called again it trains nothing; with more seeds it trains those."""
    out, err = start("sweep", "small.toml", *RATES, "--jobs", "2").communicate(timeout=120)
    first = saved(tmp_path)
    again = start("sweep", "small.toml", *RATES)
    again_out, _ = again.communicate(timeout=60)
    more = start("sweep", "small.toml", *RATES, "--seeds", "2", "--json")
    events, _ = more.communicate(timeout=120)
    (alone,) = train_alone(tmp_path, "--set", "optimizer.lr=0.002", "--set", "validation_images=10000")

    assert "2 configurations (grid): 2 runs" in err
    assert "sweep small: 2 of 2 runs done" in out
    assert again.returncode == more.returncode == 0
    assert "sweep small: 2 of 2 runs done" in again_out
    assert len(first) == 2
    assert len([run for run in saved(tmp_path) if "sweep" in run.record]) == 4
    by_rate = {run.record["sweep"]["values"]["optimizer.lr"]: run for run in first}
    assert numbers(by_rate["0.002"]) == numbers(alone)
    ended = [json.loads(line) for line in events.splitlines() if '"RunEnded"' in line]
    assert sorted((each["sweep"]["point"], each["sweep"]["seed"]) for each in ended) == [(0, 1), (1, 1)]


@pytest.mark.parametrize("how", ["file", "signal"])
def test_a_stopped_sweep_goes_on(start: StartPython, tmp_path: Path, how: str) -> None:
    """Stopped from elsewhere by a file or by Ctrl-C: its runs are saved; then they are resumed, not begun again."""
    process = start("sweep", "small.toml", *RATES, *MANY_EPOCHS, "--jobs", "2")
    wait(lambda: len(saved(tmp_path)) == 2 and all(run.rows for run in saved(tmp_path)))
    if how == "file":
        assert start("sweep", "stop").wait(30) == 0
    else:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    refused_err = start("work", "small").communicate(timeout=30)[1] if how == "file" else ""
    stopped = saved(tmp_path)
    resumed = start("sweep", "resume", "--jobs", "2")
    wait(lambda: all(run.end is None for run in saved(tmp_path)))
    resumed.send_signal(signal.SIGINT)
    resumed.communicate(timeout=60)

    assert process.returncode == (1 if how == "file" else 130), err
    assert [run.end and run.end["outcome"] for run in stopped] == ["stopped", "stopped"]
    assert "(2 stopped)" in out
    assert (how == "signal") or "was stopped; mnist-tui sweep resume small lets it go on" in refused_err
    assert len(saved(tmp_path)) == 2
    assert all(len(run.rows) >= len(before.rows) for run, before in zip(saved(tmp_path), stopped, strict=True))


def test_killed_processes_lose_no_point(tmp_path: Path) -> None:
    """Two processes share 6 points; drivers and trainers are killed 6 times: each point ends once."""
    killed = KilledSweep(tmp_path, seed=1, points=6)
    try:
        for _ in range(6):
            killed.kill()
        killed.finish()
        counts = killed.check()
    finally:
        killed.close()

    assert counts.startswith("6 points ended once, none lost, none twice")
    assert killed.kills["driver"]
    assert killed.kills["trainer"]


def test_without_claims_points_are_trained_twice(tmp_path: Path) -> None:
    """The control of the test above."""
    killed = KilledSweep(tmp_path, seed=1, points=2, sabotage=WITHOUT_CLAIMS)
    try:
        killed.finish()
        with pytest.raises(AssertionError, match="trained twice"):
            killed.check()
    finally:
        killed.close()
