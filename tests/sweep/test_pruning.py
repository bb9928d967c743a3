"""Runs of a search that are stopped early: the decisions are Optuna's own, and nobody resumes such a run."""

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import optuna
import pytest
from helpers.searches import Process, make_plan, save_run, start

from mnist_tui.errors import StorageError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Notice
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep import train
from mnist_tui.sweep.folder import Sweep
from mnist_tui.sweep.jobs import Job, JobEnded, JobSource, Message
from mnist_tui.sweep.plan import Point, SweepPlan
from mnist_tui.sweep.results import PRUNED_FILE, Results
from mnist_tui.sweep.search import pruning
from mnist_tui.sweep.search.pruning import Pruning
from mnist_tui.sweep.search.study import should_prune
from mnist_tui.sweep.search.trials import Trial
from mnist_tui.training import data

EPOCHS = 9
LR = {"optimizer.lr": "0.001..1 log"}


def curves(count: int, seed: int) -> list[list[float]]:
    """Learning curves that cross each other."""
    chance = random.Random(seed)
    ends = [chance.uniform(0.5, 1) for _ in range(count)]
    return [[end - chance.uniform(0.1, 0.5) / epoch for epoch in range(1, EPOCHS + 1)] for end in ends]


def ends_by_optuna(pruner: optuna.pruners.BasePruner, numbers: Sequence[Sequence[float]]) -> list[int]:
    """The last epoch of each trial in a plain `study.optimize`."""
    ends: list[int] = []

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_float("x", 0, 1)
        curve = numbers[trial.number]
        ends.append(0)
        for ends[-1], accuracy in enumerate(curve, start=1):
            trial.report(accuracy, ends[-1])
            if ends[-1] < EPOCHS and trial.should_prune():
                raise optuna.TrialPruned
        return max(curve)

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0), pruner=pruner)
    study.optimize(objective, n_trials=len(numbers))
    return ends


def ends_by_ours(plan: SweepPlan, numbers: Sequence[Sequence[float]]) -> list[int]:
    """The same, with a study that is rebuilt for each epoch."""
    trials: list[Trial] = []
    ends = []
    for number, curve in enumerate(numbers):
        values = {"optimizer.lr": "0.1"}
        for epoch in range(1, EPOCHS + 1):
            known = dict(enumerate(curve[:epoch], start=1))
            running = Trial(number, values, "running", by_epoch=known)
            if epoch < EPOCHS and should_prune(plan, [*trials, running], number, epoch):
                trials.append(Trial(number, values, "pruned", by_epoch=known))
                break
        else:
            trials.append(Trial(number, values, "ended", max(curve), 100, known))
        ends.append(epoch)
    return ends


@pytest.mark.parametrize("seed", range(3))
def test_decisions_are_those_of_optuna(seed: int) -> None:
    """Run after run, epoch after epoch, a study rebuilt from nothing prunes as one that lasts."""
    numbers = curves(30, seed)
    halving = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    for rule, pruner in (("median", optuna.pruners.MedianPruner()), ("halving", halving)):
        expected = ends_by_optuna(pruner, numbers)

        assert ends_by_ours(make_plan(LR, prune=rule, epochs=EPOCHS), numbers) == expected
        assert len(set(expected)) > 2


def test_most_runs_are_stopped_by_halving() -> None:
    """Of 30 runs of 9 epochs at most a third reach the third epoch, and fewer the end; the best one does."""
    numbers = curves(30, 0)
    ends = ends_by_ours(make_plan(LR, sampler="halving"), numbers)

    assert sum(end > 1 for end in ends) <= 15
    assert sum(end > 3 for end in ends) <= 7
    assert sum(ends) < 30 * EPOCHS / 2


def test_later_epochs_do_not_count() -> None:
    """Where the run is ahead of its events, a decision is made as of the epoch that is asked about."""
    plan = make_plan(LR, sampler="halving")
    others = [
        Trial(number, {"optimizer.lr": "0.1"}, "running", by_epoch={1: 0.5 + number / 100}) for number in range(9)
    ]
    for first, expected in ((0.4, True), (0.9, False)):
        own = Trial(9, {"optimizer.lr": "0.1"}, "running", by_epoch={1: first, 2: 0.99})

        assert should_prune(plan, [*others, own], 9, 1) is expected
    assert not should_prune(plan, others, 9, 1)


def test_diverged_runs_are_no_measure_of_a_median() -> None:
    """Their accuracies before they diverged do not hold others up."""
    plan = make_plan(LR, prune="median")
    values = {"optimizer.lr": "0.1"}
    good = [Trial(number, values, "ended", 0.6, 9, {1: 0.6, 2: 0.6}) for number in range(5)]
    bad = [Trial(number, values, "ended", 0.0, 9, {1: 0.9}, has_diverged=True) for number in range(5, 12)]
    own = Trial(12, values, "running", by_epoch={1: 0.7})

    assert not should_prune(plan, [*good, *bad, own], 12, 1)


# --- in the run folders ---


def begin_run(sweep: Sweep, point: Point, accuracies: Sequence[float]) -> Path:
    """The folder of a run of nine epochs that has come so far, without an end."""
    folder = save_run(sweep, point, accuracies)
    record = json.loads((folder / "run.json").read_text())
    record["spec"]["train"]["epochs"] = EPOCHS
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "end.json").unlink()
    return folder


def history(sweep: Sweep) -> Process:
    """A process in a search in which five runs have ended with accuracies of about 0.9."""
    process = Process(sweep)
    for _ in range(5):
        point = process.take()
        assert point is not None
        save_run(sweep, point, [0.9 - 0.1 / epoch for epoch in range(1, EPOCHS + 1)])
        process.points.finish(point)
    return process


def test_run_that_falls_behind_is_noted_and_not_resumed(tmp_path: Path) -> None:
    """What was decided is in the run's folder; the run counts as pruned, whether or not it had the time to stop."""
    sweep = start(tmp_path, make_plan(LR, prune="median"))
    process = history(sweep)
    point = process.take()
    assert point is not None
    folder = begin_run(sweep, point, (0.85, 0.3, 0.4))
    judge = Pruning(process.results, process.claims)
    good, bad = judge.judge(point, 1), judge.judge(point, 3)
    process.die()
    again = Process(sweep)
    following = again.take()

    assert good == ""
    assert bad == (
        "stopped early after epoch 3 with accuracy 40.00%: its best accuracy is below the median of the others after "
        "this epoch"
    )
    assert json.loads((folder / PRUNED_FILE).read_text()) == {"epoch": 3, "accuracy": 0.4, "rule": "median"}
    assert (again.results.of(point.key) or pytest.fail("no run")).state == "pruned"
    assert following is not None
    assert following.number == point.number + 1


def test_run_that_was_not_noted_is_resumed(tmp_path: Path) -> None:
    """The control: without the note the same run goes on."""
    sweep = start(tmp_path, make_plan(LR, prune="median"))
    process = history(sweep)
    point = process.take()
    assert point is not None
    begin_run(sweep, point, (0.85, 0.3, 0.4))
    process.die()

    assert Process(sweep).take() == point


def test_last_epoch_is_not_judged(tmp_path: Path) -> None:
    """A run that has come to its end has completed, however bad it is."""
    sweep = start(tmp_path, make_plan(LR, prune="median"))
    process = history(sweep)
    point = process.take()
    assert point is not None
    folder = begin_run(sweep, point, (0.1,) * EPOCHS)

    assert Pruning(process.results, process.claims).judge(point, EPOCHS) == ""
    assert not (folder / PRUNED_FILE).exists()


def test_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is not stopped early where that cannot be written down."""
    sweep = start(tmp_path, make_plan(LR, prune="median"))
    process = history(sweep)
    point = process.take()
    assert point is not None
    begin_run(sweep, point, (0.1,))

    def fail(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pruning, "write_atomically", fail)
    with pytest.raises(StorageError, match=r"cannot write to .*: No space left on device"):
        Pruning(process.results, process.claims).judge(point, 1)


# --- while points are trained ---


class CannedTrainer:
    """Trains nothing: each run has the made-up epochs of its number, until it is stopped, or killed and resumed."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._stopped: set[int] = set()
        self.notes_at_stop: list[bool] = []
        """At each stop, whether the run's folder held the note already."""
        self._folder = Path()

    def train(self, jobs: JobSource, control: Control) -> Iterator[tuple[int, Message]]:
        index = 0
        while (job := jobs.take()) is not None:
            yield from ((index, message) for message in self._run(index, job))
            index += 1

    def _run(self, index: int, job: Job) -> Iterator[Message]:
        accuracy = 0.9 if index < 5 else 0.2
        label = job.options.sweep
        assert label is not None
        point = Point(label["point"], job.spec.train.seed, label["values"])
        self._folder = begin_run(self._sweep, point, [accuracy])
        yield epoch_ended(1, accuracy)
        yield Notice("its process was killed; it is resumed", is_warning=True)
        if index not in self._stopped:
            shutil.rmtree(self._folder)
            save_run(self._sweep, point, [accuracy] * EPOCHS)
        yield JobEnded()

    def stop(self, index: int) -> None:
        self._stopped.add(index)
        self.notes_at_stop.append((self._folder / PRUNED_FILE).exists())

    def close(self) -> None:
        pass

    def kill(self) -> None:
        pass


def epoch_ended(epoch: int, accuracy: float) -> EpochEnded:
    """An event of which only the epoch matters here."""
    return EpochEnded(epoch, 0.1, accuracy, None, None, 0.1, accuracy, 0.1, 1.0, 1.0)


def test_runs_are_stopped_while_points_are_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sixth run and all later ones are stopped, and once more when a new process resumes them; each says why."""
    monkeypatch.setattr(data, "loading", lambda *args: ())
    sweep = start(tmp_path, make_plan(LR, prune="median", trials=8))
    trainer = CannedTrainer(sweep)
    told = list(train.train_points(sweep, Options(runs_dir=tmp_path), Control(), lambda: trainer))
    results = Results(sweep)
    results.refresh()
    states = [run.state for run in sorted(results.all(), key=lambda run: run.point.number)]
    reasons = [message.text for _, message in told if isinstance(message, Notice) and "early" in message.text]

    assert states == ["completed"] * 5 + ["pruned"] * 3
    assert len(reasons) == 3
    assert trainer.notes_at_stop == [True] * 6
