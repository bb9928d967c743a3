"""The modules of layers that are made of layers: (N, C, H, W) or (N, C) float in, the same kind of tensor out.

Each holds its layers in parts, which are `nn.Sequential` or `nn.ModuleList`, in the order of the layer table: so others
find them, as in `activations.py`, without a case for each composite layer.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


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


class SqueezeExcite(nn.Module):
    """The input times a factor in 0..1 for each image and channel (Hu et al. 2018, arXiv:1709.01507)."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate
        """Images (N, C, H, W) to factors (N, C, 1, 1)."""

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to images of the same shape."""
        return images * self.gate(images)  # type: ignore[no-any-return]  # nn.Module is untyped
