"""A network as a sequence of calls: its layer table, within limits that are checked before anything is allocated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mnist_tui.errors import CallError, LayerError
from mnist_tui.spec.calls import Call, Name, Value, resolve_call
from mnist_tui.spec.layers import COMPOSITE_LAYERS, INPUT, LAYER_TYPES, LayerRow, Shape, image_row, layer_rows
from mnist_tui.spec.layers.rows import MAX_ACTIVATIONS, MAX_PARAMETERS, check_limit
from mnist_tui.spec.layers.signatures import check_name
from mnist_tui.text import did_you_mean

MAX_LAYERS = 500

Knobs = Mapping[str, bool | int | float]


def infer_shapes(calls: Sequence[Call], knobs: Knobs, shape: Shape = INPUT) -> tuple[LayerRow, ...]:
    """The layer table of a network: one row a layer, the layers in a composite layer before the composite layer.

    Raises `LayerError` with the line of the first layer that is unknown, has wrong arguments, does not fit its input,
    or brings the network over `MAX_LAYERS`, `MAX_PARAMETERS` or `MAX_ACTIVATIONS`.
    """
    rows: list[LayerRow] = []
    last_row = image_row(shape)
    parameters = activations = 0
    for call in calls:
        new_rows = layer_rows(resolve_layer(call, knobs), last_row)
        rows += new_rows
        last_row = rows[-1]
        parameters += sum(row.parameters for row in new_rows)
        activations += sum(row.activations for row in new_rows)
        check_limit(call, "layers", len(rows), MAX_LAYERS)
        check_limit(call, "parameters", parameters, MAX_PARAMETERS)
        check_limit(call, "activations per image", activations, MAX_ACTIVATIONS)
    return tuple(replace(row, index=index) for index, row in enumerate(rows, start=1))


def resolve_layer(call: Call, knobs: Knobs) -> Call:
    """The call with numbers for knobs, and with calls for layers that a composite layer names without brackets."""
    try:
        return resolve_call(_with_brackets(call, knobs), knobs)
    except CallError as error:
        raise LayerError(str(error), error.line or call.line) from None


def _with_brackets(call: Call, knobs: Knobs) -> Call:
    """`Residual(ReLU)` as `Residual(ReLU())`; raises `LayerError` for a name that is neither a layer nor a knob."""
    check_name(call)
    if call.name not in COMPOSITE_LAYERS:
        return call

    def with_brackets(value: Value) -> Value:
        if isinstance(value, Call):
            return _with_brackets(value, knobs)
        if isinstance(value, tuple):
            return tuple(map(with_brackets, value))
        if not isinstance(value, Name) or value.id in knobs:
            return value
        if value.id in LAYER_TYPES:
            return Call(value.id, line=call.line)
        near = did_you_mean(value.id, [*LAYER_TYPES, *knobs])
        raise LayerError(f"{call.name}: there is no layer and no knob {value.id!r}{near}", call.line)

    kwargs = tuple((name, with_brackets(value)) for name, value in call.kwargs)
    return replace(call, args=tuple(map(with_brackets, call.args)), kwargs=kwargs)
