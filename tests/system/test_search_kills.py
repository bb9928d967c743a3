"""A search that two processes share, each killed again and again: every trial ends once, under one set of values."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from helpers.lab_terminal import PRESET

TRIALS, KILLS = 6, 3
TRAIN = """
from pathlib import Path
from mnist_tui.runs.control import Control
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep import folder, sweep_file, train
from mnist_tui.sweep.pool import Pool

if __name__ == "__main__":
    search = {"sampler": "tpe", "trials": %d, "prune": "median"}
    plan = sweep_file.plan_of(
        presets.load("small.toml"),
        {"optimizer.lr": "0.001..1 log", "batch_size": ("16", "32")},
        {"search": search, "dataset": "digits", "choose_on": "test"},
    )
    sweep = folder.start(Path("runs"), plan, "searched")
    for _ in train.train_points(sweep, Options(runs_dir=Path("runs")), Control(), lambda: Pool(1)):
        pass
"""


def begin(folder: Path) -> "subprocess.Popen[bytes]":
    """A process that trains points, the leader of a process group."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "train.py"], cwd=folder, start_new_session=True, env=environment)


@pytest.mark.slow
def test_kills_lose_no_trial(tmp_path: Path) -> None:
    """After three kills the folders hold each trial once, with the values of its claim; both processes end well."""
    (tmp_path / "small.toml").write_text(PRESET.format(epochs=9))
    (tmp_path / "train.py").write_text(TRAIN % TRIALS)
    chance = random.Random(0)
    processes = [begin(tmp_path)]
    while not list(tmp_path.glob("runs/*/run.json")):  # Two that begin at once would make two sweeps.
        time.sleep(0.1)
    processes.append(begin(tmp_path))
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.5, 2.0))
        index = chance.randrange(2)
        if processes[index].poll() is None:
            os.killpg(processes[index].pid, signal.SIGKILL)
            processes[index].wait()
            processes[index] = begin(tmp_path)
    codes = [process.wait(120) for process in processes]
    done: Counter[int] = Counter()
    for path in tmp_path.glob("runs/*/run.json"):
        label = json.loads(path.read_text())["sweep"]
        end = path.parent / "end.json"
        is_done = end.exists() and json.loads(end.read_text())["outcome"] in ("completed", "diverged")
        done[label["point"]] += is_done or (path.parent / "pruned.json").exists()
        for claim in tmp_path.glob(f"runs/.sweeps/searched/claims/{label['point']:05d}-*"):
            assert json.loads(claim.read_text())["values"] == label["values"]

    assert codes == [0, 0]
    assert done == Counter(range(TRIALS))
