"""A network as a sequence of calls, worked through layer by layer: shapes, parameters, cost, receptive field.

The receptive field follows Araujo et al., "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019:
a layer with kernel k adds (k - 1) * jump, and its stride multiplies the jump.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from mnist_tui.errors import CallError, LayerError
from mnist_tui.spec.calls import Call, Name, Value, resolve_call
from mnist_tui.spec.layers import LAYER_TYPES, LayerInfo, Shape, arguments
from mnist_tui.text import did_you_mean

INPUT: Shape = (1, 28, 28)
CLASSES = 10

MAX_LAYERS = 500
MAX_PARAMETERS = 200_000_000  # 0.8 GB of float32; with gradients and Adam's two moments 3.2 GB.
MAX_ACTIVATIONS = 100_000_000  # Per image, summed over the layers.

Knobs = Mapping[str, bool | int | float]


@dataclass(frozen=True)
class LayerRow:
    """One line of the layer table; sizes are per image."""

    index: int
    type: str
    arguments: str
    output_shape: Shape
    parameters: int
    multiply_adds: int
    receptive_field: tuple[int, int]
    """Rows and columns of the input image that one output unit depends on."""
    jump: tuple[Fraction, Fraction]
    """Input pixels between neighbouring output units, down and across."""
    grid: tuple[int, int]
    """Rows and columns of units that a layer which looks at everything, such as `Linear`, would see."""
    depth: int = 0
    """Levels of `Residual` around the layer."""

    @property
    def activations(self) -> int:
        """Numbers in the output, per image."""
        return math.prod(self.output_shape)


def image_row(shape: Shape = INPUT) -> LayerRow:
    """The image itself, as the row before the first layer."""
    return LayerRow(0, "Input", "", shape, 0, 0, (1, 1), (Fraction(1), Fraction(1)), (shape[-2], shape[-1]))


def infer_shapes(calls: Sequence[Call], knobs: Knobs, shape: Shape = INPUT) -> tuple[LayerRow, ...]:
    """The layer table of a network: one row a layer, nested layers before the `Residual` that adds them up.

    Raises `LayerError` with the line of the first layer that is unknown, has wrong arguments, does not fit what
    arrives, or brings the network over `MAX_LAYERS`, `MAX_PARAMETERS` or `MAX_ACTIVATIONS`.
    """
    rows: list[LayerRow] = []
    before = image_row(shape)
    parameters = activations = 0
    for call in calls:
        new = layer_rows(resolve_layer(call, knobs), before)
        rows += new
        before = rows[-1]
        parameters += sum(row.parameters for row in new)
        activations += sum(row.activations for row in new)
        _check_limit(call, "layers", len(rows), MAX_LAYERS)
        _check_limit(call, "parameters", parameters, MAX_PARAMETERS)
        _check_limit(call, "activations per image", activations, MAX_ACTIVATIONS)
    return tuple(replace(row, index=index) for index, row in enumerate(rows, start=1))


def resolve_layer(call: Call, knobs: Knobs) -> Call:
    """The call with numbers for knobs, and with calls for layers named without brackets inside `Residual`."""
    try:
        return resolve_call(_open_names(call), knobs)
    except CallError as error:
        raise LayerError(str(error), error.line or call.line) from None


def _open_names(call: Call) -> Call:
    if call.name != "Residual":
        return call
    kwargs = tuple((name, _opened(value, call)) for name, value in call.kwargs)
    return replace(call, args=tuple(_opened(value, call) for value in call.args), kwargs=kwargs)


def _opened(value: Value, outer: Call) -> Call:
    if isinstance(value, Name) and value.id in LAYER_TYPES:
        return Call(value.id, line=outer.line)
    if isinstance(value, Call):
        return _open_names(value)
    near = did_you_mean(str(value), LAYER_TYPES)
    raise LayerError(f"Residual takes layers as arguments, not {value}{near}", outer.line)


def _check_limit(call: Call, what: str, count: int, limit: int) -> None:
    if count > limit:
        raise LayerError(f"{call.name} brings the network to {count:,} {what}; the limit is {limit:,}", call.line)


def layer_rows(call: Call, before: LayerRow) -> list[LayerRow]:
    """The rows of one layer whose knobs are resolved, nested ones first; `index` is not yet set."""
    if call.name == "Residual":
        return _residual_rows(call, before)
    return [_row_after(call, _effect(call, before), before)]


def _effect(call: Call, before: LayerRow) -> LayerInfo:
    values = arguments(call)
    try:
        effect = LAYER_TYPES[call.name](before.output_shape, **values)
    except CallError as error:
        raise LayerError(f"{call.name}: {error}", call.line) from None
    # DraftResult layer by layer, also inside `Residual`, so that no size grows beyond what can be multiplied and shown.
    _check_limit(call, "parameters", effect.parameters, MAX_PARAMETERS)
    _check_limit(call, "activations per image", math.prod(effect.shape), MAX_ACTIVATIONS)
    return effect


def _row_after(call: Call, effect: LayerInfo, before: LayerRow) -> LayerRow:
    # A kernel of 0 stands for a layer that looks at every unit of the grid at once.
    kernel = [effect.kernel[axis] or before.grid[axis] for axis in (0, 1)]
    seen = [math.ceil(before.receptive_field[axis] + (kernel[axis] - 1) * before.jump[axis]) for axis in (0, 1)]
    is_image = len(effect.shape) == 3
    return LayerRow(
        index=0,
        type=call.name,
        arguments=str(call).removeprefix(call.name).removeprefix("(").removesuffix(")"),
        output_shape=effect.shape,
        parameters=effect.parameters,
        multiply_adds=effect.multiply_adds,
        receptive_field=(seen[0], seen[1]),
        jump=(before.jump[0] * effect.stride[0], before.jump[1] * effect.stride[1]),
        grid=(effect.shape[1], effect.shape[2]) if is_image else (1, 1) if effect.kernel == (0, 0) else before.grid,
        depth=before.depth,
    )


def _residual_rows(call: Call, before: LayerRow) -> list[LayerRow]:
    """`Residual(a, b, …, shortcut=c)`: the body's output plus what arrived, or plus the shortcut's output."""
    if not call.args or [name for name, _ in call.kwargs if name != "shortcut"]:
        raise LayerError("Residual takes layers and, where the shapes differ, shortcut= and a layer", call.line)
    inside = replace(before, depth=before.depth + 1)
    body = _sequence_rows(call.args, inside)
    shortcut = _sequence_rows([value for _, value in call.kwargs], inside)
    ends = [body[-1], shortcut[-1] if shortcut else before]
    if ends[0].output_shape != ends[1].output_shape:
        raise LayerError(
            f"Residual: the body ends in {list(ends[0].output_shape)}, beside it runs {list(ends[1].output_shape)}; "
            f"change the body, or give shortcut=, such as shortcut=Conv2d({ends[0].output_shape[0]}, 1)",
            call.line,
        )
    total = replace(
        body[-1],
        type="Residual",
        arguments="",
        parameters=0,
        multiply_adds=0,
        receptive_field=_widest(ends),
        depth=before.depth,
    )
    return [*body, *shortcut, total]


def _sequence_rows(values: Iterable[Value], before: LayerRow) -> list[LayerRow]:
    rows: list[LayerRow] = []
    for value in values:
        assert isinstance(value, Call)  # `_opened` has seen to it.
        rows += layer_rows(value, before)
        before = rows[-1]
    return rows


def _widest(rows: list[LayerRow]) -> tuple[int, int]:
    fields = [row.receptive_field for row in rows]
    return max(field[0] for field in fields), max(field[1] for field in fields)
