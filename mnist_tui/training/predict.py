"""The network of a run, from a checkpoint in its folder, and what it says about a few images, beside the training.

Nothing that a training in this process uses is changed: no random number is drawn, and inference mode and the `meta`
device are set for the calling thread alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mnist_tui.errors import CheckpointError, FileError
from mnist_tui.files import read_bytes
from mnist_tui.runs.events import best_of
from mnist_tui.runs.storage import checkpoints, load_run, readable_checkpoints
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import build, checkpoint
from mnist_tui.training.batches import normalise

MAX_BYTES = 64 * 2**20
"""The largest checkpoint that is read: 5 million weights with Adam's two moments, 0.15 s."""


class Prediction(NamedTuple):
    """What a network says about one image."""

    label: int
    """The class of the highest probability."""
    probability: float
    """Of that class, 0 to 1."""


@dataclass(frozen=True)
class Predictions:
    """What a network says about N images, and how far it was trained."""

    of_images: tuple[Prediction, ...]
    epoch: int
    """The epoch of the newest optimizer step, from 1; 0 before the first step."""
    step: int | None
    """Steps taken in that epoch; None at its end."""


def predict(spec: RunSpec, folder: Path, digits: Sequence[bytes]) -> Predictions | None:
    """The predictions of the newest checkpoint of a run, for images of 28 rows of 28 grey values, 0 to 255.

    They are computed on the CPU, in eval mode, from images normalised as in training. None where there is no
    checkpoint, where it was deleted since the folder was listed, and where it is larger than `MAX_BYTES`. Raises
    `CheckpointError` for a damaged one, or one of another network than the spec's.
    """
    content = _newest_checkpoint(folder)
    if content is None:
        return None
    tensors, state = checkpoint.read(content)
    log_probs = _log_probs(_trained_network(spec, tensors), _inputs(spec, digits))
    probabilities, labels = log_probs.exp().max(dim=1)
    of_images = tuple(map(Prediction, labels.tolist(), probabilities.tolist()))
    epoch, step = state["epoch"], state["steps_done"]
    return Predictions(of_images, epoch, step) if step else Predictions(of_images, epoch - 1, None)


def load_network(folder: Path, epoch: int | None = None) -> nn.Module:
    """The trained network of a run folder, on the CPU and in eval mode: of its best epoch, or of a given one.

    It takes float32 (N, 1, 28, 28), pixels in 0..1 normalised with the recipe's `normalize`, and returns (N, 10).
    Weights are kept of the best epoch and of the newest two checkpoints. Raises `RunError` where the folder is no run,
    and `CheckpointError` where the weights of that epoch are not there.
    """
    saved = load_run(folder)
    best = best_of(saved.rows)
    wanted = epoch or (best.epoch if best else 0)
    for _, content in readable_checkpoints(folder):
        tensors, state = checkpoint.read(content)
        if (state["epoch"] - 1, state["steps_done"]) == (wanted, 0):
            return _trained_network(saved.spec, tensors)
    raise CheckpointError(
        f"{folder}: no weights are kept of epoch {wanted}" if wanted else f"{folder}: has no epoch yet"
    )


def _newest_checkpoint(folder: Path) -> bytes | None:
    """Its content; None where there is none to be read."""
    try:
        return next((read_bytes(path, MAX_BYTES) for path in checkpoints(folder)), None)
    except FileError:
        return None


def _trained_network(spec: RunSpec, tensors: dict[str, Tensor]) -> nn.Module:
    """The network of a spec with the weights of a checkpoint; raises `CheckpointError` where they do not fit."""
    weights = {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    with torch.device("meta"):  # Initial weights would be drawn from the random state that the training uses.
        network = build.network(spec)
    try:
        network.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f"does not fit this network: {error}") from None
    return network.eval()


def _inputs(spec: RunSpec, digits: Sequence[bytes]) -> Tensor:
    """The digits as float32 (N, 1, 28, 28), normalised as in training."""
    pixels = torch.frombuffer(bytearray(b"".join(digits)), dtype=torch.uint8)
    return normalise(pixels.view(-1, 1, 28, 28), *spec.train.normalize)


@torch.inference_mode()
def _log_probs(network: nn.Module, inputs: Tensor) -> Tensor:
    """Float32 (N, 10)."""
    logits: Tensor = network(inputs)
    return torch.log_softmax(logits.float(), dim=1)
