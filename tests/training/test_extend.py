"""A run with more epochs added ends in the bits of a run that had them from the start; the old folder stays."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from filelock import FileLock
from helpers.reliability import (
    check_same,
    few_images,
    leftovers,
    loads,
    options,
    patched_session,
    resume,
    run,
    small_spec,
    started_folder,
    state_on_disk,
)

from mnist_tui.errors import DataError, SpecError, StorageError
from mnist_tui.runs import storage
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Event, LearningRateChanged, Notice, RunEnded, RunStarted, best_of
from mnist_tui.runs.lock import is_running
from mnist_tui.runs.storage import RunFolder, load_run
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import checkpoint, environment, session
from mnist_tui.training import resume as resuming
from mnist_tui.training.data import Dataset, Images

pytestmark = pytest.mark.slow  # trains, then goes on

STEP: dict[str, str | None] = {"scheduler": "StepLR(step_size=1, gamma=0.5)"}
STEPS = 5
"""Of an epoch of the few images."""

SCHEDULERS: dict[str, dict[str, str | None]] = {
    "none": {"scheduler": None},
    "by epoch": STEP,
    "by step": {"scheduler": "CosineAnnealingLR(7)", "scheduler_step": "batch"},
    "plateau": {"scheduler": "ReduceLROnPlateau(factor=0.5, patience=0, threshold=0.9)"},
    "in sequence": {
        "scheduler": "SequentialLR([LinearLR(0.1, total_iters=4), StepLR(step_size=2, gamma=0.5)], milestones=[4])",
        "scheduler_step": "batch",
    },
}


def extend(folder: Path, epochs: int, runs_dir: Path, control: Control | None = None) -> Generator[Event, None, None]:
    """The events of an extension of a run on the few images."""
    torch.manual_seed(999)  # Another process has drawn other numbers.
    with patched_session():
        yield from resuming.extend(load_run(folder), epochs, options(runs_dir), control or Control())


def trained(runs_dir: Path, spec: RunSpec, steps: int = 10_000) -> Path:
    """The folder of a new run."""
    return started_folder(list(run(runs_dir, spec, steps)))


def extended(folder: Path, epochs: int, runs_dir: Path) -> Path:
    """The folder of an extension."""
    return started_folder(list(extend(folder, epochs, runs_dir)))


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """The bytes of every file, and when it was changed."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def change(path: Path, **values: Any) -> None:
    """Sets values in a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A completed run of two epochs."""
    return trained(tmp_path / "old", small_spec(**STEP))


# --- the same bits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULERS)
def test_an_extended_run_ends_in_the_same_bits(name: str, tmp_path: Path) -> None:
    """Weights, moments, scheduler, random states, rows and predictions are those of four epochs from the start."""
    recipe = SCHEDULERS[name]
    old = trained(tmp_path / "old", small_spec(**recipe))
    new = extended(old, 2, tmp_path / "new")

    check_same(state_on_disk(new), state_on_disk(trained(tmp_path / "whole", small_spec(**recipe, epochs=4))))
    assert not leftovers(new)


def test_on_the_digits(tmp_path: Path, small_spec: RunSpec, digits: Dataset) -> None:
    """Real images, with a part of them for validation."""
    spec = small_spec.with_settings({"scheduler": str(STEP["scheduler"]), "validation_images": "6000"})
    with (
        mock.patch.object(session, "loading", loads(lambda choice: digits)),
        mock.patch.object(resuming, "loading", loads(lambda choice: digits)),
        mock.patch.object(environment, "git", return_value=None),
    ):
        folders = [tmp_path / name for name in ("old", "new", "whole")]
        old = started_folder(list(session.run(spec, options(folders[0]), Control())))
        new = started_folder(list(resuming.extend(load_run(old), 2, options(folders[1]), Control())))
        whole = spec.with_settings({"epochs": "4"})
        expected = started_folder(list(session.run(whole, options(folders[2]), Control())))

    check_same(state_on_disk(new), state_on_disk(expected))


@pytest.mark.parametrize("lost", ["set_rng_state", "_restore_scheduler", "_restore_optimizer"])
def test_every_part_of_the_state_is_needed(lost: str, old: Path, tmp_path: Path) -> None:
    """Negative control: with one part as a new training has it, the run ends elsewhere."""
    place = torch if lost == "set_rng_state" else checkpoint
    with mock.patch.object(place, lost):
        new = extended(old, 2, tmp_path / "new")

    with pytest.raises(AssertionError):
        check_same(state_on_disk(new), state_on_disk(trained(tmp_path / "whole", small_spec(**STEP, epochs=4))))


def test_extended_twice(old: Path, tmp_path: Path) -> None:
    """A run that is itself an extension can be extended."""
    first = extended(old, 1, tmp_path / "first")
    second = extended(first, 1, tmp_path / "second")

    check_same(state_on_disk(second), state_on_disk(trained(tmp_path / "whole", small_spec(**STEP, epochs=4))))
    assert load_run(second).record["extends"] == first.name


@pytest.mark.parametrize("steps", [0, 3, STEPS, 2 * STEPS - 1])
def test_an_interrupted_extension_is_resumed(steps: int, old: Path, tmp_path: Path) -> None:
    """The steps of an extension may be cut off anywhere, as those of any run."""

    class Stop(Control):
        left = steps

        @property
        def is_paused(self) -> bool:
            self.left -= 1
            if self.left < 0:
                self.stop()
            return False

    new = started_folder(list(extend(old, 2, tmp_path / "new", Stop())))
    (new / "end.json").unlink()  # As a killed process leaves it.
    last = list(resume(new))[-1]

    assert isinstance(last, RunEnded)
    assert last.outcome == "completed"
    check_same(state_on_disk(new), state_on_disk(trained(tmp_path / "whole", small_spec(**STEP, epochs=4))))


# --- the two folders -------------------------------------------------------------------------------------------------


def test_the_old_folder_stays_as_it_is(old: Path, tmp_path: Path) -> None:
    """Not a byte and not a time of it changes, and the new one says where it comes from."""
    before = contents(old)
    events = list(extend(old, 2, tmp_path / "new"))
    new = load_run(started_folder(events))

    assert contents(old) == before
    assert new.record["extends"] == old.name
    assert new.record["run"] == new.folder.name != old.name
    assert new.spec.train.epochs == 4
    assert [row.epoch for row in new.rows] == [1, 2, 3, 4]
    assert [(each.epochs, each.epochs_done) for each in events if isinstance(each, RunStarted)] == [(4, 2)]
    assert [each.epoch for each in events if isinstance(each, EpochEnded)] == [3, 4]
    assert not [each for each in events if isinstance(each, Notice)]


def test_the_rows_are_there_when_it_begins(old: Path, tmp_path: Path) -> None:
    """When `RunStarted` is yielded, the rows of the old run are in the new folder."""
    events = extend(old, 2, tmp_path / "new")
    folder = started_folder([next(events)])
    rows = load_run(folder).rows
    events.close()

    assert rows == load_run(old).rows


def best_first(**recipe: Any) -> RunSpec:
    """A run whose first epoch stays the best: all that follow train at a rate of zero."""
    still = {"optimizer": "SGD(lr=0.05)", "scheduler": "StepLR(step_size=1, gamma=0)", "epochs": 3}
    return small_spec(**still | recipe).with_settings({"layers": "Flatten()\nLinear(10)"})


def test_a_best_epoch_before_the_extension_stays(tmp_path: Path) -> None:
    """Its predictions and its weights are in the new folder too."""
    old = trained(tmp_path / "old", best_first())
    best = best_of(load_run(old).rows)
    new = extended(old, 4, tmp_path / "new")
    kept = storage.checkpoint_path(new, STEPS)

    assert best is not None
    assert best.epoch == 1
    assert best_of(load_run(new).rows) == best
    assert (new / "predictions.npz").read_bytes() == (old / "predictions.npz").read_bytes()
    assert checkpoint.read(kept.read_bytes())[1]["epoch"] == 2
    assert len(storage.checkpoints(new)) == 3
    check_same(state_on_disk(new), state_on_disk(trained(tmp_path / "whole", best_first(epochs=7))))


def test_what_cannot_be_taken_over_is_said(tmp_path: Path) -> None:
    """Without the best epoch's files the run is extended, with a warning for each."""
    old = trained(tmp_path / "old", best_first())
    (old / "predictions.npz").unlink()
    storage.checkpoint_path(old, STEPS).write_bytes(b"damaged")
    events = list(extend(old, 1, tmp_path / "new"))
    warnings = [each.text for each in events if isinstance(each, Notice) and each.is_warning]

    assert len(warnings) == 2
    assert "predictions.npz" in warnings[0]
    assert "cannot be read" in warnings[1]
    assert vars(events[-1])["outcome"] == "completed"


def test_an_extension_of_a_run_with_changed_rates(tmp_path: Path) -> None:
    """The marks are carried over, and the rate stays in proportion."""

    class ChangeRate(Control):
        asked = 0

        @property
        def is_paused(self) -> bool:
            self.asked += 1
            if self.asked == 4:
                self.set_learning_rate(0.003)
            return False

    def run_changed(epochs: int, name: str) -> Path:
        with patched_session():
            spec = small_spec(**STEP, epochs=epochs)
            return started_folder(list(session.run(spec, options(tmp_path / name), ChangeRate())))

    old, whole = run_changed(2, "old"), run_changed(4, "whole")
    new = extended(old, 2, tmp_path / "new")
    marks = [json.loads(line) for line in (new / "steering.jsonl").read_text().splitlines()]

    assert marks == [vars(LearningRateChanged(1, 3, 0.003))]
    assert [row.steered for row in load_run(new).rows] == [True] * 4
    check_same(state_on_disk(new), state_on_disk(whole))


# --- rules that ended the run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [{"patience": 1}, {"stop_at_accuracy": 0.001}], ids=str)
def test_a_run_that_its_rules_ended(rule: dict[str, Any], tmp_path: Path) -> None:
    """The extension trains so many more epochs without the rule, and a notice says so."""
    old = trained(tmp_path / "old", best_first(epochs=9, **rule))
    done = len(load_run(old).rows)
    events = list(extend(old, 2, tmp_path / "new"))
    new = load_run(started_folder(events))
    name, value = next(iter(rule.items()))
    said = [each.text for each in events if isinstance(each, Notice)]

    assert done < 9
    assert (len(new.rows), new.spec.train.epochs) == (done + 2, done + 2)
    assert getattr(new.spec.train, name) is None
    assert said == [f"{name}={value} ended the run; the extension ignores it"]


def test_rules_that_did_not_end_the_run_stay(tmp_path: Path) -> None:
    """Early-stopping rules that did not end the run hold in the extension."""
    old = trained(tmp_path / "old", small_spec(**STEP, patience=50, stop_at_accuracy=1.0))
    train = load_run(extended(old, 1, tmp_path / "new")).spec.train

    assert (train.patience, train.stop_at_accuracy) == (50, 1.0)


# --- what is refused -------------------------------------------------------------------------------------------------


def refused(folder: Path, epochs: int = 2) -> str:
    """Why a run is not extended; nothing is made, and the old folder stays as it is."""
    before, runs_dir = contents(folder), folder.parent.parent / "refused"
    with pytest.raises((StorageError, SpecError, DataError)) as caught:
        list(extend(folder, epochs, runs_dir))
    assert contents(folder) == before
    assert not runs_dir.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("recipe", "field"),
    [
        ({"scheduler": "OneCycleLR(0.02, total_steps=1000)"}, "scheduler"),
        ({"scheduler": "CosineAnnealingLR(epochs)"}, "scheduler"),
        ({"scheduler": "StepLR(step_size=2*steps_per_epoch)", "scheduler_step": "batch"}, "scheduler"),
        (
            {
                "scheduler": "SequentialLR([OneCycleLR(0.02, total_steps=99), StepLR(9)], [3])",
                "scheduler_step": "batch",
            },
            "scheduler",
        ),
        ({"optimizer": "SGD(lr=0.1/epochs)", "scheduler": None}, "optimizer"),
    ],
    ids=str,
)
def test_a_recipe_that_is_made_for_its_length(recipe: dict[str, Any], field: str, tmp_path: Path) -> None:
    """A recipe whose schedule depends on the number of epochs cannot be extended."""
    old = trained(tmp_path / "old", small_spec(**recipe))
    reason = refused(old)

    assert reason.startswith(f"train.{field}: ")
    assert reason.endswith("made for 2 epochs; train a new run with more epochs instead")


def stopped(folder: Path) -> None:
    """Makes the run look stopped."""
    change(folder / "end.json", outcome="stopped")


def interrupted(folder: Path) -> None:
    """Makes the run look killed."""
    (folder / "end.json").unlink()


def diverged(folder: Path) -> None:
    """Makes the run look diverged."""
    change(folder / "end.json", outcome="diverged")


def other_data(folder: Path) -> None:
    """Makes the run look trained on other images."""
    change(folder / "run.json", dataset={"name": "digits", "sha256": "0" * 64})


def no_checkpoint(folder: Path) -> None:
    """Removes the checkpoints."""
    for path in folder.glob("ckpt-*"):
        path.unlink()


def damaged_checkpoint(folder: Path) -> None:
    """Damages the newest checkpoint."""
    storage.checkpoints(folder)[0].write_bytes(b"x" * 100)


def lost_checkpoint(folder: Path) -> None:
    """Removes the newest checkpoint."""
    storage.checkpoints(folder)[0].unlink()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (stopped, "this run is not done; `mnist-tui resume"),
        (interrupted, "this run is not done; `mnist-tui resume"),
        (diverged, "has diverged, so it cannot be extended"),
        (other_data, "trained on other data"),
        (no_checkpoint, "no checkpoint can be read; train a new run"),
        (damaged_checkpoint, "is no checkpoint"),
        (lost_checkpoint, "is not from the run's end"),
    ],
)
def test_a_run_that_cannot_be_extended(broken: Callable[[Path], None], reason: str, old: Path) -> None:
    """One sentence says what is wrong, and mostly what to do."""
    broken(old)
    message = refused(old)

    assert reason in message
    assert str(old) in message


def test_a_run_that_is_being_trained(old: Path) -> None:
    """A run that is being trained cannot be extended."""
    interrupted(old)
    with FileLock(old / "run.lock"):
        assert "is being trained" in refused(old)


@pytest.mark.parametrize(("epochs", "reason"), [(0, "at least 1"), (-2, "at least 1"), (10_000, "10000")])
def test_a_wrong_number_of_epochs(epochs: int, reason: str, old: Path) -> None:
    """At least one epoch is added, and the total stays below the limit of a run."""
    assert reason in refused(old, epochs)


def test_a_folder_that_cannot_be_filled(old: Path, tmp_path: Path) -> None:
    """One error, and the lock of the new folder is given back."""
    full = OSError(28, "No space left on device")
    with (
        mock.patch.object(RunFolder, "save_checkpoint", side_effect=full),
        pytest.raises(StorageError, match=r"cannot write to .*No space left"),
    ):
        list(extend(old, 1, tmp_path / "new"))
    (folder,) = (tmp_path / "new").iterdir()

    assert not is_running(folder)


def test_another_machine_is_said(old: Path, tmp_path: Path) -> None:
    """A notice says that another machine may give other numbers than a run from the start."""
    change(old / "run.json", versions={"torch": "1.0"})
    events = list(extend(old, 1, tmp_path / "new"))

    assert any("begun with 1.0" in each.text for each in events if isinstance(each, Notice))


def test_another_data_set_in_the_options_changes_nothing(old: Path, tmp_path: Path) -> None:
    """The data is the run's, whatever is set for new ones."""
    images = few_images()
    other = Dataset("mnist", "elsewhere", Images(images.train.pixels.flip(0), images.train.labels), images.test)
    data_sets = {"digits": images, "mnist": other}
    with (
        mock.patch.object(resuming, "loading", loads(data_sets.__getitem__)),
        mock.patch.object(environment, "git", return_value=None),
    ):
        wishes = Options(device="cpu", dataset="mnist", runs_dir=tmp_path / "new", threads=1)
        events = list(resuming.extend(load_run(old), 1, wishes, Control()))

    assert load_run(started_folder(events)).record["dataset"]["name"] == "digits"
