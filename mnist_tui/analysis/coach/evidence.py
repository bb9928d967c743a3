"""What the coach's rules look at and what they return: one run, its seeds, and a sentence with its numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from mnist_tui.datasets.published import MNIST
from mnist_tui.runs.events import EpochEnded, best_of
from mnist_tui.runs.record import Run, observations
from mnist_tui.runs.verdict import after_training
from mnist_tui.spec.run_spec import RunSpec

WINDOW = 3
"""Epochs that a mean is over: one epoch alone is too noisy to say anything."""
GOAL = 0.99
"""The accuracy that a network for MNIST should reach where the spec has no target; LeNet-5 had 99.05 % (LeCun 1998)."""
FROZEN = 0.01
"""Share of the highest learning rate below which a network is frozen: its steps are a hundredth as long."""
MAX_LOSS = 1e6
"""A row with a higher loss is no evidence of anything but a damaged file."""


@dataclass(frozen=True)
class Advice:
    """What one rule says about a run."""

    rule: str
    """The rule's name."""
    sentence: str
    """What was seen, with the numbers."""
    suggestion: str
    """What to do."""
    settings: Mapping[str, str] | None
    """The change as `RunSpec.with_settings` takes it; None where there is no single setting to change."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a run; rows that cannot be true (not finite, accuracies outside 0..1) are left out."""

    spec: RunSpec
    rows: tuple[EpochEnded, ...]
    state: str
    """How it ended, or `training` or `interrupted`, as `Run.state` says it."""
    seeds: Mapping[int, float]
    """Test accuracies of the best epochs of the completed runs with these settings, by seed, this one included."""
    train_images: int = MNIST.train_images
    held_out_images: int = MNIST.test_images
    """Validation images; without a split, test images."""
    test_images: int = MNIST.test_images
    is_judged: bool = True

    @property
    def is_completed(self) -> bool:
        """Whether the recipe was carried out to its end."""
        return self.state == "completed"

    @property
    def is_rate_changed(self) -> bool:
        """Whether somebody changed the learning rate by hand, so that the schedule is not the spec's."""
        return any(row.steered for row in self.rows)

    @property
    def best(self) -> EpochEnded | None:
        """The best epoch."""
        return best_of(list(self.rows))

    @property
    def goal(self) -> float:
        """The test accuracy to reach."""
        return self.spec.target.test_accuracy or GOAL

    @property
    def has_met_goal(self) -> bool:
        """Whether the run reaches the test accuracy of the spec's own target; False where that names none."""
        return (after_training(self.spec, self.rows, is_judged=True) or {}).get("test_accuracy") is True

    @property
    def peak_rate(self) -> float:
        """The highest learning rate at the end of an epoch."""
        return max((row.learning_rate for row in self.rows), default=0.0)

    @property
    def accuracy_error(self) -> float:
        """The standard error of the best epoch's held-out accuracy, from the number of images alone."""
        return standard_error(self.best.accuracy_to_choose_by if self.best else 0.5, self.held_out_images)

    @property
    def test_accuracy_error(self) -> float:
        """The standard error of the best test accuracy, from the number of images alone."""
        return standard_error(max((row.test_accuracy for row in self.rows), default=0.5), self.test_images)

    @property
    def frozen_rows(self) -> tuple[EpochEnded, ...]:
        """The last epochs whose learning rate is under a hundredth of the highest: they hardly change a weight."""
        count = 0
        for row in reversed(self.rows):
            if row.learning_rate >= FROZEN * self.peak_rate:
                break
            count += 1
        return self.rows[len(self.rows) - count :]


def evidence_of(run: Run, seeds: Sequence[Run] = ()) -> Evidence | None:
    """The evidence in a run's folder; None where its spec cannot be read.

    `seeds` are runs with the same settings, the run itself or not; those with other settings, and those that repeat
    another one, are left out.
    """
    if run.spec is None:
        return None
    alike = observations([each for each in {one.id: one for one in (run, *seeds)}.values() if each.group == run.group])
    accuracies = {
        each.seed: each.best_accuracy
        for each in alike
        if each.seed is not None and each.best_accuracy is not None and each.state == "completed"
    }
    val_images, test_images, train_images = map(run.images, ("val", "test", "train"))
    return Evidence(
        spec=run.spec,
        rows=usable_rows(run.rows),
        state=run.state,
        seeds=accuracies,
        train_images=train_images or run.spec.train_images,
        held_out_images=val_images or test_images or run.spec.dataset.test_images,
        test_images=test_images or run.spec.dataset.test_images,
        is_judged=run.is_judged,
    )


def usable_rows(rows: Sequence[EpochEnded]) -> tuple[EpochEnded, ...]:
    """The rows whose numbers can be true."""
    return tuple(row for row in rows if _is_usable(row))


def _is_usable(row: EpochEnded) -> bool:
    losses = [row.train_loss, row.test_loss, *([] if row.val_loss is None else [row.val_loss])]
    shares = [row.train_accuracy, row.test_accuracy, *([] if row.val_accuracy is None else [row.val_accuracy])]
    return (
        all(0 <= loss <= MAX_LOSS for loss in losses)
        and all(0 <= share <= 1 for share in shares)
        and 0 <= row.learning_rate <= MAX_LOSS
    )


# --- numbers of several epochs ---


def held_out_loss(row: EpochEnded) -> float:
    """The validation loss; without a split, the test loss."""
    return row.test_loss if row.val_loss is None else row.val_loss


def mean_train_loss(rows: Sequence[EpochEnded]) -> float:
    """Over the epochs."""
    return fmean(row.train_loss for row in rows)


def mean_train_accuracy(rows: Sequence[EpochEnded]) -> float:
    """Over the epochs, as a fraction."""
    return fmean(row.train_accuracy for row in rows)


def mean_accuracy(rows: Sequence[EpochEnded]) -> float:
    """The mean held-out accuracy over the epochs, as a fraction."""
    return fmean(row.accuracy_to_choose_by for row in rows)


def gap(rows: Sequence[EpochEnded]) -> float:
    """Mean train − held-out accuracy over the epochs, as a fraction."""
    return mean_train_accuracy(rows) - mean_accuracy(rows)


def seed_spread(evidence: Evidence) -> float:
    """By how much test accuracies differ from seed to seed: their standard deviation, a fraction.

    It is at least the standard error that the number of test images alone gives, also where a few seeds happen to agree
    and where there is one only.
    """
    accuracies = list(evidence.seeds.values())
    return max(stdev(accuracies) if len(accuracies) > 1 else 0.0, evidence.test_accuracy_error)


def standard_error(accuracy: float, images: int) -> float:
    """sqrt(p (1 - p) / N), p being the accuracy of N images, brought inside 1/N from 0 and 1."""
    count = max(2, images)
    share = min(max(accuracy, 1 / count), 1 - 1 / count)
    return math.sqrt(share * (1 - share) / count)


def points(share: float) -> str:
    """A difference of accuracies in percentage points: `0.42 points`."""
    return f"{100 * share:.2f} points"


def percent(share: float) -> str:
    """An accuracy: `99.42 %`."""
    return f"{100 * share:.2f} %"
