"""The verdict on a run's target, part by part: met, missed, or not judged."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal

from mnist_tui.runs.events import EpochEnded
from mnist_tui.spec.recipe import Target
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


def after_training(spec: RunSpec, rows: Sequence[EpochEnded], is_judged: bool) -> dict[str, bool | None] | None:
    """The verdict on every part of the spec's target, as `judge` gives it; None where there is no target."""
    return judge(spec.target, spec.parameters, [row.test_accuracy for row in rows], is_judged) or None


def judge(
    target: Target, parameters: int | None, accuracies: Sequence[float], is_judged: bool
) -> dict[str, bool | None]:
    """For each part of a target whether a run meets it; {} for a target without parts.

    `accuracies` are the test accuracies of the run's epochs, fractions. The best epoch must reach the target's or, with
    `last_epochs`, each of that many last epochs or their mean. A part that cannot be judged is None: an accuracy on
    another data set than the target's (not `is_judged`), an unknown parameter count, and what needs an epoch before one
    is finished.
    """
    parts: dict[str, bool | None] = {}
    if target.parameters is not None:
        parts["parameters"] = None if parameters is None else parameters < target.parameters
    if target.epochs is not None:
        parts["epochs"] = len(accuracies) <= target.epochs if accuracies else None
    if target.test_accuracy is not None:
        reached = accuracy_for(target, accuracies)
        is_met = reached is not None and reached >= target.test_accuracy
        parts["test_accuracy"] = is_met if accuracies and is_judged else None
    return parts


def judged_accuracy(spec: RunSpec, rows: Sequence[EpochEnded]) -> float | None:
    """`accuracy_for` the target of a spec, in the epochs of a run."""
    return accuracy_for(spec.target, [row.test_accuracy for row in rows])


def accuracy_for(target: Target, accuracies: Sequence[float]) -> float | None:
    """The test accuracy that a target asks about, a fraction; None where there are too few epochs to say.

    That of the best epoch or, with `last_epochs`, the lowest or the mean of that many last epochs.
    """
    count = target.last_epochs
    if len(accuracies) < (count or 1):
        return None
    if not count:
        return max(accuracies)
    last = accuracies[-count:]
    # Rounded, so that 99.35, 99.40 and 99.45 % are 99.40 % on average, and not the nearest binary fraction below it.
    return round(fmean(last), 9) if target.rule == "mean" else min(last)


def whole(parts: Mapping[str, bool | None]) -> Whole:
    """The verdict on all parts together: missed where any part is, met where all are, else not judged."""
    return "MISSED" if False in parts.values() else "not judged" if None in parts.values() else "met"


def in_words(parts: Mapping[str, bool | None], epochs: int) -> str:
    """`target MISSED: parameters met, epochs MISSED`, and why a part is not judged, of a run with so many epochs."""
    why = "the target is of another data set" if epochs else "no epoch was finished"
    return f"target {whole(parts)}: {parts_in_words(parts)}" + (f" ({why})" if None in parts.values() else "")


def parts_in_words(parts: Mapping[str, bool | None]) -> str:
    """`parameters met, epochs MISSED`."""
    words = {True: "met", False: "MISSED", None: "not judged"}
    return ", ".join(f"{part} {words[met]}" for part, met in parts.items())
