"""A run carries out requests of another thread or through its folder, and can still be resumed."""

import itertools
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.reliability import (
    StopAfter,
    new_training,
    only_folder,
    options,
    patched_session,
    resume,
    small_spec,
    state_of,
    state_on_disk,
)

from mnist_tui.runs import control
from mnist_tui.runs.control import Control, Request, Requests, send
from mnist_tui.runs.events import EpochEnded, Event, LearningRateChanged, Paused, Progress, RunEnded, RunStarted
from mnist_tui.runs.storage import RunFolder, load_run
from mnist_tui.training import checkpoint, evaluation, loop, session
from mnist_tui.training import resume as resuming
from mnist_tui.training.batches import normalise
from mnist_tui.training.state import Training
from mnist_tui.training.step import TrainStep

SCHEDULERS: dict[str, dict[str, Any]] = {
    "none": {"scheduler": None},
    "closed form": {"scheduler": "OneCycleLR(0.02, epochs=epochs, steps_per_epoch=steps_per_epoch)"},
    "chained": {"scheduler": "ExponentialLR(0.9)", "scheduler_step": "batch"},
    "recursive": {"scheduler": "CosineAnnealingLR(10)", "scheduler_step": "batch"},
    "by epoch": {"scheduler": "StepLR(step_size=1, gamma=0.5)"},
    "in sequence": {
        "scheduler": "SequentialLR([LinearLR(0.1, total_iters=4), StepLR(step_size=2, gamma=0.5)], milestones=[4])",
        "scheduler_step": "batch",
    },
}


def rates_of(training: Training, change_at: int | None = None, factor: float = 0.5) -> list[float]:
    """The rate of every step of a run; before step `change_at` the rate is multiplied by hand."""
    rates: list[float] = []
    ask = Control()

    def note(*_: Any) -> None:
        rates.append(training.learning_rate)
        if len(rates) == change_at:
            ask.pause()

    training.optimizer.register_step_pre_hook(note)
    for event in loop.train(training, ask):
        if isinstance(event, Paused):
            ask.set_learning_rate(training.learning_rate * factor)
            ask.unpause()
    return rates


def asked(training: Training, answer: Callable[[Event], None], ask: Control) -> list[Event]:
    """The events of a training; `answer` is called with each of them."""
    events = []
    for event in loop.train(training, ask):
        events.append(event)
        answer(event)
    return events


@pytest.fixture(autouse=True)
def _each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """No progress is reported by time, so every event is one that a request caused."""
    monkeypatch.setattr(loop, "PROGRESS_SECONDS", 1000)


# --- pause and single steps ------------------------------------------------------------------------------------------


def test_single_steps_are_reported_one_by_one() -> None:
    """During a pause each single step is reported, with the loss of that step."""
    training, ask = new_training(small_spec()), Control()
    wishes = itertools.chain([ask.step, ask.step], itertools.repeat(ask.unpause))
    training.optimizer.register_step_post_hook(lambda *_: ask.pause() if training.steps_done == 1 else None)
    events = asked(training, lambda event: next(wishes)() if isinstance(event, Paused) else None, ask)[:7]
    losses = training.step.losses

    assert [type(event).__name__ for event in events] == [
        *("Progress", "Paused", "Progress", "Paused", "Progress", "Paused", "Unpaused"),
    ]
    assert [event.step for event in events if isinstance(event, Progress | Paused)] == [2, 2, 3, 3, 4, 4]
    assert all(math.isfinite(event.loss) for event in events if isinstance(event, Progress))
    assert len(losses) == 5


def test_the_loss_of_a_single_step_is_that_steps() -> None:
    """The loss of a single step is not averaged with the steps before it."""
    training, ask = new_training(small_spec(epochs=1)), Control()
    ask.pause()
    seen: list[tuple[float, float]] = []

    def answer(event: Event) -> None:
        if isinstance(event, Paused):
            ask.step()
        elif isinstance(event, Progress):
            seen.append((event.loss, training.step.losses[event.step - 1].item()))

    asked(training, answer, ask)

    assert len(seen) == 5
    assert all(shown == pytest.approx(taken, abs=1e-6) for shown, taken in seen)


def test_a_pause_changes_nothing() -> None:
    """A run that was paused and stepped through ends in the same bits."""
    ask = Control()
    paused = new_training(small_spec())
    ask.pause()
    asked(paused, lambda event: ask.step() if isinstance(event, Paused) else None, ask)
    straight = new_training(small_spec())
    asked(straight, lambda event: None, Control())

    assert state_of(checkpoint.dump(paused)) == state_of(checkpoint.dump(straight))


def test_paused_time_does_not_count(tmp_path: Path) -> None:
    """Neither the seconds of the epoch nor those of the run include a pause, and a pause uses no CPU."""
    ask = Control()
    ask.pause()
    cpu: list[float] = []

    def unpause_later() -> None:
        before = time.process_time()
        time.sleep(1)
        cpu.append(time.process_time() - before)
        ask.unpause()

    later = threading.Thread(target=unpause_later)
    events = asked(new_training(small_spec()), lambda event: later.start() if isinstance(event, Paused) else None, ask)
    later.join()
    rows = [event for event in events if isinstance(event, EpochEnded)]
    ended = events[-1]

    assert isinstance(ended, RunEnded)
    assert rows[0].seconds < 0.9
    assert ended.seconds < 0.9
    assert cpu[0] < 0.1


def seconds_to_stop(ask: Control, events: Iterator[Event]) -> tuple[float, list[Event]]:
    """Seconds that a run takes to stop after its control is set, 0.3 s after it began to wait or to evaluate."""
    set_at: list[float] = []

    def stop() -> None:
        set_at.append(time.perf_counter())
        ask.stop()

    timer = threading.Timer(0.3, stop)
    timer.start()
    seen = list(events)
    seconds = time.perf_counter() - set_at[0]
    timer.join()
    return seconds, seen


def test_a_paused_run_stops_at_once() -> None:
    """A paused run stops within 0.3 s, without reporting that it was unpaused."""
    ask = Control()
    ask.pause()
    seconds, seen = seconds_to_stop(ask, loop.train(new_training(small_spec()), ask))

    assert seconds < 0.3
    assert [type(event).__name__ for event in seen] == ["Paused", "RunEnded"]


# --- stopped while it evaluates --------------------------------------------------------------------------------------


@pytest.fixture
def slow_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation of 40 batches that take 0.1 s each."""

    def slow(*arguments: Any) -> torch.Tensor:
        time.sleep(0.1)
        return normalise(*arguments)

    monkeypatch.setattr(evaluation, "normalise", slow)


@pytest.mark.usefixtures("slow_evaluation")
def test_a_run_that_evaluates_stops_at_once() -> None:
    """A stop during evaluation is not delayed to its end; all steps of the epoch are taken, and it has no row."""
    training, ask = new_training(small_spec(eval_batch_size=1)), Control()
    seconds, seen = seconds_to_stop(ask, loop.train(training, ask))

    assert seconds < 0.3
    assert (training.epoch, training.steps_done, training.rows) == (1, 5, [])
    assert "before it was evaluated" in vars(seen[-1])["message"]
    assert training.forward_model.training


def run_stopped_in_evaluation(runs_dir: Path, **recipe: Any) -> Path:
    """A run that is stopped in the evaluation of its first epoch."""
    ask = Control()
    with patched_session():
        for event in session.run(small_spec(**recipe), options(runs_dir), ask):
            if isinstance(event, Progress) and event.step == event.steps_per_epoch:
                ask.stop()
    return only_folder(runs_dir)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_run_stopped_in_its_evaluation_is_resumed_there(tmp_path: Path, name: str) -> None:
    """History, learning rates and weights are those of a run that nobody stopped."""
    folder = run_stopped_in_evaluation(tmp_path / "stopped", **SCHEDULERS[name])
    before = load_run(folder)
    ended = list(resume(folder))[-1]
    with patched_session():
        list(session.run(small_spec(**SCHEDULERS[name]), options(tmp_path / "whole"), Control()))

    assert (before.rows, before.end and before.end["outcome"]) == ([], "stopped")
    assert isinstance(ended, RunEnded)
    assert ended.outcome == "completed"
    assert state_on_disk(folder) == state_on_disk(only_folder(tmp_path / "whole"))


def test_an_epoch_evaluated_after_a_resume_is_on_disk(tmp_path: Path) -> None:
    """The checkpoint of the evaluated epoch replaces the one before the evaluation, which has the same step."""
    folder = run_stopped_in_evaluation(tmp_path)
    for event in resume(folder):
        if isinstance(event, EpochEnded):
            stored = state_on_disk(folder)["rows"]
            break

    assert [row["epoch"] for row in stored] == [1]


def test_without_the_last_rate_the_row_would_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the scheduler has moved on since the last step, so the checkpoint must keep the rate."""
    folder = run_stopped_in_evaluation(tmp_path / "stopped")
    restore = checkpoint.restore

    def forget(training: Training, content: bytes) -> None:
        restore(training, content)
        training.last_rate = training.learning_rate

    monkeypatch.setattr(checkpoint, "restore", forget)
    list(resume(folder))
    with patched_session():
        list(session.run(small_spec(), options(tmp_path / "whole"), Control()))

    assert state_on_disk(folder) != state_on_disk(only_folder(tmp_path / "whole"))


# --- another learning rate -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULERS)
def test_later_rates_are_in_proportion(name: str) -> None:
    """After the change every scheduled rate is half of what it would have been, for every type of scheduler."""
    plain = rates_of(new_training(small_spec(**SCHEDULERS[name])))
    changed = rates_of(new_training(small_spec(**SCHEDULERS[name])), change_at=3)

    assert len(plain) == len(changed) == 10
    assert changed[:3] == plain[:3]
    assert changed[3:] == pytest.approx([rate / 2 for rate in plain[3:]], rel=1e-12)


def test_a_schedule_that_stands_at_zero_gives_no_proportion() -> None:
    """A rate set while the schedule is at zero holds for now, and later rates are not scaled."""
    training = new_training(small_spec(scheduler=None, optimizer="SGD(lr=0.1)"))
    for group in training.optimizer.param_groups:
        group["lr"] = 0.0
    training.set_learning_rate(0.03)

    assert training.learning_rate == 0.03
    assert training.rate_factor == 1.0


def test_every_change_is_reported_where_it_was_made() -> None:
    """`LearningRateChanged` comes before the step that uses the rate, and later rows are marked."""
    training, ask = new_training(small_spec(epochs=3, scheduler=None)), Control()

    def answer(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 1:
            ask.set_learning_rate(0.003)

    events = asked(training, answer, ask)
    rows = [event for event in events if isinstance(event, EpochEnded)]

    assert [event for event in events if isinstance(event, LearningRateChanged)] == [LearningRateChanged(2, 0, 0.003)]
    assert [(row.learning_rate, row.steered) for row in rows] == [(0.01, False), (0.003, True), (0.003, True)]


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf, 1e5, True, "0.1", None])
def test_what_is_no_rate_is_refused(rate: Any, tmp_path: Path) -> None:
    """A wrong rate is refused at once, by threads and through the folder, and nothing is written."""
    with pytest.raises(ValueError, match="must be greater than 0"):
        Control().set_learning_rate(rate)
    with pytest.raises(ValueError, match="must be greater than 0"):
        send(tmp_path, "learning_rate", rate)

    assert not list(tmp_path.iterdir())


def run_with_changed_rates(runs_dir: Path, stop_after: int | None = None, **recipe: Any) -> Path:
    """A run whose rate is changed twice, after 2 and after 7 steps; stopped after so many."""
    ask = Control() if stop_after is None else StopAfter(stop_after)
    taken = itertools.count(1)
    training_step = TrainStep.__call__

    def step(self: TrainStep, inputs: torch.Tensor, labels: torch.Tensor) -> bool:
        count = next(taken)
        if count in (2, 7):
            ask.set_learning_rate(0.001 * count)
        return training_step(self, inputs, labels)

    with patched_session(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainStep, "__call__", step)
        list(session.run(small_spec(**recipe), options(runs_dir), ask))
    return only_folder(runs_dir)


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [3, 5, 8, 9])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_run_with_changed_rates_is_resumed_in_the_same_bits(tmp_path: Path, name: str, stop_after: int) -> None:
    """Wherever a run with changed rates is stopped, it ends in the bits of one that was never stopped."""
    whole = run_with_changed_rates(tmp_path / "whole", **SCHEDULERS[name])
    folder = run_with_changed_rates(tmp_path / "stopped", stop_after, **SCHEDULERS[name])
    if stop_after < 7:  # The second change is made in the resumed run.
        ask = Control()
        with patched_session():
            for event in resuming.resume(load_run(folder), options(folder.parent), ask):
                if isinstance(event, RunStarted):
                    _change_rate_after(ask, 7 - stop_after)
    else:
        list(resume(folder))

    assert state_on_disk(folder) == state_on_disk(whole)
    assert (folder / "steering.jsonl").read_text() == (whole / "steering.jsonl").read_text()


def _change_rate_after(ask: Control, steps: int) -> None:
    """Makes the second change of `run_with_changed_rates` after so many steps."""
    counted = itertools.count(1)
    consume_step = ask.consume_step

    def count() -> bool:
        if next(counted) == steps:
            ask.set_learning_rate(0.007)
        return consume_step()

    ask.consume_step = count  # type: ignore[method-assign]


@pytest.mark.parametrize("lost", ["rate_factor", "scheduled"])
def test_what_a_checkpoint_keeps_of_the_rate_is_needed(
    tmp_path: Path, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without one of them, the resumed run trains at other rates."""
    recipe = SCHEDULERS["recursive"]
    whole = run_with_changed_rates(tmp_path / "whole", **recipe)
    folder = run_with_changed_rates(tmp_path / "stopped", 8, **recipe)
    read = checkpoint.read

    def read_without(content: bytes) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        tensors, state = read(content)
        return tensors, state | ({"rate_factor": 1.0} if lost == "rate_factor" else {"scheduled": [0.005]})

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "read", read_without)
        list(resume(folder))

    assert state_on_disk(folder) != state_on_disk(whole)


def test_a_changed_rate_is_recorded(tmp_path: Path) -> None:
    """Later rows, steering.jsonl and the notes say that the rate was changed, and where."""
    folder = run_with_changed_rates(tmp_path, scheduler=None)
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    changes = [json.loads(line) for line in (folder / "steering.jsonl").read_text().splitlines()]

    assert [line.get("steered") for line in lines] == [True, True]
    assert [row.steered for row in load_run(folder).rows] == [True, True]
    assert changes == [
        {"epoch": 1, "step": 2, "learning_rate": 0.002},
        {"epoch": 2, "step": 2, "learning_rate": 0.007},
    ]
    assert "by hand: epoch 1, step 2: 0.002; epoch 2, step 2: 0.007\n" in (folder / "notes.md").read_text()


def test_an_unchanged_rate_is_not_mentioned(tmp_path: Path) -> None:
    """Without a change there is no mark in the rows and no steering.jsonl."""
    with patched_session():
        list(session.run(small_spec(), options(tmp_path), Control()))
    folder = only_folder(tmp_path)

    assert "steered" not in (folder / "history.jsonl").read_text()
    assert "by hand" not in (folder / "notes.md").read_text()
    assert not (folder / "steering.jsonl").exists()


def test_a_kill_after_a_changed_rate_loses_nothing(tmp_path: Path) -> None:
    """A reported change is in the newest checkpoint, so a resume after a kill keeps it."""
    ask = Control()
    with patched_session():
        events = session.run(small_spec(), options(tmp_path), ask)
        for event in events:
            if isinstance(event, RunStarted):
                ask.set_learning_rate(0.002)
            elif isinstance(event, LearningRateChanged):
                break
        events.close()  # Nothing more is written, as after a kill.
    folder = only_folder(tmp_path)
    rows = [event for event in resume(folder) if isinstance(event, EpochEnded)]

    assert [row.steered for row in rows] == [True, True]


def test_a_change_that_no_checkpoint_holds_is_undone(tmp_path: Path) -> None:
    """After a resume steering.jsonl holds the changes of the checkpoint, whatever a crash left in it."""
    folder = run_with_changed_rates(tmp_path, 3)
    for path in folder.glob("ckpt-*"):
        path.unlink()
    list(resume(folder))

    assert (folder / "steering.jsonl").read_text() == ""
    assert [row.steered for row in load_run(folder).rows] == [False, False]


@pytest.mark.parametrize("key", ["steered", "rate_factor", "scheduled", "last_rate"])
def test_older_checkpoints_can_be_resumed(key: str) -> None:
    """A checkpoint of a version that could not change the rate by hand lacks these keys, and can be resumed."""
    content = checkpoint.dump(new_training(small_spec()))
    tensors, state = checkpoint.read(content)
    del state[key]
    training = new_training(small_spec())
    checkpoint._restore(training, tensors, state)

    assert (training.rate_changes, training.rate_factor, training.last_rate) == ([], 1.0, training.learning_rate)


# --- from another process --------------------------------------------------------------------------------------------


def request_through_the_folder(runs_dir: Path, requests: dict[str, tuple[Request, float | None]]) -> list[Event]:
    """The events of a run; a request is sent through its folder when an event of a class first comes."""
    seen: list[Event] = []
    left = dict(requests)
    with patched_session():
        for event in session.run(small_spec(), options(runs_dir), Control()):
            seen.append(event)
            wish = left.pop(type(event).__name__, None)
            if wish is not None:
                send(only_folder(runs_dir), *wish)
    return seen


def test_a_run_is_stopped_through_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run carries out what another process writes into its folder."""
    monkeypatch.setattr(loop, "PROGRESS_SECONDS", 0)
    ended = request_through_the_folder(tmp_path, {"Progress": ("stop", None)})[-1]

    assert isinstance(ended, RunEnded)
    assert (ended.outcome, ended.epochs) == ("stopped", 0)


def test_a_paused_run_is_changed_and_unpaused_through_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused run reads requests from its folder, too."""
    monkeypatch.setattr(loop, "PROGRESS_SECONDS", 0)
    wishes: dict[str, tuple[Request, float | None]] = {
        "Progress": ("pause", None),
        "Paused": ("learning_rate", 0.004),
        "LearningRateChanged": ("unpause", None),
    }
    seen = request_through_the_folder(tmp_path, wishes)
    names = [type(event).__name__ for event in seen]

    assert [name for name in names if name in ("Paused", "LearningRateChanged", "Unpaused")] == [
        "Paused",
        "LearningRateChanged",
        "Unpaused",
    ]
    assert vars(seen[-1])["outcome"] == "completed"


@pytest.mark.usefixtures("slow_evaluation")
def test_a_run_that_evaluates_is_stopped_through_its_folder(tmp_path: Path) -> None:
    """A request in the folder is carried out during an evaluation, not only after it."""
    seen: list[Event] = []
    with patched_session():
        for event in session.run(small_spec(eval_batch_size=1), options(tmp_path), Control()):
            seen.append(event)
            if isinstance(event, Progress):
                timer = threading.Timer(0.3, send, (only_folder(tmp_path), "stop"))
                timer.start()
    timer.join()

    assert "before it was evaluated" in vars(seen[-1])["message"]


def test_requests_from_before_are_thrown_away(tmp_path: Path) -> None:
    """A stop that one process did not read does not stop the next."""
    folder = run_stopped_in_evaluation(tmp_path)
    send(folder, "stop")
    ended = list(resume(folder))[-1]

    assert isinstance(ended, RunEnded)
    assert ended.outcome == "completed"


HOSTILE = [
    b"\n",
    b"[]\n",
    b"{}\n",
    b"null\n",
    b'{"request": "rm"}\n',
    b'{"request": ["stop"]}\n',
    b'{"request": "learning_rate"}\n',
    b'{"request": "learning_rate", "value": NaN}\n',
    b'{"request": "learning_rate", "value": -1}\n',
    b'{"request": "learning_rate", "value": "1"}\n',
    b'{"request": "learning_rate", "value": 1' + b"0" * 1000 + b"}\n",
    b"\xff\xfe\x00\n",
    b"[" * 100_000 + b"\n",
]


@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: ascii(line[:40]))
def test_what_is_no_request_is_left_out(tmp_path: Path, line: bytes) -> None:
    """A line that is no request is returned for the log; the requests after it are carried out."""
    requests, ask = Requests(tmp_path), Control()
    (tmp_path / control.FILE).write_bytes(line + b'{"request": "pause"}\n')
    refused = requests.dispatch(ask)

    assert len(refused) == 1
    assert ask.is_paused
    assert ask.consume_learning_rate() is None


def test_what_is_no_request_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is no request goes to run.log, and the run is not stopped."""
    monkeypatch.setattr(loop, "PROGRESS_SECONDS", 0)
    with patched_session():
        for event in session.run(small_spec(), options(tmp_path), Control()):
            if isinstance(event, RunStarted):
                (Path(event.folder) / control.FILE).write_text("nonsense\x1b[2J\n")
    log = (only_folder(tmp_path) / "run.log").read_text()

    assert "not a request: nonsense" in log
    assert "\x1b" not in log


def test_half_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """A request that is half written is carried out once, when its line is complete."""
    requests, ask = Requests(tmp_path), Control()
    path = tmp_path / control.FILE
    path.write_bytes(b'{"request": "pa')
    before = (requests.dispatch(ask), ask.is_paused)
    path.write_bytes(b'{"request": "pause"}\n')
    after = (requests.dispatch(ask), ask.is_paused)

    assert before == ([], False)
    assert after == ([], True)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_a_file_is_read_and_written(tmp_path: Path, kind: str) -> None:
    """Neither a link out of the folder nor a pipe that nobody fills is read or written."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b'{"request": "stop"}\n')
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    requests, ask = Requests(run_folder), Control()
    path = run_folder / control.FILE
    match kind:
        case "link":
            path.symlink_to(elsewhere)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
    refused = requests.dispatch(ask)
    with pytest.raises(OSError, match=r"no regular file|directory"):
        send(run_folder, "stop")

    assert (refused, ask.should_stop) == ([], False)
    assert elsewhere.read_bytes() == b'{"request": "stop"}\n'


@pytest.mark.parametrize(("user", "is_read"), [("owner", True), ("root", True), ("other", False)])
def test_only_the_owner_controls_a_run(
    tmp_path: Path, user: str, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that everybody can write to, the requests of another user are not read."""
    requests, ask = Requests(tmp_path), Control()
    (tmp_path / control.FILE).write_bytes(b'{"request": "stop"}\n')
    owner = tmp_path.stat().st_uid
    uid = {"owner": owner, "root": 0, "other": owner + 1}[user]
    with monkeypatch.context() as patch:  # Only root may give a file away.
        patch.setattr("mnist_tui.runs.control.os.fstat", lambda _: SimpleNamespace(st_uid=uid))
        refused = requests.dispatch(ask)

    assert refused == []
    assert ask.should_stop is is_read


def test_a_flood_of_requests_is_bounded(tmp_path: Path) -> None:
    """No more than a megabyte of requests is ever read."""
    requests, ask = Requests(tmp_path), Control()
    line = b'{"request": "step"}\n'
    (tmp_path / control.FILE).write_bytes(line * (2 * control.MAX_BYTES // len(line)))
    requests.dispatch(ask)
    requests.dispatch(ask)

    assert ask._steps == control.MAX_BYTES // len(line)


def test_a_control_takes_requests_of_many_threads() -> None:
    """Steps that many threads ask for are all counted."""
    ask = Control()

    def take_steps() -> None:
        for _ in range(1000):
            ask.step()

    threads = [threading.Thread(target=take_steps) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ask._steps == 8000


def test_a_locked_run_leaves_no_thread_behind(tmp_path: Path) -> None:
    """The thread that makes batches ends with the run that could not begin."""
    folder = run_stopped_in_evaluation(tmp_path)
    holder = RunFolder(folder)
    before = set(threading.enumerate())
    with pytest.raises(Exception, match="is being trained by"):
        list(resume(folder))
    after = set(threading.enumerate())
    holder.close()

    assert after <= before
