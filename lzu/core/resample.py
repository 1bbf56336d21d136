"""Sampling images and features at grids of coordinates."""

import torch
import torch.nn.functional as F
from torch import Tensor


def sample(images: Tensor, grid: Tensor, *, name: str = "images") -> Tensor:
    """Return `images` sampled bilinearly at `grid`; beyond the border, the border's value.

    Args:
        images: (B, C, H, W), floating point. float16 and bfloat16 are sampled in float32, as are
            the coordinates, and rounded once at the end.
        grid: (B, H', W', 2), (x, y) in [-1, 1], `align_corners=True`. A batch of one, of images
            or grids, is used for every item of the other.
        name: what errors call the images.

    Returns:
        (B, C, H', W') in the images' dtype and memory format (channels_last is kept),
        differentiable with respect to images and grid.

    Raises:
        TypeError: images are not floating point.
        ValueError: wrong rank, or batch sizes or devices that do not fit.
    """
    require_images(images, name)
    if images.device != grid.device:
        raise ValueError(f"{name} are on {images.device}, the warp is on {grid.device}")
    batch = broadcast_batch(images.shape[0], grid.shape[0], name)
    dtype = torch.float64 if images.dtype == torch.float64 else torch.float32
    sampled = F.grid_sample(
        images.to(dtype).expand(batch, -1, -1, -1),
        grid.to(dtype).expand(batch, -1, -1, -1),
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    ).to(images.dtype)
    return sampled.contiguous(memory_format=memory_format_of(images))


def require_images(images: Tensor, name: str = "images") -> None:
    """Raise an error unless `images` is a floating point (B, C, H, W)."""
    if not isinstance(images, Tensor):
        raise TypeError(f"{name} must be a tensor (B, C, H, W), got {type(images).__name__}")
    if images.ndim != 4:
        raise ValueError(f"{name} must be (B, C, H, W), got {tuple(images.shape)}")
    if not images.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {images.dtype}")


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
