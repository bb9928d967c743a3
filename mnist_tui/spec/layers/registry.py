"""All layer types by name, and what a layer type says of a layer.

A rule is a function with the name and the arguments of the layer, as they are written in a network. For a layer of
torch.nn its first parameter is the input shape, and it returns a `LayerInfo`; for a composite layer, which is made of
layers, its first parameter is the row before the layer, and it returns rows (`composite.py`).

Shapes leave the batch out: `(channels, height, width)` or, after `Flatten`, `(features,)`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from mnist_tui.datasets.record import GREY_28

Shape = tuple[int, ...]

INPUT: Shape = GREY_28
"""The shape of an image where no data set is named."""


@dataclass(frozen=True)
class LayerInfo:
    """Output shape, cost and window of one layer of torch.nn."""

    shape: Shape
    """Of the output."""
    parameters: int = 0
    multiply_adds: int = 0
    """Per image, as `torch.utils.flop_counter` counts them."""
    kernel: tuple[int, int] = (1, 1)
    """Rows and columns of the input that one output unit depends on, with dilation; (0, 0) for all of them."""
    stride: tuple[Fraction | int, Fraction | int] = (1, 1)
    """Input pixels between neighbouring output units, down and across; below 1 where the layer enlarges the image."""


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
    """Rows and columns of units that a layer which depends on its whole input, such as `Linear`, would see."""
    depth: int = 0
    """How many composite layers the layer is in."""
    is_group: bool = False
    """Whether the layer computes nothing itself: its output is that of the row above (`Sequential`)."""

    @property
    def activations(self) -> int:
        """Numbers in the output, per image; 0 for a group, whose output is counted in the row above."""
        return 0 if self.is_group else math.prod(self.output_shape)


def image_row(shape: Shape = INPUT) -> LayerRow:
    """The image itself, as the row before the first layer."""
    return LayerRow(0, "Input", "", shape, 0, 0, (1, 1), (Fraction(1), Fraction(1)), (shape[-2], shape[-1]))


TorchRule = Callable[..., LayerInfo]
CompositeRule = Callable[..., list[LayerRow]]

TORCH_LAYERS: dict[str, TorchRule] = {}
"""The rules of the layers of torch.nn, by name."""

COMPOSITE_LAYERS: dict[str, CompositeRule] = {}
"""The rules of the layers that are made of layers, by name."""

LAYER_TYPES: dict[str, TorchRule | CompositeRule] = {}
"""The rules of all layers, by name: both tables above in one."""


def layer_type(rule: TorchRule) -> TorchRule:
    """Registers the rule of a layer of torch.nn under the rule's name."""
    register(rule, rule.__name__)
    return rule


def register(rule: TorchRule, *names: str) -> None:
    """Registers a rule for layers of torch.nn that differ in nothing that a rule tells, such as `ReLU` and `SELU`."""
    for name in names:
        TORCH_LAYERS[name] = LAYER_TYPES[name] = rule


def composite_type(rule: CompositeRule) -> CompositeRule:
    """Registers the rule of a composite layer under the rule's name; `training/build.py` has its module."""
    COMPOSITE_LAYERS[rule.__name__] = LAYER_TYPES[rule.__name__] = rule
    return rule
