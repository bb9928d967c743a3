"""All weights in one vector: the same numbers, seen from both sides."""

import torch
from torch import nn

from mnist_tui.training import flat_parameters


def a_network() -> nn.Sequential:
    """Two convolutions, whose weights lie in channels_last, and a linear layer."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 2), nn.Flatten(), nn.Linear(4, 2)).to(
        memory_format=torch.channels_last
    )


def test_weights_and_gradients_are_views_of_it() -> None:
    """Nothing changes but where they lie; a step on the vector is a step on every weight."""
    plain, model = a_network(), a_network()
    whole = flat_parameters.FlatParameters([list(model.parameters())]).vector
    for network in (plain, model):
        network(torch.ones(5, 1, 4, 4)).square().sum().backward()
    assert whole.grad is not None
    with torch.no_grad():
        whole.sub_(whole.grad, alpha=0.1)

    assert whole.shape == (sum(weight.numel() for weight in plain.parameters()),)
    for weight, other in zip(plain.parameters(), model.parameters(), strict=True):
        assert weight.grad is not None
        assert other.grad is not None
        assert weight.stride() == other.stride()
        assert torch.equal(weight.grad, other.grad)
        torch.testing.assert_close(other, weight - 0.1 * weight.grad)


def test_every_number_has_one_place() -> None:
    """The parts cover the vector, and no two of them meet."""
    weights = list(a_network().parameters())
    whole = torch.zeros(sum(weight.numel() for weight in weights))
    for part in flat_parameters.parameter_views(whole, weights):
        part += 1

    assert torch.equal(whole, torch.ones_like(whole))


def test_a_step_on_the_vectors_of_two_groups_is_a_step_on_every_weight() -> None:
    """Each group has its own part of the vector, also after a move to other tensors."""
    plain, model = a_network(), a_network()
    weights = list(model.parameters())
    flat = flat_parameters.FlatParameters([weights[::2], weights[1::2]])
    assert flat.vector.grad is not None
    flat.move(flat.vector.detach().clone(), flat.vector.grad.clone())
    for network in (plain, model):
        network(torch.ones(5, 1, 4, 4)).square().sum().backward()
    with torch.no_grad():
        for group, rate in zip(flat.groups, (0.1, 0.2), strict=True):
            assert group.vector.grad is not None
            group.vector.sub_(group.vector.grad, alpha=rate)

    assert [len(group.weights) for group in flat.groups] == [3, 3]
    assert torch.equal(torch.cat([group.vector for group in flat.groups]), flat.vector)
    for index, (weight, other) in enumerate(zip(plain.parameters(), model.parameters(), strict=True)):
        assert weight.grad is not None
        torch.testing.assert_close(other, weight - (0.2 if index % 2 else 0.1) * weight.grad)
