"""What is said once of runs side by side, and what is wrong before any of them has begun; the pool is made up."""

import errno
import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from helpers.reliability import few_images, small_spec

from mnist_tui.errors import ExitCode, MachineError, ProcessError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import Notice, RunStarted
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep import pool, side_by_side
from mnist_tui.sweep.jobs import ControlRequest, Job, JobEnded, JobSource, ListedJobs, Message
from mnist_tui.sweep.pool import Pool
from mnist_tui.training import data
from mnist_tui.training.data import Dataset

STARTED = RunStarted("a", "runs/a", "small", 0, 9, 1, 5, 150, 0, 40, "digits", "cpu", 1)
BANNER, OTHER = Notice("these are not MNIST's images", is_warning=True), Notice("slow")
FULL = JobEnded("the disk is full", ExitCode.ENVIRONMENT)


class CannedPool:
    """Yields the messages it is told to; keeps the jobs and how it was ended."""

    messages: Sequence[tuple[int, Message]] = ()
    jobs: Sequence[Job] = ()
    ended: Sequence[str] = ()

    def __init__(self, size: int, is_silent: bool) -> None:
        type(self).ended = []

    def train(self, source: JobSource, control: Control) -> Iterator[tuple[int, Message]]:
        type(self).jobs = list(iter(source.take, None))
        yield from self.messages

    def close(self) -> None:
        type(self).ended = [*self.ended, "close"]

    def kill(self) -> None:
        type(self).ended = [*self.ended, "kill"]


@pytest.fixture(autouse=True)
def canned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool, and data that comes with a banner."""

    def loading(*args: Any) -> Generator[Notice, None, Dataset]:
        yield BANNER
        return few_images()

    monkeypatch.setattr(side_by_side, "Pool", CannedPool)
    monkeypatch.setattr(data, "loading", loading)


def train(*messages: tuple[int, Message], **options: Any) -> Iterator[tuple[int, Message]]:
    """Two specs, of which the pool says this."""
    CannedPool.messages = messages
    return side_by_side.train_side_by_side([small_spec()] * 2, Options(**options), Control(), 2)


def test_what_is_said_of_the_data_is_said_once() -> None:
    """Every run says it as well; what else a run says is passed on."""
    messages: list[tuple[int, Message]] = [(0, BANNER), (1, BANNER), (0, STARTED), (1, OTHER), (0, JobEnded())]

    assert list(train(*messages)) == [(0, BANNER), (0, STARTED), (1, OTHER), (0, JobEnded())]
    assert CannedPool.ended == ["close", "kill"]


@pytest.mark.parametrize(("threads", "expected"), [(None, 1), (3, 3)])
def test_a_run_has_one_thread_unless_more_are_asked_for(threads: int | None, expected: int) -> None:
    """The options of every job."""
    list(train(threads=threads))

    assert [job.options.threads for job in CannedPool.jobs] == [expected, expected]


def test_an_error_before_any_run_has_begun_is_that_of_all() -> None:
    """It is raised with its exit code; runs that begin meanwhile are stopped and saved."""
    with pytest.raises(MachineError, match="the disk is full"):
        list(train((1, FULL), (0, FULL)))

    assert CannedPool.ended == ["close", "kill"]


def test_a_later_error_is_that_of_its_run() -> None:
    """The others are trained."""
    messages: list[tuple[int, Message]] = [(0, STARTED), (1, FULL), (0, JobEnded())]

    assert list(train(*messages))[1:] == messages


class CannedProcess:
    """Keeps the requests it is sent."""

    def __init__(self) -> None:
        self.requests: list[ControlRequest] = []

    def request(self, request: ControlRequest) -> None:
        self.requests.append(request)


def test_requests_reach_every_process_once() -> None:
    """A step is not followed by a pause, which would cancel it; the same state is not sent again."""
    pool, control, process = Pool(1), Control(), CannedProcess()
    pool._processes = [process]  # type: ignore[list-item]
    for request in (control.step, control.pause, control.unpause, lambda: control.set_learning_rate(0.5), control.stop):
        request()
        pool._dispatch_requests(control)
        pool._dispatch_requests(control)

    assert [(one.request, one.value) for one in process.requests] == [
        ("step", None),
        ("unpause", None),
        ("learning_rate", 0.5),
        ("stop", None),
    ]


def test_a_process_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line, as where a user may have no more processes; the pool can be closed."""
    refused = mock.Mock(start=mock.Mock(side_effect=OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))))
    monkeypatch.setattr(pool._context, "Process", mock.Mock(return_value=refused))
    ours = Pool(2)
    jobs = ListedJobs([Job(small_spec(), Options(runs_dir=tmp_path))])

    with pytest.raises(ProcessError, match=r"^cannot start a process that trains: Resource temporarily unavailable$"):
        list(ours.train(jobs, Control()))
    ours.close()
