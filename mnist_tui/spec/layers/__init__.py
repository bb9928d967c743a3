"""The layers that a network may have: rules for their shapes and cost, without torch.

`registry.py` has the table of all layer types, `argument_types.py` what an argument may be. The rules stand by family
in `convolution.py`, `pooling.py`, `normalization.py`, `activation.py`, `dropout.py`, `reshaping.py` and, for layers
that are made of layers, `composite.py`. `signatures.py` checks the arguments of a call, `rows.py` makes its rows.

The rules are arithmetic and can follow typing; a property test holds each of torch.nn's against the real module and
`torch.utils.flop_counter`.
"""

from mnist_tui.spec.layers import activation, composite, convolution, dropout, normalization, pooling, reshaping
from mnist_tui.spec.layers.registry import COMPOSITE_LAYERS, INPUT, LAYER_TYPES, LayerInfo, LayerRow, Shape, image_row
from mnist_tui.spec.layers.rows import layer_rows
from mnist_tui.spec.layers.signatures import arguments, describe_layers, layer_signature, takes_layers

_FAMILIES = (activation, composite, convolution, dropout, normalization, pooling, reshaping)
"""Imported for their rules, which register themselves."""

__all__ = [
    "COMPOSITE_LAYERS",
    "INPUT",
    "LAYER_TYPES",
    "LayerInfo",
    "LayerRow",
    "Shape",
    "arguments",
    "describe_layers",
    "image_row",
    "layer_rows",
    "layer_signature",
    "takes_layers",
]
