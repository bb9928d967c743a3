"""What the points of a large sweep cost: `python benchmarks/large_sweep.py [--points N] [--runs N]`.

Claims every point on the local disk; trains every point with a trainer that does nothing, so that what is left is the
loop that chooses a point, claims it, makes its job and gives it back; then makes up runs of some points and asks for
the status.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from unittest import mock

from helpers.sweeps import make_point

from mnist_tui.runs.control import Control
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep import folder, status, sweep_file
from mnist_tui.sweep.claims import Claims
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.jobs import JobEnded, JobSource
from mnist_tui.sweep.plan import SweepPlan
from mnist_tui.sweep.train import train_points

SIDE = 100


class NoTrainer:
    """A `Trainer` whose jobs end as soon as they are taken."""

    began = 0.0, 0.0
    """Seconds, by the wall clock and of processor time, when the first job was asked for, with the data loaded."""

    def train(self, source: JobSource, control: Control) -> Iterator[tuple[int, JobEnded]]:
        """An end for each job."""
        self.began = _clocks()
        index = 0
        while source.take() is not None:
            yield index, JobEnded()
            index += 1

    def stop(self, index: int) -> None:
        """Nothing: a job has ended before it could be stopped."""

    def close(self) -> None:
        """Nothing: there are no processes."""

    def kill(self) -> None:
        """Nothing: there are no processes."""


def main(points: int, runs: int) -> None:
    """Prints milliseconds a claim and a point, and seconds of processor time for a status."""
    rates = tuple(f"{0.001 * index:.3f}" for index in range(1, points // SIDE + 1))
    vary: dict[str, tuple[str, ...] | str] = {"optimizer.lr": rates, "batch_size": "16..115 step 1"}
    plan = sweep_file.plan_of(presets.load("iter5"), vary, {"dataset": "digits"})
    keys = [point.key for point in plan.all_points()]
    print(f"{len(keys):,} claims: {1000 * _seconds_of_claims(plan, keys) / len(keys):.2f} ms each")
    with tempfile.TemporaryDirectory() as runs_dir:
        sweep = folder.start(Path(runs_dir), plan)
        wall, processor = (1000 * seconds / len(keys) for seconds in _seconds_of_points(sweep))
        print(f"{len(keys):,} points without a training: {wall:.2f} ms each, {processor:.2f} ms of processor time")
        seconds = _seconds_of_status(sweep, runs)
        print(f"status of {len(keys):,} points with {runs:,} runs: {seconds:.1f} s of processor time")


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _seconds_of_claims(plan: SweepPlan, keys: list[str]) -> float:
    with tempfile.TemporaryDirectory() as claims_dir:
        began = time.perf_counter()
        claims = Claims(Path(claims_dir), plan.lease)
        taken = sum(claims.take(key) for key in keys)
        seconds = time.perf_counter() - began
        claims.close()
    assert taken == len(keys)
    return seconds


def _seconds_of_points(sweep: Sweep) -> tuple[float, float]:
    """For all points together, by the wall clock and of processor time."""
    trainer = NoTrainer()
    options = Options(runs_dir=sweep.runs_dir, device="cpu")
    ended = sum(
        isinstance(message, JobEnded) for _, message in train_points(sweep, options, Control(), lambda: trainer)
    )
    wall, processor = (now - began for now, began in zip(_clocks(), trainer.began, strict=True))
    assert ended == sum(1 for _ in sweep.plan.all_points())
    return wall, processor


def _seconds_of_status(sweep: Sweep, runs: int) -> float:
    with mock.patch.object(os, "fsync"):  # With it, writing the folders would take minutes.
        for point in islice(sweep.plan.all_points(), runs):
            make_point(sweep, point)
    began = time.process_time()
    status.points_table(sweep, status.points_of(sweep))
    return time.process_time() - began


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000, help="rounded down to hundreds")
    parser.add_argument("--runs", type=int, default=9_000, help="how many of them have a run")
    main(**vars(parser.parse_args()))
