"""Layer fusion: rewrites a network into an equivalent one that runs faster on the CPU.

Outputs and gradients are those of the original network up to rounding. Both share their parameters and buffers. What
each fusion gains is in benchmarks/README.md.
"""

import copy
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional

from mnist_tui.training.batch_norm import RowBatchNorm2d


def fuse_layers(model: nn.Sequential) -> nn.Sequential:
    """An equivalent of `model`, images (N, C, H, W) to logits (N, classes), with fused layers where it pays."""
    modules = _pool_before_relu([_with_row_norms(module) for module in _flattened(model)])
    fused: list[nn.Module] = []
    while modules:
        module, count = _fuse_first(modules)
        fused.append(module)
        del modules[:count]
    return nn.Sequential(*fused).train(model.training)


def _flattened(model: nn.Sequential) -> Iterator[nn.Module]:
    """The modules in a sequence, those in sequences in it one by one."""
    for module in model:
        yield from _flattened(module) if isinstance(module, nn.Sequential) else [module]


def _with_row_norms(module: nn.Module) -> nn.Module:
    """The module with every `BatchNorm2d` in it computed on rows; itself where there is none."""
    if isinstance(module, nn.BatchNorm2d):
        return RowBatchNorm2d.share(module)
    if not any(isinstance(part, nn.BatchNorm2d) for part in module.modules()):
        return module
    composite = copy.copy(module)
    composite._modules = {name: part and _with_row_norms(part) for name, part in module._modules.items()}
    return composite


def _pool_before_relu(modules: list[nn.Module]) -> list[nn.Module]:
    """The modules with every `ReLU`, `MaxPool2d` in the order `MaxPool2d`, `ReLU`.

    ReLU does not change which pixel is the largest, and after pooling it has a quarter of the pixels to work on.
    """
    for index in range(len(modules) - 1):
        if isinstance(modules[index], nn.ReLU) and isinstance(modules[index + 1], nn.MaxPool2d):
            modules[index], modules[index + 1] = modules[index + 1], modules[index]
    return modules


def _fuse_first(modules: list[nn.Module]) -> tuple[nn.Module, int]:
    """The first module, fused with the ones after it where that pays, and the number of modules it replaces."""
    match modules:
        case [nn.Conv2d() as convolution, RowBatchNorm2d() as norm, nn.MaxPool2d() as pool, *_] if _tracks_statistics(
            norm
        ):
            return ConvBatchNorm(convolution, norm, pool), 3
        case [nn.Conv2d() as convolution, RowBatchNorm2d() as norm, *_] if _tracks_statistics(norm):
            return ConvBatchNorm(convolution, norm, None), 2
        case [nn.Flatten(start_dim=1, end_dim=-1) as flatten, nn.Linear() as linear, *_]:
            return FlatLinear(flatten, linear), 2
    return modules[0], 1


def _tracks_statistics(norm: nn.BatchNorm2d) -> bool:
    """Whether the layer uses batch statistics and tracks running statistics with a fixed momentum."""
    return norm.track_running_stats and norm.momentum is not None


class ConvBatchNorm(nn.Module):
    """A convolution, the batch norm after it, and the max pooling after that, if any.

    In training the norm subtracts the mean, so the convolution's bias changes nothing but the running mean: it is not
    added to the images, and its gradient, which is 0 up to rounding, is not computed.
    """

    def __init__(self, convolution: nn.Conv2d, norm: RowBatchNorm2d, pool: nn.MaxPool2d | None) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = norm
        self.pool = pool

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to images (N, C', H', W')."""
        bias = self.convolution.bias
        if not self.training:
            return self._fold(images)
        if bias is None:
            return self._normalise(self.convolution(images))
        # PyTorch's own forward, with its padding modes, without the bias.
        out = self._normalise(self.convolution._conv_forward(images, self.convolution.weight, None))
        assert self.norm.running_mean is not None
        assert self.norm.momentum is not None
        # Through `data`: else autograd counts it as a change of a tensor that a backward pass may need.
        self.norm.running_mean.data.add_(bias.detach(), alpha=self.norm.momentum)
        return out

    def _fold(self, images: Tensor) -> Tensor:
        """In evaluation the norm is a fixed scale and shift per channel, which is folded into the convolution."""
        norm, weight, bias = self.norm, self.convolution.weight, self.convolution.bias
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = (norm.running_var + norm.eps).rsqrt()
        scale = scale if norm.weight is None else scale * norm.weight
        shift = (-norm.running_mean if bias is None else bias - norm.running_mean) * scale
        shift = shift if norm.bias is None else shift + norm.bias
        out: Tensor = self.convolution._conv_forward(images, weight * scale[:, None, None, None], shift)
        pooled: Tensor = out if self.pool is None else self.pool(out)
        return pooled

    def _normalise(self, images: Tensor) -> Tensor:
        normed: Tensor = self.norm(images) if self.pool is None else self.norm.forward_pooled(images, self.pool)
        return normed


class FlatLinear(nn.Module):
    """`Flatten` and the linear layer after it, on the pixels of channels_last images in their order in memory.

    `Flatten` would copy the images into contiguous order, and their gradient would come back in that order, in which
    the layers before are slow. Here the weights, which are fewer, are reordered instead.
    """

    def __init__(self, flatten: nn.Flatten, linear: nn.Linear) -> None:
        super().__init__()
        self.flatten = flatten
        self.linear = linear

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N, K)."""
        if images.ndim != 4 or images.is_contiguous():
            logits: Tensor = self.linear(self.flatten(images))
            return logits
        weight = self.linear.weight.view(-1, *images.shape[1:])
        return functional.linear(_by_pixel(images), _by_pixel(weight), self.linear.bias)


def _by_pixel(images: Tensor) -> Tensor:
    """Images (N, C, H, W) as (N, H * W * C): a view in channels_last."""
    return images.permute(0, 2, 3, 1).flatten(1)
