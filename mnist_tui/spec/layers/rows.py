"""The rows of one layer in the layer table: shapes, cost and receptive field behind the row before it.

The receptive field follows Araujo et al., "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019:
a layer with kernel k adds (k - 1) * jump, and its stride multiplies the jump.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

from mnist_tui.errors import CallError, LayerError
from mnist_tui.spec.calls import Call
from mnist_tui.spec.layers.registry import COMPOSITE_LAYERS, TORCH_LAYERS, CompositeRule, LayerInfo, LayerRow
from mnist_tui.spec.layers.signatures import arguments, composite_arguments

MAX_PARAMETERS = 200_000_000  # 0.8 GB of float32; with gradients and Adam's two moments 3.2 GB.
MAX_ACTIVATIONS = 100_000_000  # Per image, summed over the layers.


def layer_rows(call: Call, input_row: LayerRow) -> list[LayerRow]:
    """The rows of one layer whose knobs are resolved, those of layers in it before its own; `index` is not yet set.

    Raises `LayerError` for a layer that is unknown, has wrong arguments, does not fit its input or is over a limit.
    """
    if (rule := COMPOSITE_LAYERS.get(call.name)) is not None:
        return _composite_rows(call, rule, input_row)
    return [_row_behind(input_row, call, _layer_info(call, input_row))]


def sequence_rows(calls: Iterable[Call], input_row: LayerRow) -> list[LayerRow]:
    """The rows of layers of which each has the output of the one before as its input."""
    rows: list[LayerRow] = []
    for call in calls:
        rows += layer_rows(call, input_row)
        input_row = rows[-1]
    return rows


def check_limit(call: Call, what: str, count: int, limit: int) -> None:
    """Raises `LayerError` where the layers up to a call, or the call alone, have more of something than the limit."""
    if count > limit:
        raise LayerError(f"{call.name} brings the network to {count:,} {what}; the limit is {limit:,}", call.line)


def _layer_info(call: Call, input_row: LayerRow) -> LayerInfo:
    values = arguments(call)
    try:
        info = TORCH_LAYERS[call.name](input_row.output_shape, **values)
    except CallError as error:
        raise LayerError(f"{call.name}: {error}", call.line) from None
    # Layer by layer, also inside composite layers, so that no size grows beyond what can be multiplied and shown.
    check_limit(call, "parameters", info.parameters, MAX_PARAMETERS)
    check_limit(call, "activations per image", math.prod(info.shape), MAX_ACTIVATIONS)
    return info


def _row_behind(input_row: LayerRow, call: Call, info: LayerInfo) -> LayerRow:
    kernel = [info.kernel[axis] or input_row.grid[axis] for axis in (0, 1)]
    field = [math.ceil(input_row.receptive_field[axis] + (kernel[axis] - 1) * input_row.jump[axis]) for axis in (0, 1)]
    is_image = len(info.shape) == 3
    return LayerRow(
        index=0,
        type=call.name,
        arguments=_arguments_text(call),
        output_shape=info.shape,
        parameters=info.parameters,
        multiply_adds=info.multiply_adds,
        receptive_field=(field[0], field[1]),
        jump=(input_row.jump[0] * info.stride[0], input_row.jump[1] * info.stride[1]),
        grid=(info.shape[1], info.shape[2]) if is_image else (1, 1) if info.kernel == (0, 0) else input_row.grid,
        depth=input_row.depth,
    )


def _composite_rows(call: Call, rule: CompositeRule, input_row: LayerRow) -> list[LayerRow]:
    """The rows of the layers in a composite layer, one level deeper, and its own, which has no cost of its own."""
    args, kwargs = composite_arguments(call)
    try:
        *inner, output = rule(replace(input_row, depth=input_row.depth + 1), *args, **kwargs)
    except LayerError as error:
        error.line = max(error.line or 0, call.line)  # A layer that the rule made has no line of its own.
        raise
    except CallError as error:
        raise LayerError(f"{call.name}: {error}", call.line) from None
    text = _arguments_text(_without_layers(call))
    own = replace(output, type=call.name, arguments=text, parameters=0, multiply_adds=0, depth=input_row.depth)
    return [*inner, own]


def _arguments_text(call: Call) -> str:
    return str(call).removeprefix(call.name).removeprefix("(").removesuffix(")")


def _without_layers(call: Call) -> Call:
    """A call less the layers among its arguments, which have rows of their own."""
    return replace(
        call,
        args=tuple(value for value in call.args if not isinstance(value, Call)),
        kwargs=tuple((name, value) for name, value in call.kwargs if not isinstance(value, Call)),
    )
