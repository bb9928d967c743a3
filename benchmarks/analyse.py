"""How fast Analyse and Draw answer: `python benchmarks/analyse.py RUNS_DIR --data-dir DIR`, the runs trained on MNIST.

Medians of several dashboards of 120x40 cells without a terminal. A time goes from a key to the last frame that it
causes, drawn to the end; PyTorch is loaded, as it is some seconds after the start.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from textual._compositor import CompositorUpdate
from textual.screen import Screen

from mnist_tui import tui
from mnist_tui.images.drawing import Drawing
from mnist_tui.runs.index import RunIndex
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.training import activations, classify, preview  # noqa: F401 (loaded before the first key)
from mnist_tui.tui.analyse.screen import AnalyseScreen
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.draw.jobs import Classifiers
from mnist_tui.tui.request import LabRequest
from mnist_tui.tui.runner import Runner

TIMES = 3
QUIET_SECONDS = 0.4
"""Without a frame for so long, what a key causes is over."""

KEYS = (
    ("down", "matrix: cell"),
    ("v", "matrix: percent"),
    ("tab", "mistakes"),
    ("right", "mistakes: next"),
    ("pagedown", "mistakes: page"),
    ("o", "mistakes: order"),
    ("tab", "confidence"),
    ("tab", "inside, empty"),
    ("m", "inside: class mean"),
    ("pagedown", "inside: scroll"),
    ("tab", "advice"),
    ("down", "advice: next"),
    ("5", "draw"),
    ("space", "draw: pen down"),
    ("right", "draw: stroke"),
    ("down", "draw: stroke again"),
    ("4", "analyse again"),
)


class Timed(LabApp):
    """A dashboard that knows when it drew last."""

    CSS_PATH = str(Path(tui.__file__).with_name("lab.tcss"))
    drawn_at = 0.0

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable.render_segments(self.console)
        super()._display(screen, renderable)
        self.drawn_at = time.perf_counter()


async def press(app: Timed, key: str) -> float:
    """Milliseconds from a key to the last frame that it causes."""
    started = app.drawn_at = time.perf_counter()
    app.simulate_key(key)
    while app.drawn_at == started or time.perf_counter() - app.drawn_at < QUIET_SECONDS:
        await asyncio.sleep(0.002)
    return 1000 * (app.drawn_at - started)


async def answers(options: Options) -> dict[str, float]:
    """Milliseconds of each key, in one dashboard."""
    app = Timed(LabRequest(draft=Draft(presets.load("iter5")), options=options), Runner(options, lambda folder: None))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("escape")
        await pilot.pause(3)  # The laboratory has warmed up.
        first = await first_paint(app)
        return {"first paint": first} | {name: await press(app, key) for key, name in KEYS}


async def first_paint(app: Timed) -> float:
    """Milliseconds from key 4 to the frame that has the matrix; what is read after it is waited for."""
    started = time.perf_counter()
    app.simulate_key("4")
    while not (isinstance(app.screen, AnalyseScreen) and app.screen.analysed):
        await asyncio.sleep(0.001)
    is_read_at = time.perf_counter()
    while app.drawn_at < is_read_at:
        await asyncio.sleep(0.001)
    painted = 1000 * (app.drawn_at - started)
    await asyncio.sleep(2)
    return painted


def strokes(options: Options) -> list[float]:
    """Milliseconds of compute from a stroke to its answer, without the screen."""
    classifiers, drawing, took = Classifiers(), Drawing(), []
    runs = classifiers.choose(RunIndex(options.runs_dir), [])
    for step in range(60):
        started = time.perf_counter()
        drawing.drag((8 + step / 5, 8 + step % 7))
        classifiers.answer(runs, drawing.copy(), False)
        took.append(1000 * (time.perf_counter() - started))
    return took[5:]


def main() -> None:
    """Prints one JSON object; times in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs_dir", type=Path)
    parser.add_argument("--data-dir", type=Path)
    given = parser.parse_args()
    options = Options(runs_dir=given.runs_dir, data_dir=given.data_dir)
    took: dict[str, list[float]] = defaultdict(list)
    for _ in range(TIMES):
        for name, milliseconds in asyncio.run(answers(options)).items():
            took[name].append(milliseconds)
    took["compute of a stroke"] = strokes(options)
    print(json.dumps({name: round(statistics.median(each), 1) for name, each in took.items()}, indent=1))


if __name__ == "__main__":
    main()
