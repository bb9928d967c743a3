"""The augmentation as a list: what the keys make of it, what comes to the draft, and the digits that go through it."""

import threading
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import SLOW, CannedJobs, field, lab, look, on_top, runner, screen, until
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.tui.dialogs import AskDialog, ChoiceDialog
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.augment_dialog import AugmentDialog
from mnist_tui.tui.lab.digits import DigitsStrip

TWO = "RandomRotation(7), RandomInvert()"


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    return CannedJobs(monkeypatch, tmp_path)


def draft(augment: str) -> Draft:
    """A draft with an augmentation."""
    return Draft(presets.load("iter5")).with_text("augment", augment)


async def open_dialog(pilot: Pilot[Any]) -> AugmentDialog:
    """Opens the list from its field, once torch is loaded."""
    await until(pilot, lambda: screen(pilot).previews.is_warm)
    field(pilot, "augment").focus()
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, AugmentDialog))
    dialog = pilot.app.screen
    assert isinstance(dialog, AugmentDialog)
    return dialog


def option_lines(dialog: AugmentDialog) -> list[str]:
    """The lines of the list."""
    return [str(option.prompt) for option in dialog.query_one(OptionList).options]


def used(pilot: Pilot[Any]) -> list[str]:
    """What the draft augments with."""
    spec = screen(pilot).design.draft.result.spec
    assert spec is not None
    return [str(call) for call in spec.train.augment]


# --- the list ---


async def test_add_from_the_catalog() -> None:
    """What must be given is asked for; a wrong argument keeps the question open with the reason; Ctrl-S takes over."""
    async with lab(draft=draft("")) as pilot:
        dialog = await open_dialog(pilot)
        empty = option_lines(dialog)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        title = on_top(pilot, ".dialog-title")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskDialog))
        offered, hint = pilot.app.screen.query_one(Input).value, on_top(pilot, ".dialog-hint")
        await pilot.press("enter")
        await until(pilot, lambda: on_top(pilot, "#dialog-error"))
        missing = on_top(pilot, "#dialog-error")
        await pilot.press("x", "enter")  # The cursor stands where the argument is missing.
        await until(pilot, lambda: on_top(pilot, "#dialog-error") != missing)
        wrong, is_open = on_top(pilot, "#dialog-error"), isinstance(pilot.app.screen, AskDialog)
        await pilot.press("backspace", "1", "5", "enter")
        await until(pilot, lambda: pilot.app.screen is dialog)
        shown = option_lines(dialog)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))

        assert "a adds a transform" in empty[0]
        assert title == "Add which transform?"
        assert (offered, hint.partition("(")[0]) == ("RandomRotation(degrees=)", "RandomRotation")
        assert missing.startswith("! ")
        assert is_open
        assert "'x'" in wrong
        assert shown == ["[✓] RandomRotation(degrees=15)"]
        assert used(pilot) == ["RandomRotation(degrees=15)"]


async def test_reorder_switch_off_edit_and_remove() -> None:
    """Each by its key; what is off stays in its place and is not used; one undo takes the whole list back."""
    async with lab(draft=draft(f"{TWO}, RandomErasing()")) as pilot:
        dialog = await open_dialog(pilot)
        await pilot.press("J", "space", "down", "d", "up", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskDialog))
        await pilot.press("end", "left", "0", "enter")
        await until(pilot, lambda: pilot.app.screen is dialog)
        shown = option_lines(dialog)
        await pilot.press("f10")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))
        after = used(pilot), screen(pilot).design.draft.transforms()
        await pilot.press("ctrl+z")
        await until(pilot, lambda: len(used(pilot)) == 3)

        assert shown == ["[✓] RandomInvert(0)", "[ ] RandomRotation(7)"]
        assert after == (["RandomInvert(0)"], [("RandomInvert(0)", True), ("RandomRotation(7)", False)])
        assert used(pilot) == [*TWO.split(", "), "RandomErasing()"]


async def test_two_calls_in_one_answer_are_two_transforms() -> None:
    """Each has a line, so that what is switched off keeps its place."""
    async with lab(draft=draft("RandomInvert(), RandomErasing()")) as pilot:
        dialog = await open_dialog(pilot)
        await pilot.press("down", "space", "up", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskDialog))
        pilot.app.screen.query_one(Input).value = TWO
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is dialog)
        shown = option_lines(dialog)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))

        assert shown == ["[✓] RandomRotation(7)", "[✓] RandomInvert()", "[ ] RandomErasing()"]
        assert screen(pilot).design.draft.transforms() == [(each[4:], each[1] == "✓") for each in shown]


# --- the digits ---


async def test_digits_have_the_names_of_their_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the pane: the first letter of EMNIST is no 0."""
    feed = jobs.sample_augmented
    letters = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    monkeypatch.setattr(
        jobs,
        "sample_augmented",
        lambda *asked: feed(*asked)._replace(classes=letters),  # type: ignore[attr-defined]
    )
    async with lab(draft=draft(TWO), size=(120, 50)) as pilot:
        dialog = await open_dialog(pilot)
        strip = dialog.query_one(DigitsStrip)
        await until(pilot, lambda: strip.digits)
        shown = [word for line in str(strip.render()).splitlines() for word in line.split() if word.isalnum()]

        assert shown[:4] == ["D", "B", "E", "B"]


async def test_digits_go_through_what_is_switched_on(canned: CannedJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anew for every change; `r` draws others; they and the keys have room below the list.

    Escape changes nothing, and digits that come only after it are dropped.
    """
    arrive, feed = threading.Event(), jobs.sample_augmented
    async with lab(draft=draft(TWO)) as pilot:
        before = screen(pilot).design.draft
        dialog = await open_dialog(pilot)
        strip = dialog.query_one(DigitsStrip)
        await until(pilot, lambda: strip.digits)
        first = strip.digits, canned.augmented[-1]
        await pilot.press("r")
        await until(pilot, lambda: strip.digits != first[0])
        await pilot.press("space")
        await until(pilot, lambda: canned.augmented[-1] == ["RandomInvert()"])
        keys = look(pilot)
        monkeypatch.setattr(jobs, "sample_augmented", lambda *asked: arrive.wait(5) and feed(*asked))
        height = strip.size.height
        await pilot.press("d", "escape")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))
        arrive.set()
        await pilot.pause(0.1)

        assert first[1] == TWO.split(", ")
        assert height == 10
        assert "r draws others" in keys
        assert "a Add  e Edit  space On/off" in keys
        assert screen(pilot).design.draft == before
        assert pilot.app.focused is field(pilot, "augment")
        assert pilot.app.return_code is None


async def test_digits_are_visible_on_a_small_terminal() -> None:
    """A row of them at 80x24, with the list and the keys around it."""
    async with lab(size=(80, 24), draft=draft(TWO)) as pilot:
        await pilot.press("f4")
        dialog = await open_dialog(pilot)
        strip = dialog.query_one(DigitsStrip)
        await until(pilot, lambda: strip.digits)
        await pilot.pause(0.1)

        assert strip.size.height == 9
        assert look(pilot).count("▀") > 4 * 14 * 6
        assert "RandomInvert()" in look(pilot)
        assert "a Add  e Edit  space On/off" in look(pilot)


async def test_slow_transforms_are_only_named_while_a_run_trains(canned: CannedJobs) -> None:
    """They would disturb its random numbers; once it is over, digits come."""
    async with lab(draft=draft(f"{SLOW}()")) as pilot:
        await until(pilot, lambda: screen(pilot).previews.is_warm)
        runner(pilot).busy = True
        dialog = await open_dialog(pilot)
        await until(pilot, lambda: f"{SLOW}: drawn after the run" in look(pilot))
        strip = dialog.query_one(DigitsStrip)
        drawn = strip.digits
        await pilot.press("space")
        await until(pilot, lambda: strip.digits)
        runner(pilot).busy = False
        await pilot.press("space", "r")
        await until(pilot, lambda: canned.augmented[-1] and strip.digits)

        assert drawn == ()
        assert canned.augmented[-1] == [f"{SLOW}()"]
