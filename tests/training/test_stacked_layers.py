"""The layers of several networks as the layers of one: outputs, gradients and statistics are those of each alone."""

import copy
import dataclasses

import pytest
import torch
from helpers.layer_cases import CASES as TORCH_CASES
from torch import Tensor, nn

from mnist_tui.spec.calls import parse, parse_lines
from mnist_tui.spec.layers import Shape
from mnist_tui.spec.network import infer_shapes
from mnist_tui.training import build
from mnist_tui.training.flat_parameters import FlatParameters
from mnist_tui.training.stacked import layers
from mnist_tui.training.stacked.layers import StackedNetwork
from mnist_tui.training.stacked.weights import StackedWeights

COUNT, BATCH = 3, 5

IMAGE = (4, 9, 7)
COMPOSITE_CASES = [
    ("Sequential(Conv2d(6, 3), BatchNorm2d(), ReLU())", IMAGE),
    ("Residual(Conv2d(4, 3, padding=1), BatchNorm2d(), shortcut=Conv2d(4, 1))", IMAGE),
    ("Parallel(Sequential(Conv2d(6, 1), Dropout(0.3)), Conv2d(2, 3, padding=1, groups=2), Identity())", IMAGE),
    ("SqueezeExcite(2)", IMAGE),
    ("Repeat(3, Conv2d(4, 3, padding=1), BatchNorm2d(), Repeat(2, Residual(Conv2d(4, 1))), Dropout(0.3))", IMAGE),
    ("Dropout(0.3)", (12,)),
    ("Dropout(1)", IMAGE),
    ("Dropout2d(0)", IMAGE),
]
CASES = [case for case in TORCH_CASES if not case[0].startswith(("AlphaDropout", "FeatureAlpha", "RReLU"))]
IN_BOTH_LAYOUTS = [
    (text, shape, layout)
    for text, shape in [*CASES, *COMPOSITE_CASES]
    for layout in (torch.channels_last, torch.contiguous_format)
    if layout == torch.channels_last or "Dropout" not in text  # Masks are drawn in the order of memory.
]


def make_networks(text: str, shape: Shape) -> list[nn.Sequential]:
    """The layer with different weights in each network, in float64; and a weight that it does not use."""
    row = dataclasses.replace(infer_shapes(parse_lines("Identity()"), {}, IMAGE)[0], output_shape=shape)
    networks = []
    for seed in range(COUNT):
        torch.manual_seed(seed)
        network = nn.Sequential(build._make_module(row, parse(text))).double().to(memory_format=torch.channels_last)
        for weight in network.parameters():
            nn.init.uniform_(weight, 0.2, 1)
        network.register_parameter("unused", nn.Parameter(torch.zeros(1, dtype=torch.float64)))
        networks.append(network.train())
    return networks


def make_inputs(shape: Shape) -> Tensor:
    """The inputs of each network, (S, N, ...)."""
    return torch.rand(COUNT, BATCH, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(9)) + 0.1


def apply_alone(network: nn.Module, inputs: Tensor, seed: int) -> list[Tensor]:
    """Output, gradients of all weights and running statistics of a network, whose dropout draws from the seed."""
    if inputs.ndim == 4:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    torch.manual_seed(seed)
    output = network(inputs)
    (output.pow(3).sum() + sum(weight.sum() * 0 for weight in network.parameters())).backward()
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    return [output.detach().flatten(1), *gradients, *network.buffers()]


def apply_stacked(
    networks: list[nn.Sequential], inputs: Tensor, memory_format: torch.memory_format
) -> list[list[Tensor]]:
    """The same of every network, by the stacked one."""
    flat = [FlatParameters([list(network.parameters())]) for network in networks]
    weights = StackedWeights(flat, memory_format)
    generators = [torch.Generator().manual_seed(seed) for seed in range(COUNT)]
    stacked = StackedNetwork(networks, weights, generators).layers
    weights.gather()
    features = inputs.transpose(0, 1).flatten(1, 2)
    if features.ndim == 4:
        features = features.contiguous(memory_format=memory_format)
    outputs = stacked(features).unflatten(1, (COUNT, -1))
    if outputs.requires_grad:
        outputs.pow(3).sum().backward()
    weights.gather_gradients()
    gradients = [[weight.grad for weight in network.parameters() if weight.grad is not None] for network in networks]
    return [
        [outputs[:, index].detach().flatten(1), *gradients[index], *network.buffers()]
        for index, network in enumerate(networks)
    ]


@pytest.mark.parametrize(("text", "shape", "memory_format"), IN_BOTH_LAYOUTS)
def test_each_network_computes_what_it_does_alone(text: str, shape: Shape, memory_format: torch.memory_format) -> None:
    """For every layer type, in both memory layouts."""
    networks, inputs = make_networks(text, shape), make_inputs(shape)
    alone = [apply_alone(copy.deepcopy(network), inputs[seed], seed) for seed, network in enumerate(networks)]

    stacked = apply_stacked(networks, inputs, memory_format)

    for ours, theirs in zip(stacked, alone, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_every_composite_layer_is_compared() -> None:
    """One that joins channels would give other numbers, unless it has a stacked module of its own."""
    assert {parse(text).name for text, _ in COMPOSITE_CASES} >= set(build.COMPOSITE_MODULES)


def test_a_gradient_of_another_network_is_seen() -> None:
    """Negative control: the comparison tells the networks apart."""
    networks, inputs = make_networks("Conv2d(8, 3)", IMAGE), make_inputs(IMAGE)
    alone = apply_alone(copy.deepcopy(networks[0]), inputs[0], 0)

    stacked = apply_stacked(networks, inputs, torch.channels_last)

    assert not torch.allclose(stacked[1][0], alone[0])
    assert not torch.allclose(stacked[1][2], alone[2])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AlphaDropout(0.2)", "AlphaDropout draws"),
        ("RReLU()", "RReLU draws"),
        ("Sequential(Conv2d(4, 1), FeatureAlphaDropout(0.2))", "FeatureAlphaDropout draws"),
        ("BatchNorm2d(momentum=None)", "momentum=None"),
    ],
)
def test_layers_that_are_not_stacked(text: str, words: str) -> None:
    """Random layers of other kinds than dropout, and norms that read a count from the device, say so."""
    assert words in str(layers.why_not(make_networks(text, IMAGE)[0]))


def test_layers_that_are_stacked() -> None:
    """A norm without running statistics has no count to read."""
    assert layers.why_not(make_networks("BatchNorm2d(momentum=None, track_running_stats=False)", IMAGE)[0]) is None
    assert layers.why_not(make_networks("Dropout(0.5)", IMAGE)[0]) is None
