"""The laboratory in little room: a pane that has the whole screen, and terminals of a few lines."""

from pathlib import Path
from typing import Any

import pytest
from helpers.lab_pilot import STARTED, CannedJobs, lab, look, row, runner, screen, tell
from textual.pilot import Pilot

from mnist_tui.runs.events import Progress
from mnist_tui.tui.lab.panes import Pane
from mnist_tui.tui.status import StatusLine

pytestmark = pytest.mark.painted

SMALL = [(40, 10), (20, 1)]


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """Replaces the background jobs, so that no test waits for torch or the disk."""
    return CannedJobs(monkeypatch, tmp_path)


def seen(pilot: Pilot[Any]) -> set[str]:
    """The panes that are in sight."""
    return {str(pane.id) for pane in screen(pilot).query(Pane) if pane.is_on_screen and pane.size.area}


# --- the whole screen for a pane ---


@pytest.mark.parametrize(
    ("size", "panes"),
    [
        ((120, 40), {"f4": "recipe", "f7": "digits"}),
        ((80, 24), {"f3": "architecture", "f5": "layers", "f7": "digits"}),
    ],
)
async def test_any_pane_has_the_whole_screen_and_gives_it_back(size: tuple[int, int], panes: dict[str, str]) -> None:
    """`z`, in text fields F12; the same key again makes it small."""
    async with lab(size=size) as pilot:
        for key, name in panes.items():
            await pilot.press(key)
            before = seen(pilot)
            pane, enlarge = (
                screen(pilot).query_one(f"#{name}", Pane),
                "z" if name in ("layers", "digits") else "f12",
            )
            small = pane.size.area
            await pilot.press(enlarge)
            await pilot.pause()
            alone, wide = seen(pilot), pane.size
            await pilot.press(enlarge)
            await pilot.pause()

            assert (alone, seen(pilot)) == ({name}, before), name
            assert wide.width >= size[0] - 4
            assert wide.height >= size[1] - 6
            assert wide.area > small
            assert screen(pilot).focused_pane is pane


# --- a few lines ---


@pytest.mark.parametrize("size", SMALL)
async def test_the_dashboard_opens_however_small_the_terminal(size: tuple[int, int]) -> None:
    """Every mode, pane and dialog: nothing fails, and the status line stands at the bottom, or is the only line."""
    async with lab(size=size) as pilot:
        runner(pilot).busy = True
        await tell(pilot, STARTED, row(1, 0.9871), Progress(2, 400, 938, 0.3, 0.002, 9_000.0))
        first, status = look(pilot), screen(pilot).query_one(StatusLine)
        for key in ("f2", "f3", "f6", "escape", "z", "escape", "f1", "escape", "n", "escape", "2", "3", "1"):
            await pilot.press(key)

        assert status.is_on_screen
        assert status.size.area > 0
        assert "98.71%" in first
        assert "2/20" in first
        assert pilot.app.screen is screen(pilot)
        assert len(first.splitlines()) == size[1]
        assert "98.71%" in look(pilot)
