"""Trainings whose steps are taken together, as the training loop sees them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, LearningRateChanged
from mnist_tui.training.evaluation import Evaluation, evaluate
from mnist_tui.training.state import Training


@dataclass(frozen=True)
class Evaluations:
    """The evaluations of a network after an epoch."""

    test: Evaluation
    val: Evaluation | None


def evaluate_training(training: Training, control: Control) -> Evaluations:
    """Evaluates the network of a training; raises `EvaluationStopped`."""
    settings, splits = training.spec.train, training.splits
    model, batch_size, normalization = training.forward_model, settings.eval_batch_size, settings.normalize
    with training.evaluated_weights():
        test = evaluate(model, splits.test, batch_size, normalization, control)
        val = evaluate(model, splits.val, batch_size, normalization, control) if splits.val else None
    return Evaluations(test, val)


class Group(Protocol):
    """One or more trainings of the same recipe, all after the same step of the same epoch."""

    trainings: list[Training]
    """Those that have not ended."""

    def begin_epoch(self) -> None:
        """Begins the current epoch, or continues it."""

    def take_step(self) -> list[Training]:
        """Takes the next step; those whose loss or a gradient was not finite.

        On CUDA none, since the host does not wait for the device: read `found_nonfinite` from time to time.
        """

    def evaluate(self, control: Control) -> list[Evaluations]:
        """Evaluates every training; raises `EvaluationStopped` where `control` asks to stop."""

    def step_scheduler(self, row: EpochEnded | None) -> None:
        """Steps the scheduler where it is due: after a batch (`row` is None) or after an epoch."""

    def set_learning_rate(self, rate: float) -> LearningRateChanged:
        """Sets the learning rate of the next step by hand."""

    def remove(self, ended: Collection[Training]) -> None:
        """Takes out trainings that have ended."""


class Single:
    """A group of one training."""

    def __init__(self, training: Training) -> None:
        self.trainings = [training]
        self._training = training
        self.begin_epoch = training.begin_epoch
        self.step_scheduler = training.step_scheduler
        self.set_learning_rate = training.set_learning_rate

    def take_step(self) -> list[Training]:
        """Takes the next step; the training where its loss or a gradient was not finite."""
        return [] if self._training.step(*self._training.batches.take()) else [self._training]

    def evaluate(self, control: Control) -> list[Evaluations]:
        """Evaluates the training; raises `EvaluationStopped`."""
        return [evaluate_training(self._training, control)]

    def remove(self, ended: Collection[Training]) -> None:
        """Takes out the training where it has ended."""
        self.trainings = [training for training in self.trainings if training not in ended]
