"""Composite layers: layers that are made of layers.

A rule gets the row before the layer and the arguments as they are written, and returns the rows of the layers in it
and, last, a row with its output shape and receptive field. `training/build.py` makes its module, under the same name.
"""

from collections.abc import Sequence
from dataclasses import replace

from mnist_tui.errors import CallError
from mnist_tui.spec.calls import Call
from mnist_tui.spec.layers.argument_types import Count, Layers, MaybeLayer
from mnist_tui.spec.layers.registry import LayerRow, Shape, composite_type
from mnist_tui.spec.layers.rows import layer_rows, sequence_rows
from mnist_tui.spec.layers.shapes import image_size

NORMS = frozenset({"BatchNorm1d", "BatchNorm2d", "InstanceNorm2d", "GroupNorm", "LayerNorm", "RMSNorm"})
"""Normalization layers with weights. `Repeat` does not share them: what they normalize is different each time.
`no_decay = ["norm"]` exempts their scale and shift."""
MAX_REPEATED = 1_000
"""Layers in one `Repeat`, all times together."""


@composite_type
def Sequential(input_row: LayerRow, *layers: Layers) -> list[LayerRow]:
    """Layers one after the other, as one layer: a branch of `Parallel`, a shortcut of `Residual`."""
    rows = sequence_rows(layers, input_row)
    return [*rows, replace(rows[-1], is_group=True)]


@composite_type
def Residual(input_row: LayerRow, *layers: Layers, shortcut: MaybeLayer = None) -> list[LayerRow]:
    """Layers one after the other, plus their input or the output of `shortcut` (He et al. 2015, arXiv:1512.03385)."""
    body = sequence_rows(layers, input_row)
    beside = layer_rows(shortcut, input_row) if shortcut else []
    ends = [body[-1], beside[-1] if beside else input_row]
    shape, other_shape = (end.output_shape for end in ends)
    if shape != other_shape:
        other = "shortcut ends in" if beside else "input is"
        raise CallError(
            f"the layers end in {list(shape)}, the {other} {list(other_shape)}, and only equal shapes can be added; "
            f"change the layers, or give shortcut=, such as shortcut=Conv2d({shape[0]}, 1)"
        )
    return [*body, *beside, _joined(ends, shape)]


@composite_type
def Parallel(input_row: LayerRow, *branches: Layers) -> list[LayerRow]:
    """Layers side by side on the same input, their outputs concatenated along the channels (arXiv:1409.4842)."""
    rows = [layer_rows(branch, input_row) for branch in branches]
    ends = [branch_rows[-1] for branch_rows in rows]
    shapes = [end.output_shape for end in ends]
    if len({shape[1:] for shape in shapes}) > 1:
        raise CallError(
            f"the branches end in {', '.join(str(list(shape)) for shape in dict.fromkeys(shapes))}; give all the same "
            "height and width, such as by padding=1 in a Conv2d with kernel_size=3"
        )
    channels = sum(shape[0] for shape in shapes)
    return [*(row for branch_rows in rows for row in branch_rows), _joined(ends, (channels, *shapes[0][1:]))]


@composite_type
def Repeat(input_row: LayerRow, times: Count, *layers: Layers) -> list[LayerRow]:
    """Layers one after the other, several times with the same weights; norms have their own weights each time.

    Each weight is counted where it is used first. Weights that a network uses at several depths: Liang, Hu 2015,
    "Recurrent Convolutional Neural Network for Object Recognition".
    """
    first = sequence_rows(layers, input_row)
    rows, last = list(first), first
    for _ in range(times - 1):
        last = sequence_rows(layers, last[-1])
        if [row.parameters for row in last] != [row.parameters for row in first]:
            raise CallError(
                f"the layers turn {list(input_row.output_shape)} into {list(first[-1].output_shape)}, for which their "
                "weights do not fit a second time; let them end in as many channels as they begin with"
            )
        rows += (row if row.type in NORMS else replace(row, parameters=0) for row in last)
        if len(rows) > MAX_REPEATED:
            raise CallError(f"these are more than {MAX_REPEATED:,} layers")
    return [*rows, replace(rows[-1], is_group=True)]


@composite_type
def SqueezeExcite(input_row: LayerRow, ratio: Count) -> list[LayerRow]:
    """The input times a factor between 0 and 1 for each channel, learned from the means of all channels."""
    gate = sequence_rows(gate_layers(input_row.output_shape, ratio), input_row)
    return [*gate, _joined([input_row, gate[-1]], input_row.output_shape)]


def gate_layers(shape: Shape, ratio: int) -> tuple[Call, ...]:
    """The layers that compute the factors of `SqueezeExcite`: images of `shape` to (channels, 1, 1) in 0..1.

    Squeeze-and-excitation (Hu et al. 2018, arXiv:1709.01507), with 1x1 convolutions as in torchvision.
    """
    channels = image_size(shape)[0]
    squeezed = max(1, channels // ratio)
    return (
        Call("AdaptiveAvgPool2d", (1,)),
        Call("Conv2d", (squeezed, 1)),
        Call("ReLU"),
        Call("Conv2d", (channels, 1)),
        Call("Sigmoid"),
    )


def _joined(ends: Sequence[LayerRow], shape: Shape) -> LayerRow:
    """The row of what branches come to, placed on the image as the first: the widest of their receptive fields."""
    rows, columns = zip(*(end.receptive_field for end in ends), strict=True)
    return replace(ends[0], output_shape=shape, receptive_field=(max(rows), max(columns)), is_group=False)
