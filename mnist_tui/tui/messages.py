"""What threads tell the screen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textual.message import Message

from mnist_tui.tui.runner import News


@dataclass
class Told(Message):
    """Something happened in the run that is trained or watched."""

    news: News


@dataclass
class JobDone(Message):
    """The bench has finished a job: what takes its result, the result, or in one sentence why there is none."""

    take: Callable[[Any, str | None], None]
    result: Any
    error: str | None = None
