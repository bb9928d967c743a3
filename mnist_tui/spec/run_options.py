"""Where and on what a run happens; none of it changes what the run is. No torch, so that the screen may hold it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Choice = Literal["auto", "mnist", "digits"]
"""The data: auto takes MNIST, and where it cannot be had the small digits, loudly."""


@dataclass(frozen=True)
class Options:
    """How a run is to be done on this machine."""

    device: str = "auto"
    dataset: Choice = "auto"
    data_dir: Path | None = None
    runs_dir: Path = Path("runs")
    threads: int | None = None
    """Torch threads; None takes all cores but one."""
    fuse: bool = True
    """Whether layers are fused and the optimizer updates all weights as one vector.

    Without, the forward pass is that of PyTorch's own modules and the optimizer updates the network's parameters one by
    one: slower, to check the fused path against. Data, order, augmentation and random numbers are the same, so losses
    agree to rounding. A resumed or extended run ignores this: it trains as it was begun.
    """
    command: tuple[str, ...] = field(default=())
    """What the user typed, for the record."""
