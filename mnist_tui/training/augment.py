"""Augmentation of whole batches, on the device, with random parameters for each image.

An `Augmentation` is a pure function of images and parameters. The parameters are sampled before an epoch begins, so a
run that is resumed within an epoch sees the same images, and tests can compare given angles with torchvision.
Transforms without a batched form run image by image through torchvision.transforms.v2, which is slower.

Images are float32 (N, 1, H, W) with the values 0 to 255 of their uint8 pixels.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_tui.errors import CallError
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Call, Value
from mnist_tui.training.elastic import displacements, radius

SIDE = 28


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


def _affine_parameters(
    angle: Tensor, translate: Tensor, scale: Tensor, shear: Tensor, center: tuple[float, float]
) -> Tensor:
    """Rows (a, b, c, d, e, f) that map an output pixel to its source: x' = ax + by + c, y' = dx + ey + f; (N, 6).

    `angle` (N,) and `shear` (N, 2) in degrees with the signs of torchvision's `affine`; `translate` (N, 2) and `center`
    in pixels from the middle. The formula is torchvision's `_get_inverse_affine_matrix`, for N images.
    """
    rotation, shear_x, shear_y = (torch.deg2rad(value) for value in (angle, shear[:, 0], shear[:, 1]))
    a = torch.cos(rotation - shear_y) / torch.cos(shear_y)
    b = -a * torch.tan(shear_x) - torch.sin(rotation)
    c = torch.sin(rotation - shear_y) / torch.cos(shear_y)
    d = -c * torch.tan(shear_x) + torch.cos(rotation)
    inverse = torch.stack([d, -b, -c, a], dim=1) / scale[:, None]
    x, y = -center[0] - translate[:, 0], -center[1] - translate[:, 1]
    shift_x = inverse[:, 0] * x + inverse[:, 1] * y + center[0]
    shift_y = inverse[:, 2] * x + inverse[:, 3] * y + center[1]
    columns = [inverse[:, 0], inverse[:, 1], shift_x, inverse[:, 2], inverse[:, 3], shift_y]
    return torch.stack(columns, dim=1).float()


def warp(images: Tensor, parameters: Tensor, fill: float, is_bilinear: bool) -> Tensor:
    """Images (N, 1, H, W), each transformed by its own affine `parameters` (N, 6); outside the image is `fill`."""
    count, _, height, width = images.shape
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    a, b, c, d, e, f = parameters.unsqueeze(2).unbind(1)
    # An affine map is the sum of a term per column and a term per row: one broadcast addition gives all positions.
    source_x = (a * x)[:, None, :] + (b * y + (c + (width - 1) / 2))[:, :, None]
    source_y = (d * x)[:, None, :] + (e * y + (f + (height - 1) / 2))[:, :, None]
    if is_bilinear:
        grid = torch.stack([(2 * source_x + 1) / width - 1, (2 * source_y + 1) / height - 1], dim=-1)
        return _sample_bilinear(images, grid, fill)
    # A border of one pixel holds the fill; positions outside are clamped to it.
    bordered = F.pad(images, (1, 1, 1, 1), value=fill).view(count, -1)
    index = source_y.round_().clamp_(-1, height).add_(1).mul_(width + 2)
    index += source_x.round_().clamp_(-1, width).add_(1)
    return bordered.gather(1, index.view(count, -1).long()).view_as(images)


def _sample_bilinear(images: Tensor, grid: Tensor, fill: float) -> Tensor:
    """Images (N, 1, H, W) at the positions (x, y) of a grid (N, H, W, 2), in -1..1 over the image."""
    with_mask = torch.cat([images, torch.ones_like(images)], dim=1)
    sampled, mask = torch.split(F.grid_sample(with_mask, grid, mode="bilinear", align_corners=False), 1, dim=1)
    # torchvision's own blend: mask * (sampled - fill) + fill, rounded to whole grey levels.
    return sampled.sub_(fill).mul_(mask).add_(fill).round_()


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
    width: int = SIDE
    """Side of the input images in pixels; `translate` is a fraction of it."""

    num_random = 6

    def make_params(self, random: Tensor) -> Tensor:
        unit = random.double()
        limit = torch.tensor(self.translate, dtype=torch.float64, device=random.device) * self.width
        shear = torch.stack([_between(unit[:, 4], *self.shear[:2]), _between(unit[:, 5], *self.shear[2:])], dim=1)
        translate = ((2 * unit[:, 1:3] - 1) * limit).round()
        angle, scale = _between(unit[:, 0], *self.degrees), _between(unit[:, 3], *self.scale)
        return _affine_parameters(angle, translate, scale, shear, self.center)

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        return warp(images, parameters, self.fill, self.is_bilinear)

    def side(self, side: int) -> int:
        self.width = side
        return side


def _between(unit: Tensor, low: float, high: float) -> Tensor:
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
        displaced = displacements(_seeds(parameters), side, self.alpha, self.sigma).to(images)
        return _sample_bilinear(images, displaced.add_(grid), self.fill)

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
        count = len(images)
        return padded.view(count, -1).gather(1, index.view(count, -1)).view(count, 1, self.size, self.size)

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
        is_selected = parameters[:, 0] < self.p
        if images.device.type != "cpu":
            # Transform all images and select: sizes that depend on random numbers make the host wait for the device.
            return torch.where(is_selected[:, None, None, None], self._chain(images, parameters), images)
        index = is_selected.nonzero()[:, 0]
        return images.index_copy(0, index, self._chain(images[index], parameters[index])) if len(index) else images

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


def _seeds(parameters: Tensor) -> list[int]:
    """A seed for each image from random numbers in [0, 1), (N, 1)."""
    seeds: list[int] = (parameters[:, 0].cpu().double() * 2**31).long().tolist()
    return seeds


class ImageByImage(Transform):
    """A torchvision transform that has no batched form; its seed for each image comes from the random number."""

    num_random = 1

    def __init__(self, call: Call) -> None:
        self.call = call
        self.transform = _torchvision(call)

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        pixels = images.to(torch.uint8).cpu()
        seeds = _seeds(parameters)
        with torch.random.fork_rng(devices=[]):
            return torch.stack(
                [self._transform_one(image, seed) for image, seed in zip(pixels, seeds, strict=True)]
            ).to(images)

    def _transform_one(self, image: Tensor, seed: int) -> Tensor:
        torch.manual_seed(seed)
        transformed: Tensor = self.transform(image)
        return transformed

    def side(self, side: int) -> int:
        shapes = {
            tuple(self._transform_one(torch.zeros(1, side, side, dtype=torch.uint8), seed).shape) for seed in range(16)
        }
        if len(shapes) > 1:
            raise CallError(f"{self.call.name} makes images of several sizes; put Resize({side}) inside it")
        shape = shapes.pop()
        if len(shape) != 3 or shape[0] != 1 or shape[1] != shape[2]:
            raise CallError(f"{self.call.name} makes {list(shape)} of an image; square grey images are needed")
        return shape[1]


class Augmentation:
    """The augmentation of a recipe; raises `CallError` where its output is not 28x28 pixels."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.sequence = Chain([_transform(call) for call in _pull_resize(calls)])
        side = self.sequence.side(SIDE)
        if side != SIDE:
            raise CallError(f"augment ends in {side}x{side} pixels; put Resize({SIDE}) at its end")
        self.slow = slow_transforms(calls)
        """The transforms that run image by image."""

    def sample_params(self, count: int, generator: torch.Generator, device: torch.device | None = None) -> Tensor:
        """Random parameters for `count` images, float32 (`count`, K), from a CPU generator, on the device."""
        random = torch.rand(count, self.sequence.num_random, generator=generator)
        return self.sequence.make_params(random if device is None else random.to(device))

    def __call__(self, images: Tensor, parameters: Tensor) -> Tensor:
        """The augmented images, float32 (N, 1, 28, 28), 0 to 255."""
        return self.sequence.apply(images, parameters)


def slow_transforms(calls: Sequence[Call]) -> list[str]:
    """Names of the calls that run image by image; draws no random number, unlike an `Augmentation`.

    Raises `CallError` for arguments that torchvision refuses.
    """
    transforms = [_transform(call) for call in _pull_resize(calls)]
    return [transform.call.name for transform in transforms if isinstance(transform, ImageByImage)]


def _pull_resize(calls: Sequence[Call]) -> list[Call]:
    """Copies a `Resize` after a `RandomApply` into it, so that all images of a batch have one size.

    The result is the same: images that are not selected already have that size, and `Resize` does not change them.
    """
    pulled = list(calls)
    for index, (call, after) in enumerate(pairwise(calls)):
        if call.name == "RandomApply" and after.name == "Resize":
            inner = catalog.check("transform", call)["transforms"]
            transforms = (*(inner if isinstance(inner, tuple) else (inner,)), after)
            pulled[index] = Call("RandomApply", (transforms,), call.kwargs)
            if len(call.args) > 1:
                pulled[index] = Call("RandomApply", (transforms, *call.args[1:]), call.kwargs)
    return pulled


def _transform(call: Call) -> Transform:
    """The batched transform of a call, or torchvision's where there is none."""
    arguments = catalog.check("transform", call)
    batched = _BATCHED.get(call.name)
    transform = batched(arguments) if batched else None
    return transform or ImageByImage(call)


def _rotation(arguments: dict[str, Value]) -> Transform | None:
    if arguments["expand"] or arguments["center"] is not None:
        return None
    # torchvision turns `rotate` counter-clockwise and `affine` clockwise.
    low, high = _symmetric(arguments["degrees"], "degrees")
    return _with_sampling(arguments, degrees=(-low, -high))


def _affine(arguments: dict[str, Value]) -> Transform | None:
    if arguments["center"] is not None:
        return None
    shear = arguments["shear"]
    x_and_y = _four(shear) if shear is not None else (0.0, 0.0, 0.0, 0.0)
    translate = _pair(arguments["translate"], "translate") if arguments["translate"] is not None else (0.0, 0.0)
    scale = _pair(arguments["scale"], "scale") if arguments["scale"] is not None else (1.0, 1.0)
    if not all(0 <= share <= 1 for share in translate):
        raise CallError("translate must be between 0 and 1, a share of the image")
    if min(scale) <= 0:
        raise CallError("scale must be positive")
    return _with_sampling(
        arguments,
        degrees=_symmetric(arguments["degrees"], "degrees"),
        translate=translate,
        scale=scale,
        shear=x_and_y,
    )


def _with_sampling(arguments: dict[str, Value], **settings: Any) -> Transform | None:
    fill = arguments["fill"]
    if arguments["interpolation"] not in ("nearest", "bilinear") or not isinstance(fill, int | float):
        return None
    return Affine(**settings, is_bilinear=arguments["interpolation"] == "bilinear", fill=float(fill))


def _symmetric(value: Value, name: str) -> tuple[float, float]:
    if isinstance(value, int | float):
        if value < 0:
            raise CallError(f"{name}={value} must not be negative; a pair (low, high) may be")
        return -float(value), float(value)
    return _pair(value, name)


def _pair(value: Value, name: str) -> tuple[float, float]:
    if isinstance(value, tuple) and len(value) == 2:
        low, high = value
        if isinstance(low, int | float) and isinstance(high, int | float):
            return float(low), float(high)
    raise CallError(f"{name} must be a pair of numbers")


def _four(value: Value) -> tuple[float, float, float, float]:
    if isinstance(value, tuple) and len(value) == 4:
        return (*_pair(value[:2], "shear"), *_pair(value[2:], "shear"))
    return (*_symmetric(value, "shear"), 0.0, 0.0)


def _square(value: Value) -> int | None:
    """The side of a square, from 28, (28,) or (28, 28)."""
    sides = set(value) if isinstance(value, tuple) else {value}
    side = sides.pop() if len(sides) == 1 else None
    return side if isinstance(side, int) and not isinstance(side, bool) else None


def _center_crop(arguments: dict[str, Value]) -> Transform | None:
    size = _square(arguments["size"])
    return CenterCrop(size) if size and size <= SIDE else None


def _resize(arguments: dict[str, Value]) -> Transform | None:
    size = _square(arguments["size"])
    simple = arguments["max_size"] is None and arguments["antialias"] is True
    if not size or not simple or arguments["interpolation"] not in ("nearest", "bilinear"):
        return None
    return Resize(size, arguments["interpolation"] == "bilinear")


def _pad(arguments: dict[str, Value]) -> Transform | None:
    width, fill = _square(arguments["padding"]), arguments["fill"]
    if width is None or arguments["padding_mode"] != "constant" or not isinstance(fill, int | float):
        return None
    return Pad(width, float(fill))


def _random_crop(arguments: dict[str, Value]) -> Transform | None:
    size, fill = _square(arguments["size"]), arguments["fill"]
    padding = 0 if arguments["padding"] is None else _square(arguments["padding"])
    constant = arguments["padding_mode"] == "constant" and not arguments["pad_if_needed"]
    if not size or padding is None or not constant or not isinstance(fill, int | float):
        return None
    return RandomCrop(size, padding, float(fill))


def _elastic(arguments: dict[str, Value]) -> Transform | None:
    numbers = [value for value in map(arguments.get, ("alpha", "sigma", "fill")) if isinstance(value, int | float)]
    if len(numbers) < 3 or arguments["interpolation"] != "bilinear":
        return None
    return Elastic(*map(float, numbers))


def _random_apply(arguments: dict[str, Value]) -> Transform | None:
    calls = arguments["transforms"]
    inner = [_transform(call) for call in (calls if isinstance(calls, tuple) else (calls,)) if isinstance(call, Call)]
    if any(isinstance(transform, ImageByImage) for transform in inner):
        return None
    return Chain(inner, float(_number(arguments["p"])))


def _number(value: Value) -> float:
    if not isinstance(value, int | float):
        raise CallError("p must be a number")
    return value


_BATCHED: dict[str, Callable[[dict[str, Value]], Transform | None]] = {
    "RandomRotation": _rotation,
    "RandomAffine": _affine,
    "CenterCrop": _center_crop,
    "Resize": _resize,
    "Pad": _pad,
    "RandomCrop": _random_crop,
    "RandomHorizontalFlip": lambda arguments: Flip(_number(arguments["p"]), 3),
    "RandomVerticalFlip": lambda arguments: Flip(_number(arguments["p"]), 2),
    "RandomInvert": lambda arguments: Invert(_number(arguments["p"])),
    "ElasticTransform": _elastic,
    "RandomApply": _random_apply,
    "Identity": lambda arguments: Chain([]),
}
"""Functions from the arguments of a call to its batched transform, or None where they have no batched form."""


def _torchvision(call: Call) -> Callable[[Tensor], Tensor]:
    """The torchvision.transforms.v2 object of a call; raises `CallError` in torchvision's words."""
    from torchvision.transforms import v2  # Takes 2 s, so not at import time.

    def value_of(value: Value) -> Any:
        if isinstance(value, Call):
            return _torchvision(value)
        return [value_of(item) for item in value] if isinstance(value, tuple) else value

    arguments = {name: value_of(value) for name, value in catalog.check("transform", call).items()}
    if "interpolation" in arguments:
        arguments["interpolation"] = v2.InterpolationMode(arguments["interpolation"])
    try:
        transform: Callable[[Tensor], Tensor] = getattr(v2, call.name)(**arguments)
    except (TypeError, ValueError) as error:
        raise CallError(f"{call.name}: {error}") from None
    return transform
