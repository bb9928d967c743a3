"""The queue in the laboratory: T, P and s, what is said of it, and the question before quitting."""

from pathlib import Path
from typing import Any

import pytest
from helpers.canned_lab import ended
from helpers.lab_pilot import (
    STARTED,
    CannedJobs,
    CannedRunner,
    area,
    field,
    lab,
    look,
    notices,
    row,
    screen,
    tell,
    until,
)
from textual.pilot import Pilot

from mnist_tui.runs.queue import Queue, QueuedDesign
from mnist_tui.spec import presets
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.dialogs import MessageDialog, QuitDialog
from mnist_tui.tui.key_bar import active_keys
from mnist_tui.tui.run_events import GroupBegan
from mnist_tui.tui.runner import Idle, Refused


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CannedJobs:
    """No torch; the queue asks the runner to train, which notes it."""
    monkeypatch.setattr(CannedRunner, "train_queue", _train_queue)
    return CannedJobs(monkeypatch, tmp_path)


def _train_queue(self: CannedRunner) -> None:
    self.serves_queue = self.busy = True


def queue() -> Queue:
    """The queue of the laboratory."""
    return Queue(Path("runs"))


def runner(pilot: Pilot[Any]) -> CannedRunner:
    """The canned runner."""
    assert isinstance(pilot.app, LabApp)
    assert isinstance(pilot.app.runner, CannedRunner)
    return pilot.app.runner


def status(pilot: Pilot[Any]) -> str:
    """What the status line says of the queue."""
    return screen(pilot).lines.status.queue


async def test_designs_are_queued_as_they_are_shown() -> None:
    """With the seeds, the device and the data of the form, also while a run trains; it is said how many wait."""
    async with lab(run_texts={"seeds": "3", "dataset": "digits"}) as pilot:
        await pilot.press("escape", "T")
        assert notices(pilot) == ["queued: 1 design waits"]
        assert (runner(pilot).busy, runner(pilot).serves_queue) == (True, True)
        field(pilot, "epochs").value = "7"
        await until(pilot, lambda: screen(pilot).design.draft.text_of("epochs") == "7")
        await pilot.press("T")
        first, second = [entry.design for entry in queue().entries()]

        assert notices(pilot)[-1] == "queued: 2 designs wait"
        assert first == QueuedDesign(spec=presets.load("iter5"), seeds=3, device="auto", dataset="digits")
        assert second is not None
        assert second.spec.train.epochs == 7
        await until(pilot, lambda: "2 queued" in look(pilot))


async def test_a_letter_that_is_typed_queues_nothing() -> None:
    """In a text field and in the editor T is a letter; Shift-F9 queues there, and types nothing."""
    async with lab() as pilot:
        field(pilot, "epochs").focus()
        await pilot.press("T")
        assert field(pilot, "epochs").value == "T"
        await pilot.press("backspace", *"20")
        await pilot.press("f3", "ctrl+home", "T", "backspace")
        assert queue().entries() == []
        text = area(pilot).text
        await pilot.press("shift+f9")

        await until(pilot, lambda: [entry.name for entry in queue().entries()] == ["iter5"])
        assert area(pilot).text == text


async def test_a_wrong_design_is_not_queued() -> None:
    """It is said what to do."""
    async with lab() as pilot:
        field(pilot, "epochs").value = "many"
        await until(pilot, lambda: screen(pilot).design.spec is None)
        await pilot.press("escape", "T")

        assert notices(pilot) == ["correct what is marked with ! first"]
        assert queue().entries() == []


async def test_what_waits_at_the_start_is_only_said() -> None:
    """P trains it."""
    queue().add(QueuedDesign(spec=presets.load("iter4")))
    queue().add_sweep("lr")
    async with lab() as pilot:
        await until(pilot, lambda: "1 design and 1 sweep wait in the queue: P trains them" in look(pilot))
        assert not runner(pilot).busy
        await pilot.press("escape", "P")

        assert notices(pilot) == ["the queue goes on: 1 design and 1 sweep wait"]
        assert runner(pilot).busy


async def test_what_another_process_trains_is_left_to_it() -> None:
    """It is said that it does."""
    for name in ("iter4", "iter5"):
        queue().add(QueuedDesign(spec=presets.load(name)))
    taken = queue().take()
    async with lab() as pilot:
        await until(pilot, lambda: status(pilot) == "1 queued in another process")
    assert taken is not None
    taken.give_back()


async def test_another_process_is_paused_too() -> None:
    """P pauses the queue that another process trains, rather than training beside it."""
    for name in ("iter4", "iter5"):
        queue().add(QueuedDesign(spec=presets.load(name)))
    taken = queue().take()
    async with lab() as pilot:
        await pilot.press("escape", "P")

        assert queue().is_paused
        assert not runner(pilot).busy
    assert taken is not None
    taken.give_back()


async def test_a_run_that_is_watched_is_watched_to_its_end() -> None:
    """What is queued meanwhile follows it."""
    async with lab() as pilot:
        canned = runner(pilot)
        canned.busy = canned.is_watching = True
        await pilot.press("escape", "T")
        await pilot.pause(0.2)
        assert canned.is_watching
        canned.busy = False
        await tell(pilot, Idle())
        await until(pilot, lambda: canned.busy)


@pytest.mark.parametrize("key", ["s", "ctrl+c"])
async def test_a_stop_pauses_the_queue(key: str) -> None:
    """Where something waits in it; P goes on."""
    async with lab() as pilot:
        await pilot.press("escape", "T", "T", key)
        assert "the queue is paused, 2 designs wait: P goes on" in notices(pilot)[-1]
        assert queue().is_paused
        assert not runner(pilot).serves_queue
        await until(pilot, lambda: status(pilot) == "queue paused, 2 wait: P goes on")
        await pilot.press("T")
        assert notices(pilot)[-1] == "queued: 3 designs wait; the queue is paused, P goes on"
        await pilot.press("P")

        assert not queue().is_paused
        assert runner(pilot).serves_queue


async def test_a_stop_of_a_run_alone_pauses_nothing() -> None:
    """Where nothing waits, or nobody has asked for what waits."""
    queue().add(QueuedDesign(spec=presets.load("iter4")))
    async with lab() as pilot:
        await pilot.press("escape", "t", "s")

        assert notices(pilot)[-1] == "stopping after this step, and saving"
        assert not queue().is_paused


async def test_quitting_says_what_waits() -> None:
    """And what becomes of it."""
    async with lab() as pilot:
        await pilot.press("escape", "T", "q")
        await until(pilot, lambda: isinstance(pilot.app.screen, QuitDialog))
        assert "1 design waits in the queue; left running, it is trained too." in look(pilot)
        await pilot.press("c", "P", "q")
        await until(pilot, lambda: isinstance(pilot.app.screen, QuitDialog))

        assert "1 design waits in the queue; it stays there." in look(pilot)


async def test_the_runs_of_an_entry_are_a_group() -> None:
    """That begins anew, without taking the focus or the pane from the user; how far a sweep is stands below."""
    async with lab(size=(80, 24)) as pilot:
        await pilot.press("f4", "T")
        runner(pilot).busy = True
        focused = pilot.app.focused
        await tell(pilot, GroupBegan("from the queue: iter5", 2), STARTED, row(1))
        first = screen(pilot).view.progress
        await tell(pilot, GroupBegan("sweep lr: 1 of 6 done", sweep="sweep lr: 1 of 6 done"), STARTED)
        await until(pilot, lambda: "sweep lr: 1 of 6 done" in status(pilot))

        assert first is not None
        assert (first.seeds_done, first.seeds) == (1, 2)
        assert screen(pilot).view.rows == []
        assert pilot.app.focused is focused
        assert screen(pilot).folding.visible() == {"recipe", "layers"}
        runner(pilot).busy = False
        await tell(pilot, Idle())
        await until(pilot, lambda: "sweep" not in status(pilot))


async def test_a_run_of_the_queue_that_failed_asks_nothing() -> None:
    """Nobody may be there: no dialog piles up on another; but what keeps the queue from going on is one."""
    async with lab() as pilot:
        await tell(pilot, GroupBegan("from the queue: iter5"), STARTED, ended("failed", message="no memory"))
        assert notices(pilot)[-1].endswith("failed: no memory")
        assert pilot.app.screen is screen(pilot)
        await tell(pilot, Refused("there is no data. The queue is paused; P goes on."))

        assert isinstance(pilot.app.screen, MessageDialog)


async def test_the_key_is_shown_while_a_run_trains() -> None:
    """In the place of t; the palette has it at any time."""
    async with lab() as pilot:
        commands = {command.title for command in pilot.app.get_system_commands(pilot.app.screen)}
        await pilot.press("escape")
        before = {key.description for key in active_keys(pilot.app.screen)}
        runner(pilot).busy = True
        while_training = {key.description for key in active_keys(pilot.app.screen)}

        assert {"Queue this design", "Queue"} <= commands
        assert ("Train" in before, "Queue this design" in before) == (True, False)
        assert ("Train" in while_training, "Queue this design" in while_training) == (False, True)
