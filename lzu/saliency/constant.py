"""Saliency that zooms nowhere."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lzu.core.lattice import as_size
from lzu.saliency.checks import require_positive


def uniform(
    lattice: Sequence[int] = (31, 51),
    *,
    batch: int = 1,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return constant saliency (batch, 1, h, w) with sum 1, whose warp is the identity.

    Raises:
        TypeError, ValueError: a lattice or batch that is not of positive integers, or a dtype that
            is not floating point.

    >>> uniform((2, 4)).unique()
    tensor([0.1250])
    """
    h, w = as_size(lattice, "lattice")
    require_positive(batch=batch)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype must be floating point, got {dtype}")
    return torch.full((batch, 1, h, w), 1 / (h * w), dtype=dtype, device=device)
