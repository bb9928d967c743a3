"""The laboratory under a pilot, with canned jobs and a runner that does not train."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from textual.css.query import NoMatches
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from mnist_tui.runs.events import EpochEnded, RunStarted
from mnist_tui.settings.model import DEFAULTS, Settings
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.field_line import FieldError, FieldLine
from mnist_tui.tui.lab.screen import LabScreen
from mnist_tui.tui.messages import RunnerMessage
from mnist_tui.tui.request import LabRequest
from mnist_tui.tui.runner import Runner, RunnerEvent

WIDE = (120, 40)
COLD = """
from mnist_tui.tui.lab import jobs
def refuse():
    raise RuntimeError("PyTorch is not loaded")
jobs.warm_up = refuse
"""
"""For `Lab(before=...)`: torch is not loaded."""
STARTED = RunStarted("r1", "runs/r1", "iter5", 0, 18_422, 20, 938, 60_000, 0, 10_000, "mnist", "cpu", 1)
LABELS = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8)
SLOW = "RandomPerspective"
"""A transform that is applied image by image."""


class AugmentedSample(NamedTuple):
    """The fields of `preview.AugmentedSample`, without torch."""

    dataset: str
    labels: tuple[int, ...]
    digits: tuple[bytes, ...]
    slow: tuple[str, ...]
    classes: tuple[str, ...] = tuple("0123456789")


def row(epoch: int, test: float = 0.98) -> EpochEnded:
    """An epoch that ended."""
    return EpochEnded(epoch, 0.1 / epoch, 0.97, None, None, 0.05, test, 0.002, 6.5, 9_000.0)


class CannedRunner(Runner):
    """A runner that does not train; it records its calls."""

    def __init__(self) -> None:
        super().__init__(Options(), lambda folder: None)
        self.trained: list[RunSpec] = []
        self.resumed: list[Path] = []
        self.busy = False

    @property
    def is_busy(self) -> bool:
        return self.busy

    def train(self, specs: Sequence[RunSpec]) -> None:
        self.trained += specs
        self.busy = True

    def resume(self, folder: Path) -> None:
        self.resumed.append(folder)
        self.busy = True


class CannedJobs:
    """Replaces the jobs of the background worker; `augmented` holds the transforms of each request for digits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(jobs, "warm_up", lambda: None)
        monkeypatch.setattr(jobs, "rates", lambda spec: (0.1, 0.2, 0.1))
        monkeypatch.setattr(jobs, "live_run", lambda runs_dir: None)
        monkeypatch.setattr(jobs, "run_spec", lambda folder: presets.load("iter5"))
        monkeypatch.setattr(jobs, "predict", lambda *asked: None)
        monkeypatch.setattr(jobs, "sample_augmented", self._sample)
        self.augmented: list[list[str]] = []

    def _sample(self, spec: RunSpec, options: Options, draw: int, is_training: bool) -> AugmentedSample:
        """Other digits for every draw; none while a run trains if a transform goes image by image."""
        self.augmented.append([str(call) for call in spec.train.augment])
        slow = tuple(call.name for call in spec.train.augment if call.name == SLOW)
        if slow and is_training:
            return AugmentedSample("mnist", (), (), slow)
        return AugmentedSample("mnist", LABELS, (bytes([draw % 256] * 784),) * len(LABELS), slow)


def lab_request(name: str = "iter5", **changes: Any) -> LabRequest:
    """The dashboard on a preset; `changes` are settings and other fields of the request."""
    settings = DEFAULTS.model_copy(update={key: changes.pop(key) for key in Settings.model_fields if key in changes})
    return replace(LabRequest(Draft(presets.load(name)), settings=settings), **changes)


@asynccontextmanager
async def lab(name: str = "iter5", size: tuple[int, int] = WIDE, **changes: Any) -> AsyncIterator[Pilot[Any]]:
    """The laboratory on a preset."""
    app = LabApp(lab_request(name, **changes), CannedRunner())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield pilot


async def until(pilot: Pilot[Any], is_so: Callable[[], object], seconds: float = 60) -> None:
    """Waits until `is_so` returns true and the screen has drawn it; a widget that is not there yet is no error.

    Between two looks the application alone does something: a pause of the pilot sends a message to each widget.
    """
    end = time.monotonic() + seconds
    await pilot.pause(0.01)
    while time.monotonic() < end:
        with suppress(NoMatches):
            if is_so():
                await pilot.pause()
                return
        await asyncio.sleep(0.01)
    raise AssertionError(f"the condition never became true; on the screen:\n{look(pilot)}")


async def tell(pilot: Pilot[Any], *events: RunnerEvent) -> None:
    """Posts events as the runner does."""
    for event in events:
        screen(pilot).post_message(RunnerMessage(event))
    await pilot.pause(0.05)


def screen(pilot: Pilot[Any]) -> LabScreen:
    """The screen of the laboratory, also below others."""
    lab_screen = pilot.app.lab  # type: ignore[attr-defined]
    assert isinstance(lab_screen, LabScreen)
    return lab_screen


def runner(pilot: Pilot[Any]) -> CannedRunner:
    """The canned runner."""
    canned_runner = pilot.app.runner  # type: ignore[attr-defined]
    assert isinstance(canned_runner, CannedRunner)
    return canned_runner


def area(pilot: Pilot[Any]) -> TextArea:
    """The editor of the layers."""
    return screen(pilot).query_one(TextArea)


def line_of(pilot: Pilot[Any], path: str) -> FieldLine:
    """The line of a field in the form."""
    return next(line for line in screen(pilot).query(FieldLine) if line.field.path == path)


def field(pilot: Pilot[Any], path: str) -> Input:
    """The text field of a line."""
    return line_of(pilot, path).query_one(Input)


def mistakes(pilot: Pilot[Any]) -> dict[str, str]:
    """The errors shown in the form, by path."""
    return {wrong.path: str(wrong.visual) for wrong in screen(pilot).query(FieldError) if wrong.display}


def on_top(pilot: Pilot[Any], selector: str) -> str:
    """The text of a part of the screen on top."""
    return str(pilot.app.screen.query_one(selector, Static).visual)


def notices(pilot: Pilot[Any]) -> list[str]:
    """The visible notices, the oldest first."""
    return [notice.message for notice in pilot.app._notifications]


def look(pilot: Pilot[Any]) -> str:
    """The characters on the screen."""
    return "\n".join(strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips()) + "\n"
