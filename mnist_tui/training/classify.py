"""What saved runs say about prepared digits, and how stable that is. The networks are loaded once and kept.

Nothing that a training in this process uses is changed (`training.predict`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mnist_tui.images.move import rotate, shift
from mnist_tui.runs.storage import load_run
from mnist_tui.training.batches import normalise
from mnist_tui.training.predict import check_grey_28, digit_pixels, load_network, most_probable

SHIFTS = tuple((right, down) for right in (-2, -1, 0, 1, 2) for down in (-2, -1, 0, 1, 2) if (right, down) != (0, 0))
"""Pixels to the right and down."""
ANGLES = (-10, -5, 5, 10)
"""Degrees, anticlockwise."""

Probabilities = tuple[float, ...]
"""Of the classes 0 to 9; they sum to 1."""


@dataclass(frozen=True)
class Variant:
    """What a network says about a digit that was moved slightly."""

    change: str
    """How it was moved: `right 1, down -2` in pixels or `rotate 5` in degrees, anticlockwise."""
    probabilities: Probabilities


@dataclass(frozen=True)
class Stability:
    """What a network says about a digit, and about the same digit moved slightly."""

    probabilities: Probabilities
    variants: tuple[Variant, ...]

    @property
    def label(self) -> int:
        """The class of the digit as it is."""
        return most_probable(self.probabilities)

    @property
    def agreement(self) -> float:
        """The share of the variants with the same class, 0 to 1."""
        return sum(most_probable(variant.probabilities) == self.label for variant in self.variants) / len(self.variants)

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest probability that the variants give to the digit's class."""
        values = [variant.probabilities[self.label] for variant in self.variants]
        return min(values), max(values)


class Classifier:
    """The network of a run's best epoch, for digits of 28 rows of 28 grey values, 0 to 255."""

    def __init__(self, folder: Path) -> None:
        """Loads the network.

        Raises `RunError` where the folder is no run, `CheckpointError` without weights, and `InputError` where it takes
        other images.
        """
        self.folder = folder
        spec = load_run(folder).spec
        check_grey_28(spec)
        self._normalization = spec.train.normalize
        self._network: nn.Module = load_network(folder).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def classify(self, digits: Sequence[bytes]) -> tuple[Probabilities, ...]:
        """The probabilities of each digit, computed on the CPU, normalised as in the run's training."""
        if not digits:
            return ()
        logits = self._network(normalise(digit_pixels(digits), *self._normalization))
        return tuple(map(tuple, torch.softmax(logits.double(), dim=1).tolist()))

    def stability(self, digit: bytes) -> Stability:
        """The answer to a digit and to the same one shifted by up to 2 pixels and turned by up to 10 degrees."""
        moved = {f"right {right}, down {down}": shift(digit, right, down) for right, down in SHIFTS}
        moved |= {f"rotate {angle}": rotate(digit, angle) for angle in ANGLES}
        first, *others = self.classify([digit, *moved.values()])
        return Stability(first, tuple(map(Variant, moved, others)))
