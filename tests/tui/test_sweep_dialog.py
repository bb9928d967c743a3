"""Several values in a field of the recipe: the advice, the dialog, and the sweep that it makes."""

from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import (
    CannedJobs,
    CannedRunner,
    field,
    lab,
    line_of,
    look,
    mistakes,
    notices,
    on_top,
    screen,
    until,
)
from textual.pilot import Pilot
from textual.widgets import Input

from mnist_tui.runs.queue import Queue
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.sweep import folder
from mnist_tui.sweep.cost import Cost
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.sweep_dialog import SweepDialog
from mnist_tui.tui.lab.varied import varied_fields

LR = "optimizer.lr"


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """No torch; a run takes 30 s and 1 MB, and two go at a time."""
    monkeypatch.setattr(CannedRunner, "train_queue", lambda self: None)
    monkeypatch.setattr(jobs, "sweep_cost", _cost)
    return CannedJobs(monkeypatch, tmp_path)


def _cost(plan: Any, options: Any) -> tuple[Cost, int]:
    return Cost(plan.runs, 30.0 * plan.runs, 1_000_000 * plan.runs), 2


# --- which texts are several values ---


@pytest.mark.parametrize(
    ("path", "text", "values"),
    [
        (LR, "0.05, 0.1", ("0.05", "0.1")),
        (LR, "0.05..0.2 step 0.05", ("0.05", "0.1", "0.15", "0.2")),
        ("batch_size", "32..256 log 4 values", ("32", "64", "128", "256")),
        ("epochs", "3,5", ("3", "5")),
        ("clip_grad_norm", "1, None", ("1", "None")),
        ("knobs.dropout", "0.1, 0.2", ("0.1", "0.2")),
        (LR, "0.1, 0.1", None),
        (LR, "0.1,", None),
        (LR, "0.1, x", None),
        (LR, "0.001..0.1 log", None),
        (LR, "0.2..0.1 step 0.05", None),
        (LR, "0.1", None),
        ("epochs", "3, 4.5", None),
        ("seed", "1, 2", None),
        ("optimizer.betas", "(0.9, 0.99)", None),
        ("optimizer.betas", "0.9, 0.99", None),
        ("normalize", "0.1, 0.3", None),
        ("augment", "RandomRotation(5), RandomErasing()", None),
        ("augment", "RandomRotation(5), x", None),
        ("target.parameters", "8000, 9000", None),
    ],
)
def test_what_counts_as_several_values(path: str, text: str, values: tuple[str, ...] | None) -> None:
    """Only a text that is wrong as one value, and whose parts are each right."""
    found = varied_fields(Draft(presets.load("era5")).with_text(path, text))

    assert dict(found.values) == ({} if values is None else {path: values})


def test_several_fields_beside_a_mistake() -> None:
    """Each counts; the design that they vary keeps the mistake."""
    draft = Draft(presets.load("iter5")).with_text("epochs", "3,5").with_text(LR, "0.1,0.2").with_text("patience", "x")
    found = varied_fields(draft)

    assert dict(found.values) == {"epochs": ("3", "5"), LR: ("0.1", "0.2")}
    assert (found.base.text_of("epochs"), found.base.text_of(LR)) == ("3", "0.1")
    assert set(found.base.result.errors) == {"patience"}


# --- the form and the dialog ---


async def shown_field(pilot: Pilot[Any], path: str) -> Input:
    """A field of the form, once it is there."""
    await until(pilot, lambda: any(line.field.path == path for line in screen(pilot).query("FieldLine")))  # type: ignore[attr-defined]
    return field(pilot, path)


async def type_values(pilot: Pilot[Any], text: str, path: str = LR) -> None:
    """Types a text into a field and presses Enter at once."""
    (await shown_field(pilot, path)).focus()
    await pilot.pause()
    await pilot.press(*text, "enter")


async def dialog(pilot: Pilot[Any]) -> SweepDialog:
    """The dialog, once the plan and its cost are known."""
    await until(pilot, lambda: isinstance(pilot.app.screen, SweepDialog))
    top = pilot.app.screen
    assert isinstance(top, SweepDialog)
    await until(pilot, lambda: top._cost is not None)
    return top


async def test_several_values_offer_a_sweep() -> None:
    """In the place of the error, which comes back with a value that is wrong."""
    async with lab() as pilot:
        (await shown_field(pilot, LR)).value = "0.05, 0.1, 0.2"
        await until(pilot, lambda: mistakes(pilot) == {LR: "3 values: Enter makes a sweep"})
        assert not line_of(pilot, LR).has_class("-wrong")
        field(pilot, LR).value = "0.05, x"
        await until(pilot, lambda: "! cannot read '0.05, x'" in mistakes(pilot)[LR])

        assert line_of(pilot, LR).has_class("-wrong")


async def test_several_values_are_no_error() -> None:
    """The headline is that of the first values, and says how many there are; t says what to do."""
    async with lab() as pilot:
        (await shown_field(pilot, LR)).value = "0.05, 0.1, 0.2"
        (await shown_field(pilot, "epochs")).value = "3, 5"
        await until(pilot, lambda: "first of 6 configurations" in look(pilot).splitlines()[0])
        assert "error" not in look(pilot).splitlines()[0]
        assert "18,422 params" in look(pilot).splitlines()[0]
        await pilot.press("f9")
        await pilot.pause()
        refused = " ".join(notices(pilot))
        field(pilot, "patience").value = "x"
        await until(pilot, lambda: "! 1 error " in look(pilot).splitlines()[0])

    assert refused == f"several values in {LR}, epochs: Enter there makes a sweep of them"


async def test_enter_makes_a_sweep_that_is_queued() -> None:
    """Typed as fast as can be: what is varied, how many runs, time, disk, and what they are chosen by."""
    async with lab(run_texts={"dataset": "digits"}) as pilot:
        await type_values(pilot, "0.05, 0.1")
        await dialog(pilot)
        await pilot.press("3")
        await until(pilot, lambda: "6 runs" in on_top(pilot, "#sweep-cost"))
        assert on_top(pilot, "#sweep-cost") == (
            "2 configurations (grid) with 3 seeds: 6 runs, about 1 min 30 s with 2 at a time, about 6 MB on disk"
        )
        assert "validation images, split off the training images" in on_top(pilot, "#sweep-chosen")
        assert "optimizer.lr: 0.05, 0.1" in look(pilot)
        await pilot.press("down", *"mine", "enter")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))
        sweep = folder.load(Path("runs"), "mine")

        assert sweep.plan.vary == {LR: ("0.05", "0.1")}
        assert (sweep.plan.seeds, sweep.plan.dataset, sweep.plan.base.train.validation_images) == (3, "digits", 10_000)
        assert [entry.sweep for entry in Queue(Path("runs")).entries()] == ["mine"]
        await until(pilot, lambda: field(pilot, LR).value == "0.05" and not mistakes(pilot))


async def test_what_is_wrong_in_the_dialog() -> None:
    """Seeds and names are refused in it, and nothing is made; escape leaves it."""
    async with lab() as pilot:
        await type_values(pilot, "3, 5", "epochs")
        top = await dialog(pilot)
        for seeds in ("0", "x", "1001"):
            top.query_one("#sweep-seeds", Input).value = seeds
            await until(pilot, lambda: "! seeds: a whole number from 1 to 1,000" in look(pilot))
            await pilot.press("enter")
        top.query_one("#sweep-seeds", Input).value = "1"
        top.query_one("#sweep-name", Input).value = "../x"
        await pilot.press("enter")
        await until(pilot, lambda: "letters, digits" in on_top(pilot, "#dialog-error"))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))

        assert not Path("runs").exists()


async def test_beside_a_mistake_it_must_be_corrected_first() -> None:
    """A sweep needs a design that is right."""
    async with lab() as pilot:
        (await shown_field(pilot, "patience")).value = "x"
        await type_values(pilot, "3, 5", "epochs")
        await until(pilot, lambda: len(pilot.app._notifications))

        assert [note.message for note in pilot.app._notifications] == ["correct what is marked with ! first"]
        assert pilot.app.screen is screen(pilot)


async def test_values_that_do_not_fit_together_are_named() -> None:
    """All configurations are checked when the dialog is open."""
    async with lab("era5") as pilot:
        await type_values(pilot, "0.1, 0.2, 0.3, 2, 0.4", "knobs.dropout")
        await until(pilot, lambda: isinstance(pilot.app.screen, SweepDialog))
        await until(pilot, lambda: "dropout 2" in on_top(pilot, "#dialog-error"))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_the_dialog_fits(size: tuple[int, int]) -> None:
    """Its buttons too, at any usual size."""
    async with lab(size=size) as pilot:
        await pilot.press("f4")
        await type_values(pilot, "3, 5", "epochs")
        await dialog(pilot)
        text = look(pilot)

        assert all(words in text for words in ("New sweep", "seeds of each", "2 runs, about 30 s", "Train", "Cancel"))
