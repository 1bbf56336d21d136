"""Which tile of a lattice of nodes a point lies in.

The lines of a warped lattice are polylines. In a Learning to Zoom warp T_x increases along every
row of nodes and T_y along every column, so that row polylines are graphs over x and column
polylines graphs over y, and neither cross among themselves. A point is then in the tile whose
left (upper) line is the last one that does not lie right of (below) it.
"""

import torch
from torch import Tensor

from lzu.core.inversion import find_tiles
from lzu.core.lattice import Region, Size

_POINTS_AT_ONCE = 1 << 14


def columns_at(nodes: Tensor, y: Tensor) -> Tensor:
    """Return the x (B, w, N) at which each column of nodes crosses the heights y (B, N).

    Beyond its ends a column goes on straight up and down.

    Args:
        nodes: (B, h, w, 2), T_y increasing along each column.
        y: (B, N).
    """
    xs, ys = (n.transpose(1, 2).contiguous() for n in nodes.unbind(-1))
    heights = y.unsqueeze(1).expand(-1, nodes.shape[2], -1).contiguous()
    tile = find_tiles(ys, heights)
    low, high = ys.gather(2, tile), ys.gather(2, tile + 1)
    fraction = ((heights - low) / (high - low)).clamp_(0, 1)
    return torch.lerp(xs.gather(2, tile), xs.gather(2, tile + 1), fraction)


def mirrored(nodes: Tensor) -> Tensor:
    """Return nodes with x and y, rows and columns swapped: (B, h, w, 2) to (B, w, h, 2)."""
    return nodes.transpose(1, 2).flip(-1)


@torch.no_grad()
def tiles_of_points(nodes: Tensor, points: Tensor) -> Tensor:
    """Return the tile (B, N) of each point (B, N, 2), counted row by row in the ringed lattice."""
    parts = [_tiles_of_some_points(nodes, part) for part in points.split(_POINTS_AT_ONCE, dim=1)]
    return torch.cat(parts, dim=1)


def _tiles_of_some_points(nodes: Tensor, points: Tensor) -> Tensor:
    x, y = points.unbind(-1)
    column = (columns_at(nodes, y) <= x.unsqueeze(1)).sum(1)
    row = (columns_at(mirrored(nodes), x) <= y.unsqueeze(1)).sum(1)
    return row * (nodes.shape[2] + 1) + column


@torch.no_grad()
def tiles_of_map(nodes: Tensor, size: Size, region: Region, x: Tensor, y: Tensor) -> Tensor:
    """Return the tile (B, H, W) of each cell of a map, counted as in `tiles_of_points`.

    The cells form a grid, so no search is needed: every line crosses each row (column) of cells
    once. Mark the first cell beyond each crossing; a running sum then counts the lines passed.

    Args:
        nodes: (B, h, w, 2).
        size: (H, W) of the map.
        region: the map's content.
        x, y: coordinates (W,) and (H,) of the cells.
    """
    batch, _, w = nodes.shape[:3]
    (height, width), ((ey, ex), (oy, ox)) = size, region
    # Counted in cells; rounding may move a cell on a line to the tile beside it, which maps the
    # line alike.
    first = _first_beyond(columns_at(nodes, y.expand(batch, height)), ex, ox, width).transpose(1, 2)
    columns = _marks(batch, height, width + 1, 2, first, 1).cumsum_(2)
    first = _first_beyond(columns_at(mirrored(nodes), x.expand(batch, width)), ey, oy, height)
    rows = _marks(batch, height + 1, width, 1, first, w + 1).cumsum_(1)
    return rows[:, :-1].add_(columns[..., :-1])


def _marks(batch: int, height: int, width: int, axis: int, at: Tensor, mark: int) -> Tensor:
    """Return a map (B, height, width), int32, with `mark` added at the given indices of an axis."""
    marks = torch.zeros(batch, height, width, dtype=torch.int32, device=at.device)
    return marks.scatter_add_(axis, at, marks.new_full((), mark).expand_as(at))


def _first_beyond(crossings: Tensor, extent: float, origin: float, n: int) -> Tensor:
    """Return the first of n cells at or beyond each crossing; n if there is none."""
    return (crossings * extent - origin).ceil_().long().clamp_(0, n)
