"""Images sampled at other positions, as torchvision does: by an affine map for each image, or by a grid."""

import torch
from torch import Tensor
from torch.nn import functional as F


def affine_parameters(
    angle: Tensor, translate: Tensor, scale: Tensor, shear: Tensor, center: tuple[float, float]
) -> Tensor:
    """Rows (a, b, c, d, e, f) that map an output pixel to its source: x' = ax + by + c, y' = dx + ey + f; (N, 6).

    `angle` (N,) and `shear` (N, 2) in degrees with the signs of torchvision's `affine`; `translate` (N, 2) and `center`
    in pixels from the middle. The formula is torchvision's `_get_inverse_affine_matrix`, for N images.
    """
    rotation, shear_x, shear_y = (torch.deg2rad(value) for value in (angle, shear[:, 0], shear[:, 1]))
    a = torch.cos(rotation - shear_y) / torch.cos(shear_y)
    b = -a * torch.tan(shear_x) - torch.sin(rotation)
    c = torch.sin(rotation - shear_y) / torch.cos(shear_y)
    d = -c * torch.tan(shear_x) + torch.cos(rotation)
    inverse = torch.stack([d, -b, -c, a], dim=1) / scale[:, None]
    x, y = -center[0] - translate[:, 0], -center[1] - translate[:, 1]
    shift_x = inverse[:, 0] * x + inverse[:, 1] * y + center[0]
    shift_y = inverse[:, 2] * x + inverse[:, 3] * y + center[1]
    columns = [inverse[:, 0], inverse[:, 1], shift_x, inverse[:, 2], inverse[:, 3], shift_y]
    return torch.stack(columns, dim=1).float()


def warp(images: Tensor, parameters: Tensor, fill: float, is_bilinear: bool) -> Tensor:
    """Images (N, C, H, W), each transformed by its own affine `parameters` (N, 6); outside the image is `fill`."""
    count, channels, height, width = images.shape
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    a, b, c, d, e, f = parameters.unsqueeze(2).unbind(1)
    # An affine map is the sum of a term per column and a term per row: one broadcast addition gives all positions.
    source_x = (a * x)[:, None, :] + (b * y + (c + (width - 1) / 2))[:, :, None]
    source_y = (d * x)[:, None, :] + (e * y + (f + (height - 1) / 2))[:, :, None]
    if is_bilinear:
        grid = torch.stack([(2 * source_x + 1) / width - 1, (2 * source_y + 1) / height - 1], dim=-1)
        return sample_bilinear(images, grid, fill)
    # A border of one pixel holds the fill; positions outside are clamped to it.
    bordered = F.pad(images, (1, 1, 1, 1), value=fill).flatten(2)
    index = source_y.round_().clamp_(-1, height).add_(1).mul_(width + 2)
    index += source_x.round_().clamp_(-1, width).add_(1)
    return bordered.gather(2, index.view(count, 1, -1).long().expand(-1, channels, -1)).view(images.shape)


def sample_bilinear(images: Tensor, grid: Tensor, fill: float) -> Tensor:
    """Images (N, C, H, W) at the positions (x, y) of a grid (N, H, W, 2), in -1..1 over the image."""
    with_mask = torch.cat([images, torch.ones_like(images[:, :1])], dim=1)
    sampled_with_mask = F.grid_sample(with_mask, grid, mode="bilinear", align_corners=False)
    sampled, mask = torch.split(sampled_with_mask, [images.shape[1], 1], dim=1)
    # torchvision's own blend: mask * (sampled - fill) + fill, rounded to whole grey levels.
    return sampled.sub_(fill).mul_(mask).add_(fill).round_()
