"""The layer table of whole networks: shapes, sums, residual connections, limits, and a measured receptive field."""

import statistics
import time
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from mnist_tui.errors import LayerError
from mnist_tui.spec.calls import parse_lines
from mnist_tui.spec.layers import LayerRow, Shape, arguments
from mnist_tui.spec.layers.rows import MAX_PARAMETERS
from mnist_tui.spec.network import MAX_LAYERS, Knobs, infer_shapes


def table(text: str, knobs: Knobs | None = None, shape: Shape = (1, 28, 28)) -> tuple[LayerRow, ...]:
    """The rows of a network in text form."""
    return infer_shapes(parse_lines(text), knobs or {}, shape)


# --- rows ------------------------------------------------------------------------------------------------------------


def test_a_small_network_row_by_row() -> None:
    """The published numbers of a two-convolution network, worked out by hand."""
    rows = table("""
        Conv2d(8, 3)
        ReLU
        MaxPool2d(2)
        Conv2d(16, 3, stride=2, bias=False)
        Flatten()
        Linear(10)
    """)

    assert [row.index for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.type for row in rows] == ["Conv2d", "ReLU", "MaxPool2d", "Conv2d", "Flatten", "Linear"]
    assert [row.arguments for row in rows] == ["8, 3", "", "2", "16, 3, stride=2, bias=False", "", "10"]
    assert [row.output_shape for row in rows[2:]] == [(8, 13, 13), (16, 6, 6), (576,), (10,)]
    assert [row.parameters for row in rows] == [80, 0, 0, 1152, 0, 5770]
    assert [row.multiply_adds for row in rows] == [72 * 26 * 26, 0, 0, 1152 * 36, 0, 5760]
    assert [row.activations for row in rows] == [5408, 5408, 1352, 576, 576, 10]
    assert [row.receptive_field[0] for row in rows] == [3, 3, 4, 8, 8, 28]
    assert [row.jump[1] for row in rows] == [1, 1, 2, 4, 4, 4]


def test_knobs_are_replaced_in_the_table() -> None:
    """A row shows the numbers that a layer gets."""
    rows = table("Conv2d(2*width, 3)\nDropout(rate)", {"width": 8, "rate": 0.1})

    assert rows[0].output_shape == (16, 26, 26)
    assert [row.arguments for row in rows] == ["16, 3", "0.1"]


def test_no_layers_make_no_rows() -> None:
    """An empty text is a table without rows."""
    assert table("# nothing yet") == ()


# --- residual connections --------------------------------------------------------------------------------------------


def test_a_residual_adds_its_input_to_its_output() -> None:
    """Nested layers come first, one level deeper; the sum has their shape and no parameters of its own."""
    rows = table("Conv2d(4, 3)\nResidual(Conv2d(4, 3, padding=1), BatchNorm2d, ReLU)\nReLU()")

    assert [(row.type, row.depth) for row in rows] == [
        ("Conv2d", 0),
        ("Conv2d", 1),
        ("BatchNorm2d", 1),
        ("ReLU", 1),
        ("Residual", 0),
        ("ReLU", 0),
    ]
    assert [row.index for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[4].output_shape == (4, 26, 26)
    assert (rows[4].parameters, rows[4].multiply_adds) == (0, 0)
    assert sum(row.parameters for row in rows) == 40 + 148 + 8
    assert rows[4].receptive_field == (5, 5)


def test_a_shortcut_brings_the_shapes_together() -> None:
    """With a shortcut the body may change channels and size; its rows stand after the body's."""
    rows = table("""
        Residual(
            Conv2d(8, 3, stride=2, padding=1),
            ReLU,
            shortcut=Conv2d(8, 1, stride=2),
        )
    """)

    assert [row.type for row in rows] == ["Conv2d", "ReLU", "Conv2d", "Residual"]
    assert [row.parameters for row in rows] == [80, 0, 16, 0]
    assert rows[-1].output_shape == (8, 14, 14)
    assert rows[-1].receptive_field == (3, 3)
    assert rows[-1].jump == (Fraction(2), Fraction(2))


def test_the_wider_branch_decides_the_receptive_field() -> None:
    """A shortcut that sees more than the body counts."""
    assert table("Residual(Conv2d(1, 1), shortcut=Conv2d(1, (3, 7), padding='same'))")[-1].receptive_field == (3, 7)


def test_residuals_nest() -> None:
    """A residual inside a residual is one level deeper."""
    rows = table("Residual(Residual(Conv2d(1, 3, padding=1), ReLU), shortcut=Residual(Sigmoid))")

    assert [(row.type, row.depth) for row in rows] == [
        ("Conv2d", 2),
        ("ReLU", 2),
        ("Residual", 1),
        ("Sigmoid", 2),
        ("Residual", 1),
        ("Residual", 0),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Residual(Conv2d(8, 3, padding=1))", "shortcut=Conv2d(8, 1)"),
        ("Residual(Conv2d(1, 3))", "the layers end in [1, 26, 26], the input is [1, 28, 28]"),
        ("Residual(ReLU, shortcut=MaxPool2d(2))", "the layers end in [1, 28, 28], the shortcut ends in [1, 14, 14]"),
        ("Residual()", "layers must be one layer or more"),
        ("Residual", "layers must be one layer or more"),
        ("Residual(shortcut=ReLU)", "layers must be one layer or more"),
        ("Residual(ReLU, skip=ReLU)", "has no argument 'skip'; it takes layers, shortcut"),
        ("Residual(3)", "layers must all be layers, such as ReLU, but one is '3'"),
        ("Residual([ReLU, ReLU])", "but one is '[ReLU(), ReLU()]'; write several in a row as Sequential(…)"),
        ("Residual(Relu)", "did you mean 'ReLU'?"),
        ("Residual(ReLU, shortcut=width)", "shortcut must be a layer, such as ReLU"),
        ("Residual(Residual(Conv2d(8, 3, padding=1)))", "shortcut=Conv2d(8, 1)"),
        ("Residual(Dropout(2))", "p=2 must be between 0 and 1"),
    ],
)
def test_a_residual_that_cannot_be_is_explained(text: str, words: str) -> None:
    """Shapes that do not match and arguments that are no layers are refused with the line."""
    with pytest.raises(LayerError) as caught:
        table(f"ReLU()\n{text}", {"width": 8})
    assert words in str(caught.value)
    assert caught.value.line == 2


# --- errors and limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# one\n\nConv2d(8, 3)\nLinear(10)", 4),
        ("ReLU\nConv2d(8, 29)", 2),
        ("ReLU\nDropout(rate)", 2),
        ("ReLU\nQuux(1)", 2),
        ("Residual(\n    ReLU,\n    Conv2d(8, 0),\n)", 3),
        ("Residual(\n    ReLU,\n    Conv2d(8, 30),\n)", 3),
        ("Residual(\n    ReLU,\n    Dropout(rate),\n)", 3),
    ],
)
def test_errors_carry_the_line_of_their_layer(text: str, line: int) -> None:
    """The line is where the wrong layer begins, inside a residual too."""
    with pytest.raises(LayerError) as caught:
        table(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ReLU\n" * (MAX_LAYERS + 1), f"brings the network to {MAX_LAYERS + 1} layers"),
        (f"Residual({'ReLU, ' * MAX_LAYERS})", f"brings the network to {MAX_LAYERS + 1} layers"),
        ("Flatten()\nLinear(1_000_000)", "785,000,000 parameters"),
        ("Flatten()\n" + "Linear(10_000)\n" * 4, "parameters"),
        ("Conv2d(200_000, 1)", "156,800,000 activations"),
        ("Upsample(scale_factor=100)\n" + "ReLU()\n" * 12, "activations"),
        ("ZeroPad2d(100_000_000)", "activations"),
        ("Conv2d(999999999999999999, 1)", "the limit is"),
        ("ConvTranspose2d(1, 1, stride=999999999999999999)", "the limit is"),
        (f"Residual({'ConvTranspose2d(1, 1, stride=999999999999999999), ' * 300})", "the limit is"),
    ],
)
def test_limits_are_kept_before_anything_is_built(text: str, words: str) -> None:
    """A network over a limit is refused by arithmetic alone, at once."""
    started = time.process_time()

    with pytest.raises(LayerError, match=words):
        table(text)
    assert time.process_time() - started < 10  # Of a busy machine; what is built after all takes gigabytes.


@pytest.mark.parametrize(
    "text",
    [
        "Flatten()\n" * MAX_LAYERS,
        f"Flatten()\nLinear({MAX_PARAMETERS // 784}, bias=False)",
        "Upsample((10_000, 10_000))",
    ],
    ids=["layers", "parameters", "activations"],
)
def test_a_network_at_a_limit_passes(text: str) -> None:
    """Limits are the largest allowed numbers."""
    assert len(table(text)) == len(parse_lines(text))


# --- the receptive field, measured -----------------------------------------------------------------------------------


def positive_model(text: str, shape: Shape) -> nn.Sequential:
    """The network with every weight 1, so that no path from input to output cancels another."""
    input_shapes = [shape, *(row.output_shape for row in table(text, shape=shape))]
    modules: list[nn.Module] = []
    for call, input_shape in zip(parse_lines(text), input_shapes, strict=False):
        values = arguments(call)
        if "in_channels" in values:
            values["in_channels"] = input_shape[0]
        modules.append(getattr(nn, call.name)(**values))
    model = nn.Sequential(*modules).double()
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    return model


def seen_by(output: Tensor, images: Tensor, row: int, column: int) -> tuple[list[int], list[int]]:
    """Top left corner and size of the smallest box of pixels that one output unit depends on."""
    gradient = torch.autograd.grad(output[0, 0, row, column], images, retain_graph=True)[0]
    pixels = gradient[0].sum(0).nonzero()
    first, last = pixels.min(0).values, pixels.max(0).values
    return first.tolist(), (last - first + 1).tolist()


def windows(name: str, first: str, extra: str) -> st.SearchStrategy[str]:
    """Layers with a window: kernels of 1 to 3, strides of 1 to 2, each axis on its own."""
    kernel, stride = (st.tuples(st.integers(1, high), st.integers(1, high)) for high in (3, 2))
    dilation = st.integers(1, 2)
    return st.builds(
        lambda kernel, stride, dilation: f"{name}({first}{kernel}, stride={stride}{extra.format(dilation)})",
        kernel,
        stride,
        dilation,
    )


# The gradient of a MaxPool2d shows one pixel of its window; AvgPool2d has the same window and shows all.
LAYERS = windows("Conv2d", "2, ", ", dilation={}") | windows("AvgPool2d", "", "")


@given(st.lists(LAYERS, min_size=1, max_size=4).map("\n".join))
def test_receptive_field_and_jump_are_those_of_the_gradient(text: str) -> None:
    """The table's numbers equal the box of pixels with a gradient, and its shift from one unit to the next."""
    shape = (1, 80, 80)
    row = table(text, shape=shape)[-1]
    images = torch.ones(1, *shape, dtype=torch.double, requires_grad=True)
    output = positive_model(text, shape)(images)
    y, x = output.shape[-2] // 2, output.shape[-1] // 2
    corner, size = seen_by(output, images, y, x)
    neighbour_corner, _ = seen_by(output, images, y - 1, x - 1)

    assert row.output_shape == tuple(output.shape[1:])
    assert list(row.receptive_field) == size
    assert list(row.jump) == [corner[0] - neighbour_corner[0], corner[1] - neighbour_corner[1]]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("ConvTranspose2d(1, 3, stride=2)", 2),
        ("ConvTranspose2d(1, 3, stride=2)\nConv2d(1, 3)", 3),
        ("Upsample(scale_factor=2)\nConv2d(1, 3)", 2),
        ("Upsample(scale_factor=2, mode='bilinear')", 2),
        ("PixelUnshuffle(2)\nConv2d(1, 3)", 6),
        ("AdaptiveAvgPool2d(5)", 4),
        ("AdaptiveAvgPool2d(1)", 20),
    ],
)
def test_layers_that_resize_are_measured_too(text: str, size: int) -> None:
    """The widest box of any unit of a layer that enlarges, folds or averages is what the table says."""
    shape = (1, 20, 20)
    images = torch.ones(1, *shape, dtype=torch.double, requires_grad=True)
    output = positive_model(text, shape)(images)
    boxes = [seen_by(output, images, y, x)[1] for y in range(output.shape[2]) for x in range(output.shape[3])]
    widest = [max(box[0] for box in boxes), max(box[1] for box in boxes)]

    assert widest == [size, size]
    assert list(table(text, shape=shape)[-1].receptive_field) == widest


def test_a_linear_layer_sees_what_its_whole_grid_sees() -> None:
    """After Flatten(), one score depends on every pixel that the convolutions before it look at."""
    rows = table("Conv2d(2, 3)\nMaxPool2d(2)\nConv2d(2, 3, dilation=2)\nFlatten()\nLinear(10)\nLinear(10)")

    assert [row.receptive_field for row in rows] == [(3, 3), (4, 4), (12, 12), (12, 12), (28, 28), (28, 28)]


def test_jumps_below_one_are_exact() -> None:
    """A layer that enlarges the image makes neighbours less than a pixel apart, without rounding."""
    assert table("Upsample((84, 56))")[0].jump == (Fraction(1, 3), Fraction(1, 2))


# --- speed -----------------------------------------------------------------------------------------------------------


def test_a_table_follows_typing() -> None:
    """The longest network's table takes few milliseconds, so a form can work it out at every key."""
    block = "Conv2d(2*width, 3, padding=1)  # keeps the size\nBatchNorm2d()\nReLU()\nDropout(rate)\n"
    text = block * 8 + "AdaptiveAvgPool2d(1)\nFlatten()\nLinear(10)"
    seconds = []
    for _ in range(50):
        started = time.process_time()
        rows = infer_shapes(parse_lines(text), {"width": 8, "rate": 0.1})
        seconds.append(time.process_time() - started)

    assert len(rows) == 35
    assert statistics.median(seconds) < 0.005
