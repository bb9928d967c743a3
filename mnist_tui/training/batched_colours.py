"""Transforms of the colours of whole batches: ColorJitter and RandomGrayscale of torchvision.transforms.v2.

Images are float32 (N, C, H, W), whole grey levels from 0 to 255, and factors are float32 (N, 1, 1, 1). Each function
computes what its namesake in torchvision/transforms/v2/functional/_color.py does with uint8 images: fractions of a grey
level are cut off, not rounded.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mnist_tui.training.batched_transforms import Transform, between, transform_where

Adjust = Callable[[Tensor, Tensor], Tensor]
Range = tuple[float, float]


def adjust_brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Pixels times the factor."""
    return (images * factors).clamp_(0, 255).floor_()


def adjust_contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Distances to the mean grey of the image, times the factor."""
    return _blend(images, _grey(images).mean(dim=(1, 2, 3), keepdim=True), factors)


def adjust_saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Distances to the grey of each pixel, times the factor; three channels."""
    return _blend(images, _grey(images), factors)


def adjust_hue(images: Tensor, shifts: Tensor) -> Tensor:
    """Hues shifted by a share of the circle, -0.5 to 0.5; saturation and value (HSV) stay; three channels.

    With the short formula from HSV back to RGB: https://en.wikipedia.org/wiki/HSL_and_HSV#HSV_to_RGB_alternative
    """
    red, green, blue = images.unbind(1)
    value, least = images.amax(1), images.amin(1)
    chroma = value - least
    divisor = torch.where(chroma == 0, 1, chroma)
    of_green, of_blue = 2 + (blue - red) / divisor, 4 + (red - green) / divisor
    sixths = torch.where(value == red, (green - blue) / divisor, torch.where(value == green, of_green, of_blue))
    # Each channel is the same function of the hue, a third of the circle on.
    places = torch.tensor([5.0, 3.0, 1.0], device=images.device).view(1, 3, 1, 1)
    place = (places + sixths[:, None] + 6 * shifts).remainder_(6)
    weight = torch.minimum(place, 4 - place).clamp_(0, 1)
    # torchvision computes hues with numbers from 0 to 1, and multiplies them by 255.999 for uint8.
    return (value[:, None] - chroma[:, None] * weight).mul_(255.999 / 255).floor_()


def _grey(images: Tensor) -> Tensor:
    """Whole grey levels (N, 1, H, W) by the weights of ITU-R BT.601."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    return red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_().unsqueeze(1)


def _blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    """Images times the factor plus the others, (N, 1, H, W) or (N, 1, 1, 1), times what it lacks of 1."""
    # torchvision's factors are Python's floats: it takes them from 1 in double precision.
    return (images * factors).add_(others * (1 - factors.double()).float()).clamp_(0, 255).floor_()


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue changed by random factors, in a random order for each image.

    Each is a range, or None where it is not changed. With K of them that change something, the parameters (N, 2 K) are
    K factors and the order, each of 0 to K - 1 once.
    """

    def __init__(self, brightness: Range | None, contrast: Range | None, saturation: Range | None, hue: Range | None):
        adjustments: Sequence[tuple[Adjust, Range | None]] = (
            (adjust_brightness, brightness),
            (adjust_contrast, contrast),
            (adjust_saturation, saturation),
            (adjust_hue, hue),
        )
        self.adjustments = [(adjust, limits) for adjust, limits in adjustments if limits is not None]
        self.num_random = 2 * len(self.adjustments)

    def make_params(self, random: Tensor) -> Tensor:
        unit, keys = random.double().chunk(2, dim=1)
        factors = [between(unit[:, column], *limits) for column, (_, limits) in enumerate(self.adjustments)]
        return torch.cat([torch.stack(factors, dim=1), keys.argsort(dim=1)], dim=1).float()

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        factors, order = parameters.chunk(2, dim=1)
        for chosen in order.unbind(1):
            for index, (adjust, _) in enumerate(self.adjustments):
                images = transform_where(chosen == index, images, factors[:, index].view(-1, 1, 1, 1), adjust)
        return images


class RandomGrayscale(Transform):
    """The grey of each pixel in all three channels, with probability `p`."""

    num_random = 1

    def __init__(self, p: float) -> None:
        self.p = p

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        return transform_where(
            parameters[:, 0] < self.p, images, parameters, lambda each, _: _grey(each).expand_as(each)
        )
