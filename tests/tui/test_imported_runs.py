"""An imported log in Runs, Compare, Analyse and Draw: drawn with its remark, and every key says what it cannot do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import notices, until
from helpers.logs import EPOCHS, keras_log, tqdm_log, write
from helpers.saved_runs import make_run
from textual.pilot import Pilot
from textual.widgets import Static

from mnist_tui.import_logs.import_file import import_file
from mnist_tui.runs.imported import write_imported
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.run_options import Options
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.compare.overlay import Overlay
from mnist_tui.tui.compare.screen import CompareScreen
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.request import LabRequest
from mnist_tui.tui.runner import Runner
from mnist_tui.tui.runs.detail import RunDetail
from mnist_tui.tui.runs.run_screen import RunScreen
from mnist_tui.tui.runs.run_views import VIEWS
from mnist_tui.tui.runs.screen import RunsScreen

pytestmark = pytest.mark.slow


@asynccontextmanager
async def runs_mode(text: str) -> AsyncIterator[Pilot[Any]]:
    """The application in its second mode, over a run of iter5 and, under the cursor, an imported log."""
    make_run(Path("runs"), presets.load("iter5"))
    (log,) = import_file(write(Path("S7.log"), text)).trainings
    write_imported(Path("runs"), log)
    app = LabApp(LabRequest(draft=Draft(presets.load("iter5"))), Runner(Options(), lambda folder: None))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen._is_read_ahead)
        await until(pilot, lambda: facts(pilot).startswith("S7"))
        yield pilot


def facts(pilot: Pilot[Any]) -> str:
    """What stands about the run under the cursor."""
    detail = pilot.app.screen.query(RunDetail)
    return str(pilot.app.screen.query_one("#run-facts", Static).content) if detail else ""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No torch, no live run."""

    def never(*arguments: object) -> None:
        raise RuntimeError("not in this test")

    monkeypatch.chdir(tmp_path)
    for name in ("warm_up", "rates", "sample_augmented"):
        monkeypatch.setattr(jobs, name, never)
    monkeypatch.setattr(jobs, "live_run", lambda runs_dir: None)


async def test_its_facts_and_what_its_keys_cannot_do() -> None:
    """No seed, no `None`, no word about MNIST that is not known; `u`, `r` and `x` say why not."""
    async with runs_mode(tqdm_log(EPOCHS)) as pilot:
        assert facts(pilot).splitlines()[0] == "S7  imported"
        assert "! imported log: what its accuracies were measured on is" in facts(pilot)
        assert "the log's test set (10,000 images)" in facts(pilot)
        assert "None" not in facts(pilot)
        for key in ("u", "x"):
            await pilot.press(key)
            await pilot.pause()
            assert notices(pilot)[-1].startswith("an imported log ")


async def test_every_view_of_it_says_something() -> None:
    """Its epochs, and of what it does not have that it does not have it."""
    async with runs_mode(tqdm_log(EPOCHS)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        texts = {}
        for view in VIEWS:
            await pilot.press("right")
            await until(pilot, lambda: str(pilot.app.screen.query_one("#view-lines", Static).content).strip())
            texts[view] = str(pilot.app.screen.query_one("#view-lines", Static).content)
            if view == "Log":
                break  # There are no notes yet.

        assert "98.55%" in texts["Epochs"]
        assert texts["Layers"] == "an imported log holds no layers"
        assert texts["Spec"] == "an imported log holds no recipe"
        assert texts["Advice"] == "no advice: an imported log holds no settings"
        assert '"file": "S7.log"' in texts["Environment"]
        assert "S7.log" in texts["Log"]


async def test_it_is_drawn_over_ours_with_its_remark() -> None:
    """Its validation accuracy, where it has no test: both curves, and a sentence instead of a verdict."""
    async with runs_mode(keras_log(EPOCHS)) as pilot:
        await pilot.press("space", "space", "3")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await until(pilot, lambda: len(pilot.app.screen.query_one(Overlay).lines) == 2)
        log, own = pilot.app.screen.query_one(Overlay).lines

        assert log.label == "S7 (imported, validation)"
        assert log.mean == ([1.0, 2.0, 3.0], [100 * epoch.held_out_accuracy for epoch in EPOCHS])
        assert len(own.mean[0]) == 20
        report = str(pilot.app.screen.query_one("#compare-text", Static).content)
        assert report.startswith("Not judged: ")
        assert "the log's validation images" in report


async def test_analyse_says_that_it_has_no_predictions() -> None:
    """Where it is marked; without a mark, the newest run with predictions is analysed, which it never is."""
    async with runs_mode(tqdm_log(EPOCHS)) as pilot:
        await pilot.press("space", "4")
        await until(
            pilot,
            lambda: any(
                "is an imported log" in str(static.content) for static in pilot.app.screen.query(Static).results(Static)
            ),
        )
