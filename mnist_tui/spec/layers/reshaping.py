"""Layers that reorder, resize or pad what they get, without parameters."""

import math
from fractions import Fraction

from mnist_tui.errors import CallError
from mnist_tui.spec.layers.argument_types import (
    Count,
    Edges,
    Integer,
    MaybeFlag,
    MaybePair,
    MaybeScale,
    Number,
    Sizes,
    UpsampleMode,
)
from mnist_tui.spec.layers.registry import LayerInfo, Shape, layer_type, register
from mnist_tui.spec.layers.shapes import axis_of, image_size


@layer_type
def Identity(shape: Shape) -> LayerInfo:
    return LayerInfo(shape)


@layer_type
def Flatten(shape: Shape, start_dim: Integer = 1, end_dim: Integer = -1) -> LayerInfo:
    first, last = axis_of(shape, start_dim), axis_of(shape, end_dim)
    if first > last:
        raise CallError("start_dim must not lie behind end_dim")
    return LayerInfo((*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@layer_type
def Unflatten(shape: Shape, dim: Integer, unflattened_size: Sizes) -> LayerInfo:
    axis = axis_of(shape, dim)
    if math.prod(unflattened_size) != shape[axis]:
        raise CallError(f"{list(unflattened_size)} does not hold the {shape[axis]} numbers of the dimension")
    return LayerInfo((*shape[:axis], *unflattened_size, *shape[axis + 1 :]))


@layer_type
def Upsample(
    shape: Shape,
    size: MaybePair = None,
    scale_factor: MaybeScale = None,
    mode: UpsampleMode = "nearest",
    align_corners: MaybeFlag = None,
) -> LayerInfo:
    channels, *old = image_size(shape)
    if (size is None) == (scale_factor is None):
        raise CallError("takes either size or scale_factor")
    if align_corners is not None and mode.startswith("nearest"):
        raise CallError("align_corners goes with bilinear and bicubic only")
    new = list(size) if size else [math.floor(old[i] * (scale_factor or (1, 1))[i]) for i in (0, 1)]
    if min(new) < 1:
        raise CallError(f"scale_factor leaves nothing of {old[0]}x{old[1]} pixels")
    taps = {"bilinear": 2, "bicubic": 4}.get(mode, 1)
    return LayerInfo(
        (channels, new[0], new[1]), kernel=(taps, taps), stride=(Fraction(old[0], new[0]), Fraction(old[1], new[1]))
    )


@layer_type
def PixelShuffle(shape: Shape, upscale_factor: Count) -> LayerInfo:
    channels, height, width = image_size(shape)
    if channels % upscale_factor**2:
        raise CallError(f"upscale_factor² = {upscale_factor**2} must divide the {channels} channels of the input")
    step = Fraction(1, upscale_factor)
    out = (channels // upscale_factor**2, height * upscale_factor, width * upscale_factor)
    return LayerInfo(out, stride=(step, step))


@layer_type
def PixelUnshuffle(shape: Shape, downscale_factor: Count) -> LayerInfo:
    channels, height, width = image_size(shape)
    if height % downscale_factor or width % downscale_factor:
        raise CallError(f"downscale_factor={downscale_factor} must divide the {height}x{width} pixels of the input")
    out = (channels * downscale_factor**2, height // downscale_factor, width // downscale_factor)
    return LayerInfo(out, kernel=(downscale_factor,) * 2, stride=(downscale_factor,) * 2)


@layer_type
def ChannelShuffle(shape: Shape, groups: Count) -> LayerInfo:
    if image_size(shape)[0] % groups:
        raise CallError(f"groups={groups} must divide the {shape[0]} channels of the input")
    return LayerInfo(shape)


@layer_type
def ZeroPad2d(shape: Shape, padding: Edges) -> LayerInfo:
    channels, height, width = image_size(shape)
    left, right, top, bottom = padding
    return LayerInfo((channels, height + top + bottom, width + left + right))


@layer_type
def ConstantPad2d(shape: Shape, padding: Edges, value: Number) -> LayerInfo:
    return ZeroPad2d(shape, padding)


@layer_type
def ReflectionPad2d(shape: Shape, padding: Edges) -> LayerInfo:
    return _bounded_padding(shape, padding, beyond=1)


@layer_type
def CircularPad2d(shape: Shape, padding: Edges) -> LayerInfo:
    return _bounded_padding(shape, padding, beyond=0)


register(ZeroPad2d, "ReplicationPad2d")


def _bounded_padding(shape: Shape, padding: tuple[int, int, int, int], beyond: int) -> LayerInfo:
    _, height, width = image_size(shape)
    left, right, top, bottom = padding
    if max(left, right) > width - beyond or max(top, bottom) > height - beyond:
        raise CallError(f"padding is too wide for {height}x{width} pixels")
    return ZeroPad2d(shape, padding)
