"""Whether a run met its target, part by part."""

from collections.abc import Sequence

from mnist_tui.events import EpochEnded
from mnist_tui.spec import RunSpec


def before_training(spec: RunSpec) -> dict[str, bool]:
    """The parts of the target that the network and the recipe decide alone."""
    target = spec.target
    parts = {}
    if target.parameters is not None:
        parts["parameters"] = spec.parameters < target.parameters
    if target.epochs is not None:
        parts["epochs"] = spec.train.epochs <= target.epochs
    return parts


def after_training(spec: RunSpec, rows: Sequence[EpochEnded]) -> dict[str, bool] | None:
    """The verdict on every part of the target; None where there is no target.

    The accuracy is asked of the best epoch or, with `last_epochs`, of each of so many last ones.
    """
    target = spec.target
    parts = before_training(spec)
    if target.epochs is not None:
        parts["epochs"] = 0 < len(rows) <= target.epochs
    if target.test_accuracy is not None:
        accuracies = [row.test_accuracy for row in rows]
        count = target.last_epochs
        judged = accuracies[-count:] if count else [max(accuracies, default=0.0)]
        enough = len(judged) >= (count or 1)
        parts["test_accuracy"] = enough and min(judged) >= target.test_accuracy
    return parts or None
