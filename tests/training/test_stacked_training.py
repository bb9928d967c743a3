"""Networks of several seeds that are trained as one: each has the losses of a run of its seed alone.

Compared in float64, where rounding does not grow: in float32 Adam makes steps of the size of the learning rate out of
gradients that are rounding errors.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import pytest
import torch
from helpers.reliability import StopAfter

from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Event, LearningRateChanged, RunEnded
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import data, loop
from mnist_tui.training.data import Dataset
from mnist_tui.training.session import make_training
from mnist_tui.training.stacked import fit
from mnist_tui.training.stacked.session import make_trainings
from mnist_tui.training.stacked.stack import Stack
from mnist_tui.training.state import Training

pytestmark = pytest.mark.slow  # trains several seeds

CPU = torch.device("cpu")
SEEDS = (3, 4)
TOLERANCE = 1e-7
"""Relative; measured: at most 6e-9, by steps of Adam on the bias before a norm, whose gradient is a rounding error."""

SMALL = make_spec(
    {
        "name": "small",
        "layers": """
            Conv2d(4, 3, padding=1)
            BatchNorm2d()
            ReLU()
            Dropout2d(0.2)
            MaxPool2d(4)
            Flatten()
            Dropout(0.3)
            Linear(10)
        """,
        "train": {"epochs": 2, "batch_size": 16, "optimizer": "Adam(lr=0.01)", "augment": ["RandomRotation(15)"]},
    }
)


@pytest.fixture(scope="module")
def few_digits() -> Dataset:
    """102 training and 40 test digits."""
    digits = data.load_digits()
    return dataclasses.replace(
        digits, train=digits.train.take(torch.arange(102)), test=digits.test.take(torch.arange(40))
    )


@pytest.fixture
def float64(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks, images and losses in float64."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def of_seeds(spec: RunSpec, **settings: str) -> list[RunSpec]:
    """The spec with each seed."""
    return [spec.with_settings({**settings, "seed": str(seed)}) for seed in SEEDS]


class Losses:
    """The losses of all steps of each training, and the rows and the end of each."""

    def __init__(self, trainings: Sequence[Training]) -> None:
        self.steps: list[list[float]] = [[] for _ in trainings]
        self.events: list[list[Event]] = [[] for _ in trainings]
        self._trainings = list(trainings)

    def add(self, training: Training, event: Event) -> None:
        """Notes the losses of an epoch that has ended."""
        index = self._trainings.index(training)
        self.events[index].append(event)
        if isinstance(event, EpochEnded):
            self.steps[index] += training.step.losses.tolist()

    def ends(self) -> list[RunEnded]:
        """The last event of each."""
        return [events[-1] for events in self.events if isinstance(events[-1], RunEnded)]

    def test_losses(self) -> list[list[float]]:
        """Those of the epochs of each."""
        return [[event.test_loss for event in events if isinstance(event, EpochEnded)] for events in self.events]


def train_stack(stack: Stack, control: Control | None = None) -> Losses:
    """The losses of a stack that is trained to its end."""
    losses = Losses(stack.trainings)
    for moment in loop.train_together(stack, control or Control()):
        for training, event in moment:
            losses.add(training, event)
    stack.close()
    return losses


def train_alone(specs: Sequence[RunSpec], dataset: Dataset, control: Control | None = None) -> Losses:
    """The losses of each spec, trained alone."""
    losses = None
    for index, spec in enumerate(specs):
        training = make_training(spec, dataset, CPU, fuse=False)
        losses = losses or Losses([training] * len(specs))
        losses._trainings[index] = training
        for event in loop.train(training, control or Control()):
            losses.add(training, event)
        training.batches.close()
    assert losses is not None
    return losses


def make_stack(specs: Sequence[RunSpec], dataset: Dataset) -> Stack:
    """The stack of the specs."""
    assert fit.why_not(specs[0]) is None
    return Stack(make_trainings(specs, dataset, CPU, fuse=True))


def largest_difference(ours: Losses, theirs: Losses) -> float:
    """The largest relative difference of two losses, of steps or of epochs on the test images."""
    pairs = [*zip(ours.steps, theirs.steps, strict=True), *zip(ours.test_losses(), theirs.test_losses(), strict=True)]
    return max(abs(own - other) / abs(other) for one, two in pairs for own, other in zip(one, two, strict=True))


# --- equal to single runs --------------------------------------------------------------------------------------------


def assert_equal_to_single_runs(specs: Sequence[RunSpec], dataset: Dataset) -> Losses:
    """Asserts that a stack has the losses of its seeds alone; returns them."""
    alone = train_alone(specs, dataset)
    stacked = train_stack(make_stack(specs, dataset))

    assert largest_difference(stacked, alone) < TOLERANCE
    return stacked


@pytest.mark.parametrize("name", presets.builtin_names())
def test_every_preset_has_the_losses_of_single_runs(name: str, few_digits: Dataset, float64: None) -> None:
    """Over four epochs of six steps, the last of them smaller; own order, augmentation, dropout, statistics.

    No batch has two images: their norm on maps of 1x1 is the sign of a difference, whose gradient is a rounding error.
    """
    fewer = dataclasses.replace(
        few_digits, train=few_digits.train.take(torch.arange(23)), test=few_digits.test.take(torch.arange(8))
    )

    stacked = assert_equal_to_single_runs(of_seeds(presets.load(name), batch_size="4", epochs="4"), fewer)

    assert all(len(losses) >= 20 for losses in stacked.steps)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "SGD(lr=0.05, momentum=0.9, nesterov=True)", "clip_grad_norm": "0.5"},
        {"scheduler": "OneCycleLR(0.02, epochs=epochs, steps_per_epoch=steps_per_epoch)"},
        {"scheduler": "StepLR(step_size=1, gamma=0.1)", "validation_images": "15000"},
        {"optimizer": "RMSprop(lr=0.001)", "loss": "CrossEntropyLoss(label_smoothing=0.1)"},
        {"augment": "[RandomApply([CenterCrop(22)], p=0.1), Resize(28), RandomPerspective(0.3)]"},
        {"batch_size": "102"},
        {"optimizer": "AdamW(lr=0.01, weight_decay=0.5)", "no_decay": "norm, bias"},
        {"average": "EMA(decay=0.8)"},
        {"mixup": "0.4", "augment": "[]", "loss": "CrossEntropyLoss(label_smoothing=0.1)"},
    ],
)
def test_every_part_of_a_recipe_has_the_losses_of_single_runs(
    settings: dict[str, str], few_digits: Dataset, float64: None
) -> None:
    """Optimizers, clipping, schedulers by batch and by epoch, a split of each seed's own, slow transforms."""
    assert_equal_to_single_runs(of_seeds(SMALL, **settings), few_digits)


@pytest.mark.parametrize("shared", ["generators", "generator"])
def test_a_generator_that_seeds_share_is_seen(shared: str, few_digits: Dataset, float64: None) -> None:
    """Negative control: with one generator for dropout, or one for order and augmentation, the losses are others."""
    specs = of_seeds(SMALL)
    trainings = make_trainings(specs, few_digits, CPU, fuse=True)
    for training in trainings:
        setattr(training, shared, getattr(trainings[0], shared))
    if shared == "generator":
        trainings[1].epoch_start = trainings[0].epoch_start

    assert largest_difference(train_stack(Stack(trainings)), train_alone(specs, few_digits)) > 1e-3


def test_in_float32_the_first_losses_are_those_of_a_fused_run(few_digits: Dataset) -> None:
    """Without the help of float64, and against what `--batch` trains."""
    specs = of_seeds(presets.load("iter5"), batch_size="32")
    training = make_training(specs[0], few_digits, CPU, fuse=True)
    alone = [training.step.losses.tolist() for event in loop.train(training, StopAfter(5))][-1]
    training.batches.close()

    stack = make_stack(specs, few_digits)
    first = stack.trainings[0]
    for _ in loop.train_together(stack, StopAfter(5)):
        pass
    stack.close()

    torch.testing.assert_close(first.step.losses.tolist(), alone, rtol=1e-3, atol=0)


@pytest.mark.parametrize("average", ["None", "EMA(decay=0.8)"])
def test_evaluation_at_once_is_that_of_each_network(average: str, few_digits: Dataset, float64: None) -> None:
    """As on a GPU: on the test images, and on the validation images of each seed, with the average of each."""
    specs = of_seeds(SMALL, validation_images="15000", average=average)
    one_by_one, at_once = make_stack(specs, few_digits), make_stack(specs, few_digits)
    at_once.evaluates_together = True

    ours, theirs = train_stack(at_once), train_stack(one_by_one)

    assert largest_difference(ours, theirs) < TOLERANCE
    for own, other in zip(ours.events, theirs.events, strict=True):
        rows = [[event.val_loss for event in events if isinstance(event, EpochEnded)] for events in (own, other)]
        assert rows[0] == pytest.approx(rows[1], rel=TOLERANCE)


def test_an_average_is_seen(few_digits: Dataset, float64: None) -> None:
    """Negative control: evaluated with the weights of the last step, the losses are others."""
    specs = of_seeds(SMALL, average="EMA(decay=0.8)")

    averaged, plain = (train_stack(make_stack(each, few_digits)) for each in (specs, of_seeds(SMALL)))

    assert averaged.steps == plain.steps
    assert largest_difference(averaged, plain) > 1e-3


def test_bfloat16(few_digits: Dataset) -> None:
    """Trains, near to what float32 does."""
    specs = of_seeds(SMALL, precision="bfloat16")

    ours, theirs = train_stack(make_stack(specs, few_digits)), train_stack(make_stack(of_seeds(SMALL), few_digits))

    assert 1e-6 < largest_difference(ours, theirs) < 0.2


# --- a seed that ends before the others ------------------------------------------------------------------------------


def test_a_seed_that_is_done_early_leaves_the_others_as_they_were(few_digits: Dataset, float64: None) -> None:
    """It stops at its accuracy; the others train on, and the whole stack has the losses of single runs."""
    alone = train_alone(of_seeds(SMALL, epochs="6"), few_digits)
    second_rows = [[event for event in events if isinstance(event, EpochEnded)][1] for events in alone.events]
    limit = max(row.test_accuracy for row in second_rows)

    specs = of_seeds(SMALL, epochs="6", stop_at_accuracy=str(limit))
    stacked = assert_equal_to_single_runs(specs, few_digits)

    assert len({ended.epochs for ended in stacked.ends()}) == 2


@pytest.mark.parametrize("is_seen_late", [False, True], ids=["as on the CPU", "as on a GPU"])
def test_a_seed_that_diverges_leaves_the_others_as_they_were(
    is_seen_late: bool, few_digits: Dataset, float64: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is seen after the step, on a GPU with the next report; the others have the losses of single runs."""
    specs = of_seeds(SMALL)
    stack = make_stack(specs, few_digits)
    if is_seen_late:
        monkeypatch.setattr(Stack, "take_step", lambda self: self.step(*self._batches.take()) and [])
    with torch.no_grad():
        stack.trainings[0].vector[5] = torch.nan

    stacked, alone = train_stack(stack), train_alone(specs, few_digits)

    assert [ended.outcome for ended in stacked.ends()] == ["diverged", "completed"]
    assert "epoch 1" in stacked.ends()[0].message
    assert stacked.steps[0] == []
    assert stacked.steps[1] == pytest.approx(alone.steps[1], rel=TOLERANCE)


def test_a_stack_whose_seeds_all_diverge_ends(few_digits: Dataset) -> None:
    """Nothing is left to train."""
    stack = make_stack(of_seeds(SMALL), few_digits)
    for training in stack.trainings:
        training.vector.data[5] = torch.inf

    stacked = train_stack(stack)

    assert [ended.outcome for ended in stacked.ends()] == ["diverged", "diverged"]


# --- requests --------------------------------------------------------------------------------------------------------


class RateAfter(StopAfter):
    """A control that asks for another learning rate after so many steps, and never stops."""

    def __init__(self, steps: int, rate: float) -> None:
        super().__init__(10_000)
        self.at = 10_000 - steps
        self.rate = rate

    def consume_learning_rate(self) -> float | None:
        """The rate, once."""
        return self.rate if self.left == self.at - 1 else None


@pytest.mark.parametrize("scheduler", ["StepLR(step_size=1, gamma=0.1)", "ExponentialLR(0.9)"])
def test_a_learning_rate_that_is_set_by_hand_is_that_of_all(scheduler: str, few_digits: Dataset, float64: None) -> None:
    """As in a single run: from this step on, and scaled by the scheduler later."""
    specs = of_seeds(SMALL, scheduler=scheduler, epochs="3")

    stacked = train_stack(make_stack(specs, few_digits), RateAfter(9, 0.002))
    alone = [train_alone([spec], few_digits, RateAfter(9, 0.002)) for spec in specs]

    for index, single in enumerate(alone):
        assert stacked.steps[index] == pytest.approx(single.steps[0], rel=TOLERANCE)
        changes = [event for event in stacked.events[index] if isinstance(event, LearningRateChanged)]
        assert changes == [LearningRateChanged(2, 2, 0.002)]


def test_all_seeds_stop_after_the_same_step(few_digits: Dataset) -> None:
    """In the middle of an epoch."""
    stacked = train_stack(make_stack(of_seeds(SMALL), few_digits), StopAfter(4))

    assert [ended.message for ended in stacked.ends()] == ["stopped in epoch 1 after 4 steps"] * 2


# --- which recipes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizer": "Adafactor(lr=0.01)"}, "Adafactor"),
        ({"scheduler": "ReduceLROnPlateau()"}, "by its own results"),
        ({"scheduler": "SequentialLR([ConstantLR(), ReduceLROnPlateau()], [1])"}, "by its own results"),
        ({"optimizer": "NAdam(lr=0.01)"}, None),
    ],
)
def test_recipes_that_are_not_stacked(settings: dict[str, str], words: str | None) -> None:
    """They say why in a sentence; no random number is drawn to find out."""
    state = torch.get_rng_state()
    reason = fit.why_not(SMALL.with_settings(settings))

    assert (words in str(reason)) if words else reason is None
    assert torch.equal(torch.get_rng_state(), state)


def test_every_preset_is_stacked() -> None:
    """None has to be trained one by one."""
    assert [name for name in presets.builtin_names() if fit.why_not(presets.load(name))] == []


def test_seeds_of_a_recipe_are_trained_together() -> None:
    """Specs that follow each other and differ in the seed only, by anything else not."""
    other = of_seeds(SMALL, batch_size="8")

    groups = list(fit.seed_groups([*of_seeds(SMALL), *other, SMALL]))

    assert groups == [of_seeds(SMALL), other, [SMALL]]
