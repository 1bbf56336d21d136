"""The baselines: how users invert these warps today, tile by tile.

Written here from the paper, as plain PyTorch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

# Rounding may put a point on the edge of two tiles outside of both; this takes it in.
TOLERANCE = 1e-4


def invert_tiles(
    nodes: Tensor, size: Sequence[int], extent: Sequence[float] | None = None
) -> Tensor:
    """Return T^-1 at the cells of a map of `size`, by the paper's Algorithm 1 (Appendix A.2).

    As the paper does it: all tiles at once, each with a box of candidate cells as large as the
    largest tile needs (B_ij "at the max size"), all of which go through the tile's inverse
    bilinear map; those that land in the tile are kept. The paper's slips are corrected: lines 6-7
    take i - 1 too, lines 9-10 take T rather than its inverse, and Eq. 14 ends in
    + a1 b2 - a2 b1.

    Args:
        nodes: (B, h, w, 2), T at the lattice points as (x, y), of tiles that do not fold.
        size: (H, W) of the map.
        extent: (ey, ex): content coordinate 1 lies at these cells; by default at the last.

    Returns:
        (B, H, W, 2), (x, y) in [0, 1]; zero where no tile reaches, as in line 3.
    """
    batch, h, w, _ = nodes.shape
    extent = (size[0] - 1, size[1] - 1) if extent is None else extent
    # Lines 5-10, (B, tiles, 1, 1, 2): a corner's first digit is down, its second to the right.
    parts = (nodes[:, :-1, :-1], nodes[:, :-1, 1:], nodes[:, 1:, :-1], nodes[:, 1:, 1:])
    p00, p01, p10, p11 = (part.reshape(batch, -1, 1, 1, 2) for part in parts)
    # Eqs. 9-12.
    a0, b0 = p00.unbind(-1)
    a1, b1 = (p01 - p00).unbind(-1)
    a2, b2 = (p10 - p00).unbind(-1)
    a3, b3 = (p11 - p10 - p01 + p00).unbind(-1)
    # Lines 11-16, the candidates: row (B, tiles, rows, 1) and column (B, tiles, 1, columns).
    corners = torch.cat((p00, p01, p10, p11), dim=2)
    column = _candidates(corners[..., 0], extent[1]).transpose(2, 3)
    row = _candidates(corners[..., 1], extent[0])
    x, y = column / extent[1] - a0, row / extent[0] - b0
    # Eqs. 13-16. Of tiles that keep their orientation, only one root can lie in the tile, the one
    # at which the Jacobian c1 + 2 c2 v is positive; each of its two forms is exact where the
    # other cancels.
    c0 = b1 * x - a1 * y
    c1 = b3 * x - a3 * y + (a1 * b2 - a2 * b1)
    c2 = a3 * b2 - a2 * b3
    root = (c1 * c1 - 4 * c2 * c0).clamp(min=0).sqrt()
    v = torch.where(c1 > 0, -2 * c0 / (c1 + root), (root - c1) / (2 * c2))
    # Eq. 17, or where its denominator is the smaller the same from y.
    right, down = a1 + a3 * v, b1 + b3 * v
    u = torch.where(right.abs() >= down.abs(), (x - a2 * v) / right, (y - b2 * v) / down)
    # Lines 19-20. What is not inside goes to one cell more, which is dropped: faster than a mask.
    inside = ((u - 0.5).abs() <= 0.5 + TOLERANCE) & ((v - 0.5).abs() <= 0.5 + TOLERANCE)
    inside &= (row < size[0]) & (column < size[1])
    tile = torch.arange((h - 1) * (w - 1), device=nodes.device).view(-1, 1, 1)
    u = (tile % (w - 1) + u.clamp(0, 1)) / (w - 1)
    v = (tile // (w - 1) + v.clamp(0, 1)) / (h - 1)
    cells = size[0] * size[1]
    cell = torch.where(inside, row.long() * size[1] + column.long(), cells).flatten(1)
    inverse = nodes.new_zeros(2, batch, cells + 1)
    for axis, place in zip(inverse, (u, v), strict=True):
        axis.scatter_(1, cell, place.flatten(1))
    return torch.stack((inverse[0, :, :-1], inverse[1, :, :-1]), dim=-1).view(batch, *size, 2)


def invert_axes(x: Tensor, y: Tensor, size: Sequence[int]) -> Tensor:
    """Return T^-1 of a separable warp over a map of `size`, each axis by a loop over its tiles.

    Args:
        x: (B, w), T along x at the lattice points.
        y: (B, h), likewise along y.
        size: (H, W) of the map.

    Returns:
        (B, H, W, 2), (x, y) in [0, 1].
    """
    along_x, along_y = _invert_axis(x, size[1]), _invert_axis(y, size[0])
    shape = (x.shape[0], *size)
    return torch.stack(
        (along_x.unsqueeze(1).expand(shape), along_y.unsqueeze(2).expand(shape)), dim=-1
    )


def _candidates(corners: Tensor, extent: float) -> Tensor:
    """Return the candidate cells (B, tiles, n, 1) along one axis, from corners (B, tiles, 4, 1)."""
    first = (corners.amin(2, keepdim=True) * extent - TOLERANCE).ceil().clamp(min=0)
    last = (corners.amax(2, keepdim=True) * extent + TOLERANCE).floor()
    count = int((last - first).max()) + 1
    return first + torch.arange(max(count, 1), device=corners.device).unsqueeze(1)


def _invert_axis(nodes: Tensor, size: int) -> Tensor:
    points = torch.linspace(0, 1, size, dtype=nodes.dtype, device=nodes.device)
    last = nodes.shape[1] - 1
    inverse = points.expand(nodes.shape[0], size)
    for tile in range(last):
        low, high = nodes[:, tile, None], nodes[:, tile + 1, None]
        inside = (points >= low) & (points <= high)
        inverse = torch.where(inside, (tile + (points - low) / (high - low)) / last, inverse)
    return inverse
