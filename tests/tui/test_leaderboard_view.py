"""The leaderboard in Compare: what is drawn, what every key does, and how it looks."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.analyse_pilot import LOOKS, coloured, golden, settled
from helpers.lab_pilot import CannedJobs, CannedRunner, lab_request, look, until
from helpers.saved_runs import MNIST, make_run
from textual.pilot import Pilot
from textual.widgets import Static

from mnist_tui.analysis import markdown
from mnist_tui.analysis.comparison import MEASURES
from mnist_tui.analysis.leaderboard import Leaderboard
from mnist_tui.spec import presets
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.charts.plot import AXIS
from mnist_tui.tui.compare.front_plot import FrontPlot
from mnist_tui.tui.compare.leaderboard_view import LeaderboardView
from mnist_tui.tui.compare.screen import CompareScreen

RUNS = Path("runs")


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No torch, in a folder of the test's own."""
    CannedJobs(monkeypatch, tmp_path)


def make_recipes() -> None:
    """Recipes of many sizes, on the front and behind it, some with several seeds, and two that are not ranked."""
    seeds: dict[str, Sequence[float]] = {
        "step3": [0.9926],
        "step4": [0.9938, 0.9941, 0.9944],
        "era5": [0.9936, 0.9925],
        "iter5": [0.9936, 0.9938, 0.9939],
        "v3": [0.9945],
        "v2": [0.9953, 0.9955],
        "v1": [0.9890],
    }
    index = 0
    for name, accuracies in seeds.items():
        for seed, accuracy in enumerate(accuracies):
            make_run(RUNS, presets.load(name), seed, accuracy, index)
            index += 1
    make_run(RUNS, presets.load("exp05"), 0, 0.982, index, outcome="stopped", epochs=3)
    make_run(RUNS, presets.load("iter1"), 0, 0.999, index + 1, dataset={**MNIST, "name": "digits"})
    (make_run(RUNS, presets.load("iter2"), 0, 0.999, index + 2) / "end.json").unlink()


@asynccontextmanager
async def leaderboard(
    make: Callable[[], None] | None = make_recipes, size: tuple[int, int] = (120, 40), **changes: Any
) -> AsyncIterator[Pilot[Any]]:
    """The leaderboard, once the runs are ranked."""
    if make is not None:
        make()
    app = LabApp(lab_request(**changes), CannedRunner())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await pilot.press("tab")
        await settled(pilot, lambda: view(pilot).board is not None)
        yield pilot


def view(pilot: Pilot[Any]) -> LeaderboardView:
    """The view."""
    return pilot.app.screen.query_one(LeaderboardView)


def board(pilot: Pilot[Any]) -> Leaderboard:
    """What is shown."""
    shown = view(pilot).board
    assert shown is not None
    return shown


def selected(pilot: Pilot[Any]) -> str:
    """The recipe under the cursor."""
    entry = pilot.app.screen.query_one(FrontPlot).entry
    assert entry is not None
    return entry.arm.label


def words(pilot: Pilot[Any], selector: str) -> str:
    """What a part of the view says."""
    return str(pilot.app.screen.query_one(selector, Static).content)


async def test_the_cursor_goes_by_parameters() -> None:
    """It begins on the highest accuracy, and stops at both ends; the line above the plot says what is under it."""
    async with leaderboard() as pilot:
        first = selected(pilot)
        await pilot.press("left")
        second = selected(pilot)
        await pilot.press(*["h"] * 7)
        smallest = selected(pilot)
        line = words(pilot, "#board-legend").splitlines()[0]
        await pilot.press(*["right"] * 8)

        assert (first, second, smallest) == ("v2 ×2", "exp05 s0", "step3 s0")
        assert line == " step3 s0  6,270 params  99.26%  1 seed  front 4  below 8k  reaches 99%"
        assert selected(pilot) == "v1 s0"


async def test_the_table_follows_the_cursor() -> None:
    """The line of the recipe is emphasised, and scrolled to where it is out of sight."""
    async with leaderboard(size=(80, 24)) as pilot:
        assert "exp05 s0" not in look(pilot)
        await pilot.press("left")
        await settled(pilot, lambda: "exp05 s0   38,330" in look(pilot))
        content: Any = pilot.app.screen.query_one("#board-text", Static).content
        (span,) = [span for span in content.spans if "reverse" in str(span.style)]

        assert "exp05 s0" in content.plain[span.start : span.end]


async def test_a_click_selects_the_nearest() -> None:
    """In the plot, wherever its point is drawn; the axis selects nothing by mistake."""
    async with leaderboard() as pilot:
        plot = pilot.app.screen.query_one(FrontPlot)
        drawing = plot.drawing()
        frame = drawing.frame() if drawing else None
        assert frame is not None
        await pilot.click(FrontPlot, offset=(AXIS + frame.width - 2, 3))
        right = selected(pilot)
        await pilot.click(FrontPlot, offset=(AXIS, frame.height - 1))

        assert right == "v1 s0"
        assert selected(pilot) == "step3 s0"


async def test_published_figures_can_be_hidden() -> None:
    """Without them the plot has the runs alone, and the legend their signs."""
    async with leaderboard() as pilot:
        before = look(pilot)
        await pilot.press("p")
        await pilot.pause()
        hidden = look(pilot)
        await pilot.press("p")
        await pilot.pause()

        assert "○ published  □ published, other images" in before
        assert not set("○□▾") & set(hidden)
        assert "●" in hidden
        assert look(pilot) == before


async def test_the_measure_is_that_of_compare() -> None:
    """The best epoch, the last, the mean of the last, of which nothing is published; the cursor stays."""
    async with leaderboard() as pilot:
        await pilot.press("left", "left")
        chosen = selected(pilot)
        for measure, published in (("last", 34), ("mean", 0), ("best", 34)):
            await pilot.press("m")
            await until_ranked_by(pilot, measure)
            assert MEASURES[board(pilot).measure] in look(pilot).splitlines()[0]
            assert len(board(pilot).published) == published
            assert selected(pilot) == chosen


async def until_ranked_by(pilot: Pilot[Any], measure: str) -> None:
    """Waits until the runs are ranked by a measure."""
    await settled(pilot, lambda: board(pilot).measure == measure)


async def test_the_filter_of_runs_chooses() -> None:
    """Only the runs that the table of Runs shows are ranked, and the headline says so."""
    async with leaderboard() as pilot:
        pilot.app.screen.selection.filter = "params<10000"  # type: ignore[attr-defined]
        await pilot.press("2", "3")
        await settled(pilot, lambda: len(board(pilot).entries) == 3)
        shown = look(pilot)
        pilot.app.screen.selection.filter = "params<many"  # type: ignore[attr-defined]
        await pilot.press("2", "3")
        await settled(pilot, lambda: "enter a number" in words(pilot, "#board-notes"))

        assert "filter params<10000" in shown.splitlines()[0]
        assert "step4 ×3" in look(pilot)  # What was drawn stays.


async def test_new_runs_are_ranked_when_it_is_opened_again() -> None:
    """Another mode, a run that ends meanwhile, and back."""
    async with leaderboard() as pilot:
        make_run(RUNS, presets.load("step4"), 0, 0.9999, 50, epochs=5)
        await pilot.press("1", "3")
        await settled(pilot, lambda: board(pilot).entries[0].accuracy == 0.9999)

        assert "99.99%" in look(pilot)


async def test_it_is_copied_as_markdown() -> None:
    """The table and what it says, not the curves."""
    async with leaderboard() as pilot:
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard)

        assert pilot.app.clipboard.rstrip() == "\n".join(markdown.leaderboard_lines(board(pilot))).rstrip()
        assert pilot.app.clipboard.startswith("|   front | name ")


async def test_back_to_the_curves() -> None:
    """By Tab, by Shift+Tab and by a click on the name; only the keys that are of use are shown."""
    async with leaderboard() as pilot:
        keys = look(pilot).splitlines()[-1]
        await pilot.press("tab")
        await pilot.pause()
        curves = look(pilot)
        await pilot.press("shift+tab")
        await pilot.pause()
        await pilot.click("ViewName")
        await pilot.pause()

        assert "left/right Recipe  p Published  tab View  m Measure  y Copy" in keys
        assert "Baseline" not in keys
        assert "nothing is marked yet" in curves
        assert look(pilot) == curves


@pytest.mark.parametrize("size", [(40, 10), (20, 4)])
async def test_little_room(size: tuple[int, int]) -> None:
    """It opens in any terminal, and every key works."""
    async with leaderboard(size=size) as pilot:
        await pilot.press("left", "right", "p", "m", "n", "Y", "d", "b", "S", "tab", "tab")
        await pilot.pause()

        assert len(look(pilot).splitlines()) == size[1]


@pytest.mark.parametrize(
    ("what", "size", "ascii_only", "no_color"),
    [*(("many", *one) for one in LOOKS), *(("empty", *one) for one in LOOKS[:3])],
)
async def test_how_the_leaderboard_looks(
    what: str, size: tuple[int, int], ascii_only: bool, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen equals the golden file; with NO_COLOR every cell is grey, in ASCII every character is one."""
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    suffix = f"{size[0]}x{size[1]}" + ("-ascii" if ascii_only else "") + ("-no-color" if no_color else "")
    async with leaderboard(make_recipes if what == "many" else None, size, ascii=ascii_only) as pilot:
        text = look(pilot)
        golden(f"leaderboard-{what}-{suffix}", text)

        assert (coloured(pilot) == 0) is no_color
        assert text.isascii() or not ascii_only
