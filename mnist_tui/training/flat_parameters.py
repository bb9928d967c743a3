"""All weights of a network in one vector, their gradients in another: one call works on all of them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def flatten_parameters(weights: Sequence[nn.Parameter]) -> nn.Parameter:
    """Moves weights and their gradients into one vector (P,) of all P numbers, which it returns.

    From then on a weight is a view of the vector, and its gradient, at first 0, one of the vector's `grad`. The vector
    may be given, in their place, to an optimizer that treats each number alone, whose cost is by tensor.
    """
    first = weights[0].detach()
    vector = nn.Parameter(first.new_zeros(sum(weight.numel() for weight in weights)))
    vector.grad = torch.zeros_like(vector)
    values, gradients = parameter_views(vector.detach(), weights), parameter_views(vector.grad, weights)
    for weight, value, gradient in zip(weights, values, gradients, strict=True):
        weight.data = value.copy_(weight.detach())
        weight.grad = gradient
    return vector


def parameter_views(vector: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """Views of a vector (P,), one for each weight, in its shape and lying in memory as it does."""
    views, offset = [], 0
    for weight in weights:
        views.append(vector.as_strided(weight.shape, weight.stride(), offset))
        offset += weight.numel()
    return views
