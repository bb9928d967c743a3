"""Batch normalisation of images on the CPU, computed on rows of pixels, together with the max pooling after it.

PyTorch's kernel for channels_last is slow with few channels (benchmarks/README.md). Here the pixels of an image row are
one row of a matrix (N * H, W * C): sums run down its columns, and the W columns of a channel are added at the end.

For each channel, over its M = N * H * W pixels x, with weight w, bias b and i = 1 / sqrt(variance + eps):

    forward     mean = sum(x) / M       variance = sum(x * x) / M - mean * mean
                y = w * i * (x - mean) + b
    gradient    db = sum(dy)            dw = i * sum(dy * (x - mean))
                dx = w * i * (dy - db / M - i * (x - mean) * dw / M)

(Ioffe, Szegedy 2015, arXiv:1502.03167, section 3.)
"""

from typing import Any

import torch
from torch import Tensor, nn

CHANNELS_LIMIT = 16
"""With this many channels or more PyTorch's kernel is faster; measured with AVX-512 and with AVX2."""
MIN_PIXELS = 14 * 14
"""With fewer pixels in an image PyTorch's kernel is faster: one call costs less than twenty small ones."""
MAX_MEAN_RATIO = 10.0
"""Above this mean^2/variance the one-pass variance cancels; compute it in two passes."""


class RowBatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` computed on rows where that is faster; results differ by rounding only."""

    @classmethod
    def share(cls, norm: nn.BatchNorm2d) -> "RowBatchNorm2d":
        """The same layer, on the same parameters and running statistics."""
        shared = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        shared._parameters, shared._buffers = norm._parameters, norm._buffers
        return shared.train(norm.training)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # PyTorch's name
        """Images (N, C, H, W) to normalised images of the same shape."""
        if self.num_features < CHANNELS_LIMIT and self._can_use_rows(input):
            return self._normalise_rows(input, None)
        return super().forward(input)

    def forward_pooled(self, images: Tensor, pool: nn.MaxPool2d) -> Tensor:
        """`pool(self(images))`: images (N, C, H, W) to (N, C, H', W').

        Where all weights are positive, normalising does not change which pixel is the largest, so pooling goes first:
        then there are fewer pixels to normalise, and only the selected ones have a gradient to sum.
        """
        if self._can_use_rows(images) and bool((self.weight > 0).all()):
            return self._normalise_rows(images, pool)
        pooled: Tensor = pool(self(images))
        return pooled

    def _normalise_rows(self, images: Tensor, pool: nn.MaxPool2d | None) -> Tensor:
        out, mean, variance = _NormaliseRows.apply(images, self.weight, self.bias, self.eps, pool)
        self._track(mean, variance, images.numel() // self.num_features)
        return out  # type: ignore[no-any-return]  # apply is untyped

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Updates the running statistics from a batch's mean and biased variance (C,) over `count` pixels."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)  # The running variance is unbiased.

    def _can_use_rows(self, images: Tensor) -> bool:
        """Whether `_NormaliseRows` supports the layer's options, and the images' size, dtype, device and layout."""
        return (
            self.training
            and self.affine
            and self.track_running_stats
            and self.momentum is not None
            and images.ndim == 4
            and images.shape[2] * images.shape[3] >= MIN_PIXELS
            and images.dtype == torch.float32
            and images.device.type == "cpu"
            and images.is_contiguous(memory_format=torch.channels_last)
        )


class _NormaliseRows(torch.autograd.Function):
    """The formulas of this module's docstring, on images as rows, and max pooling of the result if `pool` is given."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, eps: float, pool: nn.MaxPool2d | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Images (N, C, H, W), weight and bias (C,) to normalised images (N, C, H', W'), mean and biased variance (C,).

        H' = H and W' = W without a pool.
        """
        mean, variance = _moments(images)  # (C,) each
        inverse = (variance + eps).rsqrt()  # (C,)
        pooled, indices = (images, None) if pool is None else _pool(images, pool)  # (N, C, H', W')
        scale = weight * inverse  # (C,)
        shift = _per_column(bias - mean * scale, pooled)  # (W' * C,)
        out = torch.addcmul(shift, _rows(pooled), _per_column(scale, pooled))  # (N * H', W' * C)
        ctx.pool = pool
        ctx.save_for_backward(images, pooled, indices, mean, inverse, weight)
        ctx.mark_non_differentiable(mean, variance)
        return _images(out, pooled), mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Gradient of the output (N, C, H', W') to those of images (N, C, H, W), weight and bias (C,)."""
        images, pooled, indices, mean, inverse, weight = ctx.saved_tensors
        channels, scale, rows = len(weight), weight * inverse, _rows(gradient)  # rows: (N * H', W' * C)
        count = images.numel() // channels  # M
        d_bias = _per_channel(rows.sum(0), channels)  # (C,)
        d_weight = (_per_channel((rows * _rows(pooled)).sum(0), channels) - mean * d_bias) * inverse  # (C,)
        rows = rows * _per_column(scale, pooled)  # (N * H', W' * C)
        if ctx.pool is not None:
            rows = _rows(_unpool(_images(rows, pooled), images, indices, ctx.pool))  # (N * H, W * C)
        # dx = scale * dy + slope * x + shift
        slope = scale * inverse * d_weight / -count  # (C,)
        shift = scale * d_bias / -count - slope * mean  # (C,)
        rows.addcmul_(_rows(images), _per_column(slope, images)).add_(_per_column(shift, images))  # (N * H, W * C)
        return _images(rows, images), d_weight, d_bias, None, None


def _moments(images: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the biased variance (C,) of images (N, C, H, W)."""
    rows, channels = _rows(images), images.shape[1]  # (N * H, W * C)
    count = images.numel() // channels
    mean = _per_channel(rows.sum(0), channels) / count  # (C,)
    squared_mean = mean * mean
    variance = _per_channel((rows * rows).sum(0), channels) / count - squared_mean  # (C,)
    if bool((squared_mean > MAX_MEAN_RATIO * variance).any()):
        centred = rows - _per_column(mean, images)  # (N * H, W * C)
        variance = _per_channel((centred * centred).sum(0), channels) / count
    return mean, variance


def _pool(images: Tensor, pool: nn.MaxPool2d) -> tuple[Tensor, Tensor]:
    """The largest pixels (N, C, H', W'), and their indices in their images (int64, the same shape)."""
    pooled_and_indices: tuple[Tensor, Tensor] = torch.ops.aten.max_pool2d_with_indices(images, *_windows(pool))
    return pooled_and_indices


def _unpool(gradient: Tensor, images: Tensor, indices: Tensor, pool: nn.MaxPool2d) -> Tensor:
    """The gradient (N, C, H, W) of images, from that of their pooled pixels (N, C, H', W')."""
    unpooled: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(gradient, images, *_windows(pool), indices)
    return unpooled


def _windows(pool: nn.MaxPool2d) -> tuple[list[int], list[int], list[int], list[int], bool]:
    """Kernel size, stride, padding, dilation and ceil_mode as PyTorch's operators take them."""
    kernel, stride, padding, dilation = (
        [value, value] if isinstance(value, int) else list(value)
        for value in (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
    )
    return kernel, stride, padding, dilation, pool.ceil_mode


def _rows(images: Tensor) -> Tensor:
    """Images (N, C, H, W) as rows (N * H, W * C): a view in channels_last."""
    count, channels, height, width = images.shape
    return images.permute(0, 2, 3, 1).reshape(count * height, width * channels)


def _images(rows: Tensor, like: Tensor) -> Tensor:
    """Rows (N * H, W * C) as images of the shape of `like`, (N, C, H, W)."""
    count, channels, height, width = like.shape
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)


def _per_channel(columns: Tensor, channels: int) -> Tensor:
    """The sum (C,) over the W columns of each channel, from columns (W * C,)."""
    return columns.view(-1, channels).sum(0)


def _per_column(channels: Tensor, images: Tensor) -> Tensor:
    """Values per channel (C,), repeated for the W columns of images (N, C, H, W): (W * C,)."""
    return channels.expand(images.shape[3], -1).reshape(-1)
