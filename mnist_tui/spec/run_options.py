"""The options of a run that are not part of its spec: device, data set, folders, threads."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Choice = Literal["auto", "mnist", "digits"]
"""The data set; auto: MNIST, or scikit-learn's small digits with a warning where MNIST cannot be loaded."""


@dataclass(frozen=True)
class Options:
    """Where a run is trained, on which data, and where it is stored."""

    device: str = "auto"
    dataset: Choice = "auto"
    data_dir: Path | None = None
    runs_dir: Path = Path("runs")
    threads: int | None = None
    """Torch threads; None takes all cores but one."""
    command: tuple[str, ...] = field(default=())
    """The command line, to be stored with the run."""
