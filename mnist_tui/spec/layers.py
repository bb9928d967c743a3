"""The kinds of layer: each a function from the arriving shape and PyTorch's own arguments to what the layer does.

A kind carries the name and the arguments of its torch.nn class, except that input sizes are inferred; where given,
they must be right. The rules are arithmetic, so they need no torch and can follow typing; a property test holds every
kind against the real module and `torch.utils.flop_counter`.

Shapes leave the batch out: `(channels, height, width)` or, after `Flatten`, `(features,)`.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from mnist_tui.errors import CallError, LayerError
from mnist_tui.spec.calls import Call, Value, bind, signature_text
from mnist_tui.spec.layer_arguments import (
    Approximation,
    Count,
    Edges,
    Flag,
    Integer,
    MaybeCount,
    MaybeFlag,
    MaybeNumber,
    MaybePair,
    MaybeScale,
    MaybeSizes,
    Number,
    Padding,
    PaddingMode,
    Pair,
    Pair0,
    Positive,
    Probability,
    Sizes,
    SizesOrSame,
    UpsampleMode,
)
from mnist_tui.text import did_you_mean

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerInfo:
    """What a layer does with what arrives."""

    shape: Shape
    parameters: int = 0
    multiply_adds: int = 0
    kernel: tuple[int, int] = (1, 1)
    """Rows and columns of the input that one output unit sees, dilation counted in."""
    stride: tuple[Fraction | int, Fraction | int] = (1, 1)
    """Input pixels from one output unit to the next; below 1 where the layer enlarges the image."""


LAYER_TYPES: dict[str, Callable[..., LayerInfo]] = {}
"""Every kind of layer by its torch.nn name."""


def kind(rule: Callable[..., LayerInfo]) -> Callable[..., LayerInfo]:
    """Adds a rule to `LAYER_TYPES` under its own name."""
    LAYER_TYPES[rule.__name__] = rule
    return rule


# --- what arrives ---


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise CallError(f"needs an image (channels, height, width), {list(shape)} arrives")
    return shape[0], shape[1], shape[2]


def _agree(argument: str, given: int | None, arrives: int) -> int:
    if given is not None and given != arrives:
        raise CallError(f"{argument}={given}, but {arrives} arrive; leave {argument} out and it is inferred")
    return arrives


def _window(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """The number of window positions along one axis, as PyTorch counts them."""
    span = dilation * (kernel - 1) + 1
    room = size + 2 * padding - span + (stride - 1 if ceil_mode else 0)
    if room < 0:
        raise CallError(f"a window of {span} does not fit the {size} pixels that arrive (padding {padding})")
    count = room // stride + 1
    # A last window that would start in the right padding is left out.
    return count - 1 if ceil_mode and (count - 1) * stride >= size + padding else count


# --- convolutions and linear layers ---


@kind
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
    channels, *size = _image(shape)
    _agree("in_channels", in_channels, channels)
    _check_groups(groups, channels, out_channels)
    pads = _resolve_padding(padding, size, kernel_size, dilation, stride, padding_mode)
    height, width = (
        _window(size[axis] + pads[axis], kernel_size[axis], stride[axis], 0, dilation[axis]) for axis in (0, 1)
    )
    weights = out_channels * (channels // groups) * math.prod(kernel_size)
    return LayerInfo(
        (out_channels, height, width),
        parameters=weights + out_channels * bias,
        multiply_adds=weights * height * width,
        kernel=_spans(kernel_size, dilation),
        stride=stride,
    )


def _check_groups(groups: int, channels: int, out_channels: int) -> None:
    if channels % groups or out_channels % groups:
        raise CallError(
            f"groups={groups} must divide the {channels} channels that arrive and out_channels={out_channels}"
        )


def _spans(kernel_size: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    return dilation[0] * (kernel_size[0] - 1) + 1, dilation[1] * (kernel_size[1] - 1) + 1


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
    spans = _spans(kernel_size, dilation)
    if isinstance(padding, str):
        added = (spans[0] - 1, spans[1] - 1) if padding == "same" else (0, 0)
    else:
        added = (2 * padding[0], 2 * padding[1])
    beyond = {"reflect": 1, "circular": 0}.get(mode)
    if beyond is not None and any((added[axis] + 1) // 2 > size[axis] - beyond for axis in (0, 1)):
        raise CallError(f"{mode} padding is too wide for {size[0]}x{size[1]} pixels")
    return added


@kind
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
    channels, *size = _image(shape)
    _agree("in_channels", in_channels, channels)
    _check_groups(groups, channels, out_channels)
    spans = _spans(kernel_size, dilation)
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


@kind
def Linear(shape: Shape, out_features: Count, *, bias: Flag = True, in_features: MaybeCount = None) -> LayerInfo:
    if len(shape) != 1:
        raise CallError(f"needs a flat input, {list(shape)} arrives; put Flatten() before it")
    features = _agree("in_features", in_features, shape[0])
    weights = features * out_features
    return LayerInfo((out_features,), weights + out_features * bias, weights, kernel=(0, 0))


# --- pools ---


def _pool(
    shape: Shape,
    kernel_size: tuple[int, int],
    stride: tuple[int, int] | None,
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    ceil_mode: bool = False,
) -> LayerInfo:
    channels, *size = _image(shape)
    steps = stride or kernel_size
    if any(2 * padding[i] > kernel_size[i] for i in (0, 1)):
        raise CallError("padding must be at most half of kernel_size")
    height, width = (_window(size[i], kernel_size[i], steps[i], padding[i], dilation[i], ceil_mode) for i in (0, 1))
    return LayerInfo((channels, height, width), kernel=_spans(kernel_size, dilation), stride=steps)


@kind
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


@kind
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


@kind
def LPPool2d(
    shape: Shape, norm_type: Positive, kernel_size: Pair, stride: MaybePair = None, ceil_mode: Flag = False
) -> LayerInfo:
    return _pool(shape, kernel_size, stride, ceil_mode=ceil_mode)


@kind
def AdaptiveAvgPool2d(shape: Shape, output_size: SizesOrSame) -> LayerInfo:
    channels, *size = _image(shape)
    height, width = (size[i] if output_size[i] is None else int(output_size[i] or 0) for i in (0, 1))
    return LayerInfo(
        (channels, height, width),
        kernel=(_adaptive_kernel(size[0], height), _adaptive_kernel(size[1], width)),
        stride=(Fraction(size[0], height), Fraction(size[1], width)),
    )


@kind
def AdaptiveMaxPool2d(shape: Shape, output_size: SizesOrSame) -> LayerInfo:
    return AdaptiveAvgPool2d(shape, output_size)


def _adaptive_kernel(size: int, out: int) -> int:
    """The widest of PyTorch's windows [floor(i * size / out), ceil((i + 1) * size / out))."""
    return max(-(-(i + 1) * size // out) - i * size // out for i in range(min(out, size)))


# --- normalisation ---


@kind
def BatchNorm2d(
    shape: Shape,
    num_features: MaybeCount = None,
    eps: Positive = 1e-5,
    momentum: MaybeNumber = 0.1,
    affine: Flag = True,
    track_running_stats: Flag = True,
) -> LayerInfo:
    channels = _agree("num_features", num_features, _image(shape)[0])
    return LayerInfo(shape, parameters=2 * channels * affine)


@kind
def BatchNorm1d(
    shape: Shape,
    num_features: MaybeCount = None,
    eps: Positive = 1e-5,
    momentum: MaybeNumber = 0.1,
    affine: Flag = True,
    track_running_stats: Flag = True,
) -> LayerInfo:
    if len(shape) != 1:
        raise CallError(f"needs a flat input, {list(shape)} arrives; use BatchNorm2d for images")
    return LayerInfo(shape, parameters=2 * _agree("num_features", num_features, shape[0]) * affine)


@kind
def InstanceNorm2d(
    shape: Shape,
    num_features: MaybeCount = None,
    eps: Positive = 1e-5,
    momentum: Number = 0.1,
    affine: Flag = False,
    track_running_stats: Flag = False,
) -> LayerInfo:
    channels, height, width = _image(shape)
    if height * width == 1:
        raise CallError("needs more than one pixel per channel, 1x1 arrives")
    return LayerInfo(shape, parameters=2 * _agree("num_features", num_features, channels) * affine)


@kind
def GroupNorm(
    shape: Shape, num_groups: Count, num_channels: MaybeCount = None, eps: Positive = 1e-5, affine: Flag = True
) -> LayerInfo:
    channels = _agree("num_channels", num_channels, shape[0])
    if channels % num_groups:
        raise CallError(f"num_groups={num_groups} must divide the {channels} channels that arrive")
    return LayerInfo(shape, parameters=2 * channels * affine)


@kind
def LayerNorm(
    shape: Shape,
    normalized_shape: MaybeSizes = None,
    eps: Positive = 1e-5,
    elementwise_affine: Flag = True,
    bias: Flag = True,
) -> LayerInfo:
    sizes = _trailing(shape, normalized_shape)
    return LayerInfo(shape, parameters=math.prod(sizes) * (1 + bias) * elementwise_affine)


@kind
def RMSNorm(
    shape: Shape, normalized_shape: MaybeSizes = None, eps: MaybeNumber = None, elementwise_affine: Flag = True
) -> LayerInfo:
    return LayerInfo(shape, parameters=math.prod(_trailing(shape, normalized_shape)) * elementwise_affine)


def _trailing(shape: Shape, normalized_shape: Shape | None) -> Shape:
    sizes = shape if normalized_shape is None else normalized_shape
    if len(sizes) > len(shape) or shape[len(shape) - len(sizes) :] != sizes:
        raise CallError(f"normalized_shape={list(sizes)} is not the end of {list(shape)}, the shape that arrives")
    return sizes


@kind
def LocalResponseNorm(
    shape: Shape, size: Count, alpha: Number = 1e-4, beta: Number = 0.75, k: Number = 1.0
) -> LayerInfo:
    _image(shape)
    return LayerInfo(shape)


# --- activations: the shape stays, nothing is learned ---


@kind
def ReLU(shape: Shape, inplace: Flag = False) -> LayerInfo:
    return LayerInfo(shape)


@kind
def Threshold(shape: Shape, threshold: Number, value: Number, inplace: Flag = False) -> LayerInfo:
    return LayerInfo(shape)


@kind
def LeakyReLU(shape: Shape, negative_slope: Number = 0.01, inplace: Flag = False) -> LayerInfo:
    return LayerInfo(shape)


@kind
def RReLU(shape: Shape, lower: Number = 1 / 8, upper: Number = 1 / 3, inplace: Flag = False) -> LayerInfo:
    if lower > upper:
        raise CallError("lower must be at most upper")
    return LayerInfo(shape)


@kind
def ELU(shape: Shape, alpha: Number = 1.0, inplace: Flag = False) -> LayerInfo:
    return LayerInfo(shape)


@kind
def CELU(shape: Shape, alpha: Number = 1.0, inplace: Flag = False) -> LayerInfo:
    if alpha == 0:
        raise CallError("alpha must not be 0")
    return LayerInfo(shape)


@kind
def Hardtanh(shape: Shape, min_val: Number = -1.0, max_val: Number = 1.0, inplace: Flag = False) -> LayerInfo:
    if min_val >= max_val:
        raise CallError("min_val must be less than max_val")
    return LayerInfo(shape)


@kind
def GELU(shape: Shape, approximate: Approximation = "none") -> LayerInfo:
    return LayerInfo(shape)


@kind
def Softplus(shape: Shape, beta: Positive = 1.0, threshold: Number = 20.0) -> LayerInfo:
    return LayerInfo(shape)


@kind
def Hardshrink(shape: Shape, lambd: Number = 0.5) -> LayerInfo:
    return LayerInfo(shape)


@kind
def Softshrink(shape: Shape, lambd: Number = 0.5) -> LayerInfo:
    if lambd < 0:
        raise CallError("lambd must be at least 0")
    return LayerInfo(shape)


@kind
def Sigmoid(shape: Shape) -> LayerInfo:
    return LayerInfo(shape)


@kind
def Softmax2d(shape: Shape) -> LayerInfo:
    _image(shape)
    return LayerInfo(shape)


@kind
def PReLU(shape: Shape, num_parameters: Count = 1, init: Number = 0.25) -> LayerInfo:
    if num_parameters not in (1, shape[0]):
        raise CallError(f"num_parameters={num_parameters} must be 1 or the {shape[0]} channels that arrive")
    return LayerInfo(shape, parameters=num_parameters)


@kind
def GLU(shape: Shape, dim: Integer = -1) -> LayerInfo:
    axis = _axis(shape, dim)
    if shape[axis] % 2:
        raise CallError(f"halves dimension {dim}, which has an odd size of {shape[axis]}")
    return LayerInfo((*shape[:axis], shape[axis] // 2, *shape[axis + 1 :]))


@kind
def Softmax(shape: Shape, dim: Integer) -> LayerInfo:
    _axis(shape, dim)
    return LayerInfo(shape)


def _axis(shape: Shape, dim: int) -> int:
    """The index in `shape` of PyTorch's dimension `dim`, which counts the batch as 0."""
    axis = dim - 1 if dim > 0 else len(shape) + dim
    if dim == 0 or not 0 <= axis < len(shape):
        raise CallError(f"dim={dim} is no dimension of {list(shape)}; 1 is the first after the batch")
    return axis


for _name in ("ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid"):
    LAYER_TYPES[_name] = ReLU
for _name in ("Tanh", "Tanhshrink", "Softsign", "LogSigmoid"):
    LAYER_TYPES[_name] = Sigmoid
LAYER_TYPES |= {"LogSoftmax": Softmax, "Softmin": Softmax}


# --- dropout ---


@kind
def Dropout(shape: Shape, p: Probability = 0.5, inplace: Flag = False) -> LayerInfo:
    return LayerInfo(shape)


@kind
def Dropout2d(shape: Shape, p: Probability = 0.5, inplace: Flag = False) -> LayerInfo:
    _image(shape)  # On flat input PyTorch warns, then drops whole images.
    return LayerInfo(shape)


LAYER_TYPES |= {"AlphaDropout": Dropout, "FeatureAlphaDropout": Dropout2d}


# --- shapes ---


@kind
def Identity(shape: Shape) -> LayerInfo:
    return LayerInfo(shape)


@kind
def Flatten(shape: Shape, start_dim: Integer = 1, end_dim: Integer = -1) -> LayerInfo:
    first, last = _axis(shape, start_dim), _axis(shape, end_dim)
    if first > last:
        raise CallError("start_dim must not lie behind end_dim")
    return LayerInfo((*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@kind
def Unflatten(shape: Shape, dim: Integer, unflattened_size: Sizes) -> LayerInfo:
    axis = _axis(shape, dim)
    if math.prod(unflattened_size) != shape[axis]:
        raise CallError(f"{list(unflattened_size)} does not hold the {shape[axis]} numbers that arrive")
    return LayerInfo((*shape[:axis], *unflattened_size, *shape[axis + 1 :]))


@kind
def Upsample(
    shape: Shape,
    size: MaybePair = None,
    scale_factor: MaybeScale = None,
    mode: UpsampleMode = "nearest",
    align_corners: MaybeFlag = None,
) -> LayerInfo:
    channels, *old = _image(shape)
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


@kind
def PixelShuffle(shape: Shape, upscale_factor: Count) -> LayerInfo:
    channels, height, width = _image(shape)
    if channels % upscale_factor**2:
        raise CallError(f"{channels} channels arrive, which upscale_factor² = {upscale_factor**2} does not divide")
    step = Fraction(1, upscale_factor)
    out = (channels // upscale_factor**2, height * upscale_factor, width * upscale_factor)
    return LayerInfo(out, stride=(step, step))


@kind
def PixelUnshuffle(shape: Shape, downscale_factor: Count) -> LayerInfo:
    channels, height, width = _image(shape)
    if height % downscale_factor or width % downscale_factor:
        raise CallError(f"{height}x{width} pixels arrive, which downscale_factor={downscale_factor} does not divide")
    out = (channels * downscale_factor**2, height // downscale_factor, width // downscale_factor)
    return LayerInfo(out, kernel=(downscale_factor,) * 2, stride=(downscale_factor,) * 2)


@kind
def ChannelShuffle(shape: Shape, groups: Count) -> LayerInfo:
    if _image(shape)[0] % groups:
        raise CallError(f"groups={groups} must divide the {shape[0]} channels that arrive")
    return LayerInfo(shape)


@kind
def ZeroPad2d(shape: Shape, padding: Edges) -> LayerInfo:
    channels, height, width = _image(shape)
    left, right, top, bottom = padding
    return LayerInfo((channels, height + top + bottom, width + left + right))


@kind
def ConstantPad2d(shape: Shape, padding: Edges, value: Number) -> LayerInfo:
    return ZeroPad2d(shape, padding)


@kind
def ReflectionPad2d(shape: Shape, padding: Edges) -> LayerInfo:
    return _bounded_padding(shape, padding, beyond=1)


@kind
def CircularPad2d(shape: Shape, padding: Edges) -> LayerInfo:
    return _bounded_padding(shape, padding, beyond=0)


LAYER_TYPES["ReplicationPad2d"] = ZeroPad2d


def _bounded_padding(shape: Shape, padding: tuple[int, int, int, int], beyond: int) -> LayerInfo:
    _, height, width = _image(shape)
    left, right, top, bottom = padding
    if max(left, right) > width - beyond or max(top, bottom) > height - beyond:
        raise CallError(f"padding is too wide for {height}x{width} pixels")
    return ZeroPad2d(shape, padding)


# --- calls of a kind ---


@cache
def layer_signature(name: str) -> inspect.Signature:
    """The arguments of a kind of layer, in PyTorch's order; input sizes that are inferred come last or are optional."""
    parameters = list(inspect.signature(LAYER_TYPES[name]).parameters.values())[1:]
    return inspect.Signature(parameters)


@cache
def _checks(name: str) -> dict[str, Callable[[Value], Any]]:
    hints = get_type_hints(LAYER_TYPES[name], include_extras=True)
    return {argument: get_args(hint)[1] for argument, hint in hints.items() if get_origin(hint) is Annotated}


def arguments(call: Call) -> dict[str, Any]:
    """Every argument of a layer, checked and in full form (pairs as pairs); raises `LayerError`."""
    if call.name not in LAYER_TYPES:
        near = did_you_mean(call.name, [*LAYER_TYPES, "Residual"])
        raise LayerError(f"there is no layer {call.name!r}{near or '; `mnist-tui layers` lists them'}", call.line)
    _check_positional(call)
    try:
        values = bind(call, layer_signature(call.name))
    except CallError as error:
        raise LayerError(str(error), call.line) from None
    checks = _checks(call.name)
    return {name: _checked(call, name, value, checks[name]) for name, value in values.items()}


def _checked(call: Call, name: str, value: Value, check: Callable[[Value], Any]) -> Any:
    try:
        return check(value)
    except CallError as error:
        raise LayerError(f"{call.name}: {name}={value} {error}", call.line) from None


def _check_positional(call: Call) -> None:
    """For who writes PyTorch's `Conv2d(1, 8, 3)` or `Linear(784, 10)`, where the first number is what arrives."""
    positional = {"Conv2d": "out_channels, kernel_size", "ConvTranspose2d": "out_channels, kernel_size"}
    names = (positional | {"Linear": "out_features"}).get(call.name)
    if names is not None and len(call.args) > len(names.split(", ")):
        raise LayerError(
            f"{call.name}: what arrives is inferred, so leave the input size out: "
            f"{call.name}({names}), further arguments by name",
            call.line,
        )


def describe_layers() -> list[str]:
    """A line for each kind of layer: its call with defaults, in the order of names."""
    lines = [f"{name}{signature_text(layer_signature(name))}" for name in sorted(LAYER_TYPES)]
    return [*lines, "Residual(layer, layer, …, shortcut=None)"]
