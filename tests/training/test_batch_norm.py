"""Batch normalisation on rows of pixels is PyTorch's, to rounding; where it is not faster, it is PyTorch's own."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mnist_tui.training.batch_norm import RowBatchNorm2d

SHAPES = [(64, 8, 28, 28), (2, 1, 14, 14), (7, 10, 28, 15), (3, 15, 196, 1)]


def some_images(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Images in channels_last, far from mean 0 and deviation 1."""
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype) * 3 + 5
    return drawn.contiguous(memory_format=torch.channels_last)


def norms(channels: int, **options: Any) -> tuple[nn.BatchNorm2d, RowBatchNorm2d]:
    """PyTorch's and ours with the same random weights."""
    theirs, ours = nn.BatchNorm2d(channels, **options), RowBatchNorm2d(channels, **options)
    if theirs.affine:
        torch.manual_seed(2)
        nn.init.normal_(theirs.weight)
        nn.init.normal_(theirs.bias)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def everything(norm: nn.Module, images: Tensor) -> list[Tensor]:
    """What comes out, all gradients, and the running statistics."""
    leaf = images.detach().clone(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(images.shape, generator=torch.Generator().manual_seed(3)).to(images)
    out = norm(leaf)
    (out * weight).sum().backward()
    assert leaf.grad is not None
    gradients = [parameter.grad for parameter in norm.parameters() if parameter.grad is not None]
    return [out.detach(), leaf.grad, *gradients, *norm.buffers()]


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_give_what_pytorch_gives(shape: tuple[int, int, int, int]) -> None:
    """Outputs, gradients and statistics are as near to those in float64 as PyTorch's own are."""
    theirs, ours = norms(shape[1])
    images = some_images(shape)
    assert ours._can_use_rows(images)
    exact = everything(norms(shape[1])[0].double(), images.double())

    for own, other, true in zip(everything(ours, images), everything(theirs, images), exact, strict=True):
        error, allowed = (own - true).abs().max(), (other - true).abs().max()
        assert own.dtype == other.dtype
        assert error <= 4 * allowed + 1e-6 * true.abs().max()


def test_statistics_of_several_batches_are_gathered() -> None:
    """The running mean and variance move as PyTorch's do, and are what an evaluation uses."""
    theirs, ours = norms(8, momentum=0.3)
    for factor in (1.0, 2.0, 3.0):
        images = some_images((16, 8, 14, 14)) * factor
        theirs(images)
        ours(images)

    assert ours.num_batches_tracked == 3
    for own, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.eval()(images), theirs.eval()(images), rtol=1e-5, atol=1e-5)


def test_images_of_one_value_give_the_bias() -> None:
    """Nothing to divide by: no infinity, no NaN."""
    norm = RowBatchNorm2d(4)
    nn.init.constant_(norm.bias, 0.5)
    results = everything(norm, torch.full((4, 4, 28, 28), 7.0).contiguous(memory_format=torch.channels_last))

    assert torch.equal(results[0], torch.full_like(results[0], 0.5))
    assert all(tensor.isfinite().all() for tensor in results)


@pytest.mark.parametrize(
    ("options", "images"),
    [
        ({"affine": False}, some_images((4, 8, 28, 28))),
        ({"momentum": None}, some_images((4, 8, 28, 28))),
        ({"track_running_stats": False}, some_images((4, 8, 28, 28))),
        ({}, some_images((4, 16, 28, 28))),
        ({}, some_images((4, 8, 13, 15))),
        ({}, some_images((4, 8, 28, 28), torch.float64)),
        ({}, some_images((4, 8, 28, 28)).contiguous()),
    ],
    ids=["no weights", "mean of all", "no statistics", "many channels", "small images", "float64", "not channels_last"],
)
def test_elsewhere_it_is_pytorchs_own(options: dict[str, Any], images: Tensor) -> None:
    """What rows cannot do, or do slower, is the same bits as in PyTorch."""
    theirs, ours = (norm.to(images.dtype) for norm in norms(images.shape[1], **options))

    assert torch.equal(ours(images), theirs(images))
    assert all(torch.equal(own, other) for own, other in zip(ours.buffers(), theirs.buffers(), strict=True))


def test_a_shift_would_be_seen() -> None:
    """Negative control: the comparison above refuses what is wrong by a thousandth."""
    theirs, ours = norms(8)
    with torch.no_grad():
        ours.bias.add_(1e-3)

    with pytest.raises(AssertionError):
        torch.testing.assert_close(ours(some_images((4, 8, 28, 28))), theirs(some_images((4, 8, 28, 28))))
