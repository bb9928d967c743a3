"""The current run, the design beside it and saved runs are distinguished: titles, budgets, banner, zoom."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.canned_lab import can_jobs, ended, lab, shown, with_epochs
from helpers.lab_pilot import STARTED, look, row, runner, screen, tell, until
from helpers.saved_runs import make_run
from textual.pilot import Pilot
from textual.widgets import Static

from mnist_tui.runs.events import Progress
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.tui.charts.chart import SHARE, Chart
from mnist_tui.tui.charts.zoom import CursorPlot, Readout, ZoomScreen
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.budget import BudgetCard
from mnist_tui.tui.lab.field_line import FieldChanged
from mnist_tui.tui.lab.panes import Pane
from mnist_tui.tui.lab.run_card import RunCard
from mnist_tui.tui.lab.titles import NOT_MNIST
from mnist_tui.tui.messages import OpenRun
from mnist_tui.tui.runner import Idle, Refused
from mnist_tui.tui.runs.run_screen import RunScreen
from mnist_tui.tui.status import Headline, StatusLine

DIGITS: dict[str, Any] = {"dataset": "digits", "train_images": 1_437, "test_images": 360}


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    can_jobs(monkeypatch, tmp_path)


def title(pilot: Pilot[Any]) -> str:
    """What the training pane says that it shows."""
    return screen(pilot).query_one("#training", Pane).title


# --- another network than the design ---


async def test_a_run_beside_another_design() -> None:
    """The pane names what it trains and judges it by its own target; design and headline say that they differ."""
    async with lab("v1", size=(160, 44)) as pilot:
        design = shown(pilot, BudgetCard)
        await tell(pilot, STARTED, row(1), row(2, 0.9951))
        await until(pilot, lambda: "(not this design)" in title(pilot))

        assert title(pilot) == "Train: iter5 s0 (not this design), 18,422 params, mnist"
        assert title(pilot) in look(pilot)
        assert shown(pilot, RunCard) == "✓ params 18,422  ✓ best 99.51/99.40%"
        assert shown(pilot, BudgetCard) == design
        assert f"{presets.load('v1').parameters:,}" in design
        assert "training iter5, not this design" in shown(pilot, Headline)


async def test_the_same_design_is_not_called_another() -> None:
    """Another seed is none; a change makes it one, and taking it back no longer."""
    async with lab("iter5") as pilot:
        await tell(pilot, replace(STARTED, seed=3), row(1))
        await until(pilot, lambda: screen(pilot).view.spec)
        same = title(pilot)
        screen(pilot).panes.post_message(FieldChanged("epochs", "7"))
        await until(pilot, lambda: "(not this design)" in title(pilot))
        await pilot.press("escape", "ctrl+z")
        await until(pilot, lambda: "(not this design)" not in title(pilot))

        assert same == "Train: iter5 s3, 18,422 params, mnist"


async def test_epochs_are_counted_by_the_plan_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was extended to 30 epochs, beside a design with 20."""
    long = presets.load("exp01").with_settings({"epochs": "30"})
    monkeypatch.setattr(jobs, "run_spec", lambda folder: long)
    async with lab("v1", size=(160, 44)) as pilot:
        started = with_epochs(30, name="exp01", epochs_done=20)
        rows = [row(epoch) for epoch in range(1, 23)]
        await tell(pilot, started, *rows, Progress(23, 9, 938, 0.1, 0.002, 9_000.0))
        await until(pilot, lambda: "epochs 22/30" in shown(pilot, RunCard))
        screen(pilot).lines.show_progress()
        await pilot.pause()

        assert "epoch 23/30" in shown(pilot, StatusLine)
        assert "/20" not in look(pilot)


async def test_a_title_says_no_run_that_is_no_longer_in_sight() -> None:
    """Between a start and its first event; and where the start is refused."""
    async with lab() as pilot:
        await tell(pilot, STARTED, row(1))
        first = title(pilot)
        await pilot.press("escape", "t")
        await until(pilot, lambda: runner(pilot).trained)
        starting = title(pilot)
        await tell(pilot, Refused("no such device"))

        assert first.startswith("Train: iter5")
        assert starting == title(pilot) == "Train"


# --- not MNIST ---


def banner(pilot: Pilot[Any]) -> str:
    """What warns below the headline, where it is shown."""
    widget = screen(pilot).query_one("#banner", Static)
    return str(widget.visual) if widget.display else ""


async def choose_data(pilot: Pilot[Any], name: str) -> None:
    """Another data set in the form."""
    screen(pilot).panes.post_message(FieldChanged("dataset", name))
    await until(
        pilot, lambda: screen(pilot).design.run_texts["dataset"] == name and screen(pilot).panes._draft_timer is None
    )


async def ends(pilot: Pilot[Any]) -> None:
    """The run in sight is over."""
    runner(pilot).busy = False
    await tell(pilot, Idle())


async def test_a_design_on_digits_is_not_mnist() -> None:
    """As long as digits are chosen, whatever is done meanwhile."""
    async with lab(size=(80, 24)) as pilot:
        before = banner(pilot)
        await choose_data(pilot, "digits")
        await until(pilot, lambda: banner(pilot))
        for key in ("f4", "escape", "u", "question_mark", "escape"):
            await pilot.press(key)
        await pilot.pause(0.1)
        line = look(pilot).splitlines()[1]
        await choose_data(pilot, "mnist")
        await until(pilot, lambda: not banner(pilot))

        assert before == ""
        assert line.strip() == NOT_MNIST


async def test_digits_instead_of_mnist_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where MNIST cannot be had, from the first moment on."""
    sample_augmented = jobs.sample_augmented
    digits = Options(dataset="digits")
    monkeypatch.setattr(
        jobs,
        "sample_augmented",
        lambda spec, options, draw, is_training: sample_augmented(spec, digits, draw, is_training),
    )
    async with lab() as pilot:
        await until(pilot, lambda: banner(pilot) == NOT_MNIST)


async def test_a_run_on_digits_is_not_mnist() -> None:
    """The banner and the title stay through its end, until a run on MNIST is in sight."""
    async with lab() as pilot:
        runner(pilot).busy = True
        await tell(pilot, replace(STARTED, **DIGITS), row(1))
        meanwhile = banner(pilot), title(pilot)
        await ends(pilot)
        afterwards = banner(pilot)
        await tell(pilot, replace(STARTED, run="r2"), row(1))

        assert meanwhile == (NOT_MNIST, "Train: iter5 s0, 18,422 params, small digits, not MNIST")
        assert afterwards == NOT_MNIST
        assert banner(pilot) == ""
        assert title(pilot).endswith(", mnist")


async def test_a_run_on_mnist_beside_a_design_on_digits() -> None:
    """While it is trained its accuracies are of MNIST; after it digits would be trained."""
    async with lab() as pilot:
        runner(pilot).busy = True
        await tell(pilot, STARTED, row(1))
        await choose_data(pilot, "digits")
        await pilot.pause(0.1)
        meanwhile = banner(pilot)
        await ends(pilot)
        await until(pilot, lambda: banner(pilot) == NOT_MNIST)

        assert meanwhile == ""


async def open_run(pilot: Pilot[Any], **record: Any) -> RunScreen:
    """Opens a saved run of iter4 on top of the lab, once its curves are drawn."""
    folder = make_run(Path("runs"), presets.load("iter4"), **record)
    screen(pilot).post_message(OpenRun(folder))
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
    run_screen = pilot.app.screen
    assert isinstance(run_screen, RunScreen)
    await until(pilot, lambda: run_screen._curves.has_epochs)
    return run_screen


async def test_a_saved_run_on_digits_says_so() -> None:
    """In the line above its views."""
    digits = {"name": "digits", "sha256": "1" * 64, "test_images": 360}
    async with lab() as pilot:
        await open_run(pilot, dataset=digits)
        line = look(pilot).splitlines()[0]

    assert "digits, not MNIST" in line


# --- the zoom of a saved run ---


def zoom(pilot: Pilot[Any]) -> ZoomScreen:
    """The zoom on top."""
    zoom_screen = pilot.app.screen
    assert isinstance(zoom_screen, ZoomScreen)
    return zoom_screen


def zoomed(pilot: Pilot[Any]) -> tuple[str, list[tuple[str, int]]]:
    """What the zoom reads at its cursor, and its lines with their numbers of points."""
    lines = zoom(pilot).query_one(CursorPlot).picture.lines
    return str(zoom(pilot).query_one(Readout).visual), [(line.label, len(line.xs)) for line in lines]


async def test_a_click_on_a_curve_of_a_saved_run() -> None:
    """Opens it on the whole screen, with a cursor that moves; Escape goes back to the run, which is still updated."""
    async with lab() as pilot:
        opened = await open_run(pilot)
        await pilot.click("#run-loss", offset=(20, 4))
        await until(pilot, lambda: isinstance(pilot.app.screen, ZoomScreen))
        at_last = zoomed(pilot)[0]
        await pilot.press("left", "plus", "n")
        at_one_before = zoomed(pilot)[0]
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is opened)

        assert at_last.startswith(" epoch 20 ")
        assert at_one_before.startswith(" epoch 19 ")
        assert pilot.app.return_code is None


async def test_a_live_run_is_not_drawn_into_the_zoom_of_a_saved_one() -> None:
    """Whatever it tells, also where its own curves were on the whole screen before."""
    async with lab() as pilot:
        runner(pilot).busy = True
        await tell(pilot, STARTED, row(1), row(2))
        await pilot.press("escape", "z")
        await until(pilot, lambda: isinstance(pilot.app.screen, ZoomScreen))
        await pilot.press("escape")
        await open_run(pilot)
        await pilot.press("z")
        await until(pilot, lambda: isinstance(pilot.app.screen, ZoomScreen))
        before = zoomed(pilot)
        await tell(pilot, row(3, 0.5), Progress(4, 9, 938, 0.1, 0.002, 9_000.0), row(4, 0.5))
        screen(pilot).lines.show_progress()
        await pilot.pause(0.1)

        assert zoomed(pilot) == before
        assert ("test", 20) in before[1]
        assert "-iter4-s0-" in look(pilot).splitlines()[0]
        assert len(screen(pilot).view.rows) == 4


async def test_a_live_run_is_updated_in_its_own_zoom() -> None:
    """The control: there, what is told is drawn."""
    async with lab() as pilot:
        runner(pilot).busy = True
        await tell(pilot, STARTED, row(1), row(2))
        await pilot.press("escape", "z")
        await until(pilot, lambda: isinstance(pilot.app.screen, ZoomScreen))
        before = zoomed(pilot)[1]
        await tell(pilot, row(3))
        await until(pilot, lambda: zoomed(pilot)[1] != before)

        assert "iter5 s0" in look(pilot).splitlines()[0]


async def test_a_flood_of_epochs_is_drawn_seldom() -> None:
    """A network that ends many epochs a second does not hold the screen; the last of them are drawn at the end."""
    async with lab() as pilot:
        await tell(pilot, with_epochs(300), row(1))
        chart = screen(pilot).query_one("#chart-accuracy", Chart)
        chart._plot.cost, chart._drawn_at = 60 * SHARE, time.monotonic() + 60
        await tell(pilot, *(row(epoch) for epoch in range(2, 101)))
        while_waiting = chart._plot.picture.lines[0].xs[-1]
        await tell(pilot, ended("completed", *(row(epoch) for epoch in range(1, 101))))

        assert while_waiting == 1
        assert chart._plot.picture.lines[0].xs[-1] == 100
