"""What a process that trains for others does with a run whose memory is short."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.reliability import only_folder, options, patched_session, small_spec

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Event, Notice, RunEnded, as_record
from mnist_tui.runs.storage import load_run
from mnist_tui.sweep.jobs import Job, JobEnded
from mnist_tui.sweep.worker import train
from mnist_tui.training.step import TrainStep

FailAt = Callable[..., None]
SHORT = (
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
)


@pytest.fixture
def fail_at(monkeypatch: pytest.MonkeyPatch) -> FailAt:
    """Steps, counted from the start of the test, raise an error."""

    def fail(*steps: int, error: BaseException) -> None:
        count, step = 0, TrainStep.__call__

        def call(self: TrainStep, *arguments: Any) -> Any:
            nonlocal count
            count += 1
            if count in steps:
                raise error
            return step(self, *arguments)

        monkeypatch.setattr(TrainStep, "__call__", call)

    return fail


def messages(runs_dir: Path) -> list[Event | JobEnded]:
    """All that is told of a new run on the few images."""
    with patched_session():
        return list(train(Job(small_spec(), options(runs_dir)), Control()))


def losses(runs_dir: Path) -> Iterator[float]:
    """Those of the epochs of the only run."""
    return (row.train_loss for row in load_run(only_folder(runs_dir)).rows)


@pytest.mark.parametrize("step", [4, 8], ids=["first epoch", "second"])
@pytest.mark.parametrize("error", SHORT, ids=["machine", "GPU", "PyTorch"])
def test_it_is_resumed_once(error: BaseException, step: int, fail_at: FailAt, tmp_path: Path) -> None:
    """From its last checkpoint, or its seed, and ends as if nothing had been; only the last end is told."""
    messages(tmp_path / "alone")
    fail_at(step, error=error)
    told = messages(tmp_path / "short")

    assert next(each.text for each in told if isinstance(each, Notice)) == "out of memory; it is resumed"
    assert [each.outcome for each in told if isinstance(each, RunEnded)] == ["completed"]
    assert told[-1] == JobEnded()
    assert list(losses(tmp_path / "short")) == list(losses(tmp_path / "alone"))
    assert (load_run(only_folder(tmp_path / "short")).end or {})["is_out_of_memory"] is False


def test_it_fails_the_second_time(fail_at: FailAt, tmp_path: Path) -> None:
    """Its end says why, in a sentence for people and in a field for programs."""
    fail_at(4, 5, error=MemoryError())
    *_, ended, last = messages(tmp_path)

    assert isinstance(ended, RunEnded)
    assert last == JobEnded()
    assert (ended.outcome, ended.message.partition(";")[0]) == ("failed", "out of memory")
    assert as_record(ended)["is_out_of_memory"] is True
    assert (load_run(only_folder(tmp_path)).end or {})["is_out_of_memory"] is True


def test_another_failure_is_final(fail_at: FailAt, tmp_path: Path) -> None:
    """The control: what would happen again is not tried again."""
    fail_at(4, error=RuntimeError("sizes do not match"))
    told = messages(tmp_path)

    assert not [each for each in told if isinstance(each, Notice)]
    assert [each.outcome for each in told if isinstance(each, RunEnded)] == ["failed"]
