"""The layer table of a network as totals, as JSON and as text."""

import math
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mnist_tui.spec.layers import INPUT, LayerRow, Shape
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.table import aligned

MIB = 2**20
FLOAT_BYTES = 4

_FAMILIES = {
    "convolutions": ("Conv",),
    "pools": ("MaxPool", "AvgPool", "LPPool", "Adaptive"),
    "linear": ("Linear",),
    "batch norms": ("BatchNorm",),
    "other norms": ("GroupNorm", "LayerNorm", "InstanceNorm", "RMSNorm", "LocalResponse"),
    "dropouts": ("Dropout", "AlphaDropout", "FeatureAlpha"),
}


@dataclass(frozen=True)
class Totals:
    """The sums over a layer table, in the units that torchsummary prints."""

    parameters: int
    trainable: int
    multiply_adds: int
    """Per image, of convolutions and linear layers without biases, as `torch.utils.flop_counter` counts them."""
    input_mb: float
    forward_backward_mb: float
    """Every layer's output twice, for its value and its gradient."""
    parameters_mb: float

    @property
    def total_mb(self) -> float:
        """For one image, in MB of 2**20 bytes."""
        return self.input_mb + self.forward_backward_mb + self.parameters_mb


def totals(rows: tuple[LayerRow, ...], shape: Shape = INPUT) -> Totals:
    """The sums over a layer table for images of a shape."""
    parameters = sum(row.parameters for row in rows)
    return Totals(
        parameters=parameters,
        trainable=parameters,
        multiply_adds=sum(row.multiply_adds for row in rows),
        input_mb=math.prod(shape) * FLOAT_BYTES / MIB,
        forward_backward_mb=2 * sum(row.activations for row in rows) * FLOAT_BYTES / MIB,
        parameters_mb=parameters * FLOAT_BYTES / MIB,
    )


def layer_counts(rows: tuple[LayerRow, ...]) -> dict[str, int]:
    """The number of layers of each family, in a fixed order, without families that have none."""
    counts = Counter(family for row in rows if (family := _family(row.type)))
    return {family: counts[family] for family in _FAMILIES if counts[family]}


def layers_in_words(rows: tuple[LayerRow, ...]) -> str:
    """`5 convolutions, 1 pool, 1 linear`; "" where no layer is of a family."""
    return ", ".join(
        f"{count} {family if count > 1 else family.removesuffix('s')}" for family, count in layer_counts(rows).items()
    )


def _family(name: str) -> str | None:
    return next((family for family, starts in _FAMILIES.items() if name.startswith(starts)), None)


def receptive_field_sentence(rows: tuple[LayerRow, ...], shape: Shape = INPUT) -> str:
    """The receptive field before the head against the size of images of a shape, to be read after "receptive field".

    The head begins with the first layer, outside of composite layers, whose output is no map any more: 1x1 or flat.
    """
    size = shape[1]
    last_row = None
    for row in rows:
        if row.depth == 0 and not has_map(row):
            break
        last_row = row if row.depth == 0 else last_row
    if last_row is None:
        return f"all {size}x{size} px at once: there is none that grows"
    field = max(last_row.receptive_field)
    where = f"before the head, after layer {last_row.index} ({last_row.type})"
    if field >= size:
        return f"{_size(last_row.receptive_field)} px {where}: the whole of the {size} px image"
    share = f"{_size(last_row.receptive_field)} of {size} px ({field / size:.0%})"
    return f"{share} {where}: only the head sees farther"


def has_map(row: LayerRow) -> bool:
    """Whether the output of a layer has more than one pixel."""
    return len(row.output_shape) == 3 and row.output_shape[1:] != (1, 1)


def _size(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"


def as_json(spec: RunSpec) -> dict[str, Any]:
    """The layer table as a JSON object; shapes leave the batch out."""
    sums = totals(spec.rows, spec.dataset.shape)
    return {
        "name": spec.name,
        "title": spec.title,
        "parameters": sums.parameters,
        "trainable": sums.trainable,
        "multiply_adds": sums.multiply_adds,
        "input_mb": sums.input_mb,
        "forward_backward_mb": sums.forward_backward_mb,
        "parameters_mb": sums.parameters_mb,
        "total_mb": sums.total_mb,
        "layer_counts": layer_counts(spec.rows),
        "layers": [_row_json(row) for row in spec.rows],
        "spec": spec.model_dump(mode="json", exclude_none=True),
    }


def _row_json(row: LayerRow) -> dict[str, Any]:
    return {
        "index": row.index,
        "type": row.type,
        "arguments": row.arguments,
        "output_shape": list(row.output_shape),
        "parameters": row.parameters,
        "multiply_adds": row.multiply_adds,
        "receptive_field": _one(row.receptive_field),
        "jump": _one(row.jump),
        "activation_bytes": row.activations * FLOAT_BYTES,
        "depth": row.depth,
    }


def _one(pair: tuple[int | Fraction, int | Fraction]) -> Any:
    """A number where rows and columns agree, else both; whole numbers without a point."""
    values = [int(value) if value == int(value) else float(value) for value in pair]
    return values[0] if values[0] == values[1] else values


def columns(row: LayerRow, parameters: int) -> tuple[str, ...]:
    """The cells of a row: index, layer, output, parameters, their share, multiply-adds, field, jump, memory."""
    share = f"{row.parameters / parameters:.1%}" if row.parameters else ""
    return (
        str(row.index),
        "  " * row.depth + row.type + (f"({row.arguments})" if row.arguments else ""),
        "x".join(map(str, row.output_shape)),
        f"{row.parameters:,}" if row.parameters else "",
        share,
        f"{row.multiply_adds:,}" if row.multiply_adds else "",
        _short(row.receptive_field),
        _short(row.jump),
        f"{row.activations * FLOAT_BYTES / 1024:.1f}",
    )


def _short(pair: tuple[int | Fraction, int | Fraction]) -> str:
    values = [f"{float(value):g}" for value in pair]
    return values[0] if values[0] == values[1] else "x".join(values)


HEADINGS = ("#", "layer", "output", "params", "share", "MACs", "RF", "jump", "KiB")


def table(spec: RunSpec) -> str:
    """The layer table for a terminal, with its totals and the receptive field before the head."""
    sums = totals(spec.rows, spec.dataset.shape)
    cells = [HEADINGS, *(columns(row, sums.parameters) for row in spec.rows)]
    is_right = [heading not in ("layer", "output") for heading in HEADINGS]
    lines = aligned(cells, is_right, max_cell=10_000)
    heading = f"{spec.name}: {spec.title}" if spec.title else spec.name
    rule = "-" * max(map(len, lines))
    return "\n".join(
        [
            heading,
            *([f"source: {spec.source}"] if spec.source else []),
            "",
            lines[0],
            rule,
            *lines[1:],
            rule,
            f"parameters       {sums.parameters:,} (trainable {sums.trainable:,}, non-trainable 0)",
            f"mult-adds        {sums.multiply_adds:,} per image",
            f"memory (MB)      input {sums.input_mb:.2f}, forward/backward {sums.forward_backward_mb:.2f}, "
            f"parameters {sums.parameters_mb:.2f}, total {sums.total_mb:.2f}",
            f"layers           {layers_in_words(spec.rows) or 'none that learn'}",
            f"receptive field  {receptive_field_sentence(spec.rows, spec.dataset.shape)}",
        ]
    )


def torchsummary(spec: RunSpec) -> str:
    """The table as the package torchsummary prints it: three columns and its footer."""
    sums = totals(spec.rows, spec.dataset.shape)
    thin, thick = "-" * 64, "=" * 64
    rows = [
        f"{f'{row.type}-{row.index}':>20}  {[-1, *row.output_shape]!s:>25} {row.parameters:>15,}"
        for row in spec.rows
        if not row.is_group  # torchsummary has no row for an nn.Sequential.
    ]
    return "\n".join(
        [
            thin,
            f"{'Layer (type)':>20}  {'Output Shape':>25} {'Param #':>15}",
            thick,
            *rows,
            thick,
            f"Total params: {sums.parameters:,}",
            f"Trainable params: {sums.trainable:,}",
            "Non-trainable params: 0",
            thin,
            f"Input size (MB): {sums.input_mb:.2f}",
            f"Forward/backward pass size (MB): {sums.forward_backward_mb:.2f}",
            f"Params size (MB): {sums.parameters_mb:.2f}",
            f"Estimated Total Size (MB): {sums.total_mb:.2f}",
            thin,
        ]
    )
