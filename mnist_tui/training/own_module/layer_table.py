"""The layers of a module as a forward pass meets them, as torchsummary lists them: by hooks."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

IMAGES = 2
"""Images in the pass: with one, a layer that mixes images would look like any other."""


@dataclass(frozen=True)
class ModuleRow:
    """One call of a module that has no modules in it."""

    name: str
    """Where it is in the network, such as `features.0`."""
    type: str
    arguments: str
    """As the module prints them."""
    output_shape: tuple[int, ...]
    """Without the batch."""
    parameters: int
    """0 where it was called before, since it has the same parameters then."""


@dataclass
class ForwardPass:
    """What happened in a forward pass."""

    rows: list[ModuleRow] = field(default_factory=list)
    calls: list[tuple[nn.Module, Any, Any]] = field(default_factory=list)
    """Every module without modules in it that was called, with its input and output."""
    images: Tensor | None = None
    output: Any = None


def run_once(network: nn.Module, shape: tuple[int, ...]) -> ForwardPass:
    """A forward pass of blank images of a shape (channels, height, width), in evaluation mode."""
    forward = ForwardPass(images=torch.zeros(IMAGES, *shape))
    names = {module: name for name, module in network.named_modules()}
    counted: set[nn.Parameter] = set()

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        new = set(module.parameters()) - counted
        counted.update(new)
        size = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
        row = ModuleRow(
            names[module], type(module).__name__, module.extra_repr(), size, sum(each.numel() for each in new)
        )
        forward.rows.append(row)
        forward.calls.append((module, inputs[0] if len(inputs) == 1 else inputs, output))

    leaves = [module for module in network.modules() if not any(module.children())]
    handles = [module.register_forward_hook(note) for module in leaves]
    try:
        with torch.no_grad():
            forward.output = network(forward.images)
    finally:
        for handle in handles:
            handle.remove()
    return forward


def uncalled_parameters(network: nn.Module, forward: ForwardPass) -> dict[str, int]:
    """The parameters of the modules that have some and were not called in a pass, by their names."""
    called = {id(module) for module, _, _ in forward.calls}
    leaves = [(name, module) for name, module in network.named_modules() if not any(module.children())]
    counts = {
        name: sum(each.numel() for each in module.parameters()) for name, module in leaves if id(module) not in called
    }
    return {name: count for name, count in counts.items() if count}
