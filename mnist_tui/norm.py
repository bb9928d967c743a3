"""Batch normalisation of images with few channels, in a third to three quarters of the time on the CPU.

PyTorch's kernel for channels_last takes the channels of one pixel at a time. Where they are fewer than the 16 floats of
an AVX-512 register it falls back to one float after the other, so here a whole line of pixels is one row of a matrix:
sums run down its columns, and the columns of a channel are added at the end.
"""

from typing import Any

import torch
from torch import Tensor, nn

FEW_CHANNELS = 16
"""From here on PyTorch's kernel is faster; also with AVX2 (measured, see benchmarks/README.md)."""
MANY_PIXELS = 14 * 14
"""With fewer to an image, PyTorch's kernel is faster: one call costs less than twenty small ones."""


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, the same weights and the same function; rounding differs where rows are used."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # PyTorch's name
        """Images (N, C, H, W) to the same shape; in training their own mean and variance are taken out."""
        if not self._has_rows(input):
            return super().forward(input)
        images, mean, variance = _OnRows.apply(input, self.weight, self.bias, self.eps)
        self._track(mean, variance, input.numel() // self.num_features)
        return images  # type: ignore[no-any-return]  # apply is untyped

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

    def _has_rows(self, images: Tensor) -> bool:
        """Whether rows are faster, and the options are those that `_OnRows` knows."""
        return (
            self.training
            and self.affine
            and self.track_running_stats
            and self.momentum is not None
            and self.num_features < FEW_CHANNELS
            and images.ndim == 4
            and images.shape[2] * images.shape[3] >= MANY_PIXELS
            and images.dtype == torch.float32
            and images.device.type == "cpu"
            and images.is_contiguous(memory_format=torch.channels_last)
        )


class _OnRows(torch.autograd.Function):
    """Ioffe, Szegedy 2015 (arXiv:1502.03167), section 3, and its gradient, on images as rows."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        """The normalised images, their mean and their (biased) variance by channel."""
        ctx.shape = images.shape
        count, width = images.numel() // len(weight), images.shape[3]
        rows = _rows(images)
        mean = _by_channel(rows.sum(0), width) / count
        centred = rows - _by_column(mean, width)
        variance = _by_channel((centred * centred).sum(0), width) / count
        inverse = (variance + eps).rsqrt()
        ctx.save_for_backward(centred, inverse, weight)
        ctx.mark_non_differentiable(mean, variance)
        scaled = torch.addcmul(_by_column(bias, width), centred, _by_column(weight * inverse, width))
        return _images(scaled, ctx.shape), mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """With respect to images, weight and bias."""
        centred, inverse, weight = ctx.saved_tensors
        count, width = gradient.numel() // len(weight), gradient.shape[3]
        rows = _rows(gradient)
        of_bias = _by_channel(rows.sum(0), width)
        of_weight = _by_channel((rows * centred).sum(0), width) * inverse
        scale = weight * inverse
        shift, slope = scale * of_bias / -count, scale * inverse * of_weight / -count
        of_rows = torch.addcmul(_by_column(shift, width), centred, _by_column(slope, width))
        of_rows.addcmul_(rows, _by_column(scale, width))
        return _images(of_rows, ctx.shape), of_weight, of_bias, None


def _rows(images: Tensor) -> Tensor:
    """(N, C, H, W) as (N * H, W * C): no copy in channels_last."""
    count, channels, height, width = images.shape
    return images.permute(0, 2, 3, 1).reshape(count * height, width * channels)


def _images(rows: Tensor, shape: torch.Size) -> Tensor:
    count, channels, height, width = shape
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)


def _by_channel(columns: Tensor, width: int) -> Tensor:
    """Sums of columns (W * C) as sums of channels (C)."""
    return columns.view(width, -1).sum(0)


def _by_column(channels: Tensor, width: int) -> Tensor:
    """A number for every channel (C) as one for every column (W * C)."""
    return channels.expand(width, -1).reshape(-1)
