"""The baselines: how users invert these warps today, tile by tile.

Written here from the paper, as plain PyTorch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Rounding may put a point on the edge of two tiles outside of both; this takes it in.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Candidates:
    """Lines 5-16 of Algorithm 1 and Eqs. 9-16, for all tiles and their candidate cells at once.

    Every tile has a box of candidates as large as the largest tile needs, the paper's B_ij "at
    max size". With B images and (h - 1) (w - 1) tiles, shapes broadcast to
    (B, tiles, rows, columns).

    Attributes:
        row, column: the candidates' cells, whole numbers; they may lie past the map.
        x, y: their coordinates, from the tile's first corner.
        a, b: a1, a2, a3 and b1, b2, b3 of the tiles.
        c: c0, c1, c2 of the quadratic equations for v.
    """

    row: Tensor
    column: Tensor
    x: Tensor
    y: Tensor
    a: tuple[Tensor, Tensor, Tensor]
    b: tuple[Tensor, Tensor, Tensor]
    c: tuple[Tensor, Tensor, Tensor]

    @classmethod
    def of(cls, nodes: Tensor, extent: Sequence[float]) -> "Candidates":
        """With the paper's slips corrected.

        Lines 6-7 take i - 1 too, lines 9-10 take T rather than its inverse, and Eq. 14 ends in
        + a1 b2 - a2 b1.
        """
        batch = nodes.shape[0]
        # (B, tiles, 1, 1, 2): a corner's first digit is down, its second to the right.
        parts = (nodes[:, :-1, :-1], nodes[:, :-1, 1:], nodes[:, 1:, :-1], nodes[:, 1:, 1:])
        p00, p01, p10, p11 = (part.reshape(batch, -1, 1, 1, 2) for part in parts)
        a0, b0 = p00.unbind(-1)
        a1, b1 = (p01 - p00).unbind(-1)
        a2, b2 = (p10 - p00).unbind(-1)
        a3, b3 = (p11 - p10 - p01 + p00).unbind(-1)
        corners = torch.cat((p00, p01, p10, p11), dim=2)
        column = _cells(corners[..., 0], extent[1]).transpose(2, 3)
        row = _cells(corners[..., 1], extent[0])
        x, y = column / extent[1] - a0, row / extent[0] - b0
        c0 = b1 * x - a1 * y
        c1 = b3 * x - a3 * y + (a1 * b2 - a2 * b1)
        c2 = a3 * b2 - a2 * b3
        return cls(row, column, x, y, (a1, a2, a3), (b1, b2, b3), (c0, c1, c2))

    def u_of(self, v: Tensor) -> Tensor:
        """Return u by Eq. 17, or where its denominator is the smaller by the same from y."""
        (a1, a2, a3), (b1, b2, b3) = self.a, self.b
        right, down = a1 + a3 * v, b1 + b3 * v
        return torch.where(
            right.abs() >= down.abs(), (self.x - a2 * v) / right, (self.y - b2 * v) / down
        )


def invert_tiles(
    nodes: Tensor, size: Sequence[int], extent: Sequence[float] | None = None
) -> Tensor:
    """Return T^-1 at the cells of a map of `size`, by the paper's Algorithm 1 (Appendix A.2).

    As the paper says it: every candidate goes through its tile's inverse bilinear map, both
    solutions of the quadratic equation are looked at, and those in the tile are kept.

    Args:
        nodes: (B, h, w, 2), T at the lattice points as (x, y), of tiles that do not fold.
        size: (H, W) of the map.
        extent: (ey, ex): content coordinate 1 lies at these cells; by default at the last.

    Returns:
        (B, H, W, 2), (x, y) in [0, 1]; zero where no tile reaches, as in line 3.
    """
    batch, h, w, _ = nodes.shape
    candidates = Candidates.of(nodes, extent or (size[0] - 1, size[1] - 1))
    c0, c1, c2 = candidates.c
    # The form of the solutions in which nothing cancels.
    root = (c1 * c1 - 4 * c2 * c0).clamp(min=0).sqrt()
    q = -(c1 + torch.where(c1 < 0, -root, root)) / 2
    first, second = q / c2, c0 / q
    u_first, u_second = candidates.u_of(first), candidates.u_of(second)
    is_first = _in_tile(u_first, first)
    u, v = torch.where(is_first, u_first, u_second), torch.where(is_first, first, second)
    row, column = candidates.row.long(), candidates.column.long()
    kept = (is_first | _in_tile(u_second, second)) & (row < size[0]) & (column < size[1])
    image, tile, i, j = kept.nonzero().unbind(1)
    place = torch.stack((u[image, tile, i, j], v[image, tile, i, j]), dim=-1).clamp(0, 1)
    corner = torch.stack((tile % (w - 1), tile // (w - 1)), dim=-1)
    inverse = nodes.new_zeros(batch, *size, 2)
    inverse[image, row[image, tile, i, 0], column[image, tile, 0, j]] = (
        corner + place
    ) / nodes.new_tensor((w - 1, h - 1))
    return inverse


def invert_tiles_tuned(
    nodes: Tensor, size: Sequence[int], extent: Sequence[float] | None = None
) -> Tensor:
    """Return what `invert_tiles` does, by the same method made as fast as we could.

    Only one solution of the quadratic equation is worked out, and instead of selecting the
    candidates to keep, the others are written to a cell that is dropped.
    """
    batch, h, w, _ = nodes.shape
    candidates = Candidates.of(nodes, extent or (size[0] - 1, size[1] - 1))
    c0, c1, c2 = candidates.c
    # In a tile that keeps its orientation the solution is the one at which the Jacobian,
    # c1 + 2 c2 v, is positive. Each of its two forms is exact where the other cancels.
    root = (c1 * c1 - 4 * c2 * c0).clamp(min=0).sqrt()
    v = torch.where(c1 > 0, -2 * c0 / (c1 + root), (root - c1) / (2 * c2))
    u = candidates.u_of(v)
    row, column = candidates.row, candidates.column
    inside = _in_tile(u, v) & (row < size[0]) & (column < size[1])
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


def _in_tile(u: Tensor, v: Tensor) -> Tensor:
    """Return whether (u, v) lies in the unit square: line 19."""
    half = 0.5 + TOLERANCE
    return ((u - 0.5).abs() <= half) & ((v - 0.5).abs() <= half)


def _cells(corners: Tensor, extent: float) -> Tensor:
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
