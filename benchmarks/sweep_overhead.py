"""What a run costs beside its training: tiny runs of a sweep in processes of this machine, and on a local Ray.

Prints for each the seconds until the first run begins, those from then until all have ended, per run, and those that
the end takes: `python benchmarks/sweep_overhead.py 100 pool ray`.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import RunStarted
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.sweep.cluster.ray_tasks import make_trainer
from mnist_tui.sweep.folder import Sweep, start
from mnist_tui.sweep.pool import Pool
from mnist_tui.sweep.sweep_file import plan_of
from mnist_tui.sweep.train import train_points
from mnist_tui.sweep.train_jobs import Trainer

PROCESSES = 2
TINY = {
    "name": "tiny",
    "layers": "AvgPool2d(4)\nFlatten()\nLinear(10)",
    "train": {"epochs": 1, "batch_size": 500, "optimizer": "SGD(lr=0.1)"},
}
"""3 steps on the small digits: next to nothing."""


def main(runs: int, names: list[str]) -> None:
    """Times the pool, and clusters by what `--on` calls them."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            begun, trained, ended = measure(name, runs, Path(folder))
        print(f"{name}: {begun:.1f} s to the first run, {trained / runs * 1000:.0f} ms a run, {ended:.1f} s to end")


def measure(name: str, runs: int, folder: Path) -> tuple[float, float, float]:
    """Seconds until the first run begins, until the last has ended, and until nothing is left."""
    more = {"seeds": runs // 2, "choose_on": "test", "dataset": "digits"}
    sweep = start(folder, plan_of(make_spec(TINY), {"optimizer.lr": ("0.1", "0.2")}, more))
    options = Options(runs_dir=folder, dataset="digits")
    began, first, last = time.perf_counter(), 0.0, 0.0
    for _, message in train_points(sweep, options, Control(), trainer_of(name, sweep, options)):
        last = time.perf_counter()
        if not first and isinstance(message, RunStarted):
            first = last
    return first - began, last - first, time.perf_counter() - last


def trainer_of(name: str, sweep: Sweep, options: Options) -> Callable[[], Trainer]:
    """What makes the trainer."""
    if name == "pool":
        return lambda: Pool(PROCESSES)
    return make_trainer(name, None, sweep, options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=100)
    parser.add_argument("names", nargs="*", default=["pool", "ray"], help="pool, ray, HOST:PORT or ray://HOST")
    main(**vars(parser.parse_args()))
