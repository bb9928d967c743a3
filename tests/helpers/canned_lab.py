"""The laboratory under a pilot: nothing is trained, and no test waits for torch or for a run folder."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from mnist_tui.runs.events import EpochEnded, Outcome, RunEnded, RunStarted, best_of
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training.preview import Fed
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.screen import LabScreen
from mnist_tui.tui.messages import Told
from mnist_tui.tui.request import LabRequest
from mnist_tui.tui.runner import News, Runner

STARTED = RunStarted("r1", "runs/r1", "iter5", 0, 18_422, 20, 938, 60_000, 0, 10_000, "mnist", "cpu", 1)


def row(epoch: int, test: float = 0.98) -> EpochEnded:
    """An epoch that ended."""
    return EpochEnded(epoch, 0.1 / epoch, 0.97, None, None, 0.05, test, 0.002, 6.5, 9_000.0)


def ended(outcome: Outcome, *rows: EpochEnded, message: str = "all epochs trained") -> RunEnded:
    """The end of a run with these epochs, after two minutes."""
    last = rows[-1] if rows else None
    return RunEnded(outcome, message, len(rows), best_of(list(rows)), last, "test", None, 125.0)


class CannedRunner(Runner):
    """A runner that trains nothing and remembers what it was asked."""

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


def can_jobs(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Works in a folder; MNIST is there unless digits are asked for, and every run is one of iter5."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(jobs, "warm_up", lambda: None)
    monkeypatch.setattr(jobs, "rates", lambda spec: (0.1, 0.2, 0.1))
    monkeypatch.setattr(jobs, "live_run", lambda runs_dir: None)
    monkeypatch.setattr(jobs, "run_spec", lambda folder: presets.load("iter5"))
    monkeypatch.setattr(jobs, "fed", _fed)


def _fed(spec: RunSpec, options: Options, draw: int, is_training: bool) -> Fed:
    return Fed("digits" if options.dataset == "digits" else "mnist", (), ())


@asynccontextmanager
async def lab(name: str = "iter5", size: tuple[int, int] = (120, 40), **changes: Any) -> AsyncIterator[Pilot[Any]]:
    """The laboratory on a preset, warm."""
    app = LabApp(LabRequest(**{"draft": Draft(presets.load(name))} | changes), CannedRunner())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.lab.is_warm)
        yield pilot


async def until(pilot: Pilot[Any], is_so: Callable[[], object]) -> None:
    """Waits for something that comes after a message or two."""
    for _ in range(2000):
        if is_so():
            await pilot.pause()
            return
        await pilot.pause(0.01)
    raise AssertionError(f"it did not come to pass; on the screen:\n{look(pilot)}")


async def tell(pilot: Pilot[Any], *news: News) -> None:
    """Has the run tell events, and waits until they are shown."""
    for item in news:
        screen(pilot).post_message(Told(item))
    await pilot.pause(0.05)


def screen(pilot: Pilot[Any]) -> LabScreen:
    """The laboratory's screen, whatever lies on top of it."""
    found = pilot.app.lab  # type: ignore[attr-defined]
    assert isinstance(found, LabScreen)
    return found


def runner(pilot: Pilot[Any]) -> CannedRunner:
    """What was asked of the run."""
    found = pilot.app.runner  # type: ignore[attr-defined]
    assert isinstance(found, CannedRunner)
    return found


def shown(pilot: Pilot[Any], kind: str | type[Static]) -> str:
    """The text of a widget of the laboratory."""
    return str(screen(pilot).query_one(kind, Static).visual)


def look(pilot: Pilot[Any]) -> str:
    """The characters on the screen, its lines without spaces at their ends."""
    return "\n".join(strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips())


def with_epochs(epochs: int, **changes: Any) -> RunStarted:
    """The beginning of a run with another plan."""
    return replace(STARTED, epochs=epochs, **changes)
