"""`Repeat`: layers that are applied several times share their weights, in training and after they were loaded."""

import copy

import pytest
import torch
from torch import nn

from mnist_tui.spec.run_spec import make_spec
from mnist_tui.training import build
from mnist_tui.training.composite_modules import Repeat

SPEC = make_spec(
    {
        "layers": """
            Conv2d(4, 3)
            Repeat(2, Conv2d(4, 3), BatchNorm2d(), Repeat(2, Conv2d(4, 1, bias=False)))
            Flatten()
            Linear(10)
        """
    }
)
NAMES = ["1.0.weight", "1.0.bias", "1.1.weight", "1.1.bias", "1.2.0.weight", "1.4.weight", "1.4.bias"]
"""The weights of its `Repeat`: two convolutions once, and two norms."""


def network(seed: int = 0) -> nn.Sequential:
    """The network, with other weights for another seed."""
    torch.manual_seed(seed)
    return build.network(SPEC).eval()


def logits(model: nn.Module) -> torch.Tensor:
    """Of two images that are always the same."""
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(images)  # type: ignore[no-any-return]  # nn.Module is untyped


def repeat_of(model: nn.Sequential) -> Repeat:
    """Its `Repeat`."""
    repeat = model[1]
    assert isinstance(repeat, Repeat)
    return repeat


def test_each_weight_is_there_once() -> None:
    """Among the parameters and in the state; as many numbers as the layer table says."""
    model = network()
    weights = [name for name, _ in model.named_parameters() if name.startswith("1.")]
    state = [name for name in model.state_dict() if name.startswith("1.") and "running" not in name]

    assert weights == NAMES
    assert [name for name in state if "batches" not in name] == NAMES
    assert sum(weight.numel() for weight in model.parameters()) == SPEC.parameters


def test_gradients_are_those_of_all_times() -> None:
    """The gradient of a shared weight is the sum of the gradients that weights of their own would have."""
    model = network()
    apart = copy.deepcopy(model)
    for module in repeat_of(apart).modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            module._parameters = {**module._parameters, name: nn.Parameter(weight.detach().clone())}
    for each in (model, apart):
        each(torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))).square().sum().backward()
    first, second = (repeat_of(apart)[place].weight.grad for place in (0, 3))
    shared = repeat_of(model)[0].weight.grad

    assert isinstance(shared, torch.Tensor)
    torch.testing.assert_close(shared, first + second)  # type: ignore[operator]  # nn.Module is untyped
    assert not torch.allclose(shared, first)  # type: ignore[arg-type]


@pytest.mark.parametrize("assign", [True, False])
def test_loaded_weights_are_shared(assign: bool) -> None:
    """Also where new tensors take the place of the weights, as they do for a saved run; and in a deep copy."""
    model, other = network(0), network(1)
    before = logits(other)
    other.load_state_dict(model.state_dict(), assign=assign)
    copied = copy.deepcopy(other)
    for each in (other, copied):
        assert len(list(each.parameters())) == len(list(model.parameters()))
        assert torch.equal(logits(each), logits(model))
    with torch.no_grad():
        repeat_of(copied)[0].weight.zero_()  # type: ignore[operator]

    assert not torch.equal(before, logits(other))
    assert not repeat_of(copied)[3].weight.any()  # type: ignore[operator]
    assert torch.equal(logits(other), logits(model))


def test_a_state_that_lacks_a_weight_is_refused() -> None:
    """And names it, once for each place where it is used."""
    state = network().state_dict()
    del state["1.0.weight"]

    with pytest.raises(RuntimeError, match=r'Missing key.*"1\.0\.weight", "1\.3\.weight"'):
        network().load_state_dict(state)
