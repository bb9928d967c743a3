"""What threads tell the screen."""

from dataclasses import dataclass

from textual.message import Message

from mnist_tui.tui.runner import RunnerEvent


@dataclass
class RunnerMessage(Message):
    """Something happened in the run that is trained or watched."""

    event: RunnerEvent
