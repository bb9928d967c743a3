"""Layer fusion: rewrites a network into an equivalent one that runs faster on the CPU.

Outputs and gradients are those of the network as it is written, to rounding. The modules themselves, and so the
weights, are shared. What each exchange gains is in benchmarks/README.md.
"""

from torch import Tensor, nn
from torch.nn import functional

from mnist_tui.training.batch_norm import BatchNorm2d


def fuse_layers(model: nn.Sequential) -> nn.Sequential:
    """Images (N, 1, 28, 28) to logits (N, 10), as `model` does; of its layers those that pay on the CPU are fused."""
    modules = _pool_first(list(model))
    fused: list[nn.Module] = []
    while modules:
        module, count = _fuse_first(modules)
        fused.append(module)
        del modules[:count]
    return nn.Sequential(*fused).train(model.training)


def _pool_first(modules: list[nn.Module]) -> list[nn.Module]:
    """`MaxPool2d` before `ReLU` where the two are neighbours.

    ReLU never changes which pixel is the largest, but after pooling it has a quarter of them to work on.
    """
    for index in range(len(modules) - 1):
        if isinstance(modules[index], nn.ReLU) and isinstance(modules[index + 1], nn.MaxPool2d):
            modules[index], modules[index + 1] = modules[index + 1], modules[index]
    return modules


def _fuse_first(modules: list[nn.Module]) -> tuple[nn.Module, int]:
    """The first module, fused with those after it where that pays; and how many it stands for."""
    match modules:
        case [nn.Conv2d() as convolution, BatchNorm2d() as norm, nn.MaxPool2d() as pool, *_] if _tracks_statistics(
            norm
        ):
            return ConvBatchNorm(convolution, norm, pool), 3
        case [nn.Conv2d() as convolution, BatchNorm2d() as norm, *_] if _tracks_statistics(norm):
            return ConvBatchNorm(convolution, norm, None), 2
        case [nn.Flatten(start_dim=1, end_dim=-1) as flatten, nn.Linear() as linear, *_]:
            return FlatLinear(flatten, linear), 2
    return modules[0], 1


def _tracks_statistics(norm: BatchNorm2d) -> bool:
    """Whether the layer uses batch statistics and tracks running statistics with a fixed momentum."""
    return norm.track_running_stats and norm.momentum is not None


class ConvBatchNorm(nn.Module):
    """A convolution, the batch norm after it, and the max pooling after that.

    In training the norm takes the mean out again, so a bias before it changes nothing but the running mean: it is not
    added, and its gradient, which is 0 but for rounding, is not computed.
    """

    def __init__(self, convolution: nn.Conv2d, norm: BatchNorm2d, pool: nn.MaxPool2d | None) -> None:
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
        # PyTorch's own forward, with its padding modes, but for the bias.
        out = self._normalise(self.convolution._conv_forward(images, self.convolution.weight, None))
        assert self.norm.running_mean is not None
        assert self.norm.momentum is not None
        # By `data`: autograd would take it for a change of what the norm's gradient needs, which is not this mean.
        self.norm.running_mean.data.add_(bias.detach(), alpha=self.norm.momentum)
        return out

    def _fold(self, images: Tensor) -> Tensor:
        """In evaluation a norm multiplies and shifts by fixed numbers, which the convolution's weights can hold."""
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
        normed: Tensor = self.norm(images) if self.pool is None else self.norm.pooled(images, self.pool)
        return normed


class FlatLinear(nn.Module):
    """A linear layer on the pixels of images, in the order in which they lie in memory.

    In channels_last `Flatten` copies all images into another order, and their gradient comes back in it, in which the
    layers before are slow. Here the weights, which are fewer, change their order.
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
    """(N, C, H, W) as (N, H * W * C): no copy in channels_last."""
    return images.permute(0, 2, 3, 1).flatten(1)
