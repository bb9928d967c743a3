"""All weights of a network as one vector and their gradients as another, so that one operator call covers them all."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def flatten_parameters(weights: Sequence[nn.Parameter]) -> nn.Parameter:
    """Moves weights of P numbers in total, and their gradients, into one vector (P,), and returns it.

    Afterwards every weight is a view of the vector, and its gradient, initially 0, a view of the vector's `grad`. An
    elementwise optimizer may be given the vector instead of the weights; it is faster, since its cost is per tensor.
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
    """Views of a vector (P,), one for each weight, with its shape and strides."""
    views, offset = [], vector.storage_offset()
    for weight in weights:
        views.append(vector.as_strided(weight.shape, weight.stride(), offset))
        offset += weight.numel()
    return views
