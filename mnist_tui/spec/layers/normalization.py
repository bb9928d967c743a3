"""Normalization layers; batch statistics and running statistics do not change shapes or counts."""

import math

from mnist_tui.errors import CallError
from mnist_tui.spec.layers.argument_types import Count, Flag, MaybeCount, MaybeNumber, MaybeSizes, Number, Positive
from mnist_tui.spec.layers.registry import LayerInfo, Shape, layer_type
from mnist_tui.spec.layers.shapes import check_size, image_size


@layer_type
def BatchNorm2d(
    shape: Shape,
    num_features: MaybeCount = None,
    eps: Positive = 1e-5,
    momentum: MaybeNumber = 0.1,
    affine: Flag = True,
    track_running_stats: Flag = True,
) -> LayerInfo:
    channels = check_size("num_features", num_features, image_size(shape)[0])
    return LayerInfo(shape, parameters=2 * channels * affine)


@layer_type
def BatchNorm1d(
    shape: Shape,
    num_features: MaybeCount = None,
    eps: Positive = 1e-5,
    momentum: MaybeNumber = 0.1,
    affine: Flag = True,
    track_running_stats: Flag = True,
) -> LayerInfo:
    if len(shape) != 1:
        raise CallError(f"needs a flat input, but it has the shape {list(shape)}; use BatchNorm2d for images")
    return LayerInfo(shape, parameters=2 * check_size("num_features", num_features, shape[0]) * affine)


@layer_type
def InstanceNorm2d(
    shape: Shape,
    num_features: MaybeCount = None,
    eps: Positive = 1e-5,
    momentum: Number = 0.1,
    affine: Flag = False,
    track_running_stats: Flag = False,
) -> LayerInfo:
    channels, height, width = image_size(shape)
    if height * width == 1:
        raise CallError("needs more than one pixel per channel, but the input is 1x1")
    return LayerInfo(shape, parameters=2 * check_size("num_features", num_features, channels) * affine)


@layer_type
def GroupNorm(
    shape: Shape, num_groups: Count, num_channels: MaybeCount = None, eps: Positive = 1e-5, affine: Flag = True
) -> LayerInfo:
    channels = check_size("num_channels", num_channels, shape[0])
    if channels % num_groups:
        raise CallError(f"num_groups={num_groups} must divide the {channels} channels of the input")
    return LayerInfo(shape, parameters=2 * channels * affine)


@layer_type
def LayerNorm(
    shape: Shape,
    normalized_shape: MaybeSizes = None,
    eps: Positive = 1e-5,
    elementwise_affine: Flag = True,
    bias: Flag = True,
) -> LayerInfo:
    sizes = _trailing_sizes(shape, normalized_shape)
    return LayerInfo(shape, parameters=math.prod(sizes) * (1 + bias) * elementwise_affine)


@layer_type
def RMSNorm(
    shape: Shape, normalized_shape: MaybeSizes = None, eps: MaybeNumber = None, elementwise_affine: Flag = True
) -> LayerInfo:
    return LayerInfo(shape, parameters=math.prod(_trailing_sizes(shape, normalized_shape)) * elementwise_affine)


def _trailing_sizes(shape: Shape, normalized_shape: Shape | None) -> Shape:
    sizes = shape if normalized_shape is None else normalized_shape
    if len(sizes) > len(shape) or shape[len(shape) - len(sizes) :] != sizes:
        raise CallError(f"normalized_shape={list(sizes)} is not the end of {list(shape)}, the shape of the input")
    return sizes


@layer_type
def LocalResponseNorm(
    shape: Shape, size: Count, alpha: Number = 1e-4, beta: Number = 0.75, k: Number = 1.0
) -> LayerInfo:
    image_size(shape)
    return LayerInfo(shape)
