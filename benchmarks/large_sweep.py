"""What claims and the status of a large sweep cost: `python benchmarks/large_sweep.py [--points N] [--runs N]`.

Claims every point of a sweep on the local disk, then makes up that many of its runs and asks for the status.
"""

import argparse
import os
import tempfile
import time
from itertools import islice
from pathlib import Path
from unittest import mock

from helpers.sweeps import make_point

from mnist_tui.spec import presets
from mnist_tui.sweep import folder, status, sweep_file
from mnist_tui.sweep.claims import Claims

SIDE = 100


def main(points: int, runs: int) -> None:
    """Prints milliseconds a claim, and seconds of processor time for a status."""
    rates = tuple(f"{0.001 * index:.3f}" for index in range(1, points // SIDE + 1))
    plan = sweep_file.plan_of(presets.load("iter5"), {"optimizer.lr": rates, "batch_size": "16..115 step 1"}, {})
    with tempfile.TemporaryDirectory() as runs_dir:
        sweep = folder.start(Path(runs_dir), plan)
        keys = [point.key for point in plan.all_points()]
        began = time.perf_counter()
        claims = Claims(sweep.folder / "claims", plan.lease)
        taken = sum(claims.take(key) for key in keys)
        claim = (time.perf_counter() - began) / len(keys)
        claims.close()
        with mock.patch.object(os, "fsync"):  # With it, writing the folders would take minutes.
            for point in islice(plan.all_points(), runs):
                make_point(sweep, point)
        began = time.process_time()
        status.points_table(sweep, status.points_of(sweep))
        print(f"{taken:,} claims, {1000 * claim:.2f} ms each", end="; ")
        print(f"status of {len(keys):,} points with {runs:,} runs: {time.process_time() - began:.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000, help="rounded down to hundreds")
    parser.add_argument("--runs", type=int, default=9_000, help="how many of them have a run")
    main(**vars(parser.parse_args()))
