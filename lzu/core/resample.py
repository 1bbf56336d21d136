"""Sampling images and features at grids of coordinates."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lzu.core.arguments import require_floating, require_shape
from lzu.core.eight_bit import sample_bytes
from lzu.core.lattice import as_size


def sample(
    images: Tensor, grid: Tensor, *, name: str = "images", separable: bool = False
) -> Tensor:
    """Return `images` sampled bilinearly at `grid`; beyond the border, the border's value.

    Args:
        images: (B, C, H, W), floating point or uint8. float16 and bfloat16 are sampled in float32,
            as are the coordinates, and rounded once at the end. uint8 gives float32, of values
            from 0 to 255, and no full-size copy is made of it.
        grid: (B, H', W', 2), (x, y) in [-1, 1], `align_corners=True`. A batch of one, of images
            or grids, is used for every item of the other.
        name: what errors call the images.
        separable: x is the same in every row of the grid, and y in every column. Then less is
            computed for uint8.

    Returns:
        (B, C, H', W') in the images' dtype (float32 for uint8) and memory format (channels_last
        is kept), differentiable with respect to images and grid.

    Raises:
        TypeError: images are neither floating point nor uint8, or the grid is not floating point.
        ValueError: wrong rank, a side of 0, or batch sizes or devices that do not fit.
    """
    require_images(images, name, eight_bit=True)
    require_shape(grid, "grid", ("B", "H", "W", 2))
    require_floating(grid, "grid")
    as_size(images.shape[2:], f"{name}' size", 1)
    if images.device != grid.device:
        raise ValueError(f"{name} are on {images.device}, the warp is on {grid.device}")
    batch = broadcast_batch(images.shape[0], grid.shape[0], name)
    if images.dtype == torch.uint8:
        x, y = grid.float().unbind(-1)
        if separable:
            x, y = x[:, :1], y[:, :, :1]
        return sample_bytes(images, x, y).contiguous(memory_format=memory_format_of(images))
    dtype = torch.float64 if images.dtype == torch.float64 else torch.float32
    sampled = F.grid_sample(
        images.to(dtype).expand(batch, -1, -1, -1),
        grid.to(dtype).expand(batch, -1, -1, -1),
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    ).to(images.dtype)
    return sampled.contiguous(memory_format=memory_format_of(images))


def require_images(images: Tensor, name: str = "images", *, eight_bit: bool = False) -> None:
    """Raise an error unless `images` is a floating point (B, C, H, W), or uint8 if `eight_bit`."""
    require_shape(images, name, ("B", "C", "H", "W"))
    if eight_bit and not images.is_floating_point():
        if images.dtype != torch.uint8:
            raise TypeError(f"{name} must be floating point or uint8, got {images.dtype}")
        return
    require_floating(images, name)


def require_levels(features: object) -> None:
    """Raise an error unless `features` is a list, or another sequence, of feature maps."""
    if isinstance(features, (Tensor, str)) or not isinstance(features, Sequence):
        raise TypeError(
            f"features must be a list of tensors (B, C, H, W), got {type(features).__name__}"
        )
    for index, level in enumerate(features):
        require_images(level, f"features[{index}]")


def broadcast_batch(given: int, warps: int, name: str) -> int:
    """Return the common batch size of `given` items and `warps` warps, where 1 fits any."""
    if given != warps and 1 not in (given, warps):
        raise ValueError(f"{name} have {given} batch items, the warp has {warps}")
    # In this order, so that a program traced with one image takes any number of them.
    return given if warps == 1 else warps


def memory_format_of(images: Tensor) -> torch.memory_format:
    if images.is_contiguous() or not images.is_contiguous(memory_format=torch.channels_last):
        return torch.contiguous_format
    return torch.channels_last
