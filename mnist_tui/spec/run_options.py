"""Options of a run that belong to this machine: declared here for settings, command line and form. No torch.

An annotation holds the type of an option, what its values must be, and its help; `Options` holds the defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from mnist_tui.datasets import names
from mnist_tui.datasets.published import PUBLISHED

MAX_THREADS = 1024


@dataclass(frozen=True)
class MustBe:
    """In an annotation: what an error message says that a value must be."""

    words: str


def _as_path(value: Any) -> Path:
    """A text as a path, with `~` replaced; raises `ValueError`."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    try:
        return Path(value).expanduser()
    except RuntimeError:  # There is no such user.
        raise ValueError from None


@dataclass(frozen=True)
class Choices:
    """In an annotation: the words that a value is chosen from in a form, and that are completed."""

    words: tuple[str, ...]


Device = Annotated[
    str,
    Field(
        pattern=r"^(auto|cpu|mps|cuda(:[0-9]+)?)$",
        description="Device to train on: auto, cpu, cuda, cuda:1 or mps; a resumed run keeps its own.",
    ),
    MustBe("auto, cpu, cuda, cuda:0, cuda:1, … or mps"),
]
Dataset = Annotated[
    str,
    AfterValidator(names.check_choice),
    Field(
        description=f"Data set: {', '.join(PUBLISHED)} or folder:PATH; auto: the preset's own, and where that is MNIST "
        "and missing, with a warning the small digits.",
    ),
    Choices(names.CHOICES),
    MustBe(names.WORDS),
]
DataDir = Annotated[
    Path | None,
    BeforeValidator(_as_path),
    Field(
        description="Folder of data sets, such as MNIST/raw, the only one searched; they are downloaded to it.",
        examples=["~/data"],
    ),
    MustBe("a path"),
]
RunsDir = Annotated[Path, BeforeValidator(_as_path), Field(description="Folder of the run folders."), MustBe("a path")]
Threads = Annotated[
    int | None,
    Field(
        ge=1,
        le=MAX_THREADS,
        description="CPU threads of PyTorch; without it all cores but one. A resumed run keeps its own.",
        examples=[4],
    ),
    MustBe(f"a whole number between 1 and {MAX_THREADS}"),
]
Fuse = Annotated[
    bool,
    Field(description="Fuse layers for speed, or train the plain network; a resumed run trains as it was begun."),
]


@dataclass(frozen=True)
class Options:
    """Where a run is trained, on which data, and where it is stored."""

    device: Device = "auto"
    dataset: Dataset = "auto"
    data_dir: DataDir = None
    runs_dir: RunsDir = Path("runs")
    threads: Threads = None
    """None: all cores but one."""
    fuse: Fuse = True
    """Whether layers are fused and the optimizer updates all weights as one vector.

    Without, the forward pass is that of PyTorch's own modules and the optimizer updates the network's parameters one by
    one: slower, to check the fused path against. Data, order, augmentation and random numbers are the same, so losses
    agree to rounding. A resumed or extended run ignores this: it trains as it was begun.
    """
    command: tuple[str, ...] = field(default=())
    """The command line, to be stored with the run."""
    sweep: Mapping[str, Any] | None = None
    """The point of a sweep that the run belongs to, to be stored with it: name and id of the sweep, number, values."""
