"""Bilinear tiles of a lattice of nodes, and their exact inverses (the paper's A.1).

A lattice here is *ringed*: nodes (B, h + 2, w + 2, 2) whose outermost ring `ring` adds, one lattice
step beyond the warp's own. Its tiles are affine and so continue T with slope one however far.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lzu.core.lattice import pair
from lzu.core.memory import constant


def ring(nodes: Tensor) -> Tensor:
    """Return nodes (B, h, w, 2) with a ring of nodes around them, (B, h + 2, w + 2, 2).

    The ring repeats the border nodes, moved outward by one lattice step, 1 / (w - 1) along x or
    1 / (h - 1) along y.
    """
    h, w = nodes.shape[1:3]
    right = pair(1 / (w - 1), 0.0, nodes.dtype, nodes.device)
    down = pair(0.0, 1 / (h - 1), nodes.dtype, nodes.device)
    nodes = torch.cat((nodes[:, :, :1] - right, nodes, nodes[:, :, -1:] + right), dim=2)
    return torch.cat((nodes[:, :1] - down, nodes, nodes[:, -1:] + down), dim=1)


def corners(nodes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four corners of all tiles, top left, top right, bottom left, bottom right."""
    top, bottom = nodes[:, :-1], nodes[:, 1:]
    return top[:, :, :-1], top[:, :, 1:], bottom[:, :, :-1], bottom[:, :, 1:]


def cross(a: Tensor, b: Tensor) -> Tensor:
    """Return the cross products (...) of vectors (..., 2)."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def corner_determinants(nodes: Tensor) -> Tensor:
    """Return (B, h - 1, w - 1, 4), the Jacobian's determinant of each tile at its four corners.

    It is affine within a tile, so a tile is one to one, and not mirrored, just if all four are
    positive.
    """
    top_left, top_right, bottom_left, bottom_right = corners(nodes)
    top, bottom = top_right - top_left, bottom_right - bottom_left
    left, right = bottom_left - top_left, bottom_right - top_right
    pairs = ((top, left), (top, right), (bottom, left), (bottom, right))
    return torch.stack([cross(along, down) for along, down in pairs], dim=-1)


@dataclass(frozen=True)
class Tiles:
    """All tiles of a batch of ringed lattices, as q = p0 + p1 u + p2 v + p3 uv (Eqs. 8-12).

    u and v are measured from the corner p0, in tiles to the right and down. That is a tile's top
    left corner, where they run from 0 to 1, unless this makes Eq. 16's c2 positive; then it is the
    bottom right one, and they run from -1 to 0.

    Attributes:
        table: (10, B * tiles): the x and y of p0, p1, p2 / 2 and p3 / 2, and those of the lattice
            point that p0 is the image of.
        step: the lengths of u and v on the lattice, along x and along y.
        count: tiles of one batch item.
    """

    table: Tensor
    step: tuple[float, float]
    count: int

    @classmethod
    def of(
        cls,
        ringed: Tensor,
        scale: tuple[float, float] = (1.0, 1.0),
        low: tuple[float, float] = (0.0, 0.0),
    ) -> "Tiles":
        """Return the tiles of a ringed lattice (B, h + 2, w + 2, 2).

        Lattice points, without the ring, run from `low` to `low` + `scale` (along x, along y).
        """
        rows, columns = (n - 1 for n in ringed.shape[1:3])
        top_left, top_right, bottom_left, bottom_right = corners(ringed)
        p3 = bottom_right - bottom_left - top_right + top_left
        # c2 is how much the determinant grows along v. Where it grows, start at the other end.
        turned = (cross(p3, bottom_left - top_left) > 0).unsqueeze(-1)
        p0 = torch.where(turned, bottom_right, top_left)
        p1 = torch.where(turned, bottom_right - bottom_left, top_right - top_left)
        p2 = torch.where(turned, bottom_right - top_right, bottom_left - top_left)
        step = scale[0] / (columns - 2), scale[1] / (rows - 2)
        place = _indices(rows, columns, ringed.dtype, ringed.device) + turned.to(ringed.dtype)
        place = place * pair(*step, ringed.dtype, ringed.device)
        place = place + pair(*low, ringed.dtype, ringed.device)
        values = torch.cat((p0, p1, p2 / 2, p3 / 2, place), dim=-1)
        table = values.flatten(0, 2).transpose(0, 1).contiguous()
        return cls(table, step, rows * columns)

    def offsets(self) -> Tensor:
        """Return the index of each batch item's first tile in the table, (B,)."""
        end, device = self.table.shape[1], self.table.device
        return torch.arange(0, end, self.count, dtype=torch.int32, device=device)

    def invert(self, tile: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lattice points, x and y, that the tiles map to given points.

        Args:
            tile: integer tensor of indices into the table, of any shape.
            x, y: the points, of shapes that broadcast with it.
        """
        values = self.table.index_select(1, tile.flatten()).unflatten(1, tile.shape)
        x0, y0, x1, y1, x2, y2, x3, y3, place_x, place_y = values
        x, y = x - x0, y - y0
        # Eqs. 13-15, as -c0, c1 / 2 and c2 / 4. Eq. 14's slip is mended: it ends in a1 b2 - a2 b1.
        c0 = torch.addcmul(x1 * y, y1, x, value=-1)
        c1 = torch.addcmul(x1 * y2, x2, y1, value=-1)
        c1 = torch.addcmul(torch.addcmul(c1, y3, x), x3, y, value=-1)
        c2 = torch.addcmul(x3 * y2, x2, y3, value=-1)
        # The root is the determinant at the point. As c2 v <= 0, c1 is at least that at v = 0, so
        # positive, too: nothing cancels, whichever way the tile narrows, and a vanishing c2 is no
        # exception (Eq. 16).
        root = torch.addcmul(c1 * c1, c0, c2, value=4)
        v = c0 / (c1 + root.clamp(min=torch.finfo(x.dtype).tiny).sqrt())
        # Eq. 17, whose denominator is positive, because T_x increases along rows.
        u = torch.addcmul(x, x2, v, value=-2) / torch.addcmul(x1, x3, v, value=2)
        step_x, step_y = self.step
        return torch.add(place_x, u, alpha=step_x), torch.add(place_y, v, alpha=step_y)


@constant
def _indices(rows: int, columns: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return column and row (rows, columns, 2) of a ringed lattice's tiles; the ring's are -1."""
    row = torch.arange(-1, rows - 1, device="cpu")
    column = torch.arange(-1, columns - 1, device="cpu")
    both = torch.stack(torch.meshgrid(column, row, indexing="xy"), dim=-1)
    return both.to(dtype).to(device)
