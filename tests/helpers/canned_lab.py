"""The laboratory under a pilot without torch, run folders and training."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from helpers.lab_pilot import STARTED, CannedRunner, lab_request, screen, until
from mnist_tui.runs.events import EpochEnded, Outcome, RunEnded, RunStarted, best_of
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training.preview import AugmentedSample
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.lab import jobs


def ended(outcome: Outcome, *rows: EpochEnded, message: str = "all epochs trained") -> RunEnded:
    """The end of a run with these epochs, after two minutes."""
    last = rows[-1] if rows else None
    return RunEnded(outcome, message, len(rows), best_of(list(rows)), last, "test", None, 125.0)


def can_jobs(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Replaces the jobs and changes to a folder; data is MNIST unless digits are requested, each run is of iter5."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(jobs, "warm_up", lambda: None)
    monkeypatch.setattr(jobs, "rates", lambda spec: (0.1, 0.2, 0.1))
    monkeypatch.setattr(jobs, "live_run", lambda runs_dir: None)
    monkeypatch.setattr(jobs, "run_spec", lambda folder: presets.load("iter5"))
    monkeypatch.setattr(jobs, "sample_augmented", _sample)


def _sample(spec: RunSpec, options: Options, draw: int, is_training: bool) -> AugmentedSample:
    return AugmentedSample("digits" if options.dataset == "digits" else "mnist", (), ())


@asynccontextmanager
async def lab(name: str = "iter5", size: tuple[int, int] = (120, 40), **changes: Any) -> AsyncIterator[Pilot[Any]]:
    """The laboratory on a preset, once its warm-up is done."""
    app = LabApp(lab_request(name, **changes), CannedRunner())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.lab.previews.is_warm)
        yield pilot


def shown(pilot: Pilot[Any], selector: str | type[Static]) -> str:
    """The text of a widget of the laboratory."""
    return str(screen(pilot).query(selector).first(Static).visual)


def with_epochs(epochs: int, **changes: Any) -> RunStarted:
    """The start of a run with another number of epochs."""
    return replace(STARTED, epochs=epochs, **changes)
