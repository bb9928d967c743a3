"""Every layer of torch.nn held against the module it is named after: sizes, multiply-adds, arguments, refusals."""

import inspect
import warnings
from typing import Any

import pytest
import torch
from helpers.layer_cases import CASES, FLAT, IMAGE, TINY
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mnist_tui.errors import CallError, LayerError
from mnist_tui.spec.calls import Call, parse
from mnist_tui.spec.layers import Shape, arguments, layer_signature
from mnist_tui.spec.layers.registry import TORCH_LAYERS

Sizes = tuple[Shape, int, int]
"""Output shape, parameters and multiply-adds, per image."""


MOVED = {"Conv2d": "in_channels", "ConvTranspose2d": "in_channels", "Linear": "in_features"}
"""Input sizes that stand first in PyTorch and come last, by name only, with us."""
OPTIONAL = {
    "BatchNorm1d": "num_features",
    "BatchNorm2d": "num_features",
    "InstanceNorm2d": "num_features",
    "GroupNorm": "num_channels",
    "LayerNorm": "normalized_shape",
    "RMSNorm": "normalized_shape",
}
"""Input sizes that stay where PyTorch has them and may be left out with us."""
INFERRED = MOVED | OPTIONAL

REFUSED: list[tuple[str, Shape]] = [
    ("Conv2d(8, 3)", FLAT),
    ("Conv2d(8, 3)", TINY),
    ("Conv2d(8, 3, in_channels=3)", IMAGE),
    ("Conv2d(8, 3, groups=3)", IMAGE),
    ("Conv2d(6, 3, groups=4)", IMAGE),
    ("Conv2d(8, 3, padding='same', stride=2)", IMAGE),
    ("Conv2d(8, 3, padding='full')", IMAGE),
    ("Conv2d(8, 3, padding_mode='mirror')", IMAGE),
    ("Conv2d(8, 3, padding=(0, 7), padding_mode='reflect')", IMAGE),
    ("Conv2d(8, 3, padding=(0, 8), padding_mode='circular')", IMAGE),
    ("Conv2d(8, 15, padding='same', padding_mode='reflect')", IMAGE),
    ("Conv2d(8, 21, padding='same', padding_mode='circular')", IMAGE),
    ("Conv2d(8, (1, 2, 3))", IMAGE),
    ("Conv2d(8, 3, kernel_size=3)", IMAGE),
    ("Conv2d(8)", IMAGE),
    ("Conv2d(8, 3, strides=2)", IMAGE),
    ("Conv2d(8.5, 3)", IMAGE),
    ("Conv2d('8', 3)", IMAGE),
    ("ConvTranspose2d(8, 3, output_padding=1)", IMAGE),
    ("ConvTranspose2d(8, 3, padding=5)", IMAGE),
    ("ConvTranspose2d(8, 3, groups=3)", IMAGE),
    ("Linear(10, in_features=13)", FLAT),
    ("MaxPool2d(10)", IMAGE),
    ("MaxPool2d(2, padding=2)", IMAGE),
    ("MaxPool2d(2)", FLAT),
    ("AvgPool2d(3, padding=2)", IMAGE),
    ("AvgPool2d(8)", IMAGE),
    ("LPPool2d(2, 10)", IMAGE),
    ("LPPool2d(2, 2)", FLAT),
    ("AdaptiveAvgPool2d((1, 2, 3))", IMAGE),
    ("AdaptiveMaxPool2d(1)", FLAT),
    ("BatchNorm2d()", FLAT),
    ("BatchNorm2d(5)", IMAGE),
    ("BatchNorm1d()", IMAGE),
    ("InstanceNorm2d()", TINY),
    ("InstanceNorm2d(track_running_stats=True)", TINY),
    ("GroupNorm(3)", IMAGE),
    ("GroupNorm(2, 6)", IMAGE),
    ("LayerNorm(4)", IMAGE),
    ("LayerNorm(())", IMAGE),
    ("RMSNorm((4, 9))", IMAGE),
    ("RMSNorm(())", IMAGE),
    ("LocalResponseNorm(2)", FLAT),
    ("RReLU(0.5, 0.1)", IMAGE),
    ("Hardtanh(1, 0)", IMAGE),
    ("GELU('exact')", IMAGE),
    ("CELU(0)", IMAGE),
    ("Softshrink(-1)", IMAGE),
    ("PReLU(3)", IMAGE),
    ("GLU()", IMAGE),
    ("Softmax(4)", IMAGE),
    ("Softmax(-5)", IMAGE),
    ("Softmax2d()", FLAT),
    ("Dropout(1.5)", IMAGE),
    ("Dropout2d(-0.5)", IMAGE),
    ("Flatten(2, 1)", IMAGE),
    ("Flatten(1, 4)", IMAGE),
    ("Unflatten(1, (5, 2))", FLAT),
    ("Unflatten(1, ())", TINY[1:]),
    ("Unflatten(1, 12)", FLAT),
    ("Unflatten(2, (5, 2))", FLAT),
    ("Upsample()", IMAGE),
    ("Upsample(4, 2)", IMAGE),
    ("Upsample(scale_factor=0.1)", IMAGE),
    ("Upsample(scale_factor=1e308)", IMAGE),
    ("Upsample(scale_factor=2, align_corners=True)", IMAGE),
    ("Upsample(scale_factor=2, mode='cubic')", IMAGE),
    ("Upsample(scale_factor=2)", FLAT),
    ("PixelShuffle(3)", IMAGE),
    ("PixelUnshuffle(2)", IMAGE),
    ("ChannelShuffle(3)", IMAGE),
    ("ChannelShuffle(3)", FLAT),
    ("ReflectionPad2d((7, 0, 0, 0))", IMAGE),
    ("CircularPad2d((0, 0, 10, 0))", IMAGE),
    ("ReplicationPad2d(1)", FLAT),
]

STRICTER: list[tuple[str, Shape]] = [
    ("Linear(10, in_features=12)", (4, 9, 12)),  # PyTorch applies it to every row of the image.
    ("BatchNorm1d()", (4, 12)),  # A sequence, which no image becomes by Flatten().
    ("MaxPool2d(2)", (4, 12)),  # PyTorch takes the batch for channels.
    ("ZeroPad2d(1)", FLAT),  # PyTorch pads the batch.
    ("Dropout2d()", FLAT),  # PyTorch drops whole images.
    ("Softmax(0)", FLAT),  # Over the images of the batch.
    ("Flatten(0)", IMAGE),
    ("GroupNorm(2, 6, affine=False)", IMAGE),  # PyTorch does not look at num_channels then.
    ("ZeroPad2d(-1)", IMAGE),  # Cropping.
    ("Softplus(-1)", IMAGE),
]
"""What PyTorch lets pass although no network for images means it; every entry is a decision of ours."""

LEFT_OUT = {
    "ConvTranspose2d": {"padding_mode"},  # Only "zeros" works.
    "MaxPool2d": {"return_indices"},
    "AdaptiveMaxPool2d": {"return_indices"},
    "BatchNorm1d": {"bias"},
    "BatchNorm2d": {"bias"},
    "InstanceNorm2d": {"bias"},
    "GroupNorm": {"bias"},
    "Hardtanh": {"min_value", "max_value"},  # Deprecated.
    "Upsample": {"recompute_scale_factor"},
}


def torch_module(call: Call, shape: Shape) -> nn.Module:
    """The torch.nn module of a call, built without any of our own rules; only the input size is filled in."""
    module_class = getattr(nn, call.name)
    positional = [name for name in inspect.signature(module_class).parameters if name != MOVED.get(call.name)]
    values: dict[str, Any] = dict(zip(positional, call.args, strict=False)) | dict(call.kwargs)
    if len(call.args) > len(positional) or len(values) < len(call.args) + len(call.kwargs):
        raise TypeError("too many arguments, or one given twice")
    if (size := INFERRED.get(call.name)) and values.get(size) is None:
        values[size] = shape if size == "normalized_shape" else shape[0]
    module: nn.Module = module_class(**values)
    return module


def torch_sizes(call: Call, shape: Shape) -> Sizes:
    """What PyTorch makes of two images, in training and in evaluation; raises whatever PyTorch raises.

    An output without numbers, which PyTorch's `Upsample` returns, counts as an error too.
    """
    module = torch_module(call, shape)
    images = torch.rand(2, *shape)
    with torch.no_grad(), warnings.catch_warnings(), FlopCounterMode(display=False) as counter:
        warnings.simplefilter("ignore")
        output = module.eval()(images.clone())
        multiply_adds = counter.get_total_flops() // 2 // len(images)
        module.train()(images.clone())
    if output.numel() == 0:
        raise ValueError("nothing is left of the image")
    return tuple(output.shape[1:]), sum(p.numel() for p in module.parameters()), multiply_adds


def our_sizes(call: Call, shape: Shape) -> Sizes:
    """The output sizes by our rule; raises `CallError`."""
    info = TORCH_LAYERS[call.name](shape, **arguments(call))
    return info.shape, info.parameters, info.multiply_adds


def assert_agree(call: Call, shape: Shape) -> None:
    """Asserts that our rule and PyTorch give the same sizes, or both refuse."""
    try:
        expected: Sizes | str = torch_sizes(call, shape)
    except Exception as error:
        expected = f"refused: {error}"
    try:
        ours: Sizes | str = our_sizes(call, shape)
    except CallError as error:
        ours = f"refused: {error}"

    assert ours == expected or (str(ours)[:7] == str(expected)[:7] == "refused"), (str(call), shape)


def test_every_layer_type_has_a_case() -> None:
    """A new layer type comes with a case."""
    assert {parse(text).name for text, _ in CASES} == set(TORCH_LAYERS)


@pytest.mark.parametrize(("text", "shape"), CASES)
def test_sizes_are_pytorchs(text: str, shape: Shape) -> None:
    """Shape, parameters and multiply-adds of every case equal those of the real module."""
    call = parse(text)
    expected = torch_sizes(call, shape)

    assert our_sizes(call, shape) == expected


@pytest.mark.parametrize(("text", "shape"), REFUSED)
def test_refused_where_pytorch_refuses(text: str, shape: Shape) -> None:
    """A layer that PyTorch cannot build or run is refused by our rule, too."""
    call = parse(text)
    with pytest.raises(Exception):  # noqa: B017, PT011 - PyTorch raises eight different types here.
        torch_sizes(call, shape)

    with pytest.raises(CallError):
        our_sizes(call, shape)


@pytest.mark.parametrize(("text", "shape"), STRICTER)
def test_refused_although_pytorch_runs_it(text: str, shape: Shape) -> None:
    """Arguments that PyTorch accepts in an unintended sense are refused."""
    call = parse(text)
    torch_sizes(call, shape)

    with pytest.raises(CallError):
        our_sizes(call, shape)


def normalised(parameter: inspect.Parameter) -> object:
    """A default in the form that both sides share: pairs of equal numbers as the number."""
    value = parameter.default
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


@pytest.mark.parametrize("name", TORCH_LAYERS)
def test_arguments_are_pytorchs(name: str) -> None:
    """Names, order and defaults of a layer's arguments equal the installed PyTorch's, but for the documented few."""
    theirs = {
        parameter.name: normalised(parameter)
        for parameter in inspect.signature(getattr(nn, name)).parameters.values()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in {"device", "dtype"} | LEFT_OUT.get(name, set())
    }
    if name in MOVED:
        del theirs[MOVED[name]]
    if name in INFERRED:
        theirs[INFERRED[name]] = None
    if name in ("Softmax", "LogSoftmax", "Softmin"):
        theirs["dim"] = inspect.Parameter.empty  # PyTorch guesses, and warns that it does.
    ours = {parameter.name: normalised(parameter) for parameter in layer_signature(name).parameters.values()}

    assert list(ours.items()) == list(theirs.items())


@pytest.mark.parametrize("name", TORCH_LAYERS)
def test_positional_arguments_are_at_pytorchs_place(name: str) -> None:
    """No positional argument of ours means another one in PyTorch."""
    theirs = [key for key in inspect.signature(getattr(nn, name)).parameters if key != MOVED.get(name)]
    ours = [p.name for p in layer_signature(name).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]

    assert ours == theirs[: len(ours)]


# --- random arguments ------------------------------------------------------------------------------------------------


def shapes(channels: int = 6, pixels: int = 12) -> st.SearchStrategy[Shape]:
    """Small images."""
    return st.tuples(st.integers(1, channels), st.integers(1, pixels), st.integers(1, pixels))


def pairs(low: int, high: int) -> st.SearchStrategy[object]:
    """One number, or one for each axis."""
    return st.integers(low, high) | st.tuples(st.integers(low, high), st.integers(low, high))


FLAGS = st.booleans()

CONV = {
    "out_channels": st.integers(1, 8),
    "kernel_size": pairs(1, 5),
    "stride": pairs(1, 3),
    "dilation": pairs(1, 3),
    "groups": st.integers(1, 4),
    "bias": FLAGS,
}
POOL = {"kernel_size": pairs(1, 5), "stride": st.none() | pairs(1, 6), "padding": pairs(0, 3), "ceil_mode": FLAGS}
EDGES = st.integers(0, 13) | st.tuples(*[st.integers(0, 13)] * 4)

ARGUMENTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Conv2d": CONV
    | {
        "padding": pairs(0, 4) | st.sampled_from(["same", "valid"]),
        "padding_mode": st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
    },
    "ConvTranspose2d": CONV | {"padding": pairs(0, 4), "output_padding": pairs(0, 3)},
    "MaxPool2d": POOL | {"dilation": pairs(1, 3)},
    "AvgPool2d": POOL | {"count_include_pad": FLAGS, "divisor_override": st.none() | st.integers(1, 5)},
    "LPPool2d": {key: POOL[key] for key in ("kernel_size", "stride", "ceil_mode")} | {"norm_type": st.integers(1, 3)},
    "AdaptiveAvgPool2d": {"output_size": st.tuples(*[st.none() | st.integers(1, 15)] * 2)},
    "AdaptiveMaxPool2d": {"output_size": pairs(1, 15)},
    "InstanceNorm2d": {"affine": FLAGS, "track_running_stats": FLAGS},
    "GroupNorm": {"num_groups": st.integers(1, 6), "affine": FLAGS},
    "PReLU": {"num_parameters": st.integers(1, 6)},
    "GLU": {"dim": st.sampled_from([1, 2, 3, 4, -1, -2, -3])},
    "Softmax": {"dim": st.sampled_from([1, 2, 3, 4, 5, -1, -2, -3, -5])},
    "Flatten": {
        "start_dim": st.sampled_from([1, 2, 3, 4, -1, -2, -3]),
        "end_dim": st.sampled_from([1, 2, 3, 4, -1, -3]),
    },
    "Unflatten": {
        "dim": st.sampled_from([1, 2, 3, 4, -1]),
        "unflattened_size": st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    },
    "Upsample": {
        "size": st.none() | pairs(1, 20),
        "scale_factor": st.none() | st.floats(0.05, 3) | st.tuples(st.floats(0.05, 3), st.integers(1, 3)),
        "mode": st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic"]),
        "align_corners": st.none() | FLAGS,
    },
    "PixelShuffle": {"upscale_factor": st.integers(1, 3)},
    "PixelUnshuffle": {"downscale_factor": st.integers(1, 4)},
    "ChannelShuffle": {"groups": st.integers(1, 6)},
    "ZeroPad2d": {"padding": EDGES},
    "ReflectionPad2d": {"padding": EDGES},
    "ReplicationPad2d": {"padding": EDGES},
    "CircularPad2d": {"padding": EDGES},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_random_arguments_agree_with_pytorch(name: str) -> None:
    """For any arguments and any small image, rule and module give the same sizes or both refuse."""
    required = [p.name for p in layer_signature(name).parameters.values() if p.default is p.empty]
    strategies = ARGUMENTS[name]
    optional = {key: value for key, value in strategies.items() if key not in required}

    @given(st.fixed_dictionaries({key: strategies[key] for key in required}, optional=optional), shapes())
    def check(values: dict[str, Any], shape: Shape) -> None:
        assert_agree(Call(name, kwargs=tuple(values.items())), shape)

    check()


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Conv2D(8, 3)", "there is no layer 'Conv2D'; did you mean 'Conv2d'?"),
        ("Batchnorm2d()", "did you mean 'BatchNorm2d'?"),
        ("Residul(ReLU)", "did you mean 'Residual'?"),
        ("Quux()", "`mnist-tui layers` lists them"),
        ("__import__('os')", "there is no layer '__import__'"),
        ("Conv2d(1, 8, 3)", "Conv2d(out_channels, kernel_size)"),
        ("Linear(784, 10)", "Linear(out_features)"),
        ("Conv2d(8, 3, paddin=1)", "did you mean 'padding'?"),
        ("Conv2d(8)", "kernel_size"),
        ("Conv2d(0, 3)", "out_channels=0 must be a whole number of at least 1"),
        ("Conv2d(True, 3)", "out_channels=True must be a whole number"),
        ("Conv2d(8, 3, bias=1)", "bias=1 must be True or False"),
        ("Dropout(1.1)", "p=1.1 must be between 0 and 1"),
        ("Dropout('a')", "must be a number"),
        ("MaxPool2d((1, 2, 3))", "one number or a pair"),
        ("ZeroPad2d((1, 2))", "left, right, top, bottom"),
        ("GELU('erf')", "must be one of none, tanh"),
        ("ReLU(ReLU())", "must be True or False"),
    ],
)
def test_wrong_arguments_are_explained(text: str, words: str) -> None:
    """The error says what to write instead, and carries the line."""
    call = parse(f"\n\n{text}")

    with pytest.raises(LayerError) as caught:
        arguments(call)
    assert words in str(caught.value)
    assert caught.value.line == 3
