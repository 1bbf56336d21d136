"""The nodes of a warp from what a caller gives, checked; `lzu.Warp` says what is asked of each.

Nodes share no memory with what is given: a caller may write to that afterwards.
"""

from typing import NoReturn

import torch
from torch import Tensor

from lzu.core.arguments import require_shape
from lzu.core.lattice import as_size
from lzu.core.mapping import nonseparable_nodes, separable_nodes
from lzu.core.memory import has_values
from lzu.core.nonseparable import NonseparableNodes
from lzu.core.separable import SeparableNodes
from lzu.saliency import require_saliency

Nodes = SeparableNodes | NonseparableNodes


def from_saliency(
    saliency: Tensor, *, fwhm: float, separable: bool, anti_crop: bool, check: bool
) -> Nodes:
    """Return the nodes of `Warp.from_saliency`."""
    require_saliency(saliency)
    nodes: Nodes
    if separable:
        x, y = separable_nodes(saliency, fwhm=fwhm, anti_crop=anti_crop)
        nodes = SeparableNodes(x, y, crops=not anti_crop)
    else:
        grid = nonseparable_nodes(saliency, fwhm=fwhm, anti_crop=anti_crop)
        nodes = NonseparableNodes(grid, crops=not anti_crop)
    # Of an infinity or a NaN nodes are NaN, which does not increase.
    if check and has_values(saliency) and not bool((saliency > 0).all() & nodes.one_to_one()):
        _explain(saliency, nodes)
    return nodes


def from_axes(x: Tensor, y: Tensor, *, anti_crop: bool, check: bool) -> SeparableNodes:
    """Return the nodes of `Warp.from_nodes`."""
    require_shape(x, "x", ("B", "w"))
    require_shape(y, "y", ("B", "h"))
    if x.dtype != y.dtype or x.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"x and y must both be float32 or float64, got {x.dtype} and {y.dtype}")
    if x.device != y.device:
        raise ValueError(f"x is on {x.device}, but y is on {y.device}")
    if x.shape[0] != y.shape[0] or min(*x.shape, *y.shape) < 1:
        raise ValueError(
            f"x and y must be nodes (B, w) and (B, h), got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    as_size((y.shape[1], x.shape[1]), "lattice")
    nodes = SeparableNodes(x.clone(), y.clone(), crops=not anti_crop)
    if check and has_values(x):
        nodes.check()
    return nodes


def from_grid(grid: Tensor, *, anti_crop: bool, check: bool) -> NonseparableNodes:
    """Return the nodes of `Warp.from_node_grid`."""
    require_shape(grid, "grid", ("B", "h", "w", 2))
    if grid.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"grid must be float32 or float64, got {grid.dtype}")
    if grid.shape[0] < 1:
        raise ValueError(f"grid must be (B, h, w, 2) with B at least 1, got {tuple(grid.shape)}")
    as_size(grid.shape[1:3], "lattice")
    nodes = NonseparableNodes(grid.clone(), crops=not anti_crop)
    if check and has_values(grid):
        nodes.check()
    return nodes


def _explain(saliency: Tensor, nodes: Nodes) -> NoReturn:
    """Raise the error for saliency that is not positive and finite, or else for nodes that fold."""
    bad = (~(torch.isfinite(saliency) & (saliency > 0))).nonzero()
    if len(bad):
        item, _, row, column = bad[0].tolist()
        raise ValueError(
            f"saliency must be positive and finite, but batch item {item} has "
            f"{saliency[item, 0, row, column].item():g} in cell (row {row}, column {column}); "
            f"{len(bad)} such cells in all"
        )
    raise ValueError(
        f"the warp folds: {nodes.first_fold()}; the saliency is too concentrated for the lattice: "
        "add a constant to it, widen the kernel (fwhm), or use float64"
    )
