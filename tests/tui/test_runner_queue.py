"""The thread of the runner and the queue: it goes on with or without a screen, and a stop is a stop."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.canned_lab import ended
from helpers.lab_pilot import STARTED
from helpers.saved_runs import make_run

from mnist_tui.errors import DataError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Event
from mnist_tui.runs.queue import Queue, QueuedDesign
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui import run_events
from mnist_tui.tui.run_events import GroupBegan
from mnist_tui.tui.runner import Idle, Refused, Runner, RunnerEvent


class Trainer:
    """Trains nothing, in place of `run_events.train_seeds`; holds the run of a design until it may end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained: list[tuple[str, int, str]] = []
        """Preset, seed and data set of every run."""
        self.waits: dict[str, threading.Event] = {}
        """By a preset: its run goes on until this is set, or it is stopped."""
        self.began = threading.Event()
        self.refuses: str = ""
        """The preset that cannot begin."""
        monkeypatch.setattr(run_events, "train_seeds", self.train)

    def train(
        self, specs: list[RunSpec], options: Options, control: Control, on_started: Callable[[Any], None] = print
    ) -> Iterator[Event]:
        """As `run_events.train_seeds`."""
        for spec in specs:
            if spec.name == self.refuses:
                raise DataError("there is no data")
            self.trained.append((spec.name, spec.train.seed, options.dataset))
            on_started(STARTED)
            yield STARTED
            self.began.set()
            held = self.waits.get(spec.name)
            while held is not None and not held.wait(0.01) and not control.should_stop:
                pass
            yield ended("stopped" if control.should_stop else "completed")
            if control.should_stop:
                return


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trainer:
    """The canned trainer, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Trainer(monkeypatch)


def queued(*names: str, **more: Any) -> Queue:
    """A queue of these presets in `runs`."""
    queue = Queue(Path("runs"))
    for name in names:
        queue.add(QueuedDesign(spec=presets.load(name), **more))
    return queue


def make_runner() -> tuple[Runner, list[RunnerEvent]]:
    """A runner, and the list that its events go to."""
    runner, events = Runner(Options(), lambda folder: None), list[RunnerEvent]()
    runner.listener = events.append
    return runner, events


def test_it_trains_what_waits_and_ends(trainer: Trainer) -> None:
    """Every entry is a group, with its seeds, on its own data; one `Idle` at the end of all."""
    queue = queued("iter4", "iter5", seeds=2, dataset="digits")
    runner, events = make_runner()
    runner.train_queue()
    runner.join(10)

    assert trainer.trained == [(name, seed, "digits") for name in ("iter4", "iter5") for seed in (0, 1)]
    assert [event.runs for event in events if isinstance(event, GroupBegan)] == [2, 2]
    assert [isinstance(event, Idle) for event in events].index(True) == len(events) - 1
    assert queue.entries() == []


def test_what_is_queued_during_a_run_follows_it(trainer: Trainer) -> None:
    """Without a screen too; what nobody asked for is not trained."""
    trainer.waits["v1"] = threading.Event()
    queue = queued("iter4")
    runner, _ = make_runner()
    runner.train([presets.load("v1")])
    trainer.began.wait(10)
    runner.listener = None
    runner.train_queue()
    queue.add(QueuedDesign(spec=presets.load("iter5")))
    trainer.waits["v1"].set()
    runner.join(10)

    assert [name for name, *_ in trainer.trained] == ["v1", "iter4", "iter5"]


def test_nothing_is_trained_unasked(trainer: Trainer) -> None:
    """A run of its own does not begin the queue."""
    queue = queued("iter4")
    runner, _ = make_runner()
    runner.train([presets.load("v1")])
    runner.join(10)

    assert [name for name, *_ in trainer.trained] == ["v1"]
    assert len(queue.entries()) == 1


def test_a_pause_ends_it_after_the_run(trainer: Trainer) -> None:
    """So a process without a terminal ends, too."""
    trainer.waits["iter4"] = threading.Event()
    queue = queued("iter4", "iter5")
    runner, _ = make_runner()
    runner.train_queue()
    trainer.began.wait(10)
    queue.pause()
    trainer.waits["iter4"].set()
    runner.join(10)

    assert [name for name, *_ in trainer.trained] == ["iter4"]
    assert [entry.name for entry in queue.entries()] == ["iter5"]


@pytest.mark.parametrize("drops", [True, False], ids=["stopped by the user", "the process ends"])
def test_a_stop_begins_no_other(drops: bool, trainer: Trainer) -> None:
    """The user's stop is the end of the entry; where the process ends it waits again, with the run to resume."""
    trainer.waits["iter4"] = threading.Event()
    queue = queued("iter4", "iter5")
    runner, _ = make_runner()
    runner.train_queue()
    trainer.began.wait(10)
    if drops:
        runner.drop_entry()
    runner.send_request("stop")
    runner.join(10)

    assert [name for name, *_ in trainer.trained] == ["iter4"]
    assert [(entry.name, entry.runs) for entry in queue.entries() if entry.waits] == [
        *([] if drops else [("iter4", ("r1",))]),
        ("iter5", ()),
    ]


def test_where_one_cannot_begin_the_queue_is_paused(trainer: Trainer) -> None:
    """Without data none would begin: nothing is lost, and it is said what is wrong."""
    trainer.refuses = "iter4"
    queue = queued("iter4", "iter5")
    runner, events = make_runner()
    runner.train_queue()
    runner.join(10)
    (refused,) = [event for event in events if isinstance(event, Refused)]

    assert "iter4: there is no data. The queue is paused" in refused.message
    assert (trainer.trained, queue.is_paused, runner.serves_queue) == ([], True, False)
    assert [entry.waits for entry in queue.entries()] == [True, True]


def test_what_another_process_has_begun_is_resumed(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has ended is not trained again, an interrupted one is resumed, and the other seeds are trained."""
    queue = queued("iter4", seeds=4)
    spec = presets.load("iter4")
    folders = [make_run(Path("runs"), spec, seed, index=seed) for seed in (0, 1)]
    (folders[1] / "end.json").unlink()
    taken = queue.take()
    assert taken is not None
    for folder in folders:
        taken.note_run(folder.name)
    taken.note_run("deleted-since")
    taken.give_back()
    resumed: list[str] = []

    def resume(folder: Path, *_: object) -> Iterator[Event]:
        resumed.append(folder.name)
        yield from ()

    monkeypatch.setattr(run_events, "resume_run", resume)
    runner, _ = make_runner()
    runner.train_queue()
    runner.join(10)

    assert resumed == [folders[1].name]
    assert [seed for _, seed, _ in trainer.trained] == [2, 3]
    assert queue.entries() == []
