"""The layers of S networks as the layers of one: the channels of all networks side by side, those of the first first.

Images are (N, S * C, H, W), flat features (N, S * C). Convolutions become grouped ones, norms and pools have more
channels, and activations stay what they are; a layer that mixes channels in another way is applied by `torch.func.vmap`
to each network's channels. Grouped convolutions take half the time of vmap over the whole network
(benchmarks/README.md).
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from mnist_tui.training.composite_modules import Parallel
from mnist_tui.training.stacked.weights import StackedWeights

CHANNELWISE = (
    *(nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Threshold),
    *(nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.Hardshrink, nn.Softshrink, nn.Tanhshrink),
    *(nn.Sigmoid, nn.Tanh, nn.Softsign, nn.LogSigmoid, nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d),
    *(nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Upsample, nn.ZeroPad2d, nn.ConstantPad2d, nn.ReflectionPad2d),
    *(nn.ReplicationPad2d, nn.CircularPad2d),
)
"""Layers without weights that treat every channel alike."""

COUNTS: Mapping[type[nn.Module], tuple[str, ...]] = {
    nn.Conv2d: ("groups",),
    nn.ConvTranspose2d: ("groups",),
    nn.BatchNorm1d: ("num_features",),
    nn.BatchNorm2d: ("num_features",),
    nn.InstanceNorm2d: ("num_features",),
    nn.GroupNorm: ("num_groups", "num_channels"),
}
"""Layers that become one layer with S times as many channels; what they count, S times as much then."""

RANDOM = (nn.AlphaDropout, nn.FeatureAlphaDropout, nn.RReLU)
"""Layers that draw from torch's global generator, and are not computed here from a generator for each network."""


def why_not(module: nn.Module) -> str | None:
    """Why a network with this layer is not stacked; None where it is."""
    for part in module.modules():
        if isinstance(part, RANDOM):
            return f"{type(part).__name__} draws its numbers from a generator that all seeds would share"
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.momentum is None and part.track_running_stats:
            return f"{type(part).__name__}(momentum=None) counts its batches outside the device"
    return None


class Stacking:
    """Makes the layers of a stacked network; `generators` are those of the S networks' dropout."""

    def __init__(self, weights: StackedWeights, generators: Sequence[torch.Generator]) -> None:
        self.weights = weights
        self.generators = generators
        self.count = len(generators)

    def stack(self, modules: Sequence[nn.Module]) -> nn.Module:
        """One module for the same module of S networks, whose running statistics become views of its own."""
        first = modules[0]
        match first:
            case nn.Dropout() | nn.Dropout2d():
                return StackedDropout(first.p, isinstance(first, nn.Dropout2d), self.generators)
            case nn.Linear():
                return StackedLinear(self.count, *self._parameters(first).values())
        if first._modules or isinstance(first, nn.Sequential):
            composite = _with_parts(first, self._stack_parts(modules))
            return JOINING[type(first)](self.count, composite) if type(first) in JOINING else composite
        if isinstance(first, CHANNELWISE) or (isinstance(first, nn.Flatten) and _flattens_all(first)):
            return first
        if type(first) in COUNTS:
            return self._widen(modules)
        return Vmapped(self.count, first, self._parameters(first))

    def _stack_parts(self, modules: Sequence[nn.Module]) -> dict[str, nn.Module]:
        names = [name for name, _ in modules[0].named_children()]
        return {name: self.stack([module.get_submodule(name) for module in modules]) for name in names}

    def _widen(self, modules: Sequence[nn.Module]) -> nn.Module:
        """The layer with S times as many channels."""
        first = modules[0]
        widened = copy.copy(first)
        widened._parameters = dict(self._parameters(first))
        widened._buffers = {name: _stack_buffers(modules, name) for name in first._buffers}
        for name in COUNTS[type(first)]:
            setattr(widened, name, getattr(first, name) * self.count)
        return widened

    def _parameters(self, first: nn.Module) -> dict[str, nn.Parameter | None]:
        weights = first._parameters.items()
        return {name: None if weight is None else self.weights.parameter(weight) for name, weight in weights}


def _stack_buffers(modules: Sequence[nn.Module], name: str) -> Tensor | None:
    """A buffer of S layers in one tensor, of which theirs become views; a count of batches is one for all of them."""
    values = [module._buffers[name] for module in modules]
    if values[0] is None:
        return None
    stacked = values[0].clone() if values[0].ndim == 0 else torch.cat(values)  # type: ignore[arg-type]  # no None
    parts = [stacked] * len(modules) if stacked.ndim == 0 else stacked.chunk(len(modules))
    for module, part in zip(modules, parts, strict=True):
        module._buffers[name] = part
    return stacked


def _with_parts(module: nn.Module, parts: Mapping[str, nn.Module]) -> nn.Module:
    """The composite layer with other layers in it."""
    composite = copy.copy(module)
    composite._modules = dict(parts)
    return composite


def _flattens_all(flatten: nn.Flatten) -> bool:
    return flatten.start_dim == 1 and flatten.end_dim == -1


class StackedNetwork(nn.Module):
    """S networks of the same layers: images (N, S, 28, 28), one for each network, to logits (N, S, 10)."""

    def __init__(
        self, models: Sequence[nn.Module], weights: StackedWeights, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.layers = Stacking(weights, generators).stack(models)
        self.weights = weights
        self.count = len(models)

    def forward(self, images: Tensor) -> Tensor:
        """The logits, with the weights that `weights` has gathered last."""
        images = images.contiguous(memory_format=self.weights.memory_format)
        logits: Tensor = self.layers(images)  # (N, S * 10)
        return logits.view(len(images), self.count, -1)


class StackedDropout(nn.Module):
    """Dropout whose mask for each of S networks is drawn as PyTorch's own would be, from that network's generator."""

    def __init__(self, p: float, is_by_channel: bool, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.p = p
        self.is_by_channel = is_by_channel
        """Whether whole channels are dropped, as by `Dropout2d`."""
        self.generators = generators

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, S * C, ...) to features of the same shape."""
        if not self.training or self.p == 0:
            return features
        if self.p == 1:
            return features * 0
        keep = 1 - self.p
        masks = [self._empty_mask(features).bernoulli_(keep, generator=each) for each in self.generators]
        return features * torch.cat(masks, dim=1).div_(keep)

    def _empty_mask(self, features: Tensor) -> Tensor:
        """A tensor for the mask of one network, in the memory layout that decides the order of what is drawn."""
        count, channels = len(features), features.shape[1] // len(self.generators)
        rest = [1] * (features.ndim - 2) if self.is_by_channel else features.shape[2:]
        mask = features.new_empty(count, channels, *rest)
        is_channels_last = features.ndim == 4 and features.is_contiguous(memory_format=torch.channels_last)
        return mask.to(memory_format=torch.channels_last) if is_channels_last else mask


class StackedLinear(nn.Module):
    """S linear layers: flat features (N, S * C) to (N, S * K)."""

    def __init__(self, count: int, weight: nn.Parameter | None, bias: nn.Parameter | None) -> None:
        super().__init__()
        assert weight is not None
        self.count = count
        self.weight = weight
        """(S * K, C)."""
        self.bias = bias
        """(S * K,)."""

    def forward(self, features: Tensor) -> Tensor:
        """Features of every network to its outputs."""
        inputs = features.unflatten(1, (self.count, -1)).transpose(0, 1)  # (S, N, C)
        weight = self.weight.unflatten(0, (self.count, -1)).mT  # (S, C, K)
        if self.bias is None:
            outputs = torch.bmm(inputs, weight)
        else:
            outputs = torch.baddbmm(self.bias.view(self.count, 1, -1), inputs, weight)
        return outputs.transpose(0, 1).flatten(1)


class StackedParallel(nn.Module):
    """Stacked branches on the same input, their outputs concatenated along the channels of each of S networks."""

    def __init__(self, count: int, parallel: nn.Module) -> None:
        super().__init__()
        self.count = count
        self.branches: nn.Module = parallel.get_submodule("branches")

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, S * C, H, W) to images of the same height and width."""
        outputs = [branch(images).unflatten(1, (self.count, -1)) for branch in self.branches.children()]
        return torch.cat(outputs, dim=2).flatten(1, 2)


JOINING: Mapping[type[nn.Module], Callable[[int, nn.Module], nn.Module]] = {Parallel: StackedParallel}
"""Composite layers that join channels: what makes the stacked one, of S and the layer with stacked layers in it."""


class Vmapped(nn.Module):
    """A layer of S networks that is applied to the channels of each."""

    def __init__(self, count: int, module: nn.Module, parameters: Mapping[str, nn.Parameter | None]) -> None:
        super().__init__()
        self.count = count
        self.weights = nn.ParameterDict({name: weight for name, weight in parameters.items() if weight is not None})
        self._apply_one: Callable[..., Any] = lambda weights, features: functional_call(module, weights, (features,))

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, S * C, ...) to features (N, S * K, ...)."""
        weights = {name: weight.unflatten(0, (self.count, -1)) for name, weight in self.weights.items()}
        inputs = features.unflatten(1, (self.count, -1))
        outputs: Tensor = vmap(self._apply_one, in_dims=(0, 1), out_dims=1)(weights, inputs)
        return outputs.flatten(1, 2)
