"""The modules of layers that are made of layers: (N, C, H, W) or (N, C) float in, the same kind of tensor out.

Each holds its layers in parts, which are `nn.Sequential` or `nn.ModuleList`, in the order of the layer table: so others
find them, as in `activations.py`, without a case for each composite layer.
"""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from mnist_tui.spec.layers.composite import NORMS


class Residual(nn.Module):
    """The sum of a body's output and its input, or its input's shortcut (He et al. 2015, arXiv:1512.03385)."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, images: Tensor) -> Tensor:
        """The sum; both branches end in the same shape."""
        return self.body(images) + self.shortcut(images)  # type: ignore[no-any-return]  # nn.Module is untyped


class Parallel(nn.Module):
    """Branches on the same input, their outputs concatenated along the channels."""

    def __init__(self, branches: Iterable[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, images: Tensor) -> Tensor:
        """The outputs in the order of the branches; all have the same height and width."""
        return torch.cat([branch(images) for branch in self.branches], dim=1)


class Repeat(nn.Sequential):
    """The modules of a sequence several times, all but the norms with the same weights each time.

    `state_dict` has each weight once, under the name of the module that comes first.
    """

    def __init__(self, times: int, layers: nn.Sequential) -> None:
        super().__init__(*layers, *(module for _ in range(times - 1) for module in _with_same_weights(layers)))
        self.register_state_dict_post_hook(_leave_out_repeated)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_fill_in_repeated)  # type: ignore[no-untyped-call]


def _with_same_weights(layers: nn.Sequential) -> nn.Sequential:
    """A copy whose modules, but for norms, have the weights of the original, also after these have been replaced."""
    again = copy.deepcopy(layers)
    for module, original in zip(again.modules(), layers.modules(), strict=True):
        if type(module).__name__ not in NORMS:
            module._parameters = original._parameters
    return again


def _repeated(repeat: nn.Module, prefix: str) -> dict[str, str]:
    """The name of each weight that is there a second time, and that under which it came first."""
    first: dict[nn.Parameter, str] = {}
    names = {name: first.setdefault(weight, name) for name, weight in repeat.named_parameters(remove_duplicate=False)}
    return {prefix + name: prefix + original for name, original in names.items() if name != original}


def _leave_out_repeated(repeat: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    for name in _repeated(repeat, prefix):
        state.pop(name, None)


def _fill_in_repeated(repeat: nn.Module, state: dict[str, Any], prefix: str, *_others: Any) -> None:
    for name, original in _repeated(repeat, prefix).items():
        if original in state:
            state[name] = state[original]


class SqueezeExcite(nn.Module):
    """The input times a factor in 0..1 for each image and channel (Hu et al. 2018, arXiv:1709.01507)."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate
        """Images (N, C, H, W) to factors (N, C, 1, 1)."""

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to images of the same shape."""
        return images * self.gate(images)  # type: ignore[no-any-return]  # nn.Module is untyped
