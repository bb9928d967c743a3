"""Whether a run met its target, part by part."""

from collections.abc import Mapping, Sequence

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


def after_training(spec: RunSpec, rows: Sequence[EpochEnded], is_mnist: bool) -> dict[str, bool | None] | None:
    """The verdict on every part of the target; None where there is no target.

    The accuracy is asked of the best epoch or, with `last_epochs`, of each of so many last ones. On other images than
    MNIST's it is not judged, which is None.
    """
    target = spec.target
    parts: dict[str, bool | None] = {**before_training(spec)}
    if target.epochs is not None:
        parts["epochs"] = 0 < len(rows) <= target.epochs
    if target.test_accuracy is not None:
        accuracies = [row.test_accuracy for row in rows]
        count = target.last_epochs
        judged = accuracies[-count:] if count else [max(accuracies, default=0.0)]
        enough = len(judged) >= (count or 1)
        parts["test_accuracy"] = enough and min(judged) >= target.test_accuracy if is_mnist else None
    return parts or None


def in_words(parts: Mapping[str, bool | None]) -> str:
    """`target MISSED: parameters met, epochs MISSED`; a part that is not judged keeps the whole from being met."""
    words = {True: "met", False: "MISSED", None: "not judged (these are not MNIST's images)"}
    whole = "MISSED" if False in parts.values() else "not judged" if None in parts.values() else "met"
    return f"target {whole}: " + ", ".join(f"{part} {words[met]}" for part, met in parts.items())
