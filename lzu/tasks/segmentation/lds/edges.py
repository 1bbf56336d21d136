"""What LDS's saliency is taught: a map of the semantic edges, and the loss against it."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lzu.core.arguments import require_floating, require_shape
from lzu.core.lattice import as_size

IGNORE = 255
# The released code maps whatever is ignored to one class past the last of Cityscapes'.
_RELEASED_IGNORE = 19
_BLUR_SIGMA, _BLUR_RADIUS = 1.0, 3


def edge_target(labels: Tensor, size: Sequence[int], released: bool = False) -> Tensor:
    """Return the map of semantic edges that LDS's saliency is compared with.

    The class ids, scaled to [0, 1] between the image's least and greatest, are resized bilinearly,
    blurred (a Gaussian of sigma 1), and filtered by 8 times the cell minus its eight neighbours;
    negative values become 0, and so do the outermost cells. So an edge counts by how far apart the
    ids of its classes are: arbitrary, but what LDS trains on.

    Pixels of label 255 take no part: resizing and blurring average over the others, and cells
    without any are left out of the differences. They make no edge of their own. An image of one
    class, or of none, has the target 0.

    Slips of the released code, reproduced by `released`: what is ignored counts as one class more,
    of id 19, so that its outline against road (0) is the strongest edge of all; the resizing does
    not align the corners, which the sampling grid does. Its eight-bit rounding between the steps
    is not reproduced, nor that an image of one class becomes NaN.

    Args:
        labels: (B, H, W) trainIds, integers, 255 for none.
        size: (h, w) of the saliency.
        released: as the released code has it.

    Returns:
        (B, 1, h, w), float32, in [0, 1], on the labels' device.

    Raises:
        TypeError: labels are not integers.
        ValueError: labels are not (B, H, W).
    """
    require_shape(labels, "labels", ("B", "H", "W"))
    if labels.is_floating_point():
        raise TypeError(f"labels must be integers, got {labels.dtype}")
    size = as_size(size)
    if released:
        labels = torch.where(labels == IGNORE, _RELEASED_IGNORE, labels)
    ids, counted = labels.float().unsqueeze(1), (labels != IGNORE).unsqueeze(1)
    low = torch.where(counted, ids, math.inf).amin((2, 3), keepdim=True)
    high = torch.where(counted, ids, -math.inf).amax((2, 3), keepdim=True)
    scaled = torch.where(counted & (high > low), (ids - low) / (high - low), 0)
    stacked = torch.cat((scaled, counted.float()), 1)
    stacked = F.interpolate(stacked, size, mode="bilinear", align_corners=not released)
    smooth, seen = _blur(stacked).split(1, 1)
    seen_at_all = seen > 1e-6
    smooth = torch.where(seen_at_all, smooth / seen.clamp(min=1e-6), 0)
    edges = _above_neighbours(smooth, seen_at_all.float()).clamp(0, 1)
    return F.pad(edges[:, :, 1:-1, 1:-1], (1, 1, 1, 1))


def edge_loss(saliency: Tensor, target: Tensor, released: bool = False) -> Tensor:
    """Return the mean squared difference of two maps, each scaled from 0 at its least to 1.

    A constant map is 0 everywhere. LDS adds 100 times this to the segmentation loss.

    Slip of the released code: it scales by the least and greatest value of the whole batch, so
    that an image's loss depends on the others', `released`; and divides a constant map by zero,
    which is not reproduced.

    Args:
        saliency: (B, 1, h, w).
        target: (B, 1, h, w), from `edge_target`.
        released: as the released code has it.

    Returns:
        A scalar, differentiable with respect to the saliency.

    Raises:
        TypeError: not floating point.
        ValueError: shapes that differ.
    """
    for maps, name in ((saliency, "saliency"), (target, "target")):
        require_shape(maps, name, ("B", 1, "h", "w"))
        require_floating(maps, name)
    if saliency.shape != target.shape:
        raise ValueError(
            f"saliency and target must be of one shape, got {tuple(saliency.shape)} and "
            f"{tuple(target.shape)}"
        )
    axes = (0, 1, 2, 3) if released else (1, 2, 3)
    return F.mse_loss(_scaled(saliency.float(), axes), _scaled(target.float(), axes))


def _scaled(maps: Tensor, axes: tuple[int, ...]) -> Tensor:
    low, high = maps.amin(axes, keepdim=True), maps.amax(axes, keepdim=True)
    span = high - low
    return (maps - low) / torch.where(span > 0, span, 1)


def _blur(maps: Tensor) -> Tensor:
    """Return maps (B, C, h, w) under a Gaussian, of which the border is repeated outwards."""
    offset = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, dtype=torch.float32)
    kernel = torch.exp(-((offset / _BLUR_SIGMA) ** 2) / 2)
    kernel = (kernel / kernel.sum()).to(maps.device)
    channels = maps.shape[1]
    padded = F.pad(maps, (_BLUR_RADIUS,) * 4, mode="replicate")
    rows = F.conv2d(padded, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(rows, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def _above_neighbours(values: Tensor, counted: Tensor) -> Tensor:
    """Return the sum over the eight neighbours of value minus theirs, of counted cells (0 or 1)."""
    ring = values.new_ones(1, 1, 3, 3)
    ring[..., 1, 1] = 0
    number = F.conv2d(counted, ring, padding=1)
    return counted * (number * values - F.conv2d(values * counted, ring, padding=1))
