"""Transforms of whole batches: images float32 (N, C, H, W), 0 to 255, and rows of parameters to images.

Each takes as many random numbers an image as it needs, and computes what the transform of its name in
torchvision.transforms.v2 does with one image after the other.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_tui.errors import CallError
from mnist_tui.training.elastic import displacements, radius, seeds_of
from mnist_tui.training.warp import affine_parameters, sample_bilinear, warp


class Transform(ABC):
    """One step of an augmentation."""

    num_random = 0
    """Random numbers per image that the transform needs."""

    def make_params(self, random: Tensor) -> Tensor:
        """The parameters of N images from uniform random numbers in [0, 1); both float32 (N, `num_random`)."""
        return random

    @abstractmethod
    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        """The transformed images; `parameters` are the rows of `make_params` for these images."""

    def side(self, side: int) -> int:
        """Height and width of the output for inputs of `side` pixels; raises `CallError` where they are too small."""
        return side


@dataclass
class Affine(Transform):
    """RandomAffine; and RandomRotation, which is RandomAffine without translation, scale and shear."""

    degrees: tuple[float, float]
    translate: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    shear: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    is_bilinear: bool = False
    fill: float = 0.0
    center: tuple[float, float] = (0.0, 0.0)
    width: int = 28
    """Side of the input images in pixels; `translate` is a fraction of it."""

    num_random = 6

    def make_params(self, random: Tensor) -> Tensor:
        unit = random.double()
        limit = torch.tensor(self.translate, dtype=torch.float64, device=random.device) * self.width
        shear = torch.stack([between(unit[:, 4], *self.shear[:2]), between(unit[:, 5], *self.shear[2:])], dim=1)
        translate = ((2 * unit[:, 1:3] - 1) * limit).round()
        angle, scale = between(unit[:, 0], *self.degrees), between(unit[:, 3], *self.scale)
        return affine_parameters(angle, translate, scale, shear, self.center)

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        return warp(images, parameters, self.fill, self.is_bilinear)

    def side(self, side: int) -> int:
        self.width = side
        return side


def between(unit: Tensor, low: float, high: float) -> Tensor:
    """Numbers in `low`..`high` from numbers in [0, 1)."""
    return low + unit * (high - low)


@dataclass
class Elastic(Transform):
    """ElasticTransform: every pixel displaced by smooth noise, which the random number is the seed of."""

    alpha: float
    sigma: float
    fill: float = 0.0

    num_random = 1

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        side = images.shape[2]
        middle = (torch.arange(side, device=images.device) * 2 + 1) / side - 1
        grid = torch.stack(torch.meshgrid(middle, middle, indexing="xy"), dim=-1)
        displaced = displacements(seeds_of(parameters), side, self.alpha, self.sigma).to(images)
        return sample_bilinear(images, displaced.add_(grid), self.fill)

    def side(self, side: int) -> int:
        if self.sigma < 0:
            raise CallError(f"ElasticTransform: sigma={self.sigma:g} must not be negative")
        if radius(self.sigma) >= side:
            reason = f"it blurs over {radius(self.sigma)} pixels, and the images have {side}"
            raise CallError(f"ElasticTransform: sigma={self.sigma:g} is too large: {reason}")
        return side


@dataclass
class CenterCrop(Transform):
    """The middle `size` x `size` pixels."""

    size: int

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        first = round((images.shape[2] - self.size) / 2)
        return images[:, :, first : first + self.size, first : first + self.size]

    def side(self, side: int) -> int:
        if self.size > side:
            raise CallError(f"CenterCrop({self.size}) is larger than the {side} pixels that arrive; pad them first")
        return self.size


@dataclass
class Resize(Transform):
    """All pixels, resampled to `size` x `size`."""

    size: int
    is_bilinear: bool = True

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        if images.shape[2] == self.size:
            return images
        if not self.is_bilinear:
            return F.interpolate(images, size=(self.size, self.size), mode="nearest")
        size = (self.size, self.size)
        return F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True).round_()

    def side(self, side: int) -> int:
        return self.size


@dataclass
class Pad(Transform):
    """A border of `width` pixels on all four sides."""

    width: int
    fill: float = 0.0

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        return F.pad(images, (self.width,) * 4, value=self.fill)

    def side(self, side: int) -> int:
        return side + 2 * self.width


@dataclass
class RandomCrop(Transform):
    """A window of `size` x `size` pixels at a random place of the padded image."""

    size: int
    padding: int = 0
    fill: float = 0.0

    num_random = 2

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        padded = F.pad(images, (self.padding,) * 4, value=self.fill)
        places = padded.shape[2] - self.size + 1
        first = (parameters * places).long().clamp_(max=places - 1)
        offsets = torch.arange(self.size, device=images.device)
        rows, columns = (first[:, axis, None] + offsets for axis in (0, 1))
        index = rows[:, :, None] * padded.shape[3] + columns[:, None, :]
        count, channels = images.shape[:2]
        chosen = index.view(count, 1, -1).expand(-1, channels, -1)
        return padded.flatten(2).gather(2, chosen).view(count, channels, self.size, self.size)

    def side(self, side: int) -> int:
        if self.size > side + 2 * self.padding:
            raise CallError(f"RandomCrop({self.size}) is larger than the {side + 2 * self.padding} pixels there are")
        return self.size


@dataclass
class Flip(Transform):
    """A flip with probability `p`: vertical for `axis` 2, horizontal for `axis` 3."""

    p: float
    axis: int

    num_random = 1

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        return torch.where((parameters < self.p)[:, :, None, None], images.flip(self.axis), images)


@dataclass
class Invert(Transform):
    """Inverted grey values with probability `p`."""

    p: float

    num_random = 1

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        return torch.where((parameters < self.p)[:, :, None, None], 255 - images, images)


@dataclass
class Chain(Transform):
    """Transforms in sequence, applied to each image with probability `p`."""

    transforms: Sequence[Transform]
    p: float = 1.0

    def __post_init__(self) -> None:
        self._widths = [1, *(transform.num_random for transform in self.transforms)]
        self.num_random = sum(self._widths)

    def make_params(self, random: Tensor) -> Tensor:
        own, *parts = random.split(self._widths, dim=1)
        params = (transform.make_params(part) for transform, part in zip(self.transforms, parts, strict=True))
        return torch.cat([own, *params], dim=1)

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        if self.p >= 1:
            return self._chain(images, parameters)
        return transform_where(parameters[:, 0] < self.p, images, parameters, self._chain)

    def _chain(self, images: Tensor, parameters: Tensor) -> Tensor:
        _, *parts = parameters.split(self._widths, dim=1)
        for transform, part in zip(self.transforms, parts, strict=True):
            images = transform.apply(images, part)
        return images

    def side(self, side: int) -> int:
        out = side
        for transform in self.transforms:
            out = transform.side(out)
        if self.p < 1 and out != side:
            raise CallError(f"RandomApply leaves images of {side} and of {out} pixels; put Resize({side}) behind it")
        return out


def transform_where(
    is_selected: Tensor, images: Tensor, parameters: Tensor, transform: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """The images, of which those that are selected, bool (N,), are transformed with their own parameters (N, …)."""
    if images.device.type != "cpu":
        # Transform all images and select: sizes that depend on random numbers make the host wait for the device.
        return torch.where(is_selected[:, None, None, None], transform(images, parameters), images)
    index = is_selected.nonzero()[:, 0]
    return images.index_copy(0, index, transform(images[index], parameters[index])) if len(index) else images
