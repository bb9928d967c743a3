"""Sparklines: accuracies over the epochs as one line of block characters, on a logarithmic scale of the error rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean

from mnist_tui.datasets import published

BLOCKS = "▁▂▃▄▅▆▇█"
MOST_CELLS = 20
"""Cells of the longest sparkline; with more epochs several share a cell."""


@dataclass(frozen=True)
class Scale:
    """The accuracies of the lowest and the highest block; from block to block the error rate falls by one factor."""

    low: float
    high: float

    @property
    def words(self) -> str:
        """The range in words: `98–99.7%`."""
        return f"{100 * self.low:g}–{100 * self.high:g}%"

    def block(self, accuracy: float) -> str:
        """The block character of an accuracy, a fraction."""
        decades = math.log10((1 - self.low) / max(1 - accuracy, 1e-9))
        share = decades / math.log10((1 - self.low) / (1 - self.high))
        return BLOCKS[min(len(BLOCKS) - 1, max(0, int(len(BLOCKS) * share)))]


MNIST = Scale(0.98, 0.997)
OTHER = Scale(0.8, 0.99)
"""The scale of scikit-learn's digits, on which networks for 28x28 images do worse."""
HELP = f"each epoch: {BLOCKS[0]} {MNIST.low:.0%} or less, {BLOCKS[-1]} {MNIST.high:.1%}; digits {OTHER.words}"


def scale_of(dataset: str | None) -> Scale:
    """The scale of a data set, the same for all runs on it; MNIST's for an imported log, whose data set is unknown."""
    return MNIST if dataset in (published.MNIST.name, None) else OTHER


def sparkline(accuracies: Sequence[float], scale: Scale, width: int = MOST_CELLS) -> str:
    """A block for each epoch; with more epochs than `width` a block for the mean of several."""
    count = len(accuracies)
    cells = min(count, width)
    shares = [accuracies[cell * count // cells : (cell + 1) * count // cells] for cell in range(cells)]
    return "".join(scale.block(fmean(share)) for share in shares)


def mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean of each epoch, over the curves that have it."""
    if len(curves) == 1:
        return list(curves[0])
    return [fmean(each for each in epoch if each is not None) for epoch in zip_longest(*curves)]
