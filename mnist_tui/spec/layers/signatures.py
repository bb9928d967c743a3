"""The arguments of a layer: checked against the signature of its rule, and listed for people."""

import inspect
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from mnist_tui.errors import CallError, LayerError
from mnist_tui.spec.calls import Call, Value, bind, show, signature_text
from mnist_tui.spec.layers.registry import LAYER_TYPES
from mnist_tui.text import did_you_mean

VARIADIC = inspect.Parameter.VAR_POSITIONAL


@cache
def layer_signature(name: str) -> inspect.Signature:
    """The arguments of a layer type, in PyTorch's order; input sizes, which are inferred, come last or are optional."""
    parameters = list(inspect.signature(LAYER_TYPES[name]).parameters.values())[1:]
    return inspect.Signature(parameters)


@cache
def takes_layers(name: str) -> bool:
    """Whether a layer has layers as its positional arguments, as `Sequential` does; False for an unknown name."""
    return name in LAYER_TYPES and any(one.kind is VARIADIC for one in layer_signature(name).parameters.values())


@cache
def _checks(name: str) -> dict[str, Callable[[Value], Any]]:
    hints = get_type_hints(LAYER_TYPES[name], include_extras=True)
    return {argument: get_args(hint)[1] for argument, hint in hints.items() if get_origin(hint) is Annotated}


def check_name(call: Call) -> None:
    """Raises `LayerError` for a layer that there is not, with the nearest name."""
    if call.name not in LAYER_TYPES:
        near = did_you_mean(call.name, LAYER_TYPES)
        raise LayerError(f"there is no layer {call.name!r}{near or '; `mnist-tui layers` lists them'}", call.line)


def arguments(call: Call) -> dict[str, Any]:
    """Every argument of a layer, checked and in full form (pairs as pairs); raises `LayerError`."""
    check_name(call)
    _check_positional(call)
    try:
        values = bind(call, layer_signature(call.name))
    except CallError as error:
        raise LayerError(str(error), call.line) from None
    checks = _checks(call.name)
    return {name: _check(call, name, value, checks[name]) for name, value in values.items()}


def composite_arguments(call: Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """`arguments` as positional and keyword arguments, so that layers may be handed on as they are written."""
    bound = inspect.BoundArguments(layer_signature(call.name), OrderedDict(arguments(call)))
    return bound.args, bound.kwargs


def _check(call: Call, name: str, value: Value, check: Callable[[Value], Any]) -> Any:
    try:
        return check(value)
    except CallError as error:
        # Layers are not repeated in the message: they may be as long as the whole network.
        shown_value = "" if isinstance(value, Call) or takes_layers(call.name) else f"={show(value)}"
        raise LayerError(f"{call.name}: {name}{shown_value} {error}", call.line, name) from None


def _check_positional(call: Call) -> None:
    """Refuses PyTorch's `Conv2d(1, 8, 3)` and `Linear(784, 10)`, where the first number is the size of the input."""
    positional = {"Conv2d": "out_channels, kernel_size", "ConvTranspose2d": "out_channels, kernel_size"}
    names = (positional | {"Linear": "out_features"}).get(call.name)
    if names is not None and len(call.args) > len(names.split(", ")):
        raise LayerError(
            f"{call.name}: the size of the input is inferred, so leave it out: "
            f"{call.name}({names}), further arguments by name",
            call.line,
        )


def describe_layers() -> list[str]:
    """A line for each layer type: its call with defaults, in the order of names."""
    return [f"{name}{signature_text(layer_signature(name))}" for name in sorted(LAYER_TYPES)]
