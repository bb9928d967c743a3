"""Reference runs in the dashboard: behind a key in Runs, in Compare, and as the curve to beat in the laboratory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import STARTED, CannedJobs, CannedRunner, lab, notices, row, screen, tell, until
from helpers.saved_runs import make_reference, make_run
from textual.pilot import Pilot
from textual.widgets import Static

from mnist_tui.runs import annotations
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.compare.screen import CompareScreen
from mnist_tui.tui.dialogs import ConfirmDialog
from mnist_tui.tui.lab import jobs
from mnist_tui.tui.lab.design_panes import DesignPanes
from mnist_tui.tui.lab.picker import PresetPicker
from mnist_tui.tui.request import LabRequest
from mnist_tui.tui.runs.run_screen import RunScreen
from mnist_tui.tui.runs.screen import RunsScreen
from mnist_tui.tui.runs.table import RunTable
from mnist_tui.tui.status import Headline


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """No torch, and a folder of its own."""
    return CannedJobs(monkeypatch, tmp_path)


# --- Runs ---


@asynccontextmanager
async def runs_mode() -> AsyncIterator[Pilot[Any]]:
    """Runs over one run of the user's, which is newer than every reference run."""
    make_run(Path("runs"), presets.load("iter5"), 0, 0.99, 59)
    app = LabApp(LabRequest(draft=Draft(presets.load("iter5"))), CannedRunner())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen._is_read)
        yield pilot


def ids(pilot: Pilot[Any]) -> list[str]:
    """The runs of the table."""
    return [run.id for group in pilot.app.screen.query_one(RunTable).rows for run in group]


def headline(pilot: Pilot[Any]) -> str:
    """The first line of the screen."""
    return str(pilot.app.screen.query_one(Headline).content)


async def show(pilot: Pilot[Any], count: int) -> None:
    """Presses the key, and waits until so many rows are shown."""
    await pilot.press("R")
    await until(pilot, lambda: len(pilot.app.screen.query_one(RunTable).rows) == count)


async def test_a_key_shows_them_and_hides_them_again(reference_dir: Path) -> None:
    """The headline says how many; seeds are grouped apart from one's own."""
    for seed in range(2):
        make_reference(reference_dir, presets.load("iter5"), seed, 0.992, seed)
    async with runs_mode() as pilot:
        own = ids(pilot)
        await show(pilot, 3)
        assert ids(pilot) == [*own, "reference/iter5-s1", "reference/iter5-s0"]
        assert "2 reference" in headline(pilot)
        await pilot.press("m")
        assert [len(group) for group in pilot.app.screen.query_one(RunTable).rows] == [1, 2]
        await pilot.press("m")
        await show(pilot, 1)
        assert ids(pilot) == own
        assert "reference" not in headline(pilot)


async def test_the_run_under_the_cursor_stays_in_sight(reference_dir: Path) -> None:
    """The table grows for newer runs that come before it."""
    for seed in range(40):
        make_reference(reference_dir, presets.load("iter5"), seed, 0.992, 60 + seed)
    async with runs_mode() as pilot:
        await show(pilot, 41)
        await pilot.pause()
        table = pilot.app.screen.query_one(RunTable)

        assert table.cursor == 40
        assert table.scroll_offset.y <= table.cursor < table.scroll_offset.y + table.size.height - 1


async def test_without_any_the_key_changes_nothing() -> None:
    """Where they were left out of the installation."""
    async with runs_mode() as pilot:
        await pilot.press("R")
        await until(pilot, lambda: "0 reference" in headline(pilot))

        assert len(ids(pilot)) == 1


async def test_they_are_opened_marked_and_compared(reference_dir: Path) -> None:
    """As other runs; the mark stays when they are hidden."""
    make_reference(reference_dir, presets.load("iter4"), 0, 0.992)
    async with runs_mode() as pilot:
        await show(pilot, 2)
        await pilot.press("G", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await pilot.press("g", "space", "space")
        await show(pilot, 1)
        assert "2 marked" in headline(pilot)
        await pilot.press("3")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        text = pilot.app.screen.query_one("#compare-text", Static)
        await until(pilot, lambda: "iter4 s0 (reference)" in str(text.content))


@pytest.mark.parametrize(
    ("key", "action", "reason"),
    [
        ("D", "delete", "reference runs are read-only"),
        ("number_sign", "tags", "reference runs are read-only"),
        ("n", "notes", "reference runs are read-only"),
        ("x", "extend", "reference runs have no weights"),
        ("r", "resume", "reference runs have no weights"),
    ],
)
async def test_they_are_never_changed(key: str, action: str, reason: str, reference_dir: Path) -> None:
    """No dialog, one sentence with the reason, and every byte stays; the key bar does not offer it."""
    make_reference(reference_dir, presets.load("iter4"), 0, 0.992)
    before = {path: path.read_bytes() for path in reference_dir.rglob("*") if path.is_file()}
    async with runs_mode() as pilot:
        await show(pilot, 2)
        await pilot.press("G", key)
        await pilot.pause()

        assert isinstance(pilot.app.screen, RunsScreen)
        assert reason in notices(pilot)[-1]
        assert not pilot.app.screen.is_useful(action)
        assert {path: path.read_bytes() for path in reference_dir.rglob("*") if path.is_file()} == before


async def test_control_a_run_of_the_users_is_changed_beside_them(reference_dir: Path) -> None:
    """The same keys on the row above."""
    make_reference(reference_dir, presets.load("iter4"), 0, 0.992)
    async with runs_mode() as pilot:
        await show(pilot, 2)
        await pilot.press("g")
        assert isinstance(pilot.app.screen, RunsScreen)
        assert all(map(pilot.app.screen.is_useful, ("delete", "tags", "notes", "extend")))
        await pilot.press("number_sign")
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: annotations.read_tags(next(Path("runs").glob("2*"))) == ("mine",))
        await pilot.press("D")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))


# --- the laboratory ---


def labels(pilot: Pilot[Any]) -> list[str]:
    """The curves of the accuracy chart, as its legend names them."""
    return [line.label for line in screen(pilot).view.picture("accuracy", 0.0).lines]


async def test_the_reference_run_of_the_preset_is_the_curve_to_beat(reference_dir: Path) -> None:
    """That of the preset's own seed, before anything is trained and behind a run; another preset brings its own."""
    for seed in (1, 0):
        make_reference(reference_dir, presets.load("iter5"), seed, 0.99 + 0.001 * seed)
    async with lab() as pilot:
        await until(pilot, lambda: screen(pilot).view.reference is not None)
        curve = screen(pilot).view.picture("accuracy", 0.0).lines[0]
        assert (curve.label, curve.role) == ("reference", "pinned")
        assert curve.ys[-1] == pytest.approx(99.0)
        await tell(pilot, STARTED, row(1))
        assert labels(pilot)[0] == "reference"
        assert len(labels(pilot)) > 1

        pilot.app.query_one(PresetPicker).post_message(PresetPicker.Picked(presets.builtin_folder() / "v2.toml"))
        await until(pilot, lambda: screen(pilot).view.reference is None)
        assert "reference" not in labels(pilot)


async def test_a_pinned_run_goes_before_it(reference_dir: Path) -> None:
    """And who removes the pin is not shown it again."""
    make_reference(reference_dir, presets.load("iter5"))
    make_run(Path("runs"), presets.load("iter4"), 7)
    async with lab() as pilot:
        await until(pilot, lambda: screen(pilot).view.reference is not None)
        view = screen(pilot).view
        view.pin(jobs.saved_run_curves(next(Path("runs").glob("*iter4*"))))
        assert labels(pilot) == ["iter4 s7"]
        view._read_pin(Path("runs"), "")
        assert labels(pilot) == []


async def test_it_is_not_drawn_behind_a_run_on_other_images(reference_dir: Path) -> None:
    """Accuracies on the small digits do not compare with MNIST's."""
    make_reference(reference_dir, presets.load("iter5"))
    async with lab() as pilot:
        await until(pilot, lambda: screen(pilot).view.reference is not None)
        await tell(pilot, replace(STARTED, dataset="digits"), row(1))

        assert "reference" not in labels(pilot)


async def test_it_is_not_drawn_for_a_design_on_other_images(reference_dir: Path) -> None:
    """As soon as another data set is chosen; with the preset's own it is there again."""
    make_reference(reference_dir, presets.load("iter5"))
    async with lab() as pilot:
        await until(pilot, lambda: screen(pilot).view.reference is not None)
        await choose_data(pilot, "fashion-mnist")
        await until(pilot, lambda: screen(pilot).view.reference is None)
        await choose_data(pilot, "mnist")
        await until(pilot, lambda: screen(pilot).view.reference is not None)


async def choose_data(pilot: Pilot[Any], dataset: str) -> None:
    """Chooses a data set for the design."""
    screen(pilot).design.record_run_text("dataset", dataset)
    screen(pilot).post_message(DesignPanes.Changed())
    await pilot.pause()


async def test_a_changed_preset_of_the_same_name_has_none(reference_dir: Path) -> None:
    """Its run would be of another recipe; a change of the design keeps it, since that is what is to be beaten."""
    make_reference(reference_dir, presets.load("iter5"))

    assert jobs.reference_curves(presets.load("iter5")) is not None
    assert jobs.reference_curves(presets.load("iter5").with_settings({"optimizer.lr": "0.5"})) is None
    async with lab() as pilot:
        await until(pilot, lambda: screen(pilot).view.reference is not None)
        screen(pilot).use_settings(presets.load("iter5").with_settings({"optimizer.lr": "0.5"}))
        await pilot.pause(0.1)
        assert labels(pilot) == ["reference"]
