"""How fast runs are listed, filtered, seen to change and drawn: `python benchmarks/listing.py --runs 10000`.

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


def seconds(what: Callable[[], object], times: int = 1) -> float:
    """The median of several times, in seconds."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        what()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def listing(runs_dir: Path) -> dict[str, float]:
    """Reading all, looking again, and looking again after one folder changed; in seconds."""
    runs = RunIndex(runs_dir)
    found = {"list": seconds(runs.refresh), "look again": seconds(runs.refresh, 5)}
    (runs.all[0].folder / "tags.txt").write_text("seen\n")
    found["see a change"] = seconds(runs.refresh)
    assert "seen" in runs.all[0].tags
    return found


async def typing(runs_dir: Path) -> dict[str, float]:
    """From a letter in the filter to the rows in the table, on the dashboard's second mode; in seconds."""
    spec = presets.load("iter5")
    options = Options(runs_dir=runs_dir)
    app = LabApp(LabRequest(draft=Draft(spec), options=options), Runner(options, lambda folder: None))
    found = {}
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        while not (isinstance(app.screen, RunsScreen) and app.screen.selection.runs.all):
            await pilot.pause(0.1)
        await pilot.pause(0.5)
        screen = app.screen
        for text in FILTERS:
            screen.selection.filter = text
            found[f"filter {text}"] = seconds(screen.refresh_rows)
            await pilot.pause(0.1)
    return found


async def overlay() -> float:
    """Fifty runs of a hundred epochs drawn over each other, on 200x60 cells; in seconds."""
    chance = random.Random(0)
    xs = [float(epoch) for epoch in range(1, 101)]
    points = [(xs, [99.5 - 5 / x + chance.gauss(0, 0.05) for x in xs]) for _ in range(50)]
    app: App[None] = App()
    async with app.run_test(size=(200, 60)) as pilot:
        drawn = Overlay(ascii_only=False)
        await app.mount(drawn)
        drawn.show([Lines(f"run {slot}", slot, [one], one) for slot, one in enumerate(points)], "accuracy")
        await pilot.pause()
        return seconds(drawn.render, 9)


def _not_measured() -> None:
    raise RuntimeError("not measured here")


def main() -> None:
    """Prints one JSON object; times in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    count = parser.parse_args().runs
    jobs.warm_up = _not_measured  # Nothing that needs torch follows then.
    os.fsync = lambda descriptor: None  # Only the making of the folders needs it, and would take minutes.
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder), count)
        found = listing(Path(folder)) | asyncio.run(typing(Path(folder)))
    found["overlay of 50 runs"] = asyncio.run(overlay())
    print(json.dumps({"runs": count} | {name: round(1000 * value, 1) for name, value in found.items()}, indent=1))


if __name__ == "__main__":
    main()
