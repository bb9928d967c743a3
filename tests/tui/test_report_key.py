"""`e` in Runs and Compare: a report on the marked rows, written beside the dashboard, to a file that is asked for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import CannedJobs, lab, until
from helpers.saved_runs import make_run, write_predictions
from textual.pilot import Pilot
from textual.widgets import Input, Static

from mnist_tui.datasets.test_images import SHA256
from mnist_tui.spec import presets
from mnist_tui.tui.compare.screen import CompareScreen
from mnist_tui.tui.runs.screen import RunsScreen
from mnist_tui.tui.runs.table import RunTable

DIGITS = {"name": "digits", "sha256": SHA256["digits"], "train_images": 1437, "test_images": 360, "val_images": 0}


@pytest.fixture(autouse=True)
def _canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    CannedJobs(monkeypatch, tmp_path)


@asynccontextmanager
async def runs_mode(**changes: Any) -> AsyncIterator[Pilot[Any]]:
    """Runs with three runs, the newest first: step3, step2, step1."""
    for index, name in enumerate(("step1", "step2", "step3")):
        folder = make_run(Path("runs"), presets.load(name), 0, 0.98, index, dataset=DIGITS)
        write_predictions(folder, [3], 360)
    async with lab(**changes) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen) and _rows(pilot) == 3)
        yield pilot


def _rows(pilot: Pilot[Any]) -> int:
    return len(pilot.app.screen.query_one(RunTable).rows)


async def ask(pilot: Pilot[Any]) -> Input:
    """Presses e and returns the field of the dialog."""
    await pilot.press("e")
    await until(pilot, lambda: bool(pilot.app.screen.query("AskDialog Input")))
    return pilot.app.screen.query_one(Input)


def notices(pilot: Pilot[Any]) -> list[str]:
    """The texts of the notices that are shown."""
    return [each.message for each in pilot.app._notifications]


def steps(path: str) -> list[str]:
    """The headings of the steps of a report."""
    lines = Path(path).read_text().splitlines()
    return [line for line in lines if line.startswith("## ") and line[3].isdigit()]


async def test_a_report_on_the_row_under_the_cursor() -> None:
    """Without marks; the file has a name already, and the notice says where it is and what is to be written."""
    async with runs_mode() as pilot:
        field = await ask(pilot)
        assert field.value == "report.md"
        await pilot.press("enter")
        await until(pilot, lambda: notices(pilot))

        path = Path("report.md").absolute()
        assert notices(pilot) == [f"report on 1 step: {path}; to be written, by n in Runs: the analysis of step3 s0"]
        assert steps("report.md") == ["## 1. step3: Step 3: batch norm, 6k parameters"]
        assert (Path("report_files") / "1-step3-mistakes.png").is_file()


async def test_a_report_on_the_marked_rows_in_their_order() -> None:
    """The order in which they were marked; the end of the name chooses the format."""
    async with runs_mode() as pilot:
        await pilot.press("down", "space", "up", "up")
        await pilot.press("space")
        marked = list(pilot.app.screen.selection.colors)  # type: ignore[attr-defined]
        field = await ask(pilot)
        field.value = "both.html"
        await pilot.press("enter")
        await until(pilot, lambda: notices(pilot))

        text = Path("both.html").read_text()
        names = [name.split("-")[1] for (name,) in marked]
        assert len(names) == 2
        assert [text.index(f'<h2 id="step-{number}">{number}. {name}') for number, name in enumerate(names, 1)]


async def test_a_report_from_compare() -> None:
    """The same key and dialog; without a marked row it does nothing."""
    async with runs_mode() as pilot:
        await pilot.press("3")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(pilot.app.screen, CompareScreen)
        await pilot.press("2", "space", "3")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await ask(pilot)
        await pilot.press("enter")
        await until(pilot, Path("report.md").exists)


async def test_a_wrong_file_is_refused_in_the_dialog() -> None:
    """It stays open with the reason, and nothing is written."""
    Path("mine.md").write_text("mine")
    async with runs_mode() as pilot:
        field = await ask(pilot)
        for typed, reason in (
            ("report.pdf", "ends in .md or .html"),
            ("no/report.md", "no: there is no such folder"),
            ("mine.md", "is no report of mnist-tui; name another file"),
            ("~nobody-of-this-name/a.md", "home"),
        ):
            field.value = typed
            await pilot.press("enter")
            await pilot.pause()
            assert reason in str(pilot.app.screen.query_one("#dialog-error", Static).content)
        await pilot.press("escape")
        await pilot.pause()

        assert Path("mine.md").read_text() == "mine"
        assert not list(Path().glob("report*"))


async def test_what_goes_wrong_while_it_is_written_is_a_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard goes on."""
    from mnist_tui.report import writer

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write_atomically", full)
    async with runs_mode() as pilot:
        await ask(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: notices(pilot))

        assert notices(pilot) == ["report.md: cannot be written: No space left on device"]
        assert isinstance(pilot.app.screen, RunsScreen)
