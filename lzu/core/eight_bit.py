"""Sampling images of 8 bits as they are, with no floating-point copy of them."""

import torch
from torch import Tensor

_CELLS_AT_ONCE = 1 << 17


def sample_bytes(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return uint8 images sampled bilinearly, in float32; beyond the border, the border's value.

    As `lzu.core.resample.sample` of `images.float()`, up to rounding. Only the four neighbours of
    each place are widened, of `_CELLS_AT_ONCE` places at a time.

    Args:
        images: (B, C, H, W), uint8, of any strides. A batch of one serves all places.
        x, y: (B, H', W') in [-1, 1], float32, `align_corners=True`. An axis that a coordinate does
            not change along may be 1: (B, 1, W') and (B, H', 1) of a separable warp.

    Returns:
        (B, C, H', W'), of values from 0 to 255, channels last in memory; differentiable with
        respect to x and y.
    """
    rows, columns = max(x.shape[1], y.shape[1]), max(x.shape[2], y.shape[2])
    batch = max(images.shape[0], x.shape[0])
    item = torch.arange(images.shape[0], device=images.device).view(-1, 1, 1)
    pixels = images.permute(0, 2, 3, 1)
    step = max(1, _CELLS_AT_ONCE // (columns * max(batch, 1)))
    parts = []
    for start in range(0, rows, step):
        here = [axis if axis.shape[1] == 1 else axis[:, start : start + step] for axis in (x, y)]
        left, right, across = _neighbours(here[0], images.shape[3])
        top, bottom, down = _neighbours(here[1], images.shape[2])
        upper = torch.lerp(
            pixels[item, top, left].float(), pixels[item, top, right].float(), across
        )
        lower = torch.lerp(
            pixels[item, bottom, left].float(), pixels[item, bottom, right].float(), across
        )
        parts.append(torch.lerp(upper, lower, down))
    return torch.cat(parts, dim=1).permute(0, 3, 1, 2)


def _neighbours(coordinates: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the samples around coordinates in [-1, 1], and the place (..., 1) between them."""
    position = ((coordinates + 1) * ((n - 1) / 2)).clamp(0, n - 1)
    # Clamped as integers, because NaN becomes some integer, and must not index out of bounds.
    low = position.detach().long().clamp(0, n - 1)
    return low, (low + 1).clamp(max=n - 1), (position - low).unsqueeze(-1)
