"""The fused network equals the original: outputs, gradients and statistics are as accurate as PyTorch's own."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.training import build
from mnist_tui.training.fusion import ConvBatchNorm, FlatLinear, fuse_layers

PRESETS = presets.builtin_names()

CASES = {
    "windows that overlap, or reach over the edge": """
        Conv2d(4, 3)
        ReLU
        MaxPool2d(3, stride=2, padding=1)
        Conv2d(4, 3)
        ReLU
        MaxPool2d(2, ceil_mode=True)
        Flatten()
        Linear(10)
    """,
    "the same after a norm, on rows": """
        Conv2d(4, 3, padding=1)
        BatchNorm2d(momentum=0.3)
        MaxPool2d((3, 2), stride=(2, 1), padding=1, dilation=(1, 2), ceil_mode=True)
        Conv2d(20, 3, padding=2, padding_mode="circular")
        BatchNorm2d(eps=0.01)
        ReLU
        Flatten()
        Linear(10)
    """,
    "composite layers, before and behind what is fused": """
        Conv2d(4, 3)
        BatchNorm2d
        Residual(Conv2d(4, 3, padding=1), BatchNorm2d, ReLU)
        MaxPool2d(2)
        Parallel(Sequential(Conv2d(4, 1), BatchNorm2d, ReLU), Conv2d(2, 3, padding=1), Identity)
        SqueezeExcite(2)
        Repeat(2, Conv2d(10, 3, padding=1), BatchNorm2d, ReLU, Residual(Conv2d(10, 1), BatchNorm2d))
        Conv2d(6, 3)
        BatchNorm2d
        ReLU
        MaxPool2d(2)
        Flatten()
        Linear(10)
    """,
    "norms that are PyTorch's own": """
        Conv2d(4, 3)
        BatchNorm2d(momentum=None)
        Conv2d(4, 3, bias=False)
        BatchNorm2d(affine=False)
        MaxPool2d(2)
        Conv2d(4, 3)
        BatchNorm2d(track_running_stats=False)
        Flatten()
        Dropout(0.5)
        Linear(10)
    """,
}


def network(name: str) -> nn.Sequential:
    """A preset's network or a case's, with weights of its norms that are positive but not 1."""
    spec = presets.load(name) if name in PRESETS else make_spec({"layers": CASES[name]})
    torch.manual_seed(0)
    model = build.network(spec).to(memory_format=torch.channels_last)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.affine:
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias)
    return model


def everything(model: nn.Module, seed: int = 0) -> list[Tensor]:
    """Logits, all gradients and running statistics of a training step, and the logits of an evaluation after it."""
    model.train()
    kind = next(model.parameters()).dtype
    torch.manual_seed(seed)  # Dropout draws the same, too.
    inputs = torch.randn(16, 1, 28, 28).to(kind).contiguous(memory_format=torch.channels_last).requires_grad_()
    logits = model(inputs)
    nn.functional.cross_entropy(logits, torch.arange(16) % 10).backward()
    gradients = [
        torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in (inputs, *model.parameters())
    ]
    statistics = [statistic.to(kind) for statistic in model.buffers()]
    return [logits.detach(), *gradients, *statistics, model.eval()(inputs).detach()]


def is_as_near(changed: Callable[[nn.Sequential], nn.Module], name: str) -> bool:
    """Whether another network is as near to float64 as the network itself, tensor by tensor (2-norms).

    A pixel that is 0 but for rounding may pass ReLU or not, in either network, so one draw of three is enough.
    """

    def is_near(seed: int) -> bool:
        exact, plain = everything(network(name).double(), seed), everything(network(name), seed)
        return all(
            (ours - true).norm() <= 4 * (theirs - true).norm() + 1e-5 * true.norm()
            for ours, theirs, true in zip(everything(changed(network(name)), seed), plain, exact, strict=True)
        )

    return any(is_near(seed) for seed in range(3))


@pytest.mark.parametrize("name", [*PRESETS, *CASES])
def test_the_fused_network_equals_the_original(name: str) -> None:
    """For every preset: fused layers compute the same, on the same weights."""
    model = network(name)

    assert is_as_near(fuse_layers, name)
    assert [id(weight) for weight in fuse_layers(model).parameters()] == [id(weight) for weight in model.parameters()]
    assert fuse_layers(model).training
    assert not fuse_layers(model.eval()).training


def test_a_norm_whose_weights_are_not_positive_pools_last() -> None:
    """A negative weight turns the largest pixel into the smallest."""

    def turned(model: nn.Sequential) -> nn.Sequential:
        with torch.no_grad():
            next(module for module in model if isinstance(module, nn.BatchNorm2d)).weight[0] *= -1
        return model

    exact, fused = everything(turned(network("iter5")).double()), everything(fuse_layers(turned(network("iter5"))))

    assert all((own - true).norm() <= 1e-3 * true.norm() + 1e-6 for own, true in zip(fused, exact, strict=True))


def test_layers_in_a_sequence_are_fused_too() -> None:
    """Those of `Repeat` each time, around one weight."""
    spec = make_spec({"layers": "Repeat(2, Conv2d(1, 3), BatchNorm2d, Sequential(ReLU))\nFlatten()\nLinear(10)"})
    modules = list(fuse_layers(build.network(spec)))

    assert [type(module) for module in modules] == [*(ConvBatchNorm, nn.ReLU) * 2, FlatLinear]
    assert modules[0].convolution.weight is modules[2].convolution.weight  # type: ignore[union-attr]


def test_which_layers_are_fused() -> None:
    """iter5: two blocks and its end are fused, and ReLU comes after pooling."""
    kinds = [type(module) for module in fuse_layers(network("iter5"))]

    assert kinds == [
        *(ConvBatchNorm, nn.ReLU),
        *(ConvBatchNorm, nn.ReLU),
        *(nn.Conv2d, nn.ReLU, nn.Conv2d, nn.ReLU, nn.Conv2d, nn.ReLU),
        *(FlatLinear, nn.LogSoftmax),
    ]


def test_only_relu_changes_places() -> None:
    """The order is changed where it is the same function, and only there; the model itself stays as it is."""
    model = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.ReLU(), nn.AvgPool2d(2), nn.GELU(), nn.MaxPool2d(2))

    assert [type(module) for module in fuse_layers(model)] == [
        *(nn.MaxPool2d, nn.ReLU, nn.ReLU),
        *(nn.AvgPool2d, nn.GELU, nn.MaxPool2d),
    ]
    assert [type(module) for module in model][:2] == [nn.ReLU, nn.MaxPool2d]


def exchanged(model: nn.Sequential) -> nn.Sequential:
    """ReLU and the norm before it in the other order."""
    modules = list(model)
    modules[1], modules[2] = modules[2], modules[1]
    return nn.Sequential(*modules)


def slipped(model: nn.Sequential) -> nn.Sequential:
    """A weight of the last layer that is off by a thousandth."""
    with torch.no_grad():
        list(model.parameters())[-2][0] *= 1.001
    return model


@pytest.mark.parametrize("wrong", [exchanged, slipped])
def test_another_function_is_seen(wrong: Callable[[nn.Sequential], nn.Sequential]) -> None:
    """Negative control: the comparison above sees an exchange that is not the same function, and a small slip."""
    assert not is_as_near(wrong, "iter5")
