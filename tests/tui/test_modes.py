"""The modes: each screen is as the others left it, and what is opened above one is closed."""

import threading
from pathlib import Path

import pytest
from helpers.lab_pilot import CannedJobs, lab, look, runner, tell, until
from helpers.saved_runs import make_run

from mnist_tui.spec import presets
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.repaint import Dialog
from mnist_tui.tui.runner import Idle, Runner
from mnist_tui.tui.runs.run_screen import RunScreen
from mnist_tui.tui.runs.screen import RunsScreen

RUNS = Path("runs")


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    return CannedJobs(monkeypatch, tmp_path)


async def test_a_mode_key_closes_an_opened_run() -> None:
    """The names of the modes are in its headline; its background thread ends with it."""
    make_run(RUNS, presets.load("iter5"), 0, 0.99)
    async with lab() as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen) and pilot.app.screen.run)
        threads = threading.active_count()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("1")
        await until(pilot, lambda: pilot.app.current_mode == "lab")
        await until(pilot, lambda: threading.active_count() <= threads)
        await pilot.press("2")

        assert isinstance(pilot.app.screen, RunsScreen)


async def test_a_dialog_must_be_answered_first() -> None:
    """It stays, and so does the mode."""
    make_run(RUNS, presets.load("iter5"), 0, 0.99)
    async with lab() as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen) and pilot.app.screen.run)
        await pilot.press("question_mark", "1")
        await pilot.pause(0.2)

        assert isinstance(pilot.app.screen, Dialog)
        assert pilot.app.current_mode == "runs"


async def test_runs_shows_what_another_screen_read_first() -> None:
    """All screens share the index of the runs."""
    make_run(RUNS, presets.load("iter5"), 0, 0.99)
    async with lab() as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen) and pilot.app.screen.run)
        runs = pilot.app.screen
        assert isinstance(runs, RunsScreen)
        make_run(RUNS, presets.load("iter5"), 1, 0.99, 1)
        runs.selection.runs.refresh()

        await until(pilot, lambda: "2 rows of 2 folders" in look(pilot))


async def test_ctrl_c_stops_a_second_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once stops and saves it, as it did with the first; only twice aborts it."""
    requests: list[str] = []
    async with lab() as pilot:
        monkeypatch.setattr(Runner, "is_training", property(lambda self: self.is_busy))
        monkeypatch.setattr(runner(pilot), "send_request", requests.append)
        for _ in range(2):
            runner(pilot).busy = True
            await pilot.press("ctrl+c")
            await until(pilot, lambda: requests)
            runner(pilot).busy = False
            await tell(pilot, Idle())
        app = pilot.app
        assert isinstance(app, LabApp)

        assert requests == ["stop", "stop"]
        assert not app.exit_state.abort
