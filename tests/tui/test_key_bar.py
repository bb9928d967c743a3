"""The line of keys, and the modes in the headline: what is in sight, what fits, and what a click does."""

from pathlib import Path
from typing import Any

import pytest
from helpers.canned_lab import can_jobs, lab
from helpers.lab_pilot import STARTED, CannedRunner, lab_request, look, row, runner, screen, tell, until
from textual.pilot import Pilot
from textual.widgets._toast import Toast

from mnist_tui.tui.app import LabApp
from mnist_tui.tui.help import HelpScreen
from mnist_tui.tui.key_bar import GAP, KeyBar
from mnist_tui.tui.runs.screen import RunsScreen
from mnist_tui.tui.status import Headline, StatusLine


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    can_jobs(monkeypatch, tmp_path)


def bar(pilot: Pilot[Any]) -> KeyBar:
    """The line of the screen on top."""
    return pilot.app.screen.query_one(KeyBar)


def keys(pilot: Pilot[Any]) -> list[str]:
    """What stands in it."""
    left, right = bar(pilot).split_keys()
    return [f"{key.label} {key.description}" for key in (*left, *right)]


def column(pilot: Pilot[Any], word: str) -> int:
    """Where a word stands in it."""
    return bar(pilot).render().plain.index(word)


async def until_wide(pilot: Pilot[Any], width: int) -> None:
    """Waits until the line has so many columns."""
    await until(pilot, lambda: bar(pilot).size.width == width)


async def until_first_line_ends(pilot: Pilot[Any], words: str) -> None:
    """Waits until the first line of the screen ends with these words."""
    await until(pilot, lambda: look(pilot).splitlines()[0].endswith(words))


async def until_in_runs(pilot: Pilot[Any], is_in_runs: bool) -> None:
    """Waits until Runs is on top, or something else is."""
    await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen) is is_in_runs)


# --- what is always in sight ---


async def test_modes_help_and_quit_are_in_sight() -> None:
    """In every mode, at the right ends of the first and the last line."""
    async with lab(size=(80, 24)) as pilot:
        for mode in "12345":
            await pilot.press("escape", mode)
            await until(pilot, lambda: bool(pilot.app.screen.query(KeyBar)) and keys(pilot))
            first, *_, last = look(pilot).splitlines()

            assert first.endswith("1 Lab 2 Runs 3 Comp 4 Ana 5 Draw")
            assert last.endswith("? Help  q Quit")
            assert len(last) <= 80


async def test_below_a_dialog_it_is_empty() -> None:
    """Its keys do nothing there; it is back when the dialog is closed."""
    async with lab() as pilot:
        await until(pilot, lambda: "q Quit" in look(pilot).splitlines()[-1])
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        await until(pilot, lambda: not look(pilot).splitlines()[-1].strip())
        await pilot.press("escape")
        await until(pilot, lambda: "q Quit" in look(pilot).splitlines()[-1])


async def test_a_notice_hides_neither_it_nor_the_status_line() -> None:
    """A notice of one line takes one line, above both."""
    app = LabApp(lab_request(), CannedRunner())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.notify("copied")
        await until(pilot, lambda: bool(pilot.app.screen.query(Toast)) and "copied" in look(pilot))
        notice = pilot.app.screen.query_one(Toast).region

        assert notice.height == 1
        assert notice.bottom == screen(pilot).query_one(StatusLine).region.y


async def test_in_a_field_too() -> None:
    """By keys that no field takes; while a run is trained, when there are more of them."""
    async with lab(size=(80, 24)) as pilot:
        runner(pilot).busy = True
        await tell(pilot, STARTED, row(1))
        await pilot.press("f3")
        for width in (80, 40):
            await pilot.resize_terminal(width, 24)
            await until_wide(pilot, width)
            await until(pilot, lambda: "^q Quit" in keys(pilot))

            assert look(pilot).splitlines()[-1].endswith("F1 Help  ^q Quit")


async def test_the_names_of_modes_get_shorter() -> None:
    """Their keys are left where there is less room, and nothing where there is hardly any."""
    async with lab() as pilot:
        for width, modes in (
            (140, "3 Compare  4 Analyse  5 Draw"),
            (110, "3 Compare 4 Analyse 5 Draw"),
            (70, "3 Comp 4 Ana 5 Draw"),
            (50, "1  2  3  4  5"),
            (30, "18,422 params"),
        ):
            await pilot.resize_terminal(width, 24)
            await until_first_line_ends(pilot, modes)

            assert "18,422" in look(pilot).splitlines()[0]


# --- which keys ---


async def test_as_many_keys_as_fit() -> None:
    """None is cut in two, none is left out before one that is less important, and none covers another."""
    async with lab(size=(200, 24)) as pilot:
        every = keys(pilot)[:-2]
        for width in (40, 61, 80, 99, 120, 150):
            await pilot.resize_terminal(width, 24)
            await until_wide(pilot, width)
            shown = keys(pilot)
            text = bar(pilot).render()

            assert shown[:-2] == every[: len(shown) - 2]
            assert text.plain.split("  ")[0] == f" {shown[0]}"
            assert text.cell_len == width
            following = every[len(shown) - 2 : len(shown) - 1]
            assert all(sum(len(key) + GAP for key in [*shown, *following]) > width - 1 for _ in following)


async def test_letters_are_left_out_in_a_text_field() -> None:
    """It takes them; what else leads to the same is shown instead, and each action once."""
    async with lab() as pilot:
        await pilot.press("escape")
        await until(pilot, lambda: "t Train" in keys(pilot))
        outside = keys(pilot)
        await pilot.press("f3")
        await until(pilot, lambda: "F9 Train" in keys(pilot))
        inside = keys(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: keys(pilot) == outside)

    assert "^s Save" in outside
    assert "^s Save" in inside
    assert "/ Search" in outside
    assert all(len(key.partition(" ")[0]) > 1 for key in inside)
    assert sum(key.endswith("Train") for key in inside) == 1


async def test_keys_of_a_run_only_while_there_is_one() -> None:
    """Pause, step, stop and rate; and Train only where nothing is trained. The keys themselves always answer."""
    run_keys = {"space Pause", ". Step", "s Stop", "l Rate"}
    async with lab(size=(160, 40)) as pilot:
        await pilot.press("escape")
        await until(pilot, lambda: "t Train" in keys(pilot))
        before = set(keys(pilot))
        runner(pilot).busy = True
        await tell(pilot, STARTED)
        await until(pilot, lambda: run_keys <= set(keys(pilot)))
        meanwhile = set(keys(pilot))
        runner(pilot).busy = False
        screen(pilot).refresh_bindings()
        await until(pilot, lambda: set(keys(pilot)) == before)
        await pilot.press("s")
        messages = [each.message for each in pilot.app._notifications]

    assert not before & run_keys
    assert "t Train" not in meanwhile
    assert messages == ["nothing is being trained; t trains"]


# --- the mouse ---


async def test_a_click_on_a_key_is_the_key() -> None:
    """A click anywhere on a key does its action; a gap does nothing."""
    async with lab() as pilot:
        await pilot.press("escape")
        await until(pilot, lambda: "t Train" in keys(pilot))
        await pilot.click(KeyBar, offset=(column(pilot, "Train") + len("Train"), 0))
        between = len(runner(pilot).trained)
        await pilot.click(KeyBar, offset=(column(pilot, "Train") + 4, 0))
        await until(pilot, lambda: runner(pilot).trained)
        await pilot.click(KeyBar, offset=(column(pilot, "? Help"), 0))
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))

    assert between == 0


async def test_a_click_while_a_field_has_the_focus() -> None:
    """It does what is written there, and types nothing."""
    async with lab() as pilot:
        before = screen(pilot).design.draft.layers
        await pilot.press("f3")
        await until(pilot, lambda: "F9 Train" in keys(pilot))
        await pilot.click(KeyBar, offset=(column(pilot, "F9 Train"), 0))
        await until(pilot, lambda: runner(pilot).trained)

        assert screen(pilot).design.draft.layers == before


async def test_a_click_on_a_mode_goes_there() -> None:
    """A click on the name of a mode opens it, at both ends of the name."""
    async with lab() as pilot:
        for word, at in (("2 Runs", 0), ("1 Lab", 4)):
            line = look(pilot).splitlines()[0]
            await pilot.click(Headline, offset=(line.index(word) + at, 0))
            await until_in_runs(pilot, word == "2 Runs")
