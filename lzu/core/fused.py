"""Zoom and unzoom by the Triton kernels (`lzu.kernels`) wherever these can serve.

They give what `lzu.Warp` gives, up to rounding. Where a gradient is wanted, or a compiler traces,
or values are to be checked, the PyTorch path of `lzu.Warp` does it instead.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lzu import kernels
from lzu.core.lattice import Region, Size, as_region
from lzu.core.memory import is_compiling
from lzu.core.pyramid import unzoom_levels
from lzu.core.resample import require_levels, sample
from lzu.core.separable import SeparableNodes
from lzu.core.warp import Warp, require_warp
from lzu.saliency import require_saliency


def _by_torch(*tensors: Tensor) -> bool:
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return wanted or is_compiling()


def from_saliency(
    saliency: Tensor, *, fwhm: float, separable: bool, anti_crop: bool, check: bool
) -> Warp:
    """Do as `Warp.from_saliency`; a separable warp that is not checked takes one launch."""
    require_saliency(saliency)
    if check or not separable or _by_torch(saliency):
        return Warp.from_saliency(
            saliency, fwhm=fwhm, separable=separable, anti_crop=anti_crop, check=check
        )
    x, y = kernels.separable_nodes(saliency, fwhm=fwhm, anti_crop=anti_crop)
    return Warp(SeparableNodes(x, y, crops=not anti_crop))


def zoom(warp: Warp, images: Tensor, size: Size) -> Tensor:
    """Do as `Warp.zoom`; a separable warp takes one launch, with no grid in memory."""
    nodes = warp.nodes
    if isinstance(nodes, SeparableNodes) and not _by_torch(images, nodes.x, nodes.y):
        return kernels.zoom(images, nodes.x, nodes.y, size)
    return warp.zoom(images, size)


def unzoom(warp: Warp, levels: Sequence[Tensor], regions: Sequence[Region | None]) -> list[Tensor]:
    """Do as `Warp.unzoom` for every level; a separable warp takes one launch for all.

    A nonseparable one takes two to invert it for each level, besides the sampling. The kernels have
    the first cell at the content's beginning; other regions are PyTorch's work.
    """
    require_warp(warp)
    require_levels(levels)
    nodes = warp.nodes
    plane_crops = warp.crops and not warp.is_separable  # whose mask is PyTorch's work anyway
    shifted = any(region is not None and any(region.origin) for region in regions)
    if shifted or plane_crops or _by_torch(*levels, nodes.x, nodes.y):
        return unzoom_levels(levels, warp, extents=regions)
    extents = [None if region is None else region.extent for region in regions]
    if isinstance(nodes, SeparableNodes):
        return kernels.unzoom(levels, nodes.x, nodes.y, extents, crops=warp.crops)
    unzoomed = []
    for level, extent in zip(levels, extents, strict=True):
        size = (level.shape[2], level.shape[3])
        grid = kernels.nonseparable_inverse(nodes.grid, size, as_region(extent, size).extent)
        unzoomed.append(sample(level, grid, name="features"))
    return unzoomed
