"""How fast runs are listed, refreshed, filtered and drawn: `python benchmarks/listing.py --runs 10000`.

Makes run folders in a temporary directory, of all presets and many seeds, with 20 epochs each; the disk is warm.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from helpers.damage import mutate
from helpers.saved_runs import make_runs
from textual.app import App

from mnist_tui.runs.index import RunIndex
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.compare.overlay import Lines, Overlay
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.request import LabRequest
from mnist_tui.tui.runner import Runner
from mnist_tui.tui.runs.screen import RunsScreen

FILTERS = ("i", "it", "iter*", "acc>0.99", "opt:sgd", "params<20000 acc>0.98 -state:failed")


def seconds(call: Callable[[], object], repeats: int = 1) -> float:
    """The median time of a call, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def listing(runs_dir: Path) -> dict[str, float]:
    """Seconds of the first scan, of a second one, and of one after a folder has changed."""
    runs = RunIndex(runs_dir)
    times = {"list": seconds(runs.refresh), "list again": seconds(runs.refresh, 5)}
    (runs.all[0].folder / "tags.txt").write_text("seen\n")
    times["list a change"] = seconds(runs.refresh)
    assert "seen" in runs.all[0].tags
    return times


async def typing(runs_dir: Path) -> dict[str, float]:
    """Seconds from a new filter to the rows in the table of the mode Runs."""
    spec = presets.load("iter5")
    options = Options(runs_dir=runs_dir)
    app = LabApp(LabRequest(draft=Draft(spec), options=options), Runner(options, lambda folder: None))
    times = {}
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        while not (isinstance(app.screen, RunsScreen) and app.screen.selection.runs.all):
            await pilot.pause(0.1)
        await pilot.pause(0.5)
        screen = app.screen
        for text in FILTERS:
            screen.selection.filter = text
            times[f"filter {text}"] = seconds(screen.refresh_rows)
            await pilot.pause(0.1)
    return times


async def overlay() -> float:
    """Seconds that 50 curves of 100 epochs take to be drawn in one chart of 200x60 cells."""
    chance = random.Random(0)
    xs = [float(epoch) for epoch in range(1, 101)]
    curves = [(xs, [99.5 - 5 / x + chance.gauss(0, 0.05) for x in xs]) for _ in range(50)]
    app: App[None] = App()
    async with app.run_test(size=(200, 60)) as pilot:
        chart = Overlay(ascii_only=False)
        await app.mount(chart)
        chart.show([Lines(f"run {index}", index, [curve], curve) for index, curve in enumerate(curves)], "accuracy")
        await pilot.pause()
        return seconds(chart.render, 9)


def damage(runs_dir: Path, count: int) -> None:
    """Damages the run.json of so many runs, each in another way."""
    chance = random.Random(0)
    for run in chance.sample(sorted(runs_dir.iterdir()), count):
        mutate(run / "run.json", chance)


def _not_measured() -> None:
    raise RuntimeError("not measured here")


def main() -> None:
    """Prints one JSON object; times in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--damaged", type=int, default=0, help="how many of them have a damaged run.json")
    options = parser.parse_args()
    jobs.warm_up = _not_measured  # Without it the dashboard does nothing that needs torch.
    with tempfile.TemporaryDirectory() as folder:
        with mock.patch.object(os, "fsync"):  # With it, writing the folders would take minutes.
            make_runs(Path(folder), options.runs)
            damage(Path(folder), options.damaged)
        times = listing(Path(folder)) | asyncio.run(typing(Path(folder)))
    times["overlay of 50 runs"] = asyncio.run(overlay())
    milliseconds = {name: round(1000 * value, 1) for name, value in times.items()}
    print(json.dumps({"runs": options.runs, "damaged": options.damaged} | milliseconds, indent=1))


if __name__ == "__main__":
    main()
