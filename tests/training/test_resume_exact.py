"""A run that was stopped anywhere and resumed ends as one that never stopped: the same bits (R3)."""

import functools
from typing import Any

import pytest
import torch
from helpers.reliability import advanced, new_training, small_spec, state_of

from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import checkpoint

STEPS = 5
"""Of an epoch of the few images; the recipes take two epochs."""

RECIPES: dict[str, dict[str, Any]] = {
    "SGD-StepLR": {"optimizer": "SGD(lr=0.05, momentum=0.9)", "scheduler": "StepLR(step_size=1, gamma=0.5)"},
    "Adam-OneCycleLR": {
        "optimizer": "Adam(lr=0.01)",
        "scheduler": "OneCycleLR(0.02, epochs=epochs, steps_per_epoch=steps_per_epoch)",
    },
    "AdamW-CosineAnnealingLR": {"optimizer": "AdamW(lr=0.01)", "scheduler": "CosineAnnealingLR(epochs)"},
    "RMSprop-ReduceLROnPlateau": {
        "optimizer": "RMSprop(lr=0.01, momentum=0.5)",
        "scheduler": "ReduceLROnPlateau(factor=0.5, patience=0, threshold=0.9)",
    },
    "SGD-SequentialLR": {
        "optimizer": "SGD(lr=0.05, momentum=0.9, nesterov=True)",
        "scheduler": "SequentialLR([LinearLR(0.1, total_iters=4), StepLR(step_size=2, gamma=0.5)], milestones=[4])",
        "scheduler_step": "batch",
    },
    "Adam-EMA": {"optimizer": "Adam(lr=0.01)", "average": "EMA(decay=0.8)"},
    "SGD-mixup": {"optimizer": "SGD(lr=0.05, momentum=0.9)", "mixup": 0.4},
    "AdamW-no_decay": {"optimizer": "AdamW(lr=0.01, weight_decay=0.5)", "no_decay": ["norm", "bias"]},
}

COMPOSITE = "composite layers"
COMPOSITE_LAYERS = """
Conv2d(4, 3, stride=3)
Parallel(Sequential(Conv2d(4, 1), BatchNorm2d, ReLU), Residual(Conv2d(4, 3, padding=1), Dropout(0.2)))
SqueezeExcite(2)
Repeat(2, Conv2d(8, 3, padding=1), BatchNorm2d, ReLU)
Flatten()
Linear(10)
"""

STOPS = sorted({*range(0, 2 * STEPS, 3), STEPS, 2 * STEPS})
"""Every third batch, before the first step, and at the end of each epoch."""


def recipe(name: str) -> RunSpec:
    """A recipe with augmentation, on a network with dropout and batch norm."""
    augment = ["RandomApply([CenterCrop(22)], p=0.3)", "Resize(28)", "RandomRotation(15)"]
    if name == COMPOSITE:
        return small_spec(augment=augment).with_settings({"layers": COMPOSITE_LAYERS})
    return small_spec(augment=augment, **RECIPES[name])


@functools.cache
def uninterrupted(name: str) -> dict[str, Any]:
    """Where a run ends that nobody stopped."""
    return state_of(checkpoint.dump(advanced(new_training(recipe(name)))))


def stopped(name: str, steps: int) -> bytes:
    """The checkpoint of a run that was stopped after so many steps."""
    return checkpoint.dump(advanced(new_training(recipe(name)), steps))


def resumed(name: str, content: bytes) -> dict[str, Any]:
    """The end of a run that is resumed from a checkpoint, in a process that has drawn other random numbers since."""
    training = new_training(recipe(name))
    torch.manual_seed(999)
    checkpoint.restore(training, content)
    return state_of(checkpoint.dump(advanced(training)))


@pytest.mark.parametrize("steps", STOPS)
@pytest.mark.parametrize("name", [*RECIPES, COMPOSITE])
def test_a_resumed_run_ends_in_the_same_bits(name: str, steps: int) -> None:
    """Weights, moments, scheduler, random states and rows are those of a run that was never stopped."""
    content = stopped(name, steps)
    epoch, steps_done = divmod(steps, STEPS)
    _, state = checkpoint.read(content)

    assert (state["epoch"], state["steps_done"]) == (epoch + 1, steps_done)
    assert resumed(name, content) == uninterrupted(name)


def test_a_run_stopped_at_every_step_ends_in_the_same_bits() -> None:
    """Nothing adds up: a run that is resumed ten times is the one that never stopped."""
    name = "Adam-OneCycleLR"
    training = new_training(recipe(name))
    for _ in range(2 * STEPS):
        content = checkpoint.dump(advanced(training, 1))
        training = new_training(recipe(name))
        checkpoint.restore(training, content)

    assert state_of(checkpoint.dump(advanced(training))) == uninterrupted(name)


@pytest.mark.parametrize(
    "lost",
    ["random.cpu", "random.epoch_start", "optimizer.", "losses", "hits", "gradient_norms", "model.1.running_mean"],
)
def test_every_saved_tensor_is_needed(lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with one piece as a new training has it, the run ends elsewhere."""
    name = "SGD-StepLR"
    content = stopped(name, 3)
    other, _ = checkpoint.read(checkpoint.dump(new_training(small_spec(**RECIPES[name], seed=1))))
    read = checkpoint.read

    def read_without(content: bytes) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        tensors, state = read(content)
        for key in tensors:
            if key.startswith(lost):
                tensors[key] = other.get(key, torch.zeros_like(tensors[key]))
        return tensors, state

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "read", read_without)
        training = new_training(recipe(name))
        checkpoint.restore(training, content)

    assert state_of(checkpoint.dump(advanced(training))) != uninterrupted(name)


@pytest.mark.parametrize("name", ["Adam-OneCycleLR", "SGD-SequentialLR", "RMSprop-ReduceLROnPlateau"])
def test_the_saved_scheduler_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with a new scheduler the learning rate goes another way."""
    content = stopped(name, STEPS + 1)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_restore_scheduler", lambda scheduler, saved: None)
        end = resumed(name, content)

    assert end != uninterrupted(name)


@pytest.mark.parametrize("name", ["RMSprop-ReduceLROnPlateau"])
def test_two_seeds_end_elsewhere(name: str) -> None:
    """Negative control: the comparison sees a difference where there is one."""
    other = new_training(recipe(name).with_settings({"seed": "1"}))

    assert state_of(checkpoint.dump(advanced(other))) != uninterrupted(name)


def test_a_checkpoint_without_gradient_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of version 0.1 is resumed in the same bits; only the mean norm of its own epoch is unknown."""
    name = "SGD-StepLR"
    content = stopped(name, 3)
    read = checkpoint.read

    def read_version_0_1(content: bytes) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        tensors, state = read(content)
        del tensors["gradient_norms"]
        return tensors, state

    training = new_training(recipe(name))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "read", read_version_0_1)
        checkpoint.restore(training, content)
    advanced(training)
    end, expected = state_of(checkpoint.dump(training)), uninterrupted(name)
    rows, expected_rows = end.pop("rows"), expected["rows"]

    assert [row["gradient_norm"] for row in rows] == [None, expected_rows[1]["gradient_norm"]]
    assert [row | {"gradient_norm": 0} for row in rows] == [row | {"gradient_norm": 0} for row in expected_rows]
    assert end == {key: value for key, value in expected.items() if key != "rows"}
