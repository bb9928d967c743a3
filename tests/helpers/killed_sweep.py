"""A sweep whose processes are killed at random: every point must end once, none may be lost, none trained twice.

On a Ray cluster, too, of which nodes are killed as well.
"""

import json
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from helpers.lab_terminal import PRESET, ROOT
from helpers.python_processes import environment
from mnist_tui.spec import presets
from mnist_tui.sweep import folder, sweep_file
from mnist_tui.sweep.results import Results

BEGIN = "from mnist_tui.cli.main import main; main()"
WITHOUT_CLAIMS = "from mnist_tui.sweep.claims import Claims; Claims.take = lambda *_: True; "
"""A control: every process takes every point for its own."""


class RayNodes:
    """A Ray cluster of two nodes on this machine; `replace` kills one, as if its machine had died, and adds another."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helpers.ray_cluster", "2", "1"],
            cwd=ROOT / "tests",
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address, "the cluster did not start"

    def replace(self) -> None:
        """Kills a node and adds one."""
        for word in ("kill", "add"):
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
            while self._process.stdout.readline().strip() not in ("killed", "added"):
                pass

    def close(self) -> None:
        """Ends all nodes."""
        self._process.communicate()


class KilledSweep:
    """Several `mnist-tui work` on one sweep; `kill` kills one of their processes, and a new one takes its place.

    With `nodes` they are `mnist-tui sweep resume` on their cluster.
    """

    def __init__(
        self,
        working: Path,
        seed: int,
        points: int,
        epochs: int = 4,
        workers: int = 2,
        sabotage: str = "",
        nodes: RayNodes | None = None,
    ) -> None:
        self._nodes = nodes
        self._random = random.Random(seed)
        self._working, self._epochs, self._sabotage = working, epochs, sabotage
        working.mkdir(parents=True, exist_ok=True)
        (working / "small.toml").write_text(PRESET.format(epochs=epochs))
        spec = presets.load(str(working / "small.toml"))
        rates = tuple(f"{0.001 * (index + 1):.3f}" for index in range(points))
        plan = sweep_file.plan_of(spec, {"optimizer.lr": rates}, {"dataset": "digits", "lease": 5.0})
        self.sweep = folder.start(working / "runs", plan)
        self._drivers = [self._start() for _ in range(workers)]
        self.kills = {"driver": 0, "trainer": 0, "node": 0}

    def _start(self) -> "subprocess.Popen[bytes]":
        arguments = ["work", self.sweep.name, "--jobs", "1", "--quiet"]
        if self._nodes:
            arguments = ["sweep", "resume", self.sweep.name, "--on", self._nodes.address, "--quiet"]
        return subprocess.Popen(
            [sys.executable, "-c", self._sabotage + BEGIN, *arguments],
            cwd=self._working,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """Kills a random driver, a process that it trains with, or a node; one in five while it still starts."""
        index = self._random.randrange(len(self._drivers))
        if self._random.random() < 0.8:
            self._wait_for_trainer(index)
        time.sleep(self._random.uniform(0, 2))
        if self._nodes and self._random.random() < 0.3:
            self._nodes.replace()
            self.kills["node"] += 1
            return
        trainers = self._trainers(index)
        if trainers and self._random.random() < 0.5:
            with suppress(psutil.Error):
                trainers[0].kill()
                self.kills["trainer"] += 1
                return
        driver = self._drivers[index]
        if driver.poll() is None:
            driver.send_signal(signal.SIGKILL)
            driver.wait()
            self.kills["driver"] += 1
        self._drivers[index] = self._start()

    def _wait_for_trainer(self, index: int) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self._drivers[index].poll() is None and not self._trainers(index):
            time.sleep(0.1)

    def _trainers(self, index: int) -> list[psutil.Process]:
        """The processes of a driver that have files of a run open."""
        if self._nodes:
            return [process for process in psutil.process_iter() if self._trains(process)]
        with suppress(psutil.Error):
            children = psutil.Process(self._drivers[index].pid).children(recursive=True)
            return [child for child in children if self._trains(child)]
        return []

    def _trains(self, process: psutil.Process) -> bool:
        runs = str(self.sweep.runs_dir.resolve())
        with suppress(psutil.Error):
            return any(file.path.startswith(runs) for file in process.open_files())
        return False

    @property
    def done(self) -> int:
        """How many points have ended."""
        results = Results(self.sweep)
        results.refresh()
        return sum(each.is_done for each in results.all())

    def finish(self, seconds: float = 120) -> None:
        """Lets the sweep end undisturbed."""
        end = time.monotonic() + seconds
        while self.done < self.sweep.plan.runs:
            assert time.monotonic() < end, f"{self.done} of {self.sweep.plan.runs} points after {seconds:.0f} s"
            for index, driver in enumerate(self._drivers):
                if driver.poll() is not None:
                    self._drivers[index] = self._start()
            time.sleep(0.5)
        for driver in self._drivers:
            driver.wait(60)

    def close(self) -> None:
        """Ends all processes."""
        for driver in self._drivers:
            with suppress(psutil.Error):
                for child in psutil.Process(driver.pid).children(recursive=True):
                    child.kill()
            driver.kill()
            driver.wait()

    def check(self) -> str:
        """Every point has exactly one run that completed, with all its epochs; returns what was counted."""
        completed: dict[str, int] = {}
        others = 0
        for path in self.sweep.runs_dir.glob("*/run.json"):
            record = json.loads(path.read_text())
            key = f"{record['sweep']['point']} s{record['seed']}"
            if (path.parent / "end.json").exists():
                outcome = json.loads((path.parent / "end.json").read_text())["outcome"]
                assert outcome == "completed", f"{path.parent} ended as {outcome}"
                rows = (path.parent / "history.jsonl").read_text().splitlines()
                epochs = [json.loads(row)["epoch"] for row in rows]
                assert epochs == list(range(1, self._epochs + 1)), f"{path.parent} has the epochs {epochs}"
                completed[key] = completed.get(key, 0) + 1
            else:
                history = path.parent / "history.jsonl"
                assert not history.exists() or not history.read_text(), f"{path.parent} has epochs, and was not resumed"
                others += 1
        twice = [key for key, count in completed.items() if count > 1]
        lost = self.sweep.plan.runs - len(completed)
        assert not twice, f"trained twice: {twice}"
        assert not lost, f"{lost} points have no run that ended"
        return (
            f"{len(completed)} points ended once, none lost, none twice; {others} folders died before their first epoch"
        )
