"""Messages from the runner's thread to the lab, from widgets to their screen, and from screens to the application."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.message import Message
from textual.screen import Screen

from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.tui.runner import RunnerEvent


@dataclass
class RunnerMessage(Message):
    """An event of the run that is trained or watched; posted by the runner's thread."""

    event: RunnerEvent


@dataclass
class OpenScreen(Message):
    """Request of a widget to its screen to push another one; `on_result` gets what that is dismissed with.

    `Screen[Any]`, since each screen has its own type of result, which `on_result` knows.
    """

    screen: Screen[Any]
    on_result: Callable[[Any], None] | None = None


@dataclass
class OpenRun(Message):
    """Request to the application to open the views of a saved run."""

    folder: Path


@dataclass
class ResumeRun(Message):
    """Request to the application to resume a run in the lab or, with `epochs`, to extend it by that many."""

    folder: Path
    epochs: int = 0


@dataclass
class QueueSweep(Message):
    """Request to the application to train a sweep of the runs directory, after what waits in the queue."""

    name: str


@dataclass
class UseSettings(Message):
    """Request to the application to load the settings of a saved run into the lab."""

    spec: RunSpec


@dataclass
class LookInside(Message):
    """Request to the application to show what the network of a run does with an image."""

    run: str
    """The name of the run's folder."""
    image: bytes
    """784 grey values, 0 to 255."""
