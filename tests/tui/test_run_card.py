"""The card in the training pane: how the run in sight stands, how it ended, and what can be done with it then."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.canned_lab import can_jobs, ended, lab, shown
from helpers.lab_pilot import STARTED, row, runner, screen, tell, until
from helpers.saved_runs import make_run
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from mnist_tui.analysis.coach.evidence import Advice
from mnist_tui.runs.events import Event, Outcome, Progress
from mnist_tui.runs.verdict import after_training
from mnist_tui.spec import presets
from mnist_tui.tui.charts.plot import Plot
from mnist_tui.tui.charts.run_curves import RunCurves
from mnist_tui.tui.dialogs import MessageDialog
from mnist_tui.tui.key_bar import KeyBar
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.budget import budget_lines, budget_text
from mnist_tui.tui.lab.run_card import RunCard
from mnist_tui.tui.runs.run_screen import RunScreen

RESUMABLE: dict[Outcome, bool] = {"completed": False, "diverged": False, "failed": True, "stopped": True}
ROWS = (row(1, 0.97), row(2, 0.9951), row(3, 0.99))


class Alone(App[None]):
    """A card alone on the screen."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self.card = RunCard(ascii_only)

    def compose(self) -> ComposeResult:
        yield self.card


async def said(
    *events: Event,
    seeds: str = "",
    advice: Sequence[Advice] = (),
    width: int = 100,
    ascii_only: bool = False,
    most: int = 20,
) -> list[str]:
    """The lines of the card about a run of iter5; empty while it is hidden."""
    track = RunCurves()
    for event in events:
        track.add(event)
    app = Alone(ascii_only)
    app.card.max_lines = most
    async with app.run_test(size=(width, 60)) as pilot:
        app.card.show(track, presets.load("iter5"), seeds, advice)
        await pilot.pause()  # It gets its width,
        await pilot.pause()  # and cuts its lines to it.
        lines = str(app.card.visual).splitlines() if app.card.display else []
        assert app.card.size.height == len(lines)
        return lines


# --- what it says ---


async def test_one_line_while_it_trains() -> None:
    """How each part of the target stands; nothing before there is a run."""
    assert await said() == []
    assert await said(STARTED, row(1, 0.97)) == ["✓ params 18,422  … best 97.00/99.40%"]
    assert await said(STARTED, *ROWS) == ["✓ params 18,422  ✓ best 99.51/99.40%"]


async def test_how_it_ended() -> None:
    """Time, best and last epoch, the verdict part by part, the seeds, the folder, and where the keys are."""
    assert await said(STARTED, *ROWS, ended("completed", *ROWS), seeds="3 seeds: mean best 99.40%") == [
        "completed after 2 min 05 s",
        "best 99.51% in epoch 2, chosen on the test set",
        "last 99.00% in epoch 3",
        "✓ params 18,422  ✓ best 99.51/99.40%",
        "3 seeds: mean best 99.40%",
        "runs/r1",
        "F6, Enter opens the run; t begins a new run",
    ]


async def test_what_is_open_at_the_end_is_missed() -> None:
    """A part of the target that was not reached; nothing is judged on other data."""
    rows = row(1, 0.97), ended("completed", row(1, 0.97))

    assert "✓ params 18,422  ✗ best 97.00/99.40%" in await said(STARTED, *rows)
    assert "✓ params 18,422  … best 97.00/99.40%" in await said(replace(STARTED, dataset="digits"), *rows)


async def test_too_few_epochs_at_the_end_are_missed() -> None:
    """A target on the last epochs of a run that ended before it had so many, as the saved verdict has it."""
    spec = presets.load("iter5")
    spec = spec.model_copy(update={"target": spec.target.model_copy(update={"last_epochs": 5})})
    lines = budget_lines(spec, [row(1, 0.999)], is_judged=True)

    assert after_training(spec, [row(1, 0.999)], True) == {"parameters": True, "test_accuracy": False}
    assert "… last 5 99.90/99.40%" in budget_text(lines, has_ended=False, ascii_only=False).plain
    assert "✗ last 5 99.90/99.40%" in budget_text(lines, has_ended=True, ascii_only=False).plain


async def test_a_run_that_was_stopped() -> None:
    """The card has the reason, and the keys `r` (resume) and `t` (train anew)."""
    lines = await said(STARTED, *ROWS, ended("stopped", *ROWS, message="stopped in epoch 4 [/]"))

    assert lines[:2] == ["stopped after 2 min 05 s", "stopped in epoch 4 [/]"]
    assert lines[-1] == "F6, Enter opens the run, r resumes it; t begins a new run"


async def test_a_run_that_was_stopped_before_its_first_epoch() -> None:
    """There is no best epoch to tell, and no verdict that could be missed."""
    lines = await said(STARTED, Progress(1, 9, 938, 2.0, 0.002, 9e3), ended("stopped", message="stopped"))

    assert not any(line.startswith(("best", "last")) for line in lines)
    assert "✗" not in "\n".join(lines)


@pytest.mark.parametrize("width", [1, 12, 40, 42])
async def test_no_line_is_wider_than_its_pane(width: int) -> None:
    """However long the message and the folder are; every cell is used."""
    started = replace(STARTED, folder="runs/" + "long/" * 60)
    lines = await said(started, *ROWS, ended("stopped", *ROWS, message="測" * 200), width=width + 2)

    assert all(cell_len(line) <= width for line in lines)
    assert max(cell_len(line) for line in lines) == width, lines


async def test_the_first_advice_in_two_lines() -> None:
    """With the key that shows all of it; cut where it is longer."""
    advice = [Advice("plateau", "The test loss is flat since epoch 9.", "Divide the rate by ten. " * 9, None)] * 2
    lines = await said(STARTED, *ROWS, ended("completed", *ROWS), advice=advice, width=62)
    ascii_lines = await said(STARTED, *ROWS, ended("completed", *ROWS), advice=advice, width=62, ascii_only=True)

    assert lines[4:6] == [
        "advice 1 of 2, key a: The test loss is flat since epoch 9.",
        "Divide the rate by ten. Divide the rate by ten. Divide the …",
    ]
    assert ascii_lines[5].endswith(" ~")
    assert len(lines) == 8


async def test_a_sentence_that_is_cut_ends_in_a_mark() -> None:
    """Where only a part of a sentence has room."""
    lines = await said(STARTED, *ROWS, ended("completed", *ROWS), width=38, most=5)

    assert len(lines) == 5
    assert lines[-1] == "F6, Enter opens the run; t begins a…"


async def test_in_ascii() -> None:
    """In ASCII mode met and missed targets have ASCII signs."""
    lines = await said(STARTED, *ROWS, ended("completed", *ROWS), width=30, ascii_only=True)

    assert "+ params 18,422  + best 99.5" in lines
    assert "\n".join(lines).isascii()


# --- in the laboratory ---


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    can_jobs(monkeypatch, tmp_path)


def card(pilot: Pilot[Any]) -> list[str]:
    """The lines of the card, none where it is not shown."""
    return shown(pilot, RunCard).splitlines() if screen(pilot).query_one(RunCard).display else []


async def finished(pilot: Pilot[Any], outcome: Outcome = "completed", run: str = "r1") -> None:
    """A run of three epochs that ended."""
    await tell(pilot, replace(STARTED, run=run), *ROWS, ended(outcome, *ROWS))
    await until(pilot, lambda: card(pilot) and card(pilot)[0].startswith(outcome))


@pytest.mark.usefixtures("canned")
async def test_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean and interval over the runs of this action that are completed, once the last of them is."""
    told: list[list[float]] = []

    def sentence(accuracies: list[float]) -> str:
        told.append(accuracies)
        return f"{len(accuracies)} seeds: mean best, 95% interval"

    monkeypatch.setattr(jobs, "seeds_sentence", sentence)
    async with lab() as pilot:
        screen(pilot).view.begin_group(2)
        await finished(pilot)
        first = card(pilot)
        second = replace(STARTED, run="r2", folder="runs/r2", seed=1)
        await tell(pilot, second, row(1, 0.98), ended("completed", row(1, 0.98)))
        await until(pilot, lambda: "2 seeds: mean best, 95% interval" in card(pilot))

        assert "seeds" not in "\n".join(first)
        assert told == [[0.9951, 0.98]]


@pytest.mark.usefixtures("canned")
async def test_a_late_mean_belongs_to_its_own_seeds() -> None:
    """Somebody who trains on at once does not see it on the card of the next run."""
    async with lab() as pilot:
        view = screen(pilot).view
        view.begin_group(2)
        await finished(pilot)
        accuracies = view.best_accuracies()
        view.begin_group(1)
        screen(pilot).view._show_seeds(accuracies, "2 seeds: mean best", None)
        await tell(pilot, replace(STARTED, run="r3"), row(1), ended("completed", row(1)))

        assert "seeds" not in "\n".join(card(pilot))


async def focus_on_card(pilot: Pilot[Any]) -> None:
    """Goes to the card by the keys that it names."""
    await pilot.press("f6")
    for _ in range(5):
        if isinstance(pilot.app.focused, RunCard):
            return
        await pilot.press("tab")
    raise AssertionError("no key leads there")


def has_resume_key(pilot: Pilot[Any]) -> bool:
    """Whether the line of keys offers to resume."""
    return " r Resume " in pilot.app.screen.query_one(KeyBar).render().plain


async def until_resume_key(pilot: Pilot[Any], is_offered: bool) -> None:
    """Waits until the line of keys offers to resume, or no longer does."""
    await until(pilot, lambda: has_resume_key(pilot) is is_offered)


@pytest.mark.usefixtures("canned")
async def test_enter_opens_the_run() -> None:
    """Enter opens the run from its folder; Escape comes back to the lab."""
    folder = make_run(Path("runs"), presets.load("iter5"))
    async with lab() as pilot:
        runner(pilot).folder = folder
        await finished(pilot)
        await focus_on_card(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        opened = pilot.app.screen
        assert isinstance(opened, RunScreen)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen(pilot))

        assert opened.run.folder == folder


@pytest.mark.usefixtures("canned")
async def test_r_resumes_what_can_be_resumed() -> None:
    """`r` resumes runs that can be resumed and no others; the line of keys shows it."""
    async with lab() as pilot:
        runner(pilot).folder = Path("runs/r1")
        for outcome, can_resume in RESUMABLE.items():
            runner(pilot).resumed.clear()
            runner(pilot).busy = False
            await finished(pilot, outcome, run=outcome)
            if isinstance(pilot.app.screen, MessageDialog):
                await pilot.press("enter")
            await focus_on_card(pilot)
            await until_resume_key(pilot, can_resume)
            await pilot.press("r")
            await pilot.pause()

            assert runner(pilot).resumed == ([Path("runs/r1")] if can_resume else [])


@pytest.mark.usefixtures("canned")
async def test_t_begins_anew() -> None:
    """`t` begins a new run of the design, and the old card goes."""
    async with lab() as pilot:
        await finished(pilot, "stopped")
        await pilot.press("f6", "t")
        await until(pilot, lambda: runner(pilot).trained)

        assert card(pilot) == []
        assert runner(pilot).resumed == []


# --- little room ---


@pytest.mark.usefixtures("canned")
async def test_a_curve_stays_visible_beside_the_card() -> None:
    """At 80x24, below the banner of another data set: outcome, best epoch and target come first."""
    async with lab(size=(80, 24)) as pilot:
        await pilot.press("f6")
        digits = replace(STARTED, dataset="digits", train_images=1_437, test_images=360)
        await tell(pilot, digits, *ROWS, ended("completed", *ROWS))
        await until(pilot, lambda: card(pilot) and any("best 99.51/" in line for line in card(pilot)))
        await pilot.pause(0.1)
        plot = screen(pilot).query_one("#chart-accuracy Plot", Plot)

        assert screen(pilot).query_one("#banner").display
        assert [line.split()[0] for line in card(pilot)] == ["completed", "best", "the", "✓"]
        assert plot.drawing().frame() is not None
