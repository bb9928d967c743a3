"""What is sent between the process that shows runs and those that train them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mnist_tui.errors import ExitCode
from mnist_tui.runs.control import Request
from mnist_tui.runs.events import Event
from mnist_tui.spec.run_options import Options
from mnist_tui.spec.run_spec import RunSpec


@dataclass(frozen=True)
class Job:
    """A run to train."""

    spec: RunSpec
    options: Options
    folder: Path | None = None
    """The run folder to resume; None for a new run."""


class JobSource(Protocol):
    """Where jobs come from, one at a time, as there is room for them."""

    @property
    def may_come(self) -> bool:
        """Whether `take` may return a job later where it returns None now."""

    def take(self) -> Job | None:
        """The next job; None where there is none now."""


class ListedJobs:
    """Jobs that are all known before the first begins."""

    may_come = False

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = deque(jobs)

    def take(self) -> Job | None:
        """The next job; None behind the last."""
        return self._jobs.popleft() if self._jobs else None


@dataclass(frozen=True)
class ControlRequest:
    """A request to the run that a worker trains; a pause also holds for those that it trains later."""

    request: Request
    value: float | None = None


@dataclass(frozen=True)
class JobEnded:
    """The last message about a job, after the `RunEnded` of its run."""

    error: str = ""
    """Why there was no run, or why it has no end; "" where it has one."""
    exit_code: ExitCode = ExitCode.FAILED
    """That of the error."""


Message = Event | JobEnded
"""What is told of a job; a `JobEnded` last."""
