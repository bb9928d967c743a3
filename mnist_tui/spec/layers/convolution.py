"""Convolutions and `Linear`."""

import math
from collections.abc import Sequence
from fractions import Fraction

from mnist_tui.errors import CallError
from mnist_tui.spec.layers.argument_types import Count, Flag, MaybeCount, Padding, PaddingMode, Pair, Pair0
from mnist_tui.spec.layers.registry import LayerInfo, Shape, layer_type
from mnist_tui.spec.layers.shapes import check_size, image_size, window_count, window_spans


@layer_type
def Conv2d(
    shape: Shape,
    out_channels: Count,
    kernel_size: Pair,
    *,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0),
    dilation: Pair = (1, 1),
    groups: Count = 1,
    bias: Flag = True,
    padding_mode: PaddingMode = "zeros",
    in_channels: MaybeCount = None,
) -> LayerInfo:
    channels, *size = image_size(shape)
    check_size("in_channels", in_channels, channels)
    _check_groups(groups, channels, out_channels)
    pads = _resolve_padding(padding, size, kernel_size, dilation, stride, padding_mode)
    height, width = (
        window_count(size[axis] + pads[axis], kernel_size[axis], stride[axis], 0, dilation[axis]) for axis in (0, 1)
    )
    weights = out_channels * (channels // groups) * math.prod(kernel_size)
    return LayerInfo(
        (out_channels, height, width),
        parameters=weights + out_channels * bias,
        multiply_adds=weights * height * width,
        kernel=window_spans(kernel_size, dilation),
        stride=stride,
    )


def _check_groups(groups: int, channels: int, out_channels: int) -> None:
    if channels % groups or out_channels % groups:
        raise CallError(
            f"groups={groups} must divide the {channels} channels of the input and out_channels={out_channels}"
        )


def _resolve_padding(
    padding: tuple[int, int] | str,
    size: Sequence[int],
    kernel_size: tuple[int, int],
    dilation: tuple[int, int],
    stride: tuple[int, int],
    mode: str,
) -> tuple[int, int]:
    """The pixels that padding adds to height and width, both sides together."""
    if padding == "same" and stride != (1, 1):
        raise CallError('padding="same" needs stride=1')
    spans = window_spans(kernel_size, dilation)
    if isinstance(padding, str):
        added = (spans[0] - 1, spans[1] - 1) if padding == "same" else (0, 0)
    else:
        added = (2 * padding[0], 2 * padding[1])
    beyond = {"reflect": 1, "circular": 0}.get(mode)
    if beyond is not None and any((added[axis] + 1) // 2 > size[axis] - beyond for axis in (0, 1)):
        raise CallError(f"{mode} padding is too wide for {size[0]}x{size[1]} pixels")
    return added


@layer_type
def ConvTranspose2d(
    shape: Shape,
    out_channels: Count,
    kernel_size: Pair,
    *,
    stride: Pair = (1, 1),
    padding: Pair0 = (0, 0),
    output_padding: Pair0 = (0, 0),
    groups: Count = 1,
    bias: Flag = True,
    dilation: Pair = (1, 1),
    in_channels: MaybeCount = None,
) -> LayerInfo:
    channels, *size = image_size(shape)
    check_size("in_channels", in_channels, channels)
    _check_groups(groups, channels, out_channels)
    spans = window_spans(kernel_size, dilation)
    out = [(size[i] - 1) * stride[i] - 2 * padding[i] + spans[i] + output_padding[i] for i in (0, 1)]
    if min(out) < 1:
        raise CallError(f"padding {max(padding)} leaves nothing of {size[0]}x{size[1]} pixels")
    if any(output_padding[i] >= max(stride[i], dilation[i]) for i in (0, 1)):
        raise CallError("output_padding must be smaller than stride or dilation")
    weights = channels * (out_channels // groups) * math.prod(kernel_size)
    return LayerInfo(
        (out_channels, out[0], out[1]),
        parameters=weights + out_channels * bias,
        multiply_adds=weights * math.prod(size),
        kernel=(-(-spans[0] // stride[0]), -(-spans[1] // stride[1])),
        stride=(Fraction(1, stride[0]), Fraction(1, stride[1])),
    )


@layer_type
def Linear(shape: Shape, out_features: Count, *, bias: Flag = True, in_features: MaybeCount = None) -> LayerInfo:
    if len(shape) != 1:
        raise CallError(f"needs a flat input, but it has the shape {list(shape)}; put Flatten() before it")
    features = check_size("in_features", in_features, shape[0])
    weights = features * out_features
    return LayerInfo((out_features,), weights + out_features * bias, weights, kernel=(0, 0))
