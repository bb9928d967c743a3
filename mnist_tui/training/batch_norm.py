"""Batch normalisation of images on the CPU, on rows of pixels, together with the max pooling that follows it.

PyTorch's kernel for channels_last is slow with few channels (benchmarks/README.md), so here a whole line of pixels is
one row of a matrix: sums run down its columns, and the columns of a channel are added at the end.
"""

from typing import Any

import torch
from torch import Tensor, nn

FEW_CHANNELS = 16
"""From here on PyTorch's kernel is faster; measured with AVX-512 and with AVX2."""
MANY_PIXELS = 14 * 14
"""With fewer to an image, PyTorch's kernel is faster: one call costs less than twenty small ones."""
FAR = 10.0
"""Where the squared mean is so many times the variance, the mean of squares has lost too many of its digits."""


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, the same weights and the same function; rounding differs where rows are used."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # PyTorch's name
        """Images (N, C, H, W) to the same shape; in training their own mean and variance are taken out."""
        if self.num_features < FEW_CHANNELS and self._can_use_rows(input):
            return self._on_rows(input, None)
        return super().forward(input)

    def pooled(self, images: Tensor, pool: nn.MaxPool2d) -> Tensor:
        """`pool(self(images))`: images (N, C, H, W) to (N, C, H', W').

        Where all weights are positive, the largest pixel is so before and after: what is pooled first has fewer pixels
        to normalise, and only the pixels chosen have a gradient to add up.
        """
        if self._can_use_rows(images) and bool((self.weight > 0).all()):
            return self._on_rows(images, pool)
        normal: Tensor = pool(self(images))
        return normal

    def _on_rows(self, images: Tensor, pool: nn.MaxPool2d | None) -> Tensor:
        out, mean, variance = _OnRows.apply(images, self.weight, self.bias, self.eps, pool)
        self._track(mean, variance, images.numel() // self.num_features)
        return out  # type: ignore[no-any-return]  # apply is untyped

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Moves the running statistics; the running variance is the unbiased one."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)

    def _can_use_rows(self, images: Tensor) -> bool:
        """Whether `_OnRows` knows the options and the images lie as it needs them."""
        return (
            self.training
            and self.affine
            and self.track_running_stats
            and self.momentum is not None
            and images.ndim == 4
            and images.shape[2] * images.shape[3] >= MANY_PIXELS
            and images.dtype == torch.float32
            and images.device.type == "cpu"
            and images.is_contiguous(memory_format=torch.channels_last)
        )


class _OnRows(torch.autograd.Function):
    """Ioffe, Szegedy 2015 (arXiv:1502.03167), section 3, and its gradient, on images as rows."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, eps: float, pool: nn.MaxPool2d | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Images (N, C, H, W), weight and bias (C,) to pooled normalised images, mean and biased variance (C,)."""
        mean, variance = _moments(images)
        inverse = (variance + eps).rsqrt()
        chosen, indices = (images, None) if pool is None else _pooled(images, pool)
        scale = weight * inverse
        out = torch.addcmul(_by_column(bias - mean * scale, chosen), _rows(chosen), _by_column(scale, chosen))
        ctx.pool = pool
        ctx.save_for_backward(images, chosen, indices, mean, inverse, weight)
        ctx.mark_non_differentiable(mean, variance)
        return _images(out, chosen), mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """With respect to images (N, C, H, W), weight and bias (C,)."""
        images, chosen, indices, mean, inverse, weight = ctx.saved_tensors
        channels, scale, rows = len(weight), weight * inverse, _rows(gradient)
        count = images.numel() // channels
        of_bias = _by_channel(rows.sum(0), channels)
        of_weight = (_by_channel((rows * _rows(chosen)).sum(0), channels) - mean * of_bias) * inverse
        rows = rows * _by_column(scale, chosen)
        if ctx.pool is not None:
            rows = _rows(_unpooled(_images(rows, chosen), images, indices, ctx.pool))
        slope = scale * inverse * of_weight / -count
        shift = scale * of_bias / -count - slope * mean
        rows.addcmul_(_rows(images), _by_column(slope, images)).add_(_by_column(shift, images))
        return _images(rows, images), of_weight, of_bias, None, None


def _moments(images: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the biased variance (C,) of images (N, C, H, W)."""
    rows, channels = _rows(images), images.shape[1]
    count = images.numel() // channels
    mean = _by_channel(rows.sum(0), channels) / count
    squares = mean * mean
    variance = _by_channel((rows * rows).sum(0), channels) / count - squares
    if bool((squares > FAR * variance).any()):
        centred = rows - _by_column(mean, images)
        variance = _by_channel((centred * centred).sum(0), channels) / count
    return mean, variance


def _pooled(images: Tensor, pool: nn.MaxPool2d) -> tuple[Tensor, Tensor]:
    """The largest pixels (N, C, H', W'), and where in its image each one is (int64, the same shape)."""
    found: tuple[Tensor, Tensor] = torch.ops.aten.max_pool2d_with_indices(images, *_windows(pool))
    return found


def _unpooled(gradient: Tensor, images: Tensor, indices: Tensor, pool: nn.MaxPool2d) -> Tensor:
    """The gradient (N, C, H', W') of pooled pixels where they came from (N, C, H, W)."""
    spread: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(gradient, images, *_windows(pool), indices)
    return spread


def _windows(pool: nn.MaxPool2d) -> tuple[list[int], list[int], list[int], list[int], bool]:
    """Kernel size, stride, padding, dilation and ceil_mode as PyTorch's operators want them."""
    kernel, stride, padding, dilation = (
        [value, value] if isinstance(value, int) else list(value)
        for value in (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
    )
    return kernel, stride, padding, dilation, pool.ceil_mode


def _rows(images: Tensor) -> Tensor:
    """(N, C, H, W) as (N * H, W * C): no copy in channels_last."""
    count, channels, height, width = images.shape
    return images.permute(0, 2, 3, 1).reshape(count * height, width * channels)


def _images(rows: Tensor, like: Tensor) -> Tensor:
    """Rows (N * H, W * C) as images (N, C, H, W) of the shape of others."""
    count, channels, height, width = like.shape
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)


def _by_channel(columns: Tensor, channels: int) -> Tensor:
    """Sums of columns (W * C,) as sums of C channels."""
    return columns.view(-1, channels).sum(0)


def _by_column(channels: Tensor, images: Tensor) -> Tensor:
    """A number for every channel (C,) as one for every column (W * C,) of the rows of images."""
    return channels.expand(images.shape[3], -1).reshape(-1)
