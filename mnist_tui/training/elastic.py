"""The displacements of an elastic transform (Simard et al. 2003), as torchvision's ElasticTransform draws them.

Noise in -1..1 for each pixel and axis, smoothed by a Gaussian and scaled by alpha. The blur of torchvision, with images
reflected at their edges, is a product with the same matrix for rows and columns.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F


def displacements(seeds: list[int], side: int, alpha: float, sigma: float) -> Tensor:
    """How far x and y of each pixel are displaced, float32 (N, side, side, 2), where an image is 2 wide and high.

    An image's are those that torchvision draws after `torch.manual_seed` of its seed.
    """
    noise = torch.empty(len(seeds), 2, side, side)
    generator = torch.Generator()
    for seed, of_image in zip(seeds, noise, strict=True):
        of_image.uniform_(-1, 1, generator=generator.manual_seed(seed))
    if sigma > 0:
        blur = blur_matrix(side, sigma)
        noise = blur @ noise @ blur.T
    return noise.mul_(alpha / side).permute(0, 2, 3, 1)


def radius(sigma: float) -> int:
    """Pixels on each side of a pixel that its blur takes in; images are reflected so far, which must be inside."""
    return (int(8 * sigma + 1) | 1) // 2


@lru_cache(maxsize=16)
def blur_matrix(side: int, sigma: float) -> Tensor:
    """The Gaussian blur of a column of pixels, float32 (side, side), with the kernel of torchvision."""
    size = 2 * radius(sigma) + 1
    limit = (size - 1) / (2 * 2**0.5)
    kernel = torch.softmax(-(torch.linspace(-limit, limit, size) / sigma).square(), dim=0)
    columns = F.pad(torch.eye(side)[:, None], (radius(sigma),) * 2, mode="reflect")
    return F.conv1d(columns, kernel[None, None])[:, 0].T.contiguous()


def seeds_of(parameters: Tensor) -> list[int]:
    """A seed for each image from random numbers in [0, 1), (N, 1)."""
    seeds: list[int] = (parameters[:, 0].cpu().double() * 2**31).long().tolist()
    return seeds
