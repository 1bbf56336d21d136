"""Saliency that zooms nowhere."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lzu.core.arguments import as_count
from lzu.core.lattice import as_size


def uniform(
    lattice: Sequence[int] = (31, 51),
    *,
    batch: int = 1,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return constant saliency (batch, 1, h, w) with sum 1, whose warp is the identity.

    Raises:
        TypeError: a lattice or batch that is no integer, or a dtype that is not floating point.
        ValueError: a lattice below 2 cells an axis, or a batch below 1.

    >>> uniform((2, 4)).unique()
    tensor([0.1250])
    """
    h, w = as_size(lattice, "lattice")
    batch = as_count(batch, "batch")
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype must be floating point, got {dtype}")
    return torch.full((batch, 1, h, w), 1 / (h * w), dtype=dtype, device=device)
