"""Trainings of one recipe with several seeds, whose steps are taken by one step over stacked weights.

Each stays a whole `Training`: it is evaluated, saved and resumed like one that is trained alone. Its weights, running
statistics and what is kept of its steps are views of the stack's tensors. Optimizer and scheduler are one for all: an
elementwise optimizer updates each seed's vector on its own, and the rate is the same for all seeds.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import torch
from torch import nn

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, LearningRateChanged
from mnist_tui.training import build, environment
from mnist_tui.training.batches import Batches
from mnist_tui.training.data import Images
from mnist_tui.training.evaluation import Evaluation
from mnist_tui.training.group import Evaluations, evaluate_training
from mnist_tui.training.stacked.evaluation import evaluate
from mnist_tui.training.stacked.layers import StackedNetwork
from mnist_tui.training.stacked.step import StackedStep
from mnist_tui.training.stacked.weights import StackedWeights
from mnist_tui.training.state import Training


class Stack:
    """A group of S trainings before their first step, whose specs differ in the seed only; `fit.why_not` is None."""

    def __init__(self, trainings: Sequence[Training], memory_format: torch.memory_format | None = None) -> None:
        self.trainings = list(trainings)
        first = self.trainings[0]
        device = first.step.device
        # Grouped convolutions on the CPU take 0.6 of the time in channels_last.
        self.memory_format = memory_format or (torch.channels_last if device.type == "cpu" else torch.contiguous_format)
        self.evaluates_together = device.type != "cpu"
        """Whether all networks are evaluated at once; on the CPU one by one on its fused layers is faster."""
        self._optimizer = build.optimizer(first.spec, *self._vectors())
        self._scheduler = build.scheduler(first.spec, self._optimizer, len(first.splits.train))
        for training in self.trainings:
            training.optimizer, training.scheduler = self._optimizer, self._scheduler
        self._stack_weights()

    def begin_epoch(self) -> None:
        """Draws order and augmentation of each training from its own generator."""
        if len(self._stacked) > len(self.trainings):
            self.close()
            self._stack_weights()
        with ThreadPoolExecutor(environment.cores(), "draws") as pool:
            draws = list(pool.map(Training.draw_epoch, self.trainings))
        orders = [order + first for (order, _, _), first in zip(draws, self._first_images, strict=True)]
        params = [of_seed for _, of_seed, _ in draws]
        # The first image of every seed, then the second of every seed: a batch has S times as many images.
        self._batches.begin(torch.stack(orders, dim=1).flatten(), torch.stack(params, dim=1).flatten(0, 1), 0)
        for training, (_, _, shares) in zip(self.trainings, draws, strict=True):
            training.step.begin(0, shares)
        self.step.begin()

    def take_step(self) -> list[Training]:
        """Takes the next step; the trainings whose loss or a gradient was not finite."""
        nonfinite = [self._stacked[index] for index in self.step(*self._batches.take())]
        return [training for training in nonfinite if training in self.trainings]

    def evaluate(self, control: Control) -> list[Evaluations]:
        """Evaluates every training; raises `EvaluationStopped`."""
        if not self.evaluates_together or len(self._stacked) > len(self.trainings):
            return [evaluate_training(training, control) for training in self.trainings]
        with ExitStack() as averages:
            for training in self.trainings:
                averages.enter_context(training.evaluated_weights())
            test = self._evaluate([training.splits.test for training in self.trainings], control)
            val_images = [training.splits.val for training in self.trainings if training.splits.val]
            val = self._evaluate(val_images, control) if val_images else [None] * len(test)
        return [Evaluations(*each) for each in zip(test, val, strict=True)]

    def _evaluate(self, images: Sequence[Images], control: Control) -> list[Evaluation]:
        settings = self.trainings[0].spec.train
        return evaluate(self.network, images, settings.eval_batch_size, settings.normalize, control)

    def step_scheduler(self, row: EpochEnded | None) -> None:
        """Steps the scheduler where it is due: after a batch (`row` is None) or after an epoch."""
        self.trainings[0].step_scheduler(row)
        self._share_rates()

    def set_learning_rate(self, rate: float) -> LearningRateChanged:
        """Sets the learning rate of the next step of all trainings by hand."""
        changed = self.trainings[0].set_learning_rate(rate)
        self._share_rates()
        return changed

    def remove(self, ended: Collection[Training]) -> None:
        """Takes out trainings that have ended; they are computed until the epoch is over, to no purpose."""
        self.trainings = [training for training in self.trainings if training not in ended]

    def close(self) -> None:
        """Ends the prefetching thread."""
        self._batches.close()

    def _share_rates(self) -> None:
        """Gives all trainings what the first one keeps of changes by hand."""
        first, *others = self.trainings
        for training in others:
            training.rate_changes = list(first.rate_changes)
            training.rate_factor, training.scheduled = first.rate_factor, first.scheduled

    def _vectors(self) -> list[list[nn.Parameter]]:
        """The vectors of the trainings that have not ended, by the group of the optimizer that they are in."""
        by_group = zip(*(training.flat.groups for training in self.trainings), strict=True)
        return [[group.vector for group in groups] for groups in by_group]

    def _stack_weights(self) -> None:
        """Stacks the weights of the trainings that have not ended."""
        first, settings = self.trainings[0], self.trainings[0].spec.train
        device = first.step.device
        self._stacked = list(self.trainings)
        models = [training.model for training in self.trainings]
        for group, vectors in zip(self._optimizer.param_groups, self._vectors(), strict=True):
            group["params"] = vectors
        weights = StackedWeights([training.flat for training in self.trainings], self.memory_format)
        generators = [_dropout_generator(training, device) for training in self.trainings]
        self.network = StackedNetwork(models, weights, generators)
        for training in self.trainings:
            if training.average is not None:
                training.average.bind()
        steps = [training.step for training in self.trainings]
        self.step = StackedStep(settings, self.network, build.loss(first.spec), self._optimizer, steps, generators)
        images, self._first_images = _join([training.splits.train for training in self.trainings])
        batch_size = settings.batch_size * len(self.trainings)
        self._batches = Batches(images, batch_size, settings.normalize, first.augmentation)


def _dropout_generator(training: Training, device: torch.device) -> torch.Generator:
    """What the training's dropout draws from; on an Apple GPU a new one, since its state is not in checkpoints."""
    saved = training.generators.get(device.type)
    return saved or torch.Generator(device).manual_seed(training.spec.train.seed)


def _join(splits: Sequence[Images]) -> tuple[Images, list[int]]:
    """The training images of all seeds as one set, and where each seed's begin in it; the same images only once."""
    if all(images.pixels is splits[0].pixels for images in splits):
        return splits[0], [0] * len(splits)
    joined = Images(torch.cat([images.pixels for images in splits]), torch.cat([images.labels for images in splits]))
    return joined, [index * len(splits[0]) for index in range(len(splits))]
