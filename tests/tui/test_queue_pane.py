"""The rows above the table of runs: the queue and the sweeps that are not done, and what their keys do."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from helpers.analyse_pilot import golden
from helpers.lab_pilot import CannedJobs, CannedRunner, lab_request, look, notices, on_top, until
from helpers.saved_runs import make_run
from helpers.sweeps import lr_sweep, make_point
from textual.pilot import Pilot
from textual.widgets import OptionList

from mnist_tui.runs.queue import Queue, QueuedDesign, Taken
from mnist_tui.spec import presets
from mnist_tui.sweep import folder
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.dialogs import ConfirmDialog, MessageDialog
from mnist_tui.tui.runs import screen as runs_screen
from mnist_tui.tui.runs.queue_pane import QueuePane
from mnist_tui.tui.runs.screen import RunsScreen
from mnist_tui.tui.runs.table import RunTable

RUNS = Path("runs")
SIZES = {"80x24": (80, 24), "120x40": (120, 40)}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No torch, an empty folder, and the time zone of the golden files."""
    CannedJobs(monkeypatch, tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


class QueueRunner(CannedRunner):
    """Notes when the queue is to be trained."""

    asked = 0

    def train_queue(self) -> None:
        self.serves_queue = True
        self.busy = True
        self.asked += 1


@asynccontextmanager
async def runs_mode(size: tuple[int, int] = (120, 40), **changes: Any) -> AsyncIterator[Pilot[Any]]:
    """The application in its second mode, once the queue was read."""
    app = LabApp(lab_request(**changes), QueueRunner())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen._is_read)
        yield pilot


def pane(pilot: Pilot[Any]) -> QueuePane:
    """The rows."""
    return pilot.app.screen_stack[0].query_one(QueuePane)


def rows(pilot: Pilot[Any]) -> list[str]:
    """The rows, without the spaces between columns."""
    return [" ".join(row.text.split()) for row in pane(pilot)._shown.rows]


async def shown(pilot: Pilot[Any], count: int) -> None:
    """Waits for so many rows, and focuses them."""
    await until(pilot, lambda: len(rows(pilot)) == count)
    await pilot.press("home", "up")
    await until(pilot, lambda: isinstance(pilot.app.focused, OptionList))


def queued(*names: str, **more: Any) -> Queue:
    """A queue of these presets."""
    queue = Queue(RUNS)
    for name in names:
        queue.add(QueuedDesign(spec=presets.load(name), **more))
    return queue


def busy() -> Taken:
    """Two seeds of iter4 that are trained, iter5 that waits, a damaged entry, a sweep of which half is done; 3 runs."""
    for index, name in enumerate(("v1", "v2", "iter3")):
        make_run(RUNS, presets.load(name), 0, 0.99, index)
    queue = queued("iter4", "iter5", seeds=2)
    taken = queue.take()
    assert taken is not None
    running = make_run(RUNS, presets.load("iter4"), 0, 0.98, 10, epochs=7)
    (running / "end.json").unlink()
    taken.note_run(running.name)
    (queue.folder / "00003-0000abcd.json").write_text('{"format": 9}')
    sweep = lr_sweep(RUNS, "0.001", "0.01")
    make_point(sweep, next(iter(sweep.plan.all_points())))
    return taken


async def test_without_a_queue_there_are_no_rows() -> None:
    """And no space for them."""
    make_run(RUNS, presets.load("iter5"))
    async with runs_mode() as pilot:
        await until(pilot, lambda: bool(pilot.app.screen.query_one(RunTable).rows))

        assert not pane(pilot).display
        await pilot.press("home", "up")
        assert isinstance(pilot.app.focused, RunTable)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
async def test_how_the_queue_looks(size: str) -> None:
    """The screen equals the golden file; at 80x24 the queue has four lines at most."""
    taken = busy()
    async with runs_mode(SIZES[size]) as pilot:
        await shown(pilot, 4)
        await until(pilot, lambda: "changes" in on_top(pilot, "#run-facts"))

        assert pane(pilot).size.height == (4 if size == "80x24" else 5)
        golden(f"queue-{size}", look(pilot))
    taken.give_back()


async def test_what_the_rows_say() -> None:
    """What is trained and how far, places in the queue, why an entry is damaged, and how far a sweep is."""
    taken = busy()
    async with runs_mode() as pilot:
        await until(pilot, lambda: len(rows(pilot)) == 4)

        assert rows(pilot) == [
            "> iter4 20,514 params seed 1 of 2 epoch 7 of 7, best 98.00%",
            "1 iter5 18,422 params 2 seeds waits",
            "! 00003-0000abcd.json damaged format: should be 1, got 9",
            "iter5 optimizer.lr sweep 1 of 2 done, best val 98.00%",
        ]
        assert on_top(pilot, "#queue-line") == "Queue: 1 design waits; P trains it, or pauses it"
        taken.end()
        await until(pilot, lambda: len(rows(pilot)) == 3)


async def test_moved_and_taken_out() -> None:
    """J and K move a row, and the cursor with it; D asks; what is trained stays."""
    queue = queued("iter3", "iter4", "iter5")
    taken = queue.take()
    async with runs_mode() as pilot:
        await shown(pilot, 3)
        await pilot.press("J")
        assert notices(pilot)[-1] == "iter3 is being trained"
        await pilot.press("down", "J")
        await until(pilot, lambda: [entry.name for entry in queue.entries()] == ["iter3", "iter5", "iter4"])
        await until(pilot, lambda: pane(pilot).row is pane(pilot)._shown.rows[2])
        await pilot.press("shift+up")
        await until(pilot, lambda: [entry.name for entry in queue.entries()] == ["iter3", "iter4", "iter5"])
        await pilot.press("D")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("n")
        assert len(queue.entries()) == 3
        await pilot.press("D")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: [entry.name for entry in queue.entries()] == ["iter3", "iter5"])
    assert taken is not None
    taken.give_back()


async def test_the_focus_goes_down_to_the_table() -> None:
    """And up again; a letter of the pane is no key of the table below it."""
    queued("iter4")
    make_run(RUNS, presets.load("iter5"))
    async with runs_mode() as pilot:
        await shown(pilot, 1)
        await pilot.press("r")
        assert notices(pilot)[-1] == "that is no sweep"
        await pilot.press("down")

        assert isinstance(pilot.app.focused, RunTable)


async def test_paused_and_gone_on_with() -> None:
    """P in any mode; the line above the rows says how it is."""
    queue = queued("iter4")
    async with runs_mode() as pilot:
        runner = pilot.app.runner  # type: ignore[attr-defined]
        await pilot.press("P")
        assert (runner.asked, queue.is_paused) == (1, False)
        await pilot.press("P")
        await until(pilot, lambda: on_top(pilot, "#queue-line") == "Queue, paused: 1 design waits; P goes on")
        assert queue.is_paused
        await pilot.press("P")

        assert (runner.asked, queue.is_paused) == (2, False)


async def test_a_sweep_is_stopped_and_resumed() -> None:
    """By its file, and by an entry at the end of the queue."""
    sweep = lr_sweep(RUNS, "0.001", "0.01")
    async with runs_mode() as pilot:
        await shown(pilot, 1)
        await pilot.press("s")
        await until(pilot, lambda: "stopped" in rows(pilot)[0])
        assert sweep.is_stopped
        await pilot.press("r")
        await until(pilot, lambda: rows(pilot)[0].startswith("1 iter5 optimizer.lr sweep 0 of 2 done"))

        assert not folder.load(RUNS, sweep.name).is_stopped
        assert [entry.sweep for entry in Queue(RUNS).entries()] == [sweep.name]


@pytest.mark.parametrize("size", [(120, 40), (80, 18)], ids=["below", "dialog"])
async def test_details(size: tuple[int, int]) -> None:
    """Enter shows the report of a sweep, the recipe of a design; in a dialog where there is no room below."""
    queued("iter4")
    sweep = lr_sweep(RUNS, "0.001", "0.01")
    make_point(sweep, next(iter(sweep.plan.all_points())))
    async with runs_mode(size) as pilot:
        await shown(pilot, 2)
        await pilot.press("enter")
        await until(pilot, lambda: "iter4: Iteration 4" in look(pilot))
        await pilot.press("escape" if size == (80, 18) else "end", "end", "enter")
        await until(pilot, lambda: "sweep iter5: 1 of 2 runs done" in look(pilot))
        await pilot.pause(0.5)

        assert "sweep iter5: 1 of 2 runs done" in look(pilot)  # No run takes its place.


async def test_late_details_open_over_no_other_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has gone to another mode while they were read gets no dialog there."""
    goes_on = Event()

    def read_slowly(*_: object) -> list[str]:
        goes_on.wait(10)
        return ["the details"]

    monkeypatch.setattr(runs_screen, "details", read_slowly)
    queued("iter4")
    async with runs_mode((80, 18)) as pilot:
        await shown(pilot, 1)
        await pilot.press("enter", "3")
        goes_on.set()
        await pilot.pause(0.5)

        assert not any(isinstance(each, MessageDialog) for each in pilot.app.screen_stack)


async def test_text_from_files_is_only_text() -> None:
    """Neither markup nor control characters of a name drive the screen."""
    queued("iter4")
    spec = presets.load("iter4").model_copy(update={"name": "[red]x[/red]\x1b[2J"})
    Queue(RUNS).add(QueuedDesign(spec=spec))
    async with runs_mode() as pilot:
        await shown(pilot, 2)
        await pilot.press("down", "enter")

        assert "[red]x[/red]" in look(pilot)
        assert "\x1b" not in look(pilot)
