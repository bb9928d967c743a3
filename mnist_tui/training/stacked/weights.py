"""The weights of S networks of the same layers, in two orders: network by network, and weight by weight.

Optimizer, clipping and checkpoints work on a row for each network; the layers of the stacked network need the S values
of each weight side by side, as the weight of a grouped convolution. One gather a step takes the weights to the second
order, and one takes the gradients back.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mnist_tui.training.flat_parameters import FlatParameters, parameter_views


class StackedWeights:
    """The weights (S, P) of S networks; each network's own weights and their vector become views of its row."""

    def __init__(self, networks: Sequence[FlatParameters], memory_format: torch.memory_format) -> None:
        self.memory_format = memory_format
        """That of the stacked weights of convolutions, and of images."""
        self.rows = torch.stack([network.vector.detach() for network in networks])
        """All weights (S, P)."""
        self.gradients = torch.zeros_like(self.rows)
        """Their gradients (S, P)."""
        for network, row, gradient in zip(networks, self.rows, self.gradients, strict=True):
            network.move(row, gradient)
        places = torch.arange(self.rows.numel(), device=self.rows.device).view_as(self.rows)
        weights = networks[0].weights
        views = zip(*(parameter_views(row, weights) for row in places), strict=True)
        # The number of each value among the rows, in the shape and memory layout of the stacked weight.
        self._templates = [_concatenate(values, memory_format) for values in views]
        self._order = torch.cat([_in_memory_order(template) for template in self._templates])
        self._places = torch.empty_like(self._order)
        self._places[self._order] = torch.arange(len(self._order), device=places.device)
        self._stacked = torch.empty_like(self.rows).view(-1)
        self._stacked_gradients = torch.zeros_like(self._stacked)
        self._parameters = self._make_parameters(weights)

    def parameter(self, weight: Tensor) -> nn.Parameter:
        """The stacked weight (S * K, ...) for a weight (K, ...) of the first network."""
        return self._parameters[weight]

    def gather(self) -> None:
        """Brings the stacked weights up to date with the rows, and sets their gradients to 0."""
        torch.index_select(self.rows.view(-1), 0, self._order, out=self._stacked)
        self._stacked_gradients.zero_()

    def gather_gradients(self) -> None:
        """Brings the rows of gradients up to date with the stacked gradients."""
        torch.index_select(self._stacked_gradients, 0, self._places, out=self.gradients.view(-1))

    def _make_parameters(self, weights: Sequence[Tensor]) -> dict[Tensor, nn.Parameter]:
        values, gradients = (
            parameter_views(whole, self._templates) for whole in (self._stacked, self._stacked_gradients)
        )
        parameters = {}
        for weight, value, gradient in zip(weights, values, gradients, strict=True):
            parameters[weight] = nn.Parameter(value)
            parameters[weight].grad = gradient
        return parameters


def _concatenate(values: Sequence[Tensor], memory_format: torch.memory_format) -> Tensor:
    """The values of S networks, each (K, ...), as (S * K, ...), images of weights in the given memory format."""
    joined = torch.cat(list(values))
    return joined.contiguous(memory_format=memory_format if joined.ndim == 4 else torch.contiguous_format)


def _in_memory_order(values: Tensor) -> Tensor:
    return values.as_strided((values.numel(),), (1,))
