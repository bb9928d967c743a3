"""Pooling layers."""

from fractions import Fraction

from mnist_tui.errors import CallError
from mnist_tui.spec.layers.argument_types import Flag, MaybeCount, MaybePair, Pair, Pair0, Positive, SizesOrSame
from mnist_tui.spec.layers.registry import LayerInfo, Shape, layer_type
from mnist_tui.spec.layers.shapes import image_size, window_count, window_spans


def _pool(
    shape: Shape,
    kernel_size: tuple[int, int],
    stride: tuple[int, int] | None,
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    ceil_mode: bool = False,
) -> LayerInfo:
    channels, *size = image_size(shape)
    steps = stride or kernel_size
    if any(2 * padding[i] > kernel_size[i] for i in (0, 1)):
        raise CallError("padding must be at most half of kernel_size")
    height, width = (
        window_count(size[i], kernel_size[i], steps[i], padding[i], dilation[i], ceil_mode) for i in (0, 1)
    )
    return LayerInfo((channels, height, width), kernel=window_spans(kernel_size, dilation), stride=steps)


@layer_type
def MaxPool2d(
    shape: Shape,
    kernel_size: Pair,
    stride: MaybePair = None,
    padding: Pair0 = (0, 0),
    dilation: Pair = (1, 1),
    *,
    ceil_mode: Flag = False,
) -> LayerInfo:
    return _pool(shape, kernel_size, stride, padding, dilation, ceil_mode)


@layer_type
def AvgPool2d(
    shape: Shape,
    kernel_size: Pair,
    stride: MaybePair = None,
    padding: Pair0 = (0, 0),
    ceil_mode: Flag = False,
    count_include_pad: Flag = True,
    divisor_override: MaybeCount = None,
) -> LayerInfo:
    return _pool(shape, kernel_size, stride, padding, (1, 1), ceil_mode)


@layer_type
def LPPool2d(
    shape: Shape, norm_type: Positive, kernel_size: Pair, stride: MaybePair = None, ceil_mode: Flag = False
) -> LayerInfo:
    return _pool(shape, kernel_size, stride, ceil_mode=ceil_mode)


@layer_type
def AdaptiveAvgPool2d(shape: Shape, output_size: SizesOrSame) -> LayerInfo:
    channels, *size = image_size(shape)
    height, width = (size[i] if output_size[i] is None else int(output_size[i] or 0) for i in (0, 1))
    return LayerInfo(
        (channels, height, width),
        kernel=(_adaptive_kernel(size[0], height), _adaptive_kernel(size[1], width)),
        stride=(Fraction(size[0], height), Fraction(size[1], width)),
    )


@layer_type
def AdaptiveMaxPool2d(shape: Shape, output_size: SizesOrSame) -> LayerInfo:
    return AdaptiveAvgPool2d(shape, output_size)


def _adaptive_kernel(size: int, out: int) -> int:
    """The widest of PyTorch's windows [floor(i * size / out), ceil((i + 1) * size / out))."""
    return max(-(-(i + 1) * size // out) - i * size // out for i in range(min(out, size)))
