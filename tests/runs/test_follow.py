"""A run followed through its folder has the events of its training, while it is trained and afterwards."""

import itertools
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.reliability import only_folder, options, patched_session, resume, run, small_spec

from mnist_tui.errors import StorageError
from mnist_tui.runs import follow
from mnist_tui.runs.control import Control, send
from mnist_tui.runs.events import (
    EpochEnded,
    Event,
    LearningRateChanged,
    Paused,
    Progress,
    RunEnded,
    RunStarted,
    Unpaused,
)
from mnist_tui.runs.lock import is_running
from mnist_tui.runs.storage import RunFolder
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.training import loop, session


@pytest.fixture(autouse=True)
def _each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is reported, and the watcher polls often."""
    monkeypatch.setattr(loop, "PROGRESS_SECONDS", 0)
    monkeypatch.setattr(follow, "PERIOD", 0.02)


def seen(folder: Path) -> list[Event]:
    """All events that a watcher of a finished run gets."""
    return list(follow.follow(folder, Control()))


def comparable(events: list[Event]) -> list[Event]:
    """Events without what only the training process knows: speeds, and notices."""
    kinds = RunStarted | Progress | LearningRateChanged | EpochEnded | RunEnded
    return [
        replace(event, epochs_done=0, steps_done=0) if isinstance(event, RunStarted) else event
        for event in events
        if isinstance(event, kinds)
    ]


# --- afterwards ------------------------------------------------------------------------------------------------------


def test_a_finished_run_has_the_events_of_its_training(tmp_path: Path) -> None:
    """A watcher gets the events that the trainer's own screen got, in their order."""
    trained = list(run(tmp_path, small_spec()))

    assert comparable(seen(only_folder(tmp_path))) == comparable(trained)


def test_a_changed_rate_is_followed(tmp_path: Path) -> None:
    """A change of the learning rate is in the place where it was made."""
    trained: list[Event] = []
    ask = Control()
    with patched_session():
        for event in session.run(small_spec(), options(tmp_path), ask):
            trained.append(event)
            if isinstance(event, Progress) and (event.epoch, event.step) == (1, 3):
                ask.set_learning_rate(0.005)
    watched = comparable(seen(only_folder(tmp_path)))

    assert LearningRateChanged(1, 3, 0.005) in watched
    assert watched == comparable(trained)


def test_an_interrupted_run_says_how_to_resume(tmp_path: Path) -> None:
    """A run that was killed ends as stopped, with the command that resumes it."""
    for event in run(tmp_path, small_spec(epochs=3)):
        if isinstance(event, EpochEnded):
            break
    folder = only_folder(tmp_path)
    ended = seen(folder)[-1]

    assert isinstance(ended, RunEnded)
    assert (ended.outcome, ended.epochs) == ("stopped", 1)
    assert ended.message == f"interrupted; resume it with: mnist-tui resume {folder}"
    assert ended.best == ended.last
    assert ended.last is not None


def test_steps_that_a_crash_lost_are_not_reported(tmp_path: Path) -> None:
    """After a resume each step is reported once, and the pause of the killed process is not."""
    list(run(tmp_path, small_spec(), 3))
    folder = only_folder(tmp_path)
    with open(folder / "steps.jsonl", "a") as file:
        for step in (4, 5):
            file.write(json.dumps({"epoch": 1, "step": step, "loss": 9.0, "learning_rate": 0.1}) + "\n")
        file.write(json.dumps({"epoch": 1, "step": 5, "paused": True}) + "\n")
    list(resume(folder))
    events = seen(folder)
    steps = [event for event in events if isinstance(event, Progress)]

    assert [(event.epoch, event.step) for event in steps] == list(itertools.product([1, 2], [1, 2, 3, 4, 5]))
    assert max(event.loss for event in steps) < 9
    assert not [event for event in events if isinstance(event, Paused)]


def test_many_steps_are_thinned(tmp_path: Path) -> None:
    """Many steps become an evenly chosen part of them, with the last."""
    list(run(tmp_path, small_spec()))
    folder = only_folder(tmp_path)
    lines = [json.dumps({"epoch": 1, "step": step, "loss": 1.0, "learning_rate": 0.1}) for step in range(1, 10 * 2_000)]
    (folder / "steps.jsonl").write_text("\n".join(lines) + "\n")
    steps = [event.step for event in seen(folder) if isinstance(event, Progress)]

    assert len(steps) == 2_000
    assert steps[-1] == lines.index(lines[-1]) + 1
    assert {after - before for before, after in itertools.pairwise(steps)} == {10}


def test_an_older_runs_lines_are_read(tmp_path: Path) -> None:
    """Lines without a speed, as an older version wrote them, are read."""
    list(run(tmp_path, small_spec()))
    folder = only_folder(tmp_path)
    (folder / "steps.jsonl").write_text('{"epoch": 1, "step": 2, "loss": 0.5, "learning_rate": 0.1}\n')
    steps = [event for event in seen(folder) if isinstance(event, Progress)]

    assert steps == [Progress(1, 2, 5, 0.5, 0.1, 0.0)]


HOSTILE = [
    "nonsense\n",
    "[]\n",
    "[" * 100_000 + "\n",
    '{"epoch": 1}\n',
    '{"epoch": "1", "step": 2, "loss": 0.5, "learning_rate": 0.1}\n',
    '{"epoch": 1, "step": 2, "loss": null, "learning_rate": 0.1}\n',
    '{"epoch": 1, "step": 2, "loss": NaN, "learning_rate": 0.1}\n',
    '{"epoch": 1, "step": 2, "loss": "0", "learning_rate": 0.1}\n',
    '{"epoch": 1, "step": 2, "loss": 1' + "0" * 500 + ', "learning_rate": 0.1}\n',
    '{"epoch": 1, "step": 2, "loss": 0.5, "learn',
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:40]))
def test_a_line_that_is_none_is_left_out(tmp_path: Path, text: str) -> None:
    """Damaged lines are ignored, and the others read."""
    list(run(tmp_path, small_spec()))
    folder = only_folder(tmp_path)
    (folder / "steps.jsonl").write_text(text)
    (folder / "steering.jsonl").write_text(text.replace(', "learning_rate": 0.1', ""))
    names = [type(event).__name__ for event in seen(folder)]

    assert names == ["RunStarted", "EpochEnded", "EpochEnded", "RunEnded"]


@pytest.mark.parametrize("end", [{"outcome": 3}, {"outcome": ["x"], "seconds": "long"}, {"message": "\x1b[2J\n"}, {}])
def test_an_unknown_outcome_is_reported_as_failed(tmp_path: Path, end: dict[str, Any]) -> None:
    """An end.json with unknown values ends the watching with an event, not with an error."""
    list(run(tmp_path, small_spec()))
    folder = only_folder(tmp_path)
    (folder / "end.json").write_text(json.dumps(end | {"format": 1}))
    ended = seen(folder)[-1]

    assert isinstance(ended, RunEnded)
    assert (ended.outcome, ended.seconds) == ("failed", 0.0)
    assert "\x1b" not in ended.message


@pytest.mark.parametrize("name", ["run.json", "history.jsonl", "end.json"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """A link in place of a file of the run is refused."""
    list(run(tmp_path, small_spec()))
    folder = only_folder(tmp_path)
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)

    with pytest.raises(StorageError, match="is a link"):
        seen(folder)


@pytest.mark.parametrize("name", ["steps.jsonl", "steering.jsonl"])
def test_a_link_to_lines_elsewhere_is_not_followed(tmp_path: Path, name: str) -> None:
    """Nothing of a file outside the folder is shown."""
    list(run(tmp_path, small_spec()))
    folder = only_folder(tmp_path)
    line = {"epoch": 1, "step": 1, "loss": 7.0, "learning_rate": 7.0}
    (tmp_path / "elsewhere").write_text(json.dumps(line) + "\n")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "elsewhere")

    assert not [event for event in seen(folder) if getattr(event, "learning_rate", 0) == 7.0]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """A folder that is no run is refused in one sentence."""
    with pytest.raises(StorageError, match=r"run\.json"):
        seen(tmp_path)


# --- while it is trained ---------------------------------------------------------------------------------------------


class Watcher:
    """A thread that follows a run and keeps the events."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self.control = Control()
        self._thread = threading.Thread(target=self._follow, args=(folder,))
        self._thread.start()

    def _follow(self, folder: Path) -> None:
        for event in follow.follow(folder, self.control):
            self.events.append(event)

    def wait_for(self, kind: type[Any]) -> None:
        """Waits until an event of this class came."""
        until = time.monotonic() + 20
        while not any(isinstance(event, kind) for event in list(self.events)):
            assert time.monotonic() < until, f"no {kind.__name__} in {self.events}"
            time.sleep(0.005)

    def join(self) -> list[Event]:
        """Waits for the thread; all events that came."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.events


def test_a_run_under_way_is_followed_to_its_end(tmp_path: Path) -> None:
    """A watcher that begins in the middle gets every event once and in order, up to the end."""
    trained: list[Event] = []
    ask = Control()
    watcher: Watcher | None = None
    with patched_session():
        for event in session.run(small_spec(epochs=4), options(tmp_path), ask):
            trained.append(event)
            if isinstance(event, EpochEnded) and event.epoch == 2:
                watcher = Watcher(only_folder(tmp_path))
                watcher.wait_for(EpochEnded)
    assert watcher is not None
    watched = watcher.join()

    assert comparable(watched) == comparable(trained)


def test_pause_rate_and_unpause_are_sent_and_followed(tmp_path: Path) -> None:
    """A watcher sees a pause, changes the rate and unpauses, through the folder alone."""
    watcher: Watcher | None = None

    def trains() -> None:
        with patched_session():
            list(session.run(small_spec(epochs=3), options(tmp_path), ask))

    ask = Control()
    ask.pause()
    trainer = threading.Thread(target=trains)
    trainer.start()
    while not list(tmp_path.glob("*/run.json")):
        time.sleep(0.005)
    folder = only_folder(tmp_path)
    watcher = Watcher(folder)
    watcher.wait_for(Paused)
    send(folder, "learning_rate", 0.002)
    watcher.wait_for(LearningRateChanged)
    send(folder, "step")
    watcher.wait_for(Progress)
    send(folder, "unpause")
    watcher.wait_for(Unpaused)
    events = watcher.join()
    trainer.join()
    names = [type(event).__name__ for event in events]
    rows = [event for event in events if isinstance(event, EpochEnded)]

    assert names.index("Paused") < names.index("Progress") < names.index("Unpaused")
    assert LearningRateChanged(1, 0, 0.002) in events
    assert [row.steered for row in rows] == [True] * 3
    assert vars(events[-1])["outcome"] == "completed"


def test_who_stops_watching_stops_nothing(tmp_path: Path) -> None:
    """A watcher stops within 0.3 s, and the run keeps training."""
    events = run(tmp_path, small_spec())
    next(event for event in events if isinstance(event, RunStarted))
    watcher = Watcher(only_folder(tmp_path))
    watcher.wait_for(RunStarted)
    began = time.perf_counter()
    watcher.control.stop()
    told = watcher.join()
    seconds = time.perf_counter() - began
    goes_on = is_running(only_folder(tmp_path))
    ended = list(events)[-1]

    assert seconds < 0.3
    assert not [event for event in told if isinstance(event, RunEnded)]
    assert goes_on
    assert vars(ended)["outcome"] == "completed"


def test_a_half_written_row_is_reported_when_it_is_whole(tmp_path: Path) -> None:
    """A row that is half written is reported once, when its line is complete."""
    list(run(tmp_path, small_spec()))
    folder = only_folder(tmp_path)
    path = folder / "history.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    tail = follow.Tail(path)
    path.write_bytes(first + second[:20])
    before = tail.lines()
    path.write_bytes(first + second)
    after = tail.lines()

    assert (before, after, tail.lines()) == ([first], [second], [])


def test_a_run_that_is_being_resumed_has_not_ended(tmp_path: Path) -> None:
    """The old end.json is not reported while somebody holds the lock."""
    list(run(tmp_path, small_spec(), 3))
    folder = only_folder(tmp_path)
    holder = RunFolder(folder)
    watcher = Watcher(folder)
    watcher.wait_for(Progress)
    watcher._thread.join(0.2)
    before = list(watcher.events)
    holder.close()
    after = watcher.join()

    assert not [event for event in before if isinstance(event, RunEnded)]
    assert vars(after[-1])["outcome"] == "stopped"


def cpu_of_watching(folder: Path, period: float, seconds: float) -> float:
    """Seconds of CPU that a watcher takes of a run in which nothing happens."""
    holder = RunFolder(folder)
    stop = Control()
    events = follow.follow(folder, stop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(follow, "PERIOD", period)
        next(events)
        timer = threading.Timer(seconds, stop.stop)
        timer.start()
        before = time.process_time()
        list(events)
        spent = time.process_time() - before
    timer.join()
    holder.close()
    return spent


@pytest.mark.slow
def test_watching_costs_next_to_nothing(tmp_path: Path) -> None:
    """Watching an idle run uses under 1 % of a core; the control, without a pause between reads, uses a whole one."""
    list(run(tmp_path, small_spec(), 3))
    folder = only_folder(tmp_path)
    cpu_of_watching(folder, 0.2, 0.5)  # The first look reads what was before.

    assert cpu_of_watching(folder, 0.2, 3) < 0.03
    assert cpu_of_watching(folder, 0, 0.5) > 0.1


def test_the_target_is_judged_as_the_trainer_judged_it(tmp_path: Path) -> None:
    """The watcher's verdict on the target is the run's own."""
    spec = make_spec(small_spec().model_dump(mode="json") | {"target": {"parameters": 100, "epochs": 5}})
    trained = list(run(tmp_path, spec))[-1]

    assert (
        vars(seen(only_folder(tmp_path))[-1])["target"]
        == vars(trained)["target"]
        == {
            "parameters": False,
            "epochs": True,
        }
    )
