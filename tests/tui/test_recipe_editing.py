"""Editing the recipe: a text that its field has no room for, what a new choice brings along, mistakes after a pause."""

from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import CannedJobs, field, lab, line_of, mistakes, notices, on_top, screen, until
from textual.pilot import Pilot
from textual.widgets import Input

from mnist_tui.tui.dialogs import AskDialog
from mnist_tui.tui.lab import recipe
from mnist_tui.tui.lab.choice import Choice
from mnist_tui.tui.lab.field_line import FieldLine


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    return CannedJobs(monkeypatch, tmp_path)


# --- a text over the width of the screen ---


async def test_a_text_that_does_not_fit_is_edited_over_the_width_of_the_screen() -> None:
    """Enter asks for it; a wrong text stays with the reason, a right one comes to field and draft; one undo."""
    async with lab() as pilot:
        betas = field(pilot, "optimizer.betas")
        before = betas.value
        betas.focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskDialog))
        wide = pilot.app.screen.query_one(Input)
        whole, width = wide.value, wide.region.width
        wide.value = "(0.9,, 2)"
        await pilot.press("enter")
        await until(pilot, lambda: on_top(pilot, "#dialog-error"))
        refused = on_top(pilot, "#dialog-error")
        wide.value = "(0.8, 0.99)"
        await pilot.press("enter")
        await until(pilot, lambda: betas.value == "(0.8, 0.99)")
        spec = screen(pilot).design.draft.result.spec
        await pilot.press("ctrl+z")
        await until(pilot, lambda: betas.value == before)

        assert len(before) > betas.size.width - 1
        assert whole == before
        assert width > 100
        assert refused.startswith("! ")
        assert spec is not None
        assert str(spec.train.optimizer) == "Adam(lr=0.002, betas=(0.8, 0.99))"
        assert pilot.app.focused is betas


async def test_a_text_that_fits_is_not() -> None:
    """Enter moves to the next field; a text of transforms that is half a call can only be edited as text."""
    async with lab() as pilot:
        field(pilot, "epochs").focus()
        await pilot.press("enter")
        await pilot.pause()
        focused, top = pilot.app.focused, pilot.app.screen
        augment = field(pilot, "augment")
        augment.value = "RandomRotation("
        await until(pilot, lambda: "augment" in screen(pilot).design.draft.result.errors)
        augment.focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskDialog))

        assert focused is field(pilot, "batch_size")
        assert top is screen(pilot)
        assert pilot.app.screen.query_one(Input).value == "RandomRotation("


# --- what a new choice brings along ---


async def choose(pilot: Pilot[Any], path: str, word: str) -> None:
    """Chooses a word in the form, as its list does."""
    line_of(pilot, path).query_one(Choice).select(word)
    await until(pilot, lambda: screen(pilot).design.draft.text_of(path) == word)


async def test_a_new_choice_arrives_filled_and_says_with_what() -> None:
    """An optimizer with the rate of the one before, OneCycleLR also with the run's length: a right recipe at once."""
    async with lab() as pilot:
        await choose(pilot, "optimizer", "SGD")
        await choose(pilot, "scheduler", "OneCycleLR")
        names = ("optimizer.lr", "scheduler.max_lr", "scheduler.epochs", "scheduler.steps_per_epoch")
        await until(pilot, lambda: set(names) <= {line.field.path for line in screen(pilot).query(FieldLine)})
        values = [field(pilot, name).value for name in names]
        filled = screen(pilot).design.draft.result.spec
        await choose(pilot, "optimizer", "NAdam")  # Whose rate is 0.002 anyhow: nothing is said.

        assert values == ["0.002", "0.002", "epochs", "steps_per_epoch"]
        assert filled is not None
        assert str(filled.train.optimizer) == "SGD(lr=0.002)"
        assert str(filled.train.scheduler) == "OneCycleLR(max_lr=0.002, epochs=epochs, steps_per_epoch=steps_per_epoch)"
        assert str(screen(pilot).design.draft.result.spec.train.optimizer) == "NAdam()"  # type: ignore[union-attr]
        assert notices(pilot) == [
            "SGD takes over lr=0.002 from Adam",
            "OneCycleLR takes over max_lr=0.002, epochs=epochs, steps_per_epoch=steps_per_epoch",
        ]


# --- mistakes ---


async def test_a_mistake_is_said_once_typing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The draft is checked at every key; a right text takes the words away without a pause."""
    async with lab() as pilot:
        rate = field(pilot, "optimizer.lr")
        rate.focus()
        monkeypatch.setattr(recipe, "ERROR_SECONDS", 60.0)
        await pilot.press("x")
        await until(pilot, lambda: line_of(pilot, "optimizer.lr").has_class("-wrong"))
        early = mistakes(pilot)
        monkeypatch.setattr(recipe, "ERROR_SECONDS", 0.1)
        await pilot.press("y")
        await until(pilot, lambda: mistakes(pilot))
        said = mistakes(pilot)
        monkeypatch.setattr(recipe, "ERROR_SECONDS", 60.0)
        rate.value = "0.1"
        await until(pilot, lambda: not mistakes(pilot))

        assert early == {}
        assert said == {"optimizer.lr": "! Adam: unknown name 'xy'; known names are epochs, steps_per_epoch"}


def test_the_pause_is_that_of_half_a_word() -> None:
    """300 ms."""
    from mnist_tui.tui.lab import layers_editor

    assert recipe.ERROR_SECONDS == layers_editor.ERROR_SECONDS == 0.3
