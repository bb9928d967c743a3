"""All weights of a network as one vector and their gradients as another, so that one operator call covers them all."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class FlatGroup:
    """Weights that the optimizer has the same options for."""

    weights: tuple[nn.Parameter, ...]
    vector: nn.Parameter
    """The part of the whole vector that holds them."""


class FlatParameters:
    """All weights of a network, P numbers in total, as one vector (P,), group by group.

    Every weight is a view of the vector, and its gradient, initially 0, a view of the vector's `grad`. An elementwise
    optimizer may be given the vectors of the groups instead of the weights; it is faster, since its cost is per tensor.
    """

    def __init__(self, groups: Sequence[Sequence[nn.Parameter]]) -> None:
        self.weights = [weight for group in groups for weight in group]
        """In the order of the vector."""
        count = sum(weight.numel() for weight in self.weights)
        values = self.weights[0].detach().new_zeros(count)
        for weight, value in zip(self.weights, parameter_views(values, self.weights), strict=True):
            value.copy_(weight.detach())
        self.vector = nn.Parameter(values)
        """All weights (P,)."""
        vectors = [self.vector] if len(groups) == 1 else [nn.Parameter(values[:0]) for _ in groups]
        self.groups = [FlatGroup(tuple(group), vector) for group, vector in zip(groups, vectors, strict=True)]
        self.move(values, torch.zeros_like(values))

    def move(self, values: Tensor, gradients: Tensor) -> None:
        """Makes weights and gradients views of other tensors (P,), which hold the same numbers."""
        self.vector.data, self.vector.grad = values, gradients
        views = zip(
            self.weights, parameter_views(values, self.weights), parameter_views(gradients, self.weights), strict=True
        )
        for weight, value, gradient in views:
            weight.data, weight.grad = value, gradient
        if len(self.groups) > 1:
            counts = [sum(weight.numel() for weight in group.weights) for group in self.groups]
            for group, value, gradient in zip(self.groups, values.split(counts), gradients.split(counts), strict=True):
                group.vector.data, group.vector.grad = value, gradient


def parameter_views(vector: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """Views of a vector (P,), one for each weight, with its shape and strides."""
    views, offset = [], vector.storage_offset()
    for weight in weights:
        views.append(vector.as_strided(weight.shape, weight.stride(), offset))
        offset += weight.numel()
    return views
