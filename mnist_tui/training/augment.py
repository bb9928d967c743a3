"""Augmentation of whole batches, on the device, with random parameters for each image.

An `Augmentation` is a pure function of images and parameters. The parameters are sampled before an epoch begins, so a
run that is resumed within an epoch sees the same images, and tests can compare given angles with torchvision.
Transforms without a batched form run image by image through torchvision.transforms.v2, which is slower.

Images are float32 (N, C, H, W), H = W, with the values 0 to 255 of their uint8 pixels.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from mnist_tui.datasets.record import GREY_28
from mnist_tui.errors import CallError
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import Call, Value
from mnist_tui.training.batched_colours import ColorJitter, RandomGrayscale
from mnist_tui.training.batched_transforms import (
    Affine,
    CenterCrop,
    Chain,
    Elastic,
    Flip,
    Invert,
    Pad,
    RandomCrop,
    Resize,
    Transform,
)
from mnist_tui.training.elastic import seeds_of
from mnist_tui.training.transform_arguments import factors, four, hue_shifts, pair, probability, square, symmetric

SIDE = GREY_28[1]
"""A centre crop up to this size is batched; torchvision pads for a larger one."""


class ImageByImage(Transform):
    """A torchvision transform that has no batched form; its seed for each image comes from the random number."""

    num_random = 1

    def __init__(self, call: Call, channels: int = 1) -> None:
        self.call = call
        self.channels = channels
        self.transform = _torchvision(call)

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        pixels = images.to(torch.uint8).cpu()
        seeds = seeds_of(parameters)
        with torch.random.fork_rng(devices=[]):
            return torch.stack(
                [self._transform_one(image, seed) for image, seed in zip(pixels, seeds, strict=True)]
            ).to(images)

    def _transform_one(self, image: Tensor, seed: int) -> Tensor:
        torch.manual_seed(seed)
        transformed: Tensor = self.transform(image)
        return transformed

    def side(self, side: int) -> int:
        blank = torch.zeros(self.channels, side, side, dtype=torch.uint8)
        shapes = {tuple(self._transform_one(blank, seed).shape) for seed in range(16)}
        if len(shapes) > 1:
            raise CallError(f"{self.call.name} makes images of several sizes; put Resize({side}) inside it")
        shape = shapes.pop()
        if len(shape) != 3 or shape[0] != self.channels or shape[1] != shape[2]:
            kind = "grey images" if self.channels == 1 else f"images of {self.channels} channels"
            raise CallError(f"{self.call.name} makes {list(shape)} of an image; square {kind} are needed")
        return shape[1]


class Augmentation:
    """The augmentation of a recipe for images (C, H, W); raises `CallError` where its output has another size."""

    def __init__(self, calls: Sequence[Call], shape: tuple[int, int, int] = GREY_28) -> None:
        channels, expected, _ = shape
        if channels == 1:
            _check_grey(calls)
        self.sequence = Chain([_transform(call, channels) for call in _pull_resize(calls)])
        side = self.sequence.side(expected)
        if side != expected:
            raise CallError(f"augment ends in {side}x{side} pixels; put Resize({expected}) at its end")
        self.slow = slow_transforms(calls)
        """The transforms that run image by image."""

    def sample_params(self, count: int, generator: torch.Generator, device: torch.device | None = None) -> Tensor:
        """Random parameters for `count` images, float32 (`count`, K), from a CPU generator, on the device."""
        random = torch.rand(count, self.sequence.num_random, generator=generator)
        return self.sequence.make_params(random if device is None else random.to(device))

    def __call__(self, images: Tensor, parameters: Tensor) -> Tensor:
        """The augmented images, float32 (N, C, H, W), 0 to 255."""
        return self.sequence.apply(images, parameters)


def slow_transforms(calls: Sequence[Call]) -> list[str]:
    """Names of the calls that run image by image; draws no random number, unlike an `Augmentation`.

    Raises `CallError` for arguments that torchvision refuses.
    """
    transforms = [_transform(call) for call in _pull_resize(calls)]
    return [transform.call.name for transform in transforms if isinstance(transform, ImageByImage)]


def _check_grey(calls: Sequence[Call]) -> None:
    """Raises `CallError` for a call, within others too, that needs images of three channels."""
    for call in calls:
        arguments = catalog.check("transform", call)
        _check_grey(_inner_calls(arguments))
        why = "images of three channels are needed, and those of this data set are grey"
        if call.name == "RandomGrayscale":
            raise CallError(f"RandomGrayscale: {why}")
        colours = [name for name in ("saturation", "hue") if call.name == "ColorJitter" and arguments[name]]
        if colours:
            raise CallError(f"ColorJitter: for {' and '.join(colours)} {why}; brightness and contrast need no colours")


def _inner_calls(arguments: dict[str, Value]) -> list[Call]:
    """The calls that are the `transforms` of another, such as `RandomApply`; none for one without this argument."""
    inner = arguments.get("transforms", ())
    return [each for each in (inner if isinstance(inner, tuple) else (inner,)) if isinstance(each, Call)]


def _pull_resize(calls: Sequence[Call]) -> list[Call]:
    """Copies a `Resize` after a `RandomApply` into it, so that all images of a batch have one size.

    The result is the same: images that are not selected already have that size, and `Resize` does not change them.
    """
    pulled = list(calls)
    for index, (call, after) in enumerate(pairwise(calls)):
        if call.name == "RandomApply" and after.name == "Resize":
            arguments = catalog.check("transform", call)
            pulled[index] = Call("RandomApply", ((*_inner_calls(arguments), after), arguments["p"]))
    return pulled


def _transform(call: Call, channels: int = 1) -> Transform:
    """The batched transform of a call, or torchvision's where there is none."""
    arguments = catalog.check("transform", call)
    batched = _BATCHED.get(call.name)
    transform = batched(arguments) if batched else None
    return transform or ImageByImage(call, channels)


def _rotation(arguments: dict[str, Value]) -> Transform | None:
    if arguments["expand"] or arguments["center"] is not None:
        return None
    # torchvision turns `rotate` counter-clockwise and `affine` clockwise.
    low, high = symmetric(arguments["degrees"], "degrees")
    return _with_sampling(arguments, degrees=(-low, -high))


def _affine(arguments: dict[str, Value]) -> Transform | None:
    if arguments["center"] is not None:
        return None
    shear = arguments["shear"]
    x_and_y = four(shear) if shear is not None else (0.0, 0.0, 0.0, 0.0)
    translate = pair(arguments["translate"], "translate") if arguments["translate"] is not None else (0.0, 0.0)
    scale = pair(arguments["scale"], "scale") if arguments["scale"] is not None else (1.0, 1.0)
    if not all(0 <= share <= 1 for share in translate):
        raise CallError("translate must be between 0 and 1, a share of the image")
    if min(scale) <= 0:
        raise CallError("scale must be positive")
    return _with_sampling(
        arguments,
        degrees=symmetric(arguments["degrees"], "degrees"),
        translate=translate,
        scale=scale,
        shear=x_and_y,
    )


def _with_sampling(arguments: dict[str, Value], **settings: Any) -> Transform | None:
    fill = arguments["fill"]
    if arguments["interpolation"] not in ("nearest", "bilinear") or not isinstance(fill, int | float):
        return None
    return Affine(**settings, is_bilinear=arguments["interpolation"] == "bilinear", fill=float(fill))


def _center_crop(arguments: dict[str, Value]) -> Transform | None:
    size = square(arguments["size"])
    return CenterCrop(size) if size and size <= SIDE else None


def _resize(arguments: dict[str, Value]) -> Transform | None:
    size = square(arguments["size"])
    simple = arguments["max_size"] is None and arguments["antialias"] is True
    if not size or not simple or arguments["interpolation"] not in ("nearest", "bilinear"):
        return None
    return Resize(size, arguments["interpolation"] == "bilinear")


def _pad(arguments: dict[str, Value]) -> Transform | None:
    width, fill = square(arguments["padding"]), arguments["fill"]
    if width is None or arguments["padding_mode"] != "constant" or not isinstance(fill, int | float):
        return None
    return Pad(width, float(fill))


def _random_crop(arguments: dict[str, Value]) -> Transform | None:
    size, fill = square(arguments["size"]), arguments["fill"]
    padding = 0 if arguments["padding"] is None else square(arguments["padding"])
    constant = arguments["padding_mode"] == "constant" and not arguments["pad_if_needed"]
    if not size or padding is None or not constant or not isinstance(fill, int | float):
        return None
    return RandomCrop(size, padding, float(fill))


def _elastic(arguments: dict[str, Value]) -> Transform | None:
    numbers = [value for value in map(arguments.get, ("alpha", "sigma", "fill")) if isinstance(value, int | float)]
    if len(numbers) < 3 or arguments["interpolation"] != "bilinear":
        return None
    return Elastic(*map(float, numbers))


def _color_jitter(arguments: dict[str, Value]) -> Transform:
    factors_of = {name: factors(arguments[name], name) for name in ("brightness", "contrast", "saturation")}
    hue = hue_shifts(arguments["hue"])
    return ColorJitter(**factors_of, hue=hue) if any((*factors_of.values(), hue)) else Chain([])


def _random_apply(arguments: dict[str, Value]) -> Transform | None:
    inner = [_transform(call) for call in _inner_calls(arguments)]
    if any(isinstance(transform, ImageByImage) for transform in inner):
        return None
    return Chain(inner, float(probability(arguments["p"])))


_BATCHED: dict[str, Callable[[dict[str, Value]], Transform | None]] = {
    "RandomRotation": _rotation,
    "RandomAffine": _affine,
    "CenterCrop": _center_crop,
    "Resize": _resize,
    "Pad": _pad,
    "RandomCrop": _random_crop,
    "RandomHorizontalFlip": lambda arguments: Flip(probability(arguments["p"]), 3),
    "RandomVerticalFlip": lambda arguments: Flip(probability(arguments["p"]), 2),
    "RandomInvert": lambda arguments: Invert(probability(arguments["p"])),
    "ElasticTransform": _elastic,
    "ColorJitter": _color_jitter,
    "RandomGrayscale": lambda arguments: RandomGrayscale(probability(arguments["p"])),
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

    enums = {"interpolation": v2.InterpolationMode, "policy": v2.AutoAugmentPolicy}
    arguments = {name: value_of(value) for name, value in catalog.check("transform", call).items()}
    arguments |= {name: enum(arguments[name]) for name, enum in enums.items() if name in arguments}
    try:
        transform: Callable[[Tensor], Tensor] = getattr(v2, call.name)(**arguments)
    except (TypeError, ValueError) as error:
        raise CallError(f"{call.name}: {error}") from None
    return transform
