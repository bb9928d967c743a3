"""mixup (Zhang et al. 2018, arXiv:1710.09412): steps on images that are mixed with others of their batch.

Each image is mixed with the one before it in the batch, which is in random order; so the partners are random, too. Own
images and labels have the share s of a batch, drawn from Beta(alpha, alpha), their partners 1 - s. The loss is mixed as
the images are. A prediction counts as correct where it is the label with the larger share.
"""

import numpy as np
import torch
from torch import Tensor


def draw_shares(alpha: float, steps: int, generator: torch.Generator) -> Tensor:
    """The share of own images in each step's batch, 0 to 1, float64 (`steps`,), from Beta(alpha, alpha)."""
    seed = int(torch.randint(2**62, (), generator=generator))  # torch has no public Beta that takes a generator.
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, steps))


def mix_images(images: Tensor, shares: Tensor) -> Tensor:
    """Images (N, S, H, W), mixed with their partners; shares (S,), one for the images of each of S networks."""
    return torch.lerp(images.roll(1, 0), images, shares[:, None, None])


def partners(labels: Tensor) -> Tensor:
    """The labels of the partners, for labels (N,) or (N, S)."""
    return labels.roll(1, 0)


def mix_losses(own: Tensor, of_partners: Tensor, shares: Tensor) -> Tensor:
    """The losses for own labels and for those of the partners, mixed; (N, S), or the mean loss of one network."""
    return torch.lerp(of_partners, own, shares)


def main_labels(labels: Tensor, shares: Tensor) -> Tensor:
    """The labels with the larger share, for labels (N,) or (N, S)."""
    return torch.where(shares >= 0.5, labels, partners(labels))
