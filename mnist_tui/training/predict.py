"""Predictions of a run's network, loaded from a checkpoint in the run folder, also while the run is being trained.

A training in another thread is not disturbed: no random number is drawn, and inference mode and the `meta` device are
set for the calling thread only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mnist_tui.errors import CheckpointError, FileError, InputError
from mnist_tui.files import read_bytes
from mnist_tui.runs import reference
from mnist_tui.runs.events import best_of
from mnist_tui.runs.storage import checkpoints, load_run, readable_checkpoints
from mnist_tui.spec.layers import INPUT
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import build, checkpoint
from mnist_tui.training.batches import normalise

SIDE = INPUT[1]
MAX_BYTES = 64 * 2**20
"""The largest checkpoint that is read: 5 million weights with Adam's two moments, 0.15 s."""


class Prediction(NamedTuple):
    """The prediction of a network for one image."""

    label: int
    """The most probable class, from 0."""
    probability: float
    """The probability of that class, 0 to 1."""


@dataclass(frozen=True)
class Predictions:
    """The predictions of a network for N images, and how far it was trained."""

    of_images: tuple[Prediction, ...]
    epoch: int
    """The epoch of the newest optimizer step, from 1; 0 before the first step."""
    step: int | None
    """Steps taken in that epoch; None when it is finished."""


def predict(spec: RunSpec, folder: Path, digits: Sequence[bytes]) -> Predictions | None:
    """The predictions of the newest checkpoint of a run, for images of 28 rows of 28 grey values, 0 to 255.

    They are computed on the CPU, in eval mode, from images normalised as in training. None where there is no
    checkpoint, where it is larger than `MAX_BYTES`, and where the network takes other images. Raises `CheckpointError`
    for a damaged checkpoint, or one of another network than the spec's.
    """
    content = _newest_checkpoint(folder) if spec.dataset.is_grey_28 else None  # Pictures of other images are scaled.
    if content is None:
        return None
    tensors, state = checkpoint.read(content)
    inputs = normalise(digit_pixels(digits), *spec.train.normalize)
    probabilities, labels = _probabilities(_load_weights(spec, tensors), inputs).max(dim=1)
    of_images = tuple(map(Prediction, labels.tolist(), probabilities.tolist()))
    epoch, step = state["epoch"], state["steps_done"]
    return Predictions(of_images, epoch, step) if step else Predictions(of_images, epoch - 1, None)


def load_network(folder: Path, epoch: int | None = None) -> nn.Module:
    """The trained network of a run folder, on the CPU and in eval mode, after its best epoch or the given one.

    It takes float32 (N, C, H, W), pixels in 0..1 normalised with the recipe's `normalize`, and returns (N, classes). A
    run keeps the weights of its best epoch and of its newest two checkpoints; damaged ones are skipped. Raises
    `RunError` where the folder is no run, and `CheckpointError`, which names folder or file, where the weights of that
    epoch were not kept or cannot be used.
    """
    reference.check_has_weights(folder)
    saved = load_run(folder)
    best = best_of(saved.rows)
    if epoch is not None and epoch < 1:
        raise CheckpointError(f"{folder}: has no epoch {epoch}; they count from 1")
    number = epoch or (best.epoch if best else 0)
    if not number:  # A checkpoint from before the first step has random weights.
        raise CheckpointError(f"{folder}: has no epoch yet")
    refused = ""
    for path, content in readable_checkpoints(folder):
        try:
            tensors, state = checkpoint.read(content)
            if (state["epoch"] - 1, state["steps_done"]) == (number, 0):
                return _load_weights(saved.spec, tensors)
        except CheckpointError as error:
            refused = f"{path}: {error}"
    if refused:
        raise CheckpointError(f"{refused}; no other checkpoint has the weights of epoch {number}")
    raise CheckpointError(f"{folder}: no weights are kept of epoch {number}")


def check_grey_28(spec: RunSpec) -> None:
    """Raises `InputError` where the network of a spec takes other images than grey ones of 28x28 pixels."""
    if not spec.dataset.is_grey_28:
        shape = "x".join(map(str, spec.dataset.shape))
        raise InputError(
            f"{spec.name} takes images of {spec.dataset.title}, {shape}; what is drawn, photographed or looked at here "
            "is prepared as grey 28x28 pixels"
        )


def digit_pixels(digits: Sequence[bytes]) -> Tensor:
    """Digits of 28 rows of 28 grey values, 0 to 255, as uint8 (N, 1, 28, 28); raises `InputError` for another size."""
    for digit in digits:
        if len(digit) != SIDE * SIDE:
            raise InputError(f"an image has {SIDE * SIDE} grey values; this one has {len(digit):,}")
    return torch.frombuffer(bytearray(b"".join(digits)), dtype=torch.uint8).view(-1, *INPUT)


def most_probable(probabilities: Sequence[float]) -> int:
    """The class with the highest probability."""
    return max(range(len(probabilities)), key=probabilities.__getitem__)


def _newest_checkpoint(folder: Path) -> bytes | None:
    """The content of the newest checkpoint; None where there is none, or it cannot be read."""
    try:
        return next((read_bytes(path, MAX_BYTES, follow=False) for path in checkpoints(folder)), None)
    except FileError:
        return None


def _load_weights(spec: RunSpec, tensors: dict[str, Tensor]) -> nn.Module:
    """The network of a spec with the weights in `tensors`, or their average; raises `CheckpointError`."""
    with torch.device("meta"):  # Initialising weights would use the random state of a training in another thread.
        network = build.network(spec)
    try:
        network.load_state_dict(checkpoint.evaluated_weights(tensors), assign=True)
    except RuntimeError:  # Its text has a line for each weight.
        raise CheckpointError("does not fit this network: its weights have other names or shapes") from None
    return network.eval()


@torch.inference_mode()
def _probabilities(network: nn.Module, inputs: Tensor) -> Tensor:
    """Probabilities, float32 (N, classes), of inputs (N, C, H, W)."""
    logits: Tensor = network(inputs)
    return torch.softmax(logits.float(), dim=1)
