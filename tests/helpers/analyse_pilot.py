"""Analyse and Draw under a pilot: saved runs with made-up predictions, and jobs that need no torch."""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from textual.pilot import Pilot

from helpers.lab_pilot import CannedJobs, CannedRunner, lab_request, until
from helpers.saved_runs import make_run, write_log_probs
from mnist_tui.errors import CheckpointError
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.analyse import jobs as analyse_jobs
from mnist_tui.tui.analyse.screen import AnalyseScreen
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.draw import jobs as draw_jobs
from mnist_tui.tui.draw.screen import DrawScreen

IMAGES = 400
HOSTILE = "\x1b[31m[bold]\x9b2J\u202eevil[/]\r\n\x00[@click=app.quit]x[/]"
"""A name from outside."""
GOLDEN = Path(__file__).parents[1] / "golden"
LOOKS = [
    ((80, 24), False, False),
    ((120, 40), False, False),
    ((200, 60), False, False),
    ((120, 40), True, False),
    ((120, 40), False, True),
]
"""Size, ASCII and NO_COLOR of the golden files."""
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LayerOutput:
    """As `activations.LayerOutput`."""

    row: LayerRow
    values: Floats


@dataclass(frozen=True)
class Map:
    """As `activations.ClassMap` and `OcclusionMap`."""

    label: int
    heat: Floats
    method: str = "HiResCAM"


@dataclass(frozen=True)
class Inside:
    """As `activations.Inside`."""

    probabilities: tuple[float, ...]
    layers: tuple[LayerOutput, ...]
    filters: Floats | None
    class_maps: tuple[Map, ...]
    occlusions: tuple[Map, ...]
    prediction: int


@dataclass(frozen=True)
class Stability:
    """As `classify.Stability`."""

    agreement: float = 0.75
    variants: tuple[int, ...] = (0,) * 28
    range: tuple[float, float] = (0.5, 0.9)


class Classifier:
    """As `classify.Classifier`: takes a digit for the class of its folder's seed."""

    def __init__(self, folder: Path, loaded: list[Path]) -> None:
        if "broken" in folder.name:
            raise CheckpointError(f"{folder}: the weights are gone")
        loaded.append(folder)
        self._seed = int(folder.name.split("-s")[-1].split("-")[0])

    def classify(self, digits: Sequence[bytes]) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(0.91 if label == self._seed else 0.01 for label in range(10)) for _ in digits)

    def stability(self, digit: bytes) -> Stability:
        return Stability()


class AnalyseJobs:
    """Replaces the jobs that load torch; keeps what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        CannedJobs(monkeypatch, folder)
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()
        self.looked: list[tuple[Path, bytes, int | None]] = []
        monkeypatch.setattr(analyse_jobs, "test_images", self._test_images)
        monkeypatch.setattr(analyse_jobs, "class_mean", lambda run, data_dir, label: bytes([label]) * 784)
        monkeypatch.setattr(analyse_jobs, "look_inside", self._look_inside)
        self.loaded: list[Path] = []
        """The folders of the networks that Draw has loaded."""
        monkeypatch.setattr(draw_jobs.Classifiers, "_load", lambda _, folder: Classifier(folder, self.loaded))

    @staticmethod
    def _test_images(run: Run, data_dir: Path | None, indices: Sequence[int]) -> Mapping[int, bytes]:
        return {
            index: bytes((column * 9 + row + index) % 256 for row in range(28) for column in range(28))
            for index in indices
        }

    def _look_inside(self, folder: Path, image: bytes, label: int | None) -> Inside:
        self.looked.append((folder, image, label))
        heat = np.linspace(0, 1, 784, dtype=np.float32).reshape(28, 28)
        classes = [4] if label in (4, None) else [4, label or 0]
        values = np.random.default_rng(0).normal(size=(28, 28, 28)).astype(np.float32)
        rows = presets.load("iter5").rows
        return Inside(
            probabilities=tuple(0.55 if one == 4 else 0.05 for one in range(10)),
            layers=tuple(LayerOutput(row, np.resize(values, row.output_shape)) for row in rows),
            filters=values[:8, None, :3, :3],
            class_maps=tuple(Map(one, heat) for one in classes),
            occlusions=tuple(Map(one, heat - 0.5) for one in classes),
            prediction=4,
        )


def predictions(wrong: int = 40, seed: int = 0) -> tuple[NDArray[np.uint8], Floats]:
    """Labels (400,), the same for each seed, and log-probabilities (400, 10), wrong for about `wrong` images."""
    random = np.random.default_rng(seed)
    labels = (np.arange(IMAGES) % 10).astype(np.uint8)
    logits = random.normal(size=(IMAGES, 10)) * 0.8
    logits[np.arange(IMAGES), labels] += 6
    mistaken = random.choice(IMAGES, wrong, replace=False)
    logits[mistaken, (labels[mistaken] + random.integers(1, 4, wrong)) % 10] += 8
    log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return labels, log_probs.astype(np.float32)


def make_answered(runs_dir: Path, seed: int = 0, index: int = 0, spec: RunSpec | None = None, **record: Any) -> Path:
    """A run with predictions; a younger one has a higher `index`."""
    folder = make_run(runs_dir, spec or presets.load("iter5"), seed, 0.9 + index / 1000, index, **record)
    write_log_probs(folder, *predictions(40 + 3 * seed, seed))
    return folder


@asynccontextmanager
async def dashboard(size: tuple[int, int] = (120, 40), key: str = "4", **changes: Any) -> AsyncIterator[Pilot[Any]]:
    """The dashboard in a mode."""
    app = LabApp(lab_request(**changes), CannedRunner())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, AnalyseScreen | DrawScreen))
        yield pilot


@asynccontextmanager
async def analysed(*arguments: Any, **changes: Any) -> AsyncIterator[Pilot[Any]]:
    """Analyse, once the run is read."""
    async with dashboard(*arguments, **changes) as pilot:
        await until(pilot, lambda: analyse_screen(pilot).analysed)
        yield pilot


def analyse_screen(pilot: Pilot[Any]) -> AnalyseScreen:
    """The screen, also below a dialog."""
    return next(each for each in reversed(pilot.app.screen_stack) if isinstance(each, AnalyseScreen))


def draw_screen(pilot: Pilot[Any]) -> DrawScreen:
    """The screen of Draw."""
    assert isinstance(pilot.app.screen, DrawScreen)
    return pilot.app.screen


def line(pilot: Pilot[Any], selector: str = "#analyse-line") -> str:
    """The line above the view."""
    widget: Any = pilot.app.screen.query_one(selector)
    return str(widget.visual)


async def open_view(pilot: Pilot[Any], view: str, key: str = "tab") -> None:
    """Presses Tab until a view is open."""
    for _ in range(5):
        if analyse_screen(pilot).view == view:
            return
        await pilot.press(key)
    raise AssertionError(f"Tab does not lead to {view}")


async def settled(pilot: Pilot[Any], is_so: Callable[[], object]) -> None:
    """`until`, then until the screen stands still."""
    await until(pilot, is_so)
    await pilot.pause(0.05)


def golden(name: str, text: str) -> None:
    """Compares with golden/, or writes it where MNIST_TUI_WRITE_GOLDEN is set."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("MNIST_TUI_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def coloured(pilot: Pilot[Any]) -> int:
    """How many cells have a colour that is no grey."""
    styles = [segment.style for strip in pilot.app.screen._compositor.render_strips() for segment in strip]
    found = 0
    for style in filter(None, styles):
        colours = [
            colour.get_truecolor() for colour in (style.color, style.bgcolor) if colour and not colour.is_default
        ]
        found += any(len(set(colour)) > 1 for colour in colours)
    return found
