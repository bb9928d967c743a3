"""An opened run: its lines at every width, and what becomes of it while another process trains it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.canned_lab import can_jobs, lab
from helpers.lab_pilot import look, row, screen, until
from helpers.saved_runs import make_run
from textual.pilot import Pilot

from mnist_tui.runs.history import history_line
from mnist_tui.runs.reader import read_run
from mnist_tui.spec import presets
from mnist_tui.tui.charts.zoom import ZoomScreen
from mnist_tui.tui.dialogs import AskDialog
from mnist_tui.tui.messages import OpenRun
from mnist_tui.tui.runs import run_screen as run_screen_module
from mnist_tui.tui.runs.notes_dialog import NotesDialog
from mnist_tui.tui.runs.run_screen import RunScreen
from mnist_tui.tui.runs.run_views import wrapped


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    can_jobs(monkeypatch, tmp_path)


@asynccontextmanager
async def opened(size: tuple[int, int] = (80, 24), **record: Any) -> AsyncIterator[tuple[Pilot[Any], RunScreen]]:
    """A run of iter4 on top of the lab, once its curves are drawn."""
    folder = make_run(Path("runs"), presets.load("iter4"), **record)
    async with lab(size=size) as pilot:
        screen(pilot).post_message(OpenRun(folder))
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        run_screen = pilot.app.screen
        assert isinstance(run_screen, RunScreen)
        await until(pilot, lambda: run_screen._curves.has_epochs)
        yield pilot, run_screen


async def open_view(pilot: Pilot[Any], run_screen: RunScreen, view: str, word: str) -> None:
    """Presses the arrow until a view is shown, and waits for a word in it."""
    while run_screen.view != view:
        await pilot.press("right")
    await until(pilot, lambda: word in look(pilot))


async def test_advice_is_wrapped() -> None:
    """No sentence ends at the right border; in a narrower terminal it is wrapped again."""
    async with opened() as (pilot, run_screen):
        await open_view(pilot, run_screen, "Advice", "coach")
        await until(pilot, lambda: "the batch norm after them removes." in " ".join(look(pilot).split()))
        await pilot.resize_terminal(60, 24)

        await until(
            pilot,
            lambda: (
                run_screen.size.width == 60 and "the batch norm after them removes." in " ".join(look(pilot).split())
            ),
        )


async def test_a_wide_table_is_scrolled_sideways() -> None:
    """By > and <, which the line of keys names where they do something; the arrows still change the view."""
    async with opened((44, 24)) as (pilot, run_screen):
        await open_view(pilot, run_screen, "Epochs", "train loss")
        await until(pilot, lambda: run_screen.is_useful("scroll_sideways(1)"))
        assert "test acc" not in look(pilot)
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "test acc" in look(pilot))
        await pilot.press("less_than_sign", "less_than_sign")
        await until(pilot, lambda: "epoch  train loss" in look(pilot))
        await pilot.press("right")
        assert run_screen.view == "Changes"
        await until(pilot, lambda: not run_screen.is_useful("scroll_sideways(1)"))


async def test_a_run_that_is_trained_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its curves, its headline and the view of text, without a key, until it has ended."""
    monkeypatch.setattr(run_screen_module, "POLL_SECONDS", 0.05)
    async with opened((120, 40), epochs=3) as (pilot, run_screen):
        folder = run_screen.run.folder
        monkeypatch.setattr(run_screen_module, "read_run", lambda folder: replace(read_run(folder), state="training"))
        await open_view(pilot, run_screen, "Epochs", "train loss")
        running = replace(run_screen.run, state="training")
        assert len(running.rows) == 3
        with (folder / "history.jsonl").open("ab") as history:
            history.write(history_line(row(4, 0.9999)))
        await pilot.pause(0.2)
        assert len(run_screen.run.rows) == 3, "a run that has ended is not read again"

        run_screen.runs = [running]
        await until(pilot, lambda: "99.99%" in look(pilot))
        assert len(run_screen._curves.group.runs[0].rows) == 4
        monkeypatch.setattr(run_screen_module, "read_run", read_run)
        await until(pilot, lambda: "completed" in look(pilot).splitlines()[0])


async def test_enlarged_curves_of_a_run_that_is_trained_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read again as those below them are."""
    monkeypatch.setattr(run_screen_module, "POLL_SECONDS", 0.05)
    async with opened((120, 40), epochs=3) as (pilot, run_screen):
        monkeypatch.setattr(run_screen_module, "read_run", lambda folder: replace(read_run(folder), state="training"))
        await pilot.press("z")
        await until(pilot, lambda: isinstance(pilot.app.screen, ZoomScreen))
        running = replace(run_screen.run, state="training")
        assert len(running.rows) == 3
        with (run_screen.run.folder / "history.jsonl").open("ab") as history:
            history.write(history_line(row(4, 0.9999)))
        run_screen.runs = [running]
        await until(pilot, lambda: pilot.app.screen._epochs == 4)  # type: ignore[attr-defined]
        await pilot.press("end")
        await until(pilot, lambda: "epoch 4" in look(pilot) and "99.99" in look(pilot))


async def test_notes_and_tags_of_an_opened_run() -> None:
    """They are edited as in the table, and shown at once."""
    async with opened((120, 40)) as (pilot, run_screen):
        await open_view(pilot, run_screen, "Notes", "Analysis")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NotesDialog))
        await pilot.press(*"overfits", "ctrl+s")
        await until(pilot, lambda: pilot.app.screen is run_screen and "overfits" in look(pilot))
        await pilot.press("number_sign")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskDialog))
        await pilot.press(*"keep", "enter")
        await until(pilot, lambda: pilot.app.screen is run_screen and "#keep" in look(pilot).splitlines()[0])


async def test_an_opened_run_is_trained_on() -> None:
    """Its settings go into the lab; a run that completed cannot be resumed, and its line of keys does not say so."""
    async with opened((120, 40)) as (pilot, run_screen):
        assert not run_screen.is_useful("resume")
        await pilot.press("r")
        await pilot.pause()
        assert pilot.app.screen is run_screen
        await pilot.press("u")
        await until(pilot, lambda: pilot.app.screen is screen(pilot) and screen(pilot).design.base.name == "iter4")


def test_wrapped_lines_keep_their_indent() -> None:
    """The parts of a line after the first are indented by two more; empty lines stay."""
    text = "coach\n\n  rule: one two three four five"

    assert wrapped(text, 20).splitlines() == ["coach", "", "  rule: one two", "    three four five"]
    assert wrapped("数" * 15, 20).splitlines() == ["数" * 10, "  " + "数" * 5], "cells, not characters"
