"""What is read from a log: its lines, and the numbers that a line tells of an epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

Unit = Literal["", "%", "count"]


class Line(NamedTuple):
    """A line of a log, without control characters."""

    number: int
    """From 1; the states of a progress bar on one line share its number."""
    text: str


@dataclass(frozen=True)
class Log:
    """A text that may hold the logs of one training or more: a file, or the outputs of a notebook's cell."""

    lines: Sequence[Line] = ()
    part: str = ""
    """Where in the file it is, such as `cell 12`; "" for the whole file."""
    heading: str = ""
    """The nearest heading above it in a notebook or a Markdown file."""
    path: Path | None = None
    """The file or folder of a format that is not read as text."""


@dataclass(frozen=True)
class Number:
    """A number as the log writes it."""

    value: float
    unit: Unit = ""
    """`%` with a percent sign; `count` for a fraction computed from two counts; "" for a bare number."""
    images: int | None = None
    """The number of images that it is a count of."""
    is_running: bool = False
    """Whether a progress bar shows it: a running accuracy, or the loss of the last mini-batch."""


@dataclass(frozen=True)
class Reading:
    """What one line tells; nothing, where it looks like an epoch but is not understood."""

    line: Line
    epoch: int | None = None
    """The epoch that it names."""
    values: Mapping[str, Number] = field(default_factory=dict)
    """By the names of `EpochEnded`'s fields."""
    position: int | None = None
    """How far a progress bar has come, in batches or images; None for a line that is none."""
    is_partial: bool = False
    """Whether a progress bar has not come to its end."""
    begins_training: bool = False
    """Whether a new training begins here, whatever its epoch."""

    @property
    def tells_something(self) -> bool:
        """Whether it names an epoch or a number."""
        return self.epoch is not None or bool(self.values)

    @property
    def is_progress(self) -> bool:
        """Whether later lines of its epoch replace it."""
        return self.position is not None
