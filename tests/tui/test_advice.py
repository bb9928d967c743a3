"""The coach's advice on a run that ended: on its card, in a dialog over the laboratory, and in the opened run."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.canned_lab import can_jobs, ended, lab, shown
from helpers.lab_pilot import STARTED, look, notices, row, runner, screen, tell, until
from helpers.saved_runs import make_run
from textual.pilot import Pilot
from textual.widgets import Static

from mnist_tui.analysis.analysis_report import advice_lines
from mnist_tui.analysis.coach import rules
from mnist_tui.analysis.coach.evidence import Advice
from mnist_tui.runs.reader import read_run
from mnist_tui.spec import presets
from mnist_tui.tui.advice_list import AdviceList
from mnist_tui.tui.charts.plot import Plot
from mnist_tui.tui.dialogs import MessageDialog
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.advice_dialog import AdviceDialog
from mnist_tui.tui.lab.run_card import RunCard
from mnist_tui.tui.messages import OpenRun
from mnist_tui.tui.runs.run_screen import RunScreen

ROWS = (row(1, 0.97), row(2, 0.9951), row(3, 0.99))
RATE = Advice("learning-rate-too-high", "The loss rose in 2 of 3 epochs.", "Use 0.0002.", {"optimizer.lr": "0.0002"})
SEEDS = Advice("within-seed-spread", "0.05 points are missing.", "Train more seeds.", None)


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces the background jobs; the coach always has two pieces of advice."""
    can_jobs(monkeypatch, tmp_path)
    monkeypatch.setattr(jobs, "advice", lambda folder: [RATE, SEEDS])


@asynccontextmanager
async def after_a_run(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[Any]]:
    """The laboratory after a run that completed, once its advice is there."""
    async with lab(size=size) as pilot:
        await pilot.press("f6")
        await tell(pilot, STARTED, *ROWS, ended("completed", *ROWS))
        await until(pilot, lambda: screen(pilot).view.advice and screen(pilot).view.spec)
        yield pilot


async def open_advice(pilot: Pilot[Any]) -> AdviceDialog:
    """Opens all the advice by its key."""
    await pilot.press("a")
    await until(pilot, lambda: isinstance(pilot.app.screen, AdviceDialog))
    dialog = pilot.app.screen
    assert isinstance(dialog, AdviceDialog)
    return dialog


# --- after a run ---


async def test_the_card_has_the_first_advice() -> None:
    """And the line of keys has the key of the dialog, which it has not before the run has ended."""
    async with lab() as pilot:
        await pilot.press("f6")
        await tell(pilot, STARTED, *ROWS)
        before = screen(pilot).query_one(KeyBar).render().plain
        await tell(pilot, ended("completed", *ROWS))
        await until(pilot, lambda: f"advice 1 of 2, key a: {RATE.sentence}" in " ".join(shown(pilot, RunCard).split()))
        await until(pilot, lambda: " a Advice " in screen(pilot).query_one(KeyBar).render().plain)

        assert " a Advice " not in before


async def test_advice_never_pushes_a_curve_out() -> None:
    """At 80x24 it is cut to one line, and the curve stays."""
    async with after_a_run((80, 24)) as pilot:
        await until(pilot, lambda: "advice" in shown(pilot, RunCard))
        await pilot.pause(0.1)
        plot = screen(pilot).query_one("#chart-accuracy Plot", Plot)

        assert shown(pilot, RunCard).splitlines()[-1] == "advice 1 of 2, key a: The loss …"
        assert plot.drawing().frame() is not None


async def test_advice_goes_with_its_run() -> None:
    """The next run has none before it has ended; advice that comes late is dropped."""
    async with after_a_run() as pilot:
        view = screen(pilot).view
        first = view.run
        assert first is not None
        await tell(pilot, replace(STARTED, run="r2", folder="runs/r2"), row(1))
        view._show_advice(first, [RATE], None)
        await pilot.press("a")
        await until(pilot, lambda: notices(pilot))

        assert view.advice == ()
        assert notices(pilot) == ["advice comes when a run has ended"]


def find_none(folder: Path) -> list[Advice]:
    return []


def fail(folder: Path) -> list[Advice]:
    raise OSError("runs: permission denied")


@pytest.mark.parametrize(
    ("job", "reason"),
    [(find_none, "no rule has anything to say about this run"), (fail, "permission denied")],
)
async def test_no_advice_is_said(
    job: Callable[[Path], list[Advice]], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is said why there is none."""
    monkeypatch.setattr(jobs, "advice", job)
    async with lab() as pilot:
        await tell(pilot, STARTED, *ROWS, ended("completed", *ROWS))
        await until(pilot, lambda: "comes when" not in screen(pilot).view.no_advice)
        await pilot.press("escape", "a")
        await until(pilot, lambda: notices(pilot))

        assert reason in notices(pilot)[-1]
        assert "advice" not in shown(pilot, RunCard)


# --- the dialog ---


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 10)])
async def test_enter_puts_the_change_into_the_lab(size: tuple[int, int]) -> None:
    """On the settings of the run, as one change that one undo takes back."""
    async with after_a_run(size) as pilot:
        draft = screen(pilot).design.draft
        await open_advice(pilot)
        await until(pilot, lambda: RATE.rule in look(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: screen(pilot).design.draft != draft)
        spec = screen(pilot).design.spec
        await pilot.press("ctrl+z")
        await until(pilot, lambda: screen(pilot).design.draft == draft)

        assert spec == presets.load("iter5").with_settings({"optimizer.lr": "0.0002"})
        assert pilot.app.screen is screen(pilot)


async def test_advice_without_a_setting_stays_in_the_dialog() -> None:
    """It says that nothing can be put into the lab; Escape closes."""
    async with after_a_run() as pilot:
        draft = screen(pilot).design.draft
        dialog = await open_advice(pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: notices(pilot))
        is_open = pilot.app.screen is dialog
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))

        assert notices(pilot) == ["this advice changes no single setting"]
        assert is_open
        assert screen(pilot).design.draft == draft


async def test_x_explains() -> None:
    """The rule under the cursor, with its source; closed, the list is there again."""
    async with after_a_run() as pilot:
        dialog = await open_advice(pilot)
        await pilot.press("down", "x")
        await until(pilot, lambda: isinstance(pilot.app.screen, MessageDialog))
        await until(pilot, lambda: "Picard 2021" in look(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is dialog)

        assert dialog.query_one(AdviceList).current == SEEDS


# --- from the run's folder ---


async def test_the_opened_run_has_the_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The text that the command line prints, and what the lab is told of the same folder."""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    folder = make_run(Path("runs").absolute(), presets.load("v1"), epochs=5)
    run = read_run(folder)
    expected = list(advice_lines(rules.advise_on(run, [run])))
    async with lab() as pilot:
        runner(pilot).folder = folder
        screen(pilot).post_message(OpenRun(folder))
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        opened = pilot.app.screen
        assert isinstance(opened, RunScreen)
        await pilot.press("right", "right", "right")
        await until(pilot, lambda: "coach" in str(opened.query_one("#view-lines", Static).visual))

        assert opened._text.splitlines() == expected
        assert any("bias-before-batch-norm" in line for line in expected)
    assert [one.rule for one in jobs.advice(folder)] == ["bias-before-batch-norm"]
