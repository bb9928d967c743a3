"""The events of a run, in the order in which they happen: numbers and strings only, no tensors.

Every run begins with `RunStarted`, before which only a `Notice` and `Downloading` may come, and ends with `RunEnded`.
`session.run` yields them; the dashboard and the command line show them.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Outcome = Literal["completed", "stopped", "diverged", "failed"]


@dataclass(frozen=True)
class Notice:
    """A message to the user, of one sentence or two."""

    text: str
    is_warning: bool = False
    """Whether it is shown as a warning rather than a remark."""


@dataclass(frozen=True)
class Downloading:
    """A file of the data set arrives; for screens only, a few times a second, before the run begins."""

    file: str
    received: int
    """In bytes."""
    size: int | None
    """In bytes; None where the server does not say."""

    def __str__(self) -> str:
        done = f"{self.received / 1e6:,.1f} MB" if self.size is None else f"{self.received / max(1, self.size):.0%}"
        return f"downloading {self.file}: {done}"


@dataclass(frozen=True)
class RunStarted:
    """A run begins or is resumed; its folder exists."""

    run: str
    """The name of the run's folder."""
    folder: str
    name: str
    seed: int
    parameters: int
    epochs: int
    steps_per_epoch: int
    train_images: int
    val_images: int
    test_images: int
    dataset: str
    device: str
    threads: int
    epochs_done: int = 0
    """Epochs that were finished before the run was resumed."""
    steps_done: int = 0
    """Steps of the current epoch that were taken before the run was resumed."""


@dataclass(frozen=True)
class Progress:
    """The state of the current epoch, reported a few times a second."""

    epoch: int
    step: int
    """Optimizer steps taken in this epoch."""
    steps_per_epoch: int
    loss: float
    """Mean over the images since the last `Progress` of this epoch."""
    learning_rate: float
    """The learning rate of the last step."""
    images_per_second: float


@dataclass(frozen=True)
class Paused:
    """The run was paused between two steps."""

    epoch: int
    step: int
    """Optimizer steps taken in this epoch."""


@dataclass(frozen=True)
class Unpaused:
    """The pause is over."""

    epoch: int
    step: int


@dataclass(frozen=True)
class LearningRateChanged:
    """Somebody changed the learning rate of a run under way; the rest of the schedule is scaled to the new rate."""

    epoch: int
    step: int
    """Optimizer steps taken in this epoch before the change."""
    learning_rate: float
    """The rate from the next step on."""


@dataclass(frozen=True)
class EpochEnded:
    """An epoch was trained, evaluated and saved. Losses are means per image; accuracies are fractions.

    The log of another program may hold only some of these numbers: those that it does not hold are NaN, and named in
    `unknown`.
    """

    epoch: int
    train_loss: float
    """The epoch's mean, in train mode."""
    train_accuracy: float
    """The running accuracy over the epoch, in train mode."""
    val_loss: float | None
    val_accuracy: float | None
    """On the images split off the training part; None without a split."""
    test_loss: float
    test_accuracy: float
    learning_rate: float
    """The learning rate of the epoch's last step."""
    seconds: float
    """Of training and evaluation."""
    images_per_second: float
    """Of the training pass."""
    steered: bool = False
    """Whether somebody changed the learning rate by hand, in this epoch or before."""
    gradient_norm: float | None = None
    """Mean over the epoch's steps of the gradient's 2-norm, before clipping; None in runs of version 0.1."""
    weight_norm: float | None = None
    """2-norm of all weights at the epoch's end; None in runs of version 0.1."""
    unknown: tuple[str, ...] = ()
    """The fields that an imported log does not tell; () in every run of this program."""

    @property
    def accuracy_to_choose_by(self) -> float:
        """Validation accuracy; without a split the test accuracy, as the authors of such runs do."""
        return self.test_accuracy if self.val_accuracy is None else self.val_accuracy

    @property
    def has_no_gradient(self) -> bool:
        """Whether every gradient of the epoch was exactly 0 while something was left to learn: the network has died."""
        return self.gradient_norm == 0 and self.train_loss > 0


@dataclass(frozen=True)
class RunEnded:
    """The last event of a run: how it ended, its best and its last epoch."""

    outcome: Outcome
    message: str
    """One sentence: why it ended, and what to do where something went wrong."""
    epochs: int
    """Epochs finished, those before a resume included."""
    best: EpochEnded | None
    """The epoch of the highest validation (without a split: test) accuracy, the first of equals."""
    last: EpochEnded | None
    chosen_by: Literal["validation", "test"]
    target: dict[str, bool | None] | None
    """Whether each part of the target is met, None for a part that is not judged; None without a target."""
    seconds: float
    is_out_of_memory: bool = False
    """Whether it failed since memory was short, of the machine or of its GPU."""


Event = Notice | Downloading | RunStarted | Progress | Paused | Unpaused | LearningRateChanged | EpochEnded | RunEnded


def as_record(event: "DataclassInstance") -> dict[str, Any]:
    """An event as a JSON object: its fields, and under `event` the name of its class."""
    return {"event": type(event).__name__, **as_values(event)}


def as_values(event: "DataclassInstance") -> dict[str, Any]:
    """The fields of an event as JSON holds them; `unknown`, which only imported logs have, only where it is not ()."""
    return {name: value for name, value in finite(asdict(event)).items() if value or name != "unknown"}


def finite(value: Any) -> Any:
    """`value` with None in place of NaN and infinities, which JSON cannot hold; lists and dictionaries are searched."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def accuracies_of(rows: Iterable[EpochEnded]) -> list[float]:
    """The test accuracies of epochs, as fractions; of an imported log that tells none, its validation accuracies.

    Epochs without one are left out.
    """
    rows = list(rows)
    tests = [row.test_accuracy for row in rows if not math.isnan(row.test_accuracy)]
    return tests or [row.val_accuracy for row in rows if row.val_accuracy is not None]


def best_of(rows: list[EpochEnded]) -> EpochEnded | None:
    """The first epoch with the highest accuracy to choose by; epochs of an imported log that tell none are skipped."""
    known = (row for row in rows if not math.isnan(row.accuracy_to_choose_by))
    return max(known, key=lambda row: row.accuracy_to_choose_by, default=None)
