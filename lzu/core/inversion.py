"""The inverse of a separable warp: the exact inverse of its piecewise linear axes (Eqs. 5, 7)."""

import torch
from torch import Tensor

from lzu.core.memory import is_compiling


def inverse_axis(nodes: Tensor, points: Tensor) -> Tensor:
    """Return T^-1 at `points`, along one axis.

    T runs linearly from node to node, so its inverse does, too: find the tile by binary search,
    and the place in it by one division. Outside the range of T, which is [0, 1] with
    anti-cropping, both go on with slope one.

    Args:
        nodes: (B, n), strictly increasing.
        points: (B, N), of the nodes' dtype.

    Returns:
        (B, N), differentiable with respect to nodes and points.
    """
    last = nodes.shape[1] - 1
    inside = torch.clamp(points, nodes[:, :1], nodes[:, -1:])
    tile = find_tiles(nodes, inside)
    low, high = nodes.gather(1, tile), nodes.gather(1, tile + 1)
    return (tile + (inside - low) / (high - low)) / last + (points - inside)


def find_tiles(nodes: Tensor, points: Tensor) -> Tensor:
    """Return the index i (..., N) with nodes[i] <= points < nodes[i + 1], or the nearest tile.

    Args:
        nodes: (..., n), strictly increasing.
        points: (..., N).
    """
    nodes, points = nodes.detach().contiguous(), points.detach().contiguous()
    if is_compiling():
        # A program that is exported counts instead: ONNX knows no binary search.
        above = (nodes.unsqueeze(-2) <= points.unsqueeze(-1)).sum(-1)
    else:
        above = torch.searchsorted(nodes, points, right=True)
    return (above - 1).clamp(0, nodes.shape[-1] - 2)


def in_range(nodes: Tensor, points: Tensor) -> Tensor:
    """Return whether points (B, N) are in the range of T along one axis, ends included."""
    return (points >= nodes[:, :1]) & (points <= nodes[:, -1:])


def in_padding(cells: Tensor) -> Tensor:
    """Return whether content coordinates are outside of the content, where nothing is warped."""
    return (cells < 0) | (cells > 1)
