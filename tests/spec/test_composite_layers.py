"""Layers made of layers: their rows, held against modules written by hand in PyTorch, and what they refuse."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.ops import SqueezeExcitation

from mnist_tui.errors import LayerError
from mnist_tui.spec import summary
from mnist_tui.spec.calls import parse, parse_lines
from mnist_tui.spec.layer_diff import layer_changes
from mnist_tui.spec.layers import COMPOSITE_LAYERS, INPUT, LAYER_TYPES, LayerRow, describe_layers, takes_layers
from mnist_tui.spec.layers.rows import MAX_ACTIVATIONS
from mnist_tui.spec.network import Knobs, infer_shapes
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.training import build

HEAD = "AdaptiveAvgPool2d(1)\nFlatten()\nLinear(10)"


class Combined(nn.Module):
    """Modules on one input, and a function of it and their outputs."""

    def __init__(self, function: Callable[..., Tensor], *modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.inner = nn.ModuleList(modules)

    def forward(self, images: Tensor) -> Tensor:
        return self.function(images, *(module(images) for module in self.inner))


@dataclass(frozen=True)
class Case:
    """A layer, and a module with parameters in the same order that computes the same."""

    text: str
    reference: Callable[[], nn.Module]
    channels: int = 8
    """Of the input, 12x12 pixels."""


CASES = [
    Case(
        "Sequential(Conv2d(4, 3), ReLU, MaxPool2d(2))",
        lambda: nn.Sequential(nn.Conv2d(8, 4, 3), nn.ReLU(), nn.MaxPool2d(2)),
    ),
    Case(
        "Residual(Conv2d(8, 3, padding=1), ReLU)",
        lambda: Combined(torch.add, nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())),
    ),
    Case(
        "Residual(Conv2d(4, 3, stride=2, padding=1), shortcut=Sequential(Conv2d(4, 1), AvgPool2d(2)))",
        lambda: Combined(
            lambda _, body, shortcut: body + shortcut,
            nn.Conv2d(8, 4, 3, stride=2, padding=1),
            nn.Sequential(nn.Conv2d(8, 4, 1), nn.AvgPool2d(2)),
        ),
    ),
    Case(
        "Parallel(Sequential(Conv2d(6, 1), ReLU), Conv2d(5, 3, padding=1), Identity)",
        lambda: Combined(
            lambda images, first, second: torch.cat([first, second, images], 1),
            nn.Sequential(nn.Conv2d(8, 6, 1), nn.ReLU()),
            nn.Conv2d(8, 5, 3, padding=1),
        ),
    ),
    Case(
        "Repeat(2, Conv2d(8, 3), BatchNorm2d, ReLU, MaxPool2d(2))",
        lambda: repeated(
            lambda convolution: [convolution, nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)], nn.Conv2d(8, 8, 3)
        ),
    ),
    Case("SqueezeExcite(2)", lambda: SqueezeExcitation(8, 4)),
    Case("SqueezeExcite(16)", lambda: SqueezeExcitation(12, 1), channels=12),
]


def repeated(layers: Callable[[nn.Conv2d], list[nn.Module]], convolution: nn.Conv2d) -> nn.Module:
    """Layers twice around one convolution."""
    return nn.Sequential(*layers(convolution), *layers(convolution))


def table(text: str, knobs: Knobs | None = None, channels: int | None = None) -> tuple[LayerRow, ...]:
    """The rows of layers on an image of the data set, or on 12x12 pixels of `channels` channels."""
    shape = (channels, 12, 12) if channels else INPUT
    return infer_shapes(parse_lines(text), knobs or {}, shape)


def built(case: Case) -> nn.Module:
    """The module that a run would train, of the layer alone."""
    network = make_spec({"layers": f"Conv2d({case.channels}, 17)\n{case.text}\n{HEAD}"})
    module = build.network(network)[1]
    assert isinstance(module, nn.Module)
    return module


def test_every_composite_layer_has_a_rule_a_module_and_a_case() -> None:
    """Every composite layer has a rule, a module and a case here."""
    assert set(COMPOSITE_LAYERS) == set(build.COMPOSITE_MODULES) == {parse(case.text).name for case in CASES}
    assert set(LAYER_TYPES) >= set(COMPOSITE_LAYERS)
    assert {line.partition("(")[0] for line in describe_layers()} == set(LAYER_TYPES)
    assert [name for name in LAYER_TYPES if takes_layers(name)] == ["Sequential", "Residual", "Parallel", "Repeat"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text)
def test_rows_are_those_of_the_reference(case: Case) -> None:
    """Output shape, parameters and multiply-adds equal those of the module written by hand, counted by PyTorch."""
    rows = table(case.text, channels=case.channels)
    reference = case.reference().eval()
    images = torch.rand(2, case.channels, 12, 12)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = reference(images)

    assert rows[-1].type == parse(case.text).name
    assert rows[-1].output_shape == tuple(output.shape[1:])
    assert (rows[-1].parameters, rows[-1].multiply_adds, rows[-1].depth) == (0, 0, 0)
    assert all(row.depth > 0 for row in rows[:-1])
    assert sum(row.parameters for row in rows) == sum(weight.numel() for weight in reference.parameters())
    assert sum(row.multiply_adds for row in rows) == counter.get_total_flops() // 2 // len(images)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text)
def test_modules_compute_what_the_reference_does(case: Case) -> None:
    """With the same weights, the same output."""
    module, reference = built(case), case.reference()
    images = torch.rand(2, case.channels, 12, 12)
    weights, others = list(module.parameters()), list(reference.parameters())
    with torch.no_grad():
        for weight, other in zip(weights, others, strict=True):
            other.copy_(weight)

        torch.testing.assert_close(module(images), reference(images))


# --- rows ------------------------------------------------------------------------------------------------------------


def test_branches_stand_before_the_layer_that_joins_them() -> None:
    """A branch of several layers is a `Sequential`, one level deeper than the branch; it computes nothing itself."""
    rows = table(
        "Parallel(Sequential(Conv2d(8, 1), ReLU), Conv2d(8, 3, padding=1))\nSqueezeExcite(ratio)", {"ratio": 4}
    )

    assert [(row.type, row.arguments, row.depth) for row in rows] == [
        ("Conv2d", "8, 1", 2),
        ("ReLU", "", 2),
        ("Sequential", "", 1),
        ("Conv2d", "8, 3, padding=1", 1),
        ("Parallel", "", 0),
        ("AdaptiveAvgPool2d", "1", 1),
        ("Conv2d", "4, 1", 1),
        ("ReLU", "", 1),
        ("Conv2d", "16, 1", 1),
        ("Sigmoid", "", 1),
        ("SqueezeExcite", "4", 0),
    ]
    assert [row.index for row in rows] == list(range(1, 12))
    assert [row.activations for row in rows[1:5]] == [8 * 784, 0, 8 * 784, 16 * 784]


def test_the_widest_branch_is_the_receptive_field() -> None:
    """On each axis the widest branch is the receptive field; the jump is that of the branches."""
    row = table("Parallel(Conv2d(1, (5, 1), stride=2, padding=(2, 0)), Conv2d(1, (1, 3), stride=2, padding=(0, 1)))")[
        -1
    ]

    assert (row.receptive_field, row.jump) == ((5, 3), (Fraction(2), Fraction(2)))


def test_squeeze_and_excitation_depends_on_the_whole_image() -> None:
    """Each output pixel is multiplied by a factor that every pixel has a part in; the layers behind keep their size."""
    rows = table("Conv2d(4, 3)\nSqueezeExcite(2)\nConv2d(4, 3)")

    assert [row.receptive_field for row in rows if row.depth == 0] == [(3, 3), (28, 28), (30, 30)]
    assert (rows[-1].jump, rows[-1].output_shape) == ((Fraction(1), Fraction(1)), (4, 24, 24))


def test_what_is_repeated_has_a_row_each_time() -> None:
    """Weights are counted once, those of norms each time; the receptive field grows each time."""
    rows = table("Conv2d(4, 3)\nRepeat(n, Conv2d(4, 3), PReLU(4), GroupNorm(2), MaxPool2d(2))", {"n": 2})

    assert [(row.type, row.parameters, row.receptive_field[0], row.depth) for row in rows] == [
        ("Conv2d", 40, 3, 0),
        *[("Conv2d", 148, 5, 1), ("PReLU", 4, 5, 1), ("GroupNorm", 8, 5, 1), ("MaxPool2d", 0, 6, 1)],
        *[("Conv2d", 0, 10, 1), ("PReLU", 0, 10, 1), ("GroupNorm", 8, 10, 1), ("MaxPool2d", 0, 12, 1)],
        ("Repeat", 0, 12, 0),
    ]
    assert (rows[-1].arguments, rows[-1].activations) == ("2", 0)
    assert table("Repeat(1, ReLU)")[-1].output_shape == INPUT


def test_flat_branches_are_concatenated_too() -> None:
    """After Flatten(), `Parallel` concatenates features."""
    assert table("Flatten()\nParallel(Linear(4), Sequential(Linear(3), Tanh))")[-1].output_shape == (7,)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("Parallel(Conv2d(8, 3), Conv2d(8, 1))", "end in [8, 26, 26], [8, 28, 28]; give all the same height", 2),
        ("Parallel(Conv2d(8, 3), Flatten)", "the branches end in", 2),
        ("Parallel()", "branches must be one layer or more", 2),
        ("Parallel(ReLU, 3)", "branches must all be layers, such as ReLU, but one is '3'", 2),
        ("Parallel(\n    ReLU,\n    Relu,\n)", "no layer and no knob 'Relu'; did you mean 'ReLU'?", 2),
        ("Parallel(\n    ReLU,\n    Conv2d(8, 0),\n)", "kernel_size=0", 4),
        ("Parallel(ReLU, shortcut=ReLU)", "Parallel has no argument 'shortcut'", 2),
        ("Parallell(ReLU)", "did you mean 'Parallel'?", 2),
        ("Sequential()", "one layer or more", 2),
        ("Sequential(Flatten, Conv2d(8, 3))", "Conv2d: needs an image", 2),
        ("Repeat()", "missing a required argument: 'times'", 2),
        ("Repeat(2)", "Repeat: layers must be one layer or more", 2),
        ("Repeat(0, ReLU)", "Repeat: times must be a whole number of at least 1", 2),
        ("Repeat(ReLU, ReLU)", "Repeat: times must be a whole number of at least 1", 2),
        ("Repeat(2, Conv2d(4, 3))", "[1, 28, 28] into [4, 26, 26], for which their weights do not fit a second", 2),
        ("Repeat(20, MaxPool2d(2))", "MaxPool2d", 2),
        ("Repeat(2, Flatten, Linear(5))", "[1, 28, 28] into [5], for which their weights do not fit a second", 2),
        ("Repeat(1_000_000_000, ReLU, ReLU)", "Repeat: these are more than 1,000 layers", 2),
        ("Repeat(1_000, Repeat(1_000, Repeat(1_000, ReLU)))", "Repeat: these are more than 1,000 layers", 2),
        ("SqueezeExcite()", "missing a required argument: 'ratio'", 2),
        ("SqueezeExcite(0)", "ratio=0 must be a whole number of at least 1", 2),
        ("SqueezeExcite(ratoi)", "no layer and no knob 'ratoi'; did you mean 'ratio'?", 2),
        ("SqueezeExcite(ReLU)", "SqueezeExcite: ratio must be a whole number", 2),
        ("Flatten()\nSqueezeExcite(2)", "SqueezeExcite: needs an image", 3),
        ("Conv2d(20_000, 28)\nSqueezeExcite(1)", "brings the network to 400,020,000 parameters", 3),
    ],
)  # fmt: skip
def test_what_cannot_be_is_explained_with_its_line(text: str, words: str, line: int) -> None:
    """The line is that of the wrong layer, or of the layer that it is in."""
    with pytest.raises(LayerError) as caught:
        table(f"Identity\n{text}", {"ratio": 2})

    assert words in str(caught.value)
    assert caught.value.line == line


def test_limits_count_every_branch() -> None:
    """Limits on a network count all branches, before anything is allocated."""
    branch = f"ZeroPad2d({(MAX_ACTIVATIONS // 2) ** 0.5 // 2:.0f})"

    assert table(f"Sequential({branch})")[-1].activations == 0
    with pytest.raises(LayerError, match="activations per image"):
        table(f"Parallel({branch}, {branch})")


# --- the table, as text and beside another ---------------------------------------------------------------------------


def test_the_table_indents_by_depth_and_torchsummary_leaves_groups_out() -> None:
    """Torchsummary has no row for `nn.Sequential`; both have the same sums."""
    spec = make_spec({"layers": f"Parallel(Sequential(Conv2d(4, 1), ReLU), Identity)\nSqueezeExcite(2)\n{HEAD}"})
    lines = summary.table(spec).splitlines()
    torchsummary = summary.torchsummary(spec)

    assert [line[3:].split()[0] for line in lines if "    Conv2d(4, 1)" in line or "  Sequential" in line] == [
        "Conv2d(4,", "Sequential"
    ]  # fmt: skip
    assert "Sequential" not in torchsummary
    assert "Parallel-5" in torchsummary
    assert f"Total params: {spec.parameters:,}" in torchsummary
    assert summary.totals(spec.rows).forward_backward_mb == sum(
        8 * row.activations for row in spec.rows if row.type != "Sequential"
    ) / 2**20  # fmt: skip


def test_the_head_is_looked_for_outside_of_composite_layers() -> None:
    """The 1x1 maps inside of `SqueezeExcite` are no head."""
    layers = f"Conv2d(4, 3)\nSqueezeExcite(2)\nConv2d(4, 3)\nSequential({', '.join(HEAD.splitlines())})"
    sentence = summary.receptive_field_sentence(table(layers))

    assert "after layer 8 (Conv2d)" in sentence
    assert "the whole of the 28 px image" in sentence


def test_changes_of_branches_are_found() -> None:
    """A layer in a branch has its counterpart in the other design."""
    old = table("Parallel(Conv2d(4, 1), Conv2d(4, 3, padding=1))\nSqueezeExcite(2)")
    new = table("Parallel(Conv2d(4, 1), Conv2d(6, 3, padding=1))\nSqueezeExcite(2)")
    changes = [change for change in layer_changes(old, new) if change.kind != "same"]

    assert ("Conv2d", "6, 3, padding=1", 20) in [
        (change.row.type, change.row.arguments, change.parameters) for change in changes if change.row
    ]
    assert sum(change.parameters for change in changes) == sum(row.parameters for row in new) - sum(
        row.parameters for row in old
    )
