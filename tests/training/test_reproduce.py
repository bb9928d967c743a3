"""Runs that are trained again: the same bits, or the first number that differs and what differs around it."""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.reliability import StopAfter, few_images, only_folder, options, patched_session, resume, run, small_spec

from mnist_tui.errors import DataError, DeviceError, RunError, StorageError
from mnist_tui.runs import lock
from mnist_tui.runs.annotations import read_tags
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, LearningRateChanged, Notice, RunEnded, RunStarted
from mnist_tui.runs.history import FILE, read_history
from mnist_tui.runs.reproduction import Difference, EpochCompared, Reproduced
from mnist_tui.runs.storage import checkpoints, load_run
from mnist_tui.spec.run_options import Options
from mnist_tui.training import resume as resuming
from mnist_tui.training import session
from mnist_tui.training.reproduce import reproduce

pytestmark = pytest.mark.slow  # repeats whole runs

STEPS = 5
"""Of an epoch of the few images."""


class SetRates(Control):
    """A control that changes the learning rate before some steps, counted from 0 over the whole run."""

    def __init__(self, rates: dict[int, float]) -> None:
        super().__init__()
        self._rates = rates
        self._step = -1  # The request from before the run is consumed first.

    def consume_learning_rate(self) -> float | None:
        self._step += 1
        return self._rates.get(self._step - 1)


def begun(runs_dir: Path, steps: int = 10_000, **recipe: Any) -> Path:
    """The folder of a run that was stopped after so many steps."""
    list(run(runs_dir, small_spec(**recipe), steps))
    return only_folder(runs_dir)


def again(
    folder: Path, tmp_path: Path, to_the_end: bool = False, control: Control | None = None, **changes: Any
) -> list[Any]:
    """The events of a run that is trained again, in another runs directory."""
    chosen = Options(**vars(options(tmp_path / "again")) | {"device": "auto", "threads": None} | changes)
    with patched_session():
        return list(reproduce(load_run(folder), chosen, control or Control(), to_the_end))


def result(events: Sequence[Any]) -> Reproduced:
    """The last event."""
    assert isinstance(events[-1], Reproduced)
    return events[-1]


def epochs(events: Sequence[Any]) -> list[int]:
    """The epochs that were trained."""
    return [event.epoch for event in events if isinstance(event, EpochEnded)]


def remarks(events: Sequence[Any]) -> list[str]:
    """What is said about the saved run."""
    return [event.text for event in events if isinstance(event, Notice)]


def rewrite(folder: Path, epoch: int, **values: Any) -> None:
    """Changes numbers of an epoch in the history, with a checksum that fits."""
    lines = (folder / FILE).read_bytes().splitlines()
    row = json.loads(lines[epoch - 1])
    del row["crc32"]
    text = json.dumps(row | values)
    lines[epoch - 1] = f'{text[:-1]}, "crc32": {zlib.crc32(text.encode())}}}'.encode()
    (folder / FILE).write_bytes(b"\n".join(lines) + b"\n")


def record(folder: Path, **values: Any) -> None:
    """Changes what run.json says."""
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


# --- identical ---


def test_a_run_comes_out_in_the_same_bits(tmp_path: Path) -> None:
    """Every number of every epoch, and the weights; a draw in between changes nothing."""
    folder = begun(tmp_path / "runs")
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    torch.manual_seed(999)
    events = again(folder, tmp_path)
    found = result(events)

    assert (found.verdict, found.epochs, found.stored_epochs, found.differences) == ("identical", 2, 2, ())
    assert [event for event in events if isinstance(event, EpochCompared)] == [
        EpochCompared(1, ()),
        EpochCompared(2, ()),
    ]
    assert found.weights is not None
    assert (found.weights.step, found.weights.stored) == (2 * STEPS, found.weights.computed)
    assert (dict(found.around), remarks(events)) == ({}, [])
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before


def test_what_is_trained_says_what_it_repeats(tmp_path: Path) -> None:
    """In run.json, and by a tag."""
    folder = begun(tmp_path / "runs")
    again(folder, tmp_path)
    copy = only_folder(tmp_path / "again")

    assert json.loads((copy / "run.json").read_text())["reproduces"] == folder.name
    assert read_tags(copy) == ("repro",)
    assert load_run(copy).spec == load_run(folder).spec


@pytest.mark.parametrize(("steps", "kept"), [(STEPS, 1), (STEPS + 2, 1), (3 * STEPS - 1, 2)])
def test_an_unfinished_run_is_trained_as_far_as_it_went(steps: int, kept: int, tmp_path: Path) -> None:
    """Whole epochs; the weights are those of the last whole epoch. Killed in the middle, it is the same."""
    folder = begun(tmp_path / "runs", steps, epochs=4)
    stopped = again(folder, tmp_path)
    (folder / "end.json").unlink()
    killed = again(folder, tmp_path)

    for events, state in ((stopped, "stopped"), (killed, "interrupted")):
        found = result(events)
        assert (found.verdict, epochs(events)) == ("identical", list(range(1, kept + 1)))
        assert found.weights is not None
        assert found.weights.step == kept * STEPS
        assert remarks(events) == [f"the run was not completed ({state}): its {kept} of 4 epochs are trained again"]


def test_a_resumed_run(tmp_path: Path) -> None:
    """It is trained in one go, and the remark says with what else it was resumed."""
    folder = begun(tmp_path / "runs", STEPS + 2)
    list(resume(folder))
    once = again(folder, tmp_path)
    line = json.loads((folder / "resumed.jsonl").read_text())
    with open(folder / "resumed.jsonl", "a") as file:
        file.write(json.dumps(line | {"threads": 7}) + "\nno JSON\n")
    twice = again(folder, tmp_path)

    assert result(once).verdict == result(twice).verdict == "identical"
    assert remarks(once) == ["the run was resumed once; it is trained again in one go"]
    assert remarks(twice) == ["the run was resumed 2 times, with threads 1 → 7; it is trained again in one go"]


def test_an_extended_run(tmp_path: Path) -> None:
    """It equals one that was given all its epochs from the start."""
    first = begun(tmp_path / "runs", scheduler=None)
    with patched_session():
        list(resuming.extend(load_run(first), 1, options(tmp_path / "longer"), Control()))
    events = again(only_folder(tmp_path / "longer"), tmp_path)

    assert (result(events).verdict, epochs(events)) == ("identical", [1, 2, 3])
    assert remarks(events) == [f"the run extends {first.name}; all of its epochs are trained again, from its seed"]


@pytest.mark.parametrize("rates", [{0: 0.05}, {3: 0.001, STEPS: 0.1}, {STEPS + 4: 0.02}])
def test_learning_rates_set_by_hand_are_set_again(rates: dict[int, float], tmp_path: Path) -> None:
    """At the same steps; without them the run differs (the control)."""
    with patched_session():
        list(session.run(small_spec(), options(tmp_path / "runs"), SetRates(rates)))
    folder = only_folder(tmp_path / "runs")
    events = again(folder, tmp_path)
    changes = [event for event in events if isinstance(event, LearningRateChanged)]

    assert result(events).verdict == "identical"
    assert [((one.epoch - 1) * STEPS + one.step, one.learning_rate) for one in changes] == list(rates.items())
    assert "changed by hand" in remarks(events)[0]

    (folder / "steering.jsonl").write_text('{"epoch": 9, "step": 0, "learning_rate": 0.5}\n')
    assert result(again(folder, tmp_path)).verdict == "different"


def test_a_run_that_diverges_diverges_again(tmp_path: Path) -> None:
    """In the same epoch; one that does not is different."""
    folder = begun(tmp_path / "runs", optimizer="SGD(lr=10000)", scheduler=None)
    assert (load_run(folder).end or {})["outcome"] == "diverged"
    found = result(again(folder, tmp_path))
    assert (found.verdict, found.has_diverged, found.epochs) == ("identical", True, 0)

    record(folder, spec=small_spec().model_dump(mode="json"))
    events = again(folder, tmp_path)
    assert result(events).differences == (Difference(1, "outcome", "diverged", "finished"),)
    assert epochs(events) == [1]


def test_a_run_that_diverges_in_its_second_epoch(tmp_path: Path) -> None:
    """The numbers of the first, its weights, and the divergence are the same."""
    with patched_session():
        tame = small_spec(optimizer="SGD(lr=0.01)", scheduler=None, epochs=3)
        list(session.run(tame, options(tmp_path / "runs"), SetRates({STEPS: 10_000.0})))
    folder = only_folder(tmp_path / "runs")
    found = result(again(folder, tmp_path))

    assert (load_run(folder).end or {})["outcome"] == "diverged"
    assert (found.verdict, found.has_diverged, found.epochs) == ("identical", True, 1)
    assert found.weights is not None


def test_a_run_that_diverges_only_now(tmp_path: Path) -> None:
    """Different in the epoch in which it diverges."""
    folder = begun(tmp_path / "runs")
    record(folder, spec=small_spec(optimizer="SGD(lr=10000)", scheduler=None).model_dump(mode="json"))
    found = result(again(folder, tmp_path))

    assert (found.verdict, found.weights) == ("different", None)
    assert found.differences == (Difference(1, "outcome", "finished", "diverged"),)


# --- different ---


def test_another_seed_differs_in_the_first_number(tmp_path: Path) -> None:
    """Training ends at once; with `to_the_end` every epoch is compared."""
    folder = begun(tmp_path / "runs")
    stored = read_history(folder)
    record(folder, spec=small_spec(seed=1).model_dump(mode="json"))
    events, whole = again(folder, tmp_path), again(folder, tmp_path, to_the_end=True)
    first = result(events).differences[0]
    computed = next(event for event in events if isinstance(event, EpochEnded))

    assert (result(events).verdict, epochs(events), epochs(whole)) == ("different", [1], [1, 2])
    assert (first.epoch, first.name) == (1, "train_loss")
    assert first.size == computed.train_loss - stored[0].train_loss != 0
    assert {each.epoch for each in result(whole).differences} == {1, 2}
    assert result(whole).weights is None


@pytest.mark.parametrize("name", ["train_loss", "test_accuracy", "learning_rate", "weight_norm"])
def test_a_number_that_somebody_changed_is_found(name: str, tmp_path: Path) -> None:
    """The epoch and the number, however small the change is."""
    folder = begun(tmp_path / "runs")
    value = getattr(read_history(folder)[1], name)
    rewrite(folder, 2, **{name: value * (1 + 2**-52)})
    found = result(again(folder, tmp_path))

    assert [(each.epoch, each.name, each.computed) for each in found.differences] == [(2, name, value)]
    assert (found.verdict, found.epochs) == ("different", 2)


def test_timings_and_what_an_older_version_did_not_measure_are_not_compared(tmp_path: Path) -> None:
    """A row without norms, and with other seconds."""
    folder = begun(tmp_path / "runs")
    rewrite(folder, 1, seconds=99.0, images_per_second=1.0, gradient_norm=None, weight_norm=None)

    assert result(again(folder, tmp_path)).verdict == "identical"


def test_a_row_that_is_damaged_is_not_compared(tmp_path: Path) -> None:
    """The others are."""
    folder = begun(tmp_path / "runs", epochs=3)
    lines = (folder / FILE).read_bytes().splitlines(keepends=True)
    (folder / FILE).write_bytes(lines[0] + lines[1].replace(b"1", b"2", 1) + lines[2])
    found = result(again(folder, tmp_path))

    assert (found.verdict, found.epochs, found.stored_epochs) == ("identical", 2, 2)


def test_other_weights_differ_behind_equal_numbers(tmp_path: Path) -> None:
    """The checkpoint of another run under the same name."""
    folder = begun(tmp_path / "runs")
    other = begun(tmp_path / "other", seed=1)
    checkpoints(folder)[0].write_bytes(checkpoints(other)[0].read_bytes())
    found = result(again(folder, tmp_path))

    assert (found.verdict, found.differences) == ("different", ())
    assert found.weights is not None
    assert found.weights.stored != found.weights.computed


def test_without_a_checkpoint_the_numbers_are_compared(tmp_path: Path) -> None:
    """A damaged checkpoint is passed over for an older one."""
    folder = begun(tmp_path / "runs")
    checkpoints(folder)[0].write_bytes(b"damaged")
    older = result(again(folder, tmp_path)).weights
    for path in checkpoints(folder):
        path.unlink()

    assert older is not None
    assert older.step == STEPS
    assert result(again(folder, tmp_path)).weights is None
    assert result(again(folder, tmp_path)).verdict == "identical"


def test_what_differs_around_it_is_named(tmp_path: Path) -> None:
    """Versions, processor, threads, fused or not, git commit; what the run did not record is left out."""
    folder = begun(tmp_path / "runs")
    versions = json.loads((folder / "run.json").read_text())["versions"]
    torch_now = versions.pop("torch")
    record(folder, versions=versions | {"torch": "1.0\x1b[2J"}, processor="an abacus", git={"commit": "ab" * 20})
    around = dict(result(again(folder, tmp_path, threads=2, fuse=False)).around)
    now = around["processor"][1]

    assert around == {
        "torch": ("1.0\ufffd[2J", torch_now),
        "processor": ("an abacus", now),
        "threads": ("1", "2"),
        "fused": ("True", "False"),
        "git": ("ab" * 6, "none"),
    }


# --- refused ---


def test_runs_that_cannot_be_reproduced(tmp_path: Path) -> None:
    """Nothing is trained, and the sentence says why."""
    folder = begun(tmp_path / "runs")

    def refused(error: type[Exception], match: str, **changes: Any) -> None:
        with pytest.raises(error, match=match):
            again(folder, tmp_path, **changes)

    refused(DeviceError, "--device cuda:99: ", device="cuda:99")
    record(folder, device="cuda:99")
    refused(DeviceError, f"{folder}: was trained on cuda:99: .*; --device cpu trains it on another device")
    assert result(again(folder, tmp_path, device="cpu")).verdict == "identical"
    record(folder, device="cpu", dataset={"name": "digits", "sha256": "0" * 64})
    refused(DataError, "trained on other data")
    record(folder, dataset={"name": "digits", "sha256": few_images().sha256})
    rewrite(folder, 2, steered=True)
    refused(StorageError, "steering.jsonl")
    (folder / FILE).unlink()
    refused(RunError, "has finished no epoch")
    (folder / "end.json").unlink()
    with lock.hold_run(folder):
        refused(RunError, "is being trained; reproduce it when it has ended")
    assert len(list((tmp_path / "again").iterdir())) == 1


def test_stopped_by_hand(tmp_path: Path) -> None:
    """What was compared so far is said."""
    folder = begun(tmp_path / "runs")
    found = result(again(folder, tmp_path, control=StopAfter(STEPS + 1)))

    assert (found.verdict, found.epochs, found.weights) == ("stopped", 1, None)


def test_a_training_that_fails_has_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last event says why it failed."""
    folder = begun(tmp_path / "runs")

    def train(*arguments: Any) -> Iterator[Any]:
        raise MemoryError
        yield

    monkeypatch.setattr(session, "train", train)
    events = again(folder, tmp_path)

    assert isinstance(events[-1], RunEnded)
    assert events[-1].outcome == "failed"


def test_an_option_that_is_named_goes_before_the_record(tmp_path: Path) -> None:
    """Device and threads are the run's, unless the options name others."""
    folder = begun(tmp_path / "runs")
    record(folder, threads=2)
    recorded, named = again(folder, tmp_path), again(folder, tmp_path, threads=1)

    assert [
        next(event.threads for event in events if isinstance(event, RunStarted)) for events in (recorded, named)
    ] == [
        2,
        1,
    ]
    assert replace(result(named), run="").verdict == "identical"
