"""Trainings as rows of a history: accuracies as fractions, epochs from 1, and in words what was measured on what."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

from mnist_tui.datasets.published import MNIST
from mnist_tui.import_logs.forms import LogForm
from mnist_tui.import_logs.readings import Number
from mnist_tui.import_logs.trainings import Epoch, Training
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.history import LOSSES, REQUIRED

ROUNDED = 1.001
"""The highest accuracy that is still a fraction: 1, and what floating point adds to it."""
_FIELDS = tuple(field.name for field in fields(EpochEnded))


@dataclass(frozen=True)
class LoggedRun:
    """One training as the log tells it."""

    rows: list[EpochEnded]
    measured_on: str
    """What measured the accuracies that runs are compared by, on one line."""
    held_out_images: int | None
    """Images that those accuracies are counts of."""
    train_figures: str
    """What the training figures are."""
    remarks: list[str]
    """What was changed or left out, a sentence each."""


def percent_fields(trainings: Iterable[Training]) -> frozenset[str]:
    """The accuracies that a file writes in percent without a sign: those of which any value is above 1.

    That is decided for the whole file: 0.9 % beside 98 % is no fraction.
    """
    bare = [
        (field, number.value)
        for training in trainings
        for epoch in training.epochs.values()
        for field, number in epoch.items()
        if field.endswith("_accuracy") and not number.unit
    ]
    return frozenset(field for field, value in bare if value > ROUNDED)


def build_rows(training: Training, form: LogForm, in_percent: frozenset[str]) -> LoggedRun | None:
    """A training as rows; None where no number of it is left."""
    epochs = {number: _values(epoch, in_percent) for number, epoch in sorted(training.epochs.items())}
    remarks = list(_describe_impossible(training, in_percent))
    remarks += _take_single_test(epochs)
    epochs = {number: epoch for number, epoch in epochs.items() if epoch}
    if not epochs:
        return None
    if 0 in epochs:
        epochs = {number + 1: epoch for number, epoch in epochs.items()}
        remarks.append("the log counts epochs from 0; here they count from 1")
    if missing := max(epochs) - min(epochs) + 1 - len(epochs):
        remarks.append(f"{missing} epochs are missing between {min(epochs)} and {max(epochs)}")
    names = {name for epoch in epochs.values() for name in epoch}
    role = next((role for role in ("test", "val") if f"{role}_accuracy" in names), "")
    images = _images(training, f"{role}_accuracy")
    return LoggedRun(
        rows=[_row(number, epoch) for number, epoch in epochs.items()],
        measured_on=_measured_on(role, images, "val_accuracy" in names),
        held_out_images=images,
        train_figures=_train_figures(training, form),
        remarks=remarks,
    )


def _values(epoch: Epoch, in_percent: frozenset[str]) -> dict[str, float]:
    """The numbers of an epoch, accuracies as fractions; impossible ones are left out."""
    values = {name: _value(name, number, name in in_percent) for name, number in epoch.items()}
    return {name: value for name, value in values.items() if not _is_impossible(name, value)}


def _value(name: str, number: Number, is_percent: bool) -> float:
    if not name.endswith("_accuracy"):
        return number.value
    if number.unit == "%" or (not number.unit and is_percent):
        return round(number.value / 100, 12)
    return min(number.value, 1.0) if number.value <= ROUNDED else number.value


def _is_impossible(name: str, value: float) -> bool:
    """Whether a number cannot be: an accuracy outside 0 to 1, a time or a rate below 0. A loss may be NaN."""
    if name.endswith("_accuracy"):
        return not 0 <= value <= 1
    return abs(value) >= 1e300 if name.endswith("_loss") else not 0 <= value < math.inf


def _describe_impossible(training: Training, in_percent: frozenset[str]) -> Iterator[str]:
    """A sentence for each kind of number that cannot be."""
    for name in _FIELDS:
        numbers = [epoch[name] for epoch in training.epochs.values() if name in epoch]
        wrong = [number for number in numbers if _is_impossible(name, _value(name, number, name in in_percent))]
        if wrong:
            values = f"{len(wrong)} value{'' if len(wrong) == 1 else 's'} of {name.replace('_', ' ')}"
            yield f"left out: {values} that cannot be, such as {wrong[0].value:g}"


def _take_single_test(epochs: dict[int, dict[str, float]]) -> Iterator[str]:
    """Takes out test figures that only the last of several epochs has, and tells them in a sentence.

    They were measured after the training, on the last weights or the best: they are no part of a curve.
    """
    last = max(epochs)
    tested = [number for number, epoch in epochs.items() if "test_accuracy" in epoch or "test_loss" in epoch]
    if tested == [last] and len(epochs) > 1:
        accuracy, loss = epochs[last].pop("test_accuracy", None), epochs[last].pop("test_loss", None)
        parts = [] if loss is None else [f"loss {loss:.4f}"]
        parts += [] if accuracy is None else [f"accuracy {accuracy:.2%}"]
        yield f"tested once, not in every epoch: {', '.join(parts)}; that is no part of the curve"


def _row(epoch: int, values: dict[str, float]) -> EpochEnded:
    numbers = {name: values.get(name, math.nan) for name in (*REQUIRED, *LOSSES)}
    optional = {name: values.get(name) for name in ("val_loss", "val_accuracy")}
    return EpochEnded(epoch=epoch, **numbers, **optional, unknown=tuple(name for name in numbers if name not in values))  # type: ignore[arg-type]


# --- words ---


def _images(training: Training, name: str) -> int | None:
    """The number of images that an accuracy is a count of; None where it is none, or not always the same."""
    counts = {epoch[name].images for epoch in training.epochs.values() if name in epoch}
    return counts.pop() if len(counts) == 1 else None


def _measured_on(role: str, images: int | None, has_validation: bool) -> str:
    """`the log's test set (10,000 images)`."""
    if not role:
        return "no held-out images"
    name = "test set" if role == "test" else "validation images"
    warning = ", as many as MNIST has for training" if images == MNIST.train_images else ""
    count = f" ({images:,} images{warning})" if images else ""
    choice = ", best epoch chosen on its validation images" if role == "test" and has_validation else ""
    return f"the log's {name}{count}{choice}"


def _train_figures(training: Training, form: LogForm) -> str:
    numbers: Sequence[tuple[str, Number]] = [item for epoch in training.epochs.values() for item in epoch.items()]
    running = {name for name, number in numbers if number.is_running and name.startswith("train_")}
    words = {
        "train_loss": "the loss of the last mini-batch",
        "train_accuracy": "the running accuracy over the epoch, on images augmented where the script augments them",
    }
    return " and ".join(words[name] for name in words if name in running) or form.train_figures
