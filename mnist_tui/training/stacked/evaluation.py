"""Evaluation of S networks at once, each on images of its own."""

from collections.abc import Sequence

import torch

from mnist_tui.runs.control import Control
from mnist_tui.training.batches import normalise
from mnist_tui.training.data import Images
from mnist_tui.training.evaluation import Evaluation, raise_if_stopped, summarise
from mnist_tui.training.stacked.layers import StackedNetwork


@torch.inference_mode()
def evaluate(
    network: StackedNetwork,
    images: Sequence[Images],
    batch_size: int,
    normalization: tuple[float, float],
    control: Control | None = None,
) -> list[Evaluation]:
    """Evaluates each network on its images, equally many for all, as `evaluation.evaluate` does one."""
    network.weights.gather()
    network.eval()
    batches = []
    try:
        for pixels in zip(*(torch.split(each.pixels, batch_size) for each in images), strict=True):
            raise_if_stopped(control)
            logits = network(normalise(torch.cat(pixels, dim=1), *normalization))  # (N, S, 10)
            batches.append(torch.log_softmax(logits.float(), dim=2))
    finally:
        network.train()
    log_probs = torch.cat(batches).unbind(1)
    return [summarise(each, own.labels) for each, own in zip(log_probs, images, strict=True)]
