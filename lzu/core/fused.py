"""Zoom and unzoom by the Triton kernels (`lzu.kernels`) wherever these can serve.

They give what `lzu.Warp` gives, up to rounding. Where a gradient is wanted, or a compiler traces,
or values are to be checked, or tensors are float64 or not on a GPU, the PyTorch path of `lzu.Warp`
does it instead.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lzu import kernels
from lzu.core.lattice import Region, Size, as_region
from lzu.core.memory import is_compiling
from lzu.core.pyramid import unzoom_levels
from lzu.core.resample import require_levels, sample
from lzu.core.separable import SeparableNodes
from lzu.core.warp import Warp, require_warp
from lzu.saliency import from_boxes, require_saliency
from lzu.saliency.checks import as_items


def _by_torch(*tensors: Tensor) -> bool:
    """Return whether the kernels do not serve these tensors."""
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    wide = any(tensor.dtype == torch.float64 for tensor in tensors)
    # Triton's interpreter, for tests, takes those of a CPU.
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    elsewhere = not interpreted and any(tensor.device.type != "cuda" for tensor in tensors)
    return wanted or wide or elsewhere or is_compiling()


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


def from_source(
    source: Callable[..., Tensor],
    inputs: tuple[Any, ...],
    *,
    fwhm: float,
    separable: bool,
    anti_crop: bool,
    check: bool,
) -> Warp:
    """Return the warp of the saliency that `source` makes of `inputs`.

    `functools.partial(lzu.saliency.from_boxes, ..., check=False)` is known: if nothing else is
    checked either, the separable warp of boxes (n, 4), or (B, n, 4), takes one launch, with no
    saliency in memory. Those of a list are first put together.
    """
    given = None if check or not separable else _unchecked_boxes(source, inputs)
    if given is None:
        return from_saliency(
            source(*inputs), fwhm=fwhm, separable=separable, anti_crop=anti_crop, check=check
        )
    boxes, settings = given
    x, y = kernels.box_nodes(boxes, **settings, fwhm=fwhm, anti_crop=anti_crop)
    return Warp(SeparableNodes(x, y, crops=not anti_crop))


def _unchecked_boxes(
    source: Callable[..., Tensor], inputs: tuple[Any, ...]
) -> tuple[Tensor, dict[str, Any]] | None:
    """Return boxes and settings as `kernels.box_nodes` takes them; None where it does not serve."""
    if not isinstance(source, partial) or source.func is not from_boxes:
        return None
    bound = signature(from_boxes).bind(*source.args, *inputs, **source.keywords)
    bound.apply_defaults()
    settings = bound.arguments
    items, check = as_items(settings.pop("boxes"), 4), settings.pop("check")
    del settings["chunk"]
    if check or _by_torch(*items):
        return None
    counts = [len(item) for item in items]
    items = [item.float() for item in items]
    if len(set(counts)) == 1:
        boxes = items[0].unsqueeze(0) if len(items) == 1 else torch.stack(items)
        return boxes, settings
    # Not to wait for the GPU: the numbers are on their way when the launch is queued behind them.
    numbers = torch.tensor(counts, dtype=torch.int32, device="cpu")
    settings["counts"] = numbers.to(items[0].device, non_blocking=True)
    return pad_sequence(items, batch_first=True), settings


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
