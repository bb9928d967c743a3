"""The verdict on a run's target, part by part: met, missed, or not judged."""

from collections.abc import Mapping, Sequence
from typing import Literal

from mnist_tui.runs.events import EpochEnded
from mnist_tui.spec.run_spec import RunSpec

Whole = Literal["met", "MISSED", "not judged"]
"""The verdict on a whole target, as the screen shows it."""


def before_training(spec: RunSpec) -> dict[str, bool]:
    """For each part of the target that the spec alone decides, whether it is met."""
    target = spec.target
    parts = {}
    if target.parameters is not None:
        parts["parameters"] = spec.parameters < target.parameters
    if target.epochs is not None:
        parts["epochs"] = spec.train.epochs <= target.epochs
    return parts


def after_training(spec: RunSpec, rows: Sequence[EpochEnded], is_mnist: bool) -> dict[str, bool | None] | None:
    """The verdict on every part of the target; None where there is no target.

    The best epoch must reach the test accuracy or, with `last_epochs`, each of that many last epochs. A part that
    cannot be judged is None: an accuracy on other images than MNIST's, and what needs an epoch before one is finished.
    """
    target = spec.target
    parts: dict[str, bool | None] = {**before_training(spec)}
    if target.epochs is not None:
        parts["epochs"] = len(rows) <= target.epochs if rows else None
    if target.test_accuracy is not None:
        parts["test_accuracy"] = _reaches(spec, rows) if rows and is_mnist else None
    return parts or None


def judged_accuracy(spec: RunSpec, rows: Sequence[EpochEnded]) -> float | None:
    """The test accuracy that the target asks about, a fraction; None where there are too few epochs to say.

    That of the best epoch or, with `last_epochs`, the lowest of that many last epochs.
    """
    count = spec.target.last_epochs
    accuracies = [row.test_accuracy for row in rows]
    if len(accuracies) < (count or 1):
        return None
    return min(accuracies[-count:]) if count else max(accuracies)


def _reaches(spec: RunSpec, rows: Sequence[EpochEnded]) -> bool:
    """Whether the epochs that the target names reach its test accuracy."""
    accuracy = judged_accuracy(spec, rows)
    return accuracy is not None and accuracy >= (spec.target.test_accuracy or 0.0)


def whole(parts: Mapping[str, bool | None]) -> Whole:
    """The verdict on all parts together: missed where any part is, met where all are, else not judged."""
    return "MISSED" if False in parts.values() else "not judged" if None in parts.values() else "met"


def in_words(parts: Mapping[str, bool | None], epochs: int) -> str:
    """`target MISSED: parameters met, epochs MISSED`, and why a part is not judged, of a run with so many epochs."""
    why = "these are not MNIST's images" if epochs else "no epoch was finished"
    return f"target {whole(parts)}: {parts_in_words(parts)}" + (f" ({why})" if None in parts.values() else "")


def parts_in_words(parts: Mapping[str, bool | None]) -> str:
    """`parameters met, epochs MISSED`."""
    words = {True: "met", False: "MISSED", None: "not judged"}
    return ", ".join(f"{part} {words[met]}" for part, met in parts.items())
