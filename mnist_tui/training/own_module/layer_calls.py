"""Modules and functions of torch.nn as calls of a preset, with the arguments that are not the default."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from mnist_tui.errors import CallError
from mnist_tui.spec.calls import Call, Value
from mnist_tui.spec.layers import arguments, layer_signature
from mnist_tui.spec.layers.registry import TORCH_LAYERS

FUNCTIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "celu": "CELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid",
    "hardtanh": "Hardtanh",
    "softplus": "Softplus",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "logsigmoid": "LogSigmoid",
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "max_pool2d": "MaxPool2d",
    "avg_pool2d": "AvgPool2d",
    "adaptive_avg_pool2d": "AdaptiveAvgPool2d",
    "adaptive_max_pool2d": "AdaptiveMaxPool2d",
    "dropout": "Dropout",
    "dropout2d": "Dropout2d",
    "alpha_dropout": "AlphaDropout",
    "local_response_norm": "LocalResponseNorm",
    "pixel_shuffle": "PixelShuffle",
}
"""Functions of torch.nn.functional, of torch and of tensors, by name, and the layer that does the same."""
INFERRED = {"in_channels", "in_features", "num_features", "num_channels", "inplace"}
"""Arguments that a preset leaves out: sizes of the input, and `inplace`, which changes no number."""
_SIZES = {"normalized_shape", "unflattened_size"}
"""Arguments whose numbers belong to dimensions, so that two equal ones are not written as one."""


def call_of_module(module: nn.Module) -> Call:
    """A module as a call; raises `CallError` for one that is none of ours."""
    name = type(module).__name__
    if name not in TORCH_LAYERS or type(module) is not getattr(nn, name):
        raise CallError(f"{name} is no layer that presets know")
    if getattr(module, "return_indices", False):
        raise CallError(f"{name} with return_indices=True has two outputs")
    names = layer_signature(name).parameters
    return _call(name, {each: getattr(module, each) for each in names if hasattr(module, each)})


def call_of_function(name: str, values: Mapping[str, Any]) -> Call:
    """A function with its arguments as a call; raises `CallError` for one that no layer does the same as."""
    if name.rstrip("_") not in FUNCTIONS:
        raise CallError(f"{name}() is no layer that presets know")
    if values.get("return_indices"):
        raise CallError(f"{name}() with return_indices=True has two outputs")
    return _call(FUNCTIONS[name.rstrip("_")], values)


def _call(name: str, values: Mapping[str, Any]) -> Call:
    """A call without the arguments that are the default."""
    parameters = layer_signature(name).parameters
    given = {each: _value(each, values[each]) for each in parameters if each in values and each not in INFERRED}
    if name in ("Softmax", "LogSoftmax", "Softmin") and given.get("dim") is None:
        given["dim"] = 1  # Which is what PyTorch chooses, with a warning.
    required = [each for each, one in parameters.items() if one.default is one.empty]
    missing = [each for each in required if each not in given]
    if missing:
        raise CallError(f"{name} without {', '.join(missing)}")
    shortest = Call(name, tuple(given[each] for each in required))
    defaults, meant = arguments(shortest), arguments(Call(name, (), tuple(given.items())))
    if "kernel_size" in meant and defaults.get("stride", ()) is None and meant["stride"] == meant["kernel_size"]:
        meant["stride"] = None  # A pool's stride is its size, where none is given.
    kwargs = {each: given[each] for each in parameters if each in given and meant[each] != defaults[each]}
    first = next(iter(parameters), "")
    args = shortest.args or ((kwargs.pop(first),) if first in kwargs else ())  # Dropout(0.1)
    return Call(name, args, tuple(kwargs.items()))


def _value(name: str, value: Any) -> Value:
    """An attribute or argument as a value of a call: pairs of equal numbers as one number, a bias as a flag."""
    if name == "bias":
        return value is not None and value is not False
    if isinstance(value, list | tuple):
        items = tuple(_value("", item) for item in value)
        is_pair = len(items) == 2 and items[0] == items[1] and name not in _SIZES
        return items[0] if is_pair else items
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise CallError(f"{name} is no plain number")
