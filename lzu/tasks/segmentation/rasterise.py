"""Which pixels lie in which triangle of a triangulation, row by row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lzu.core.lattice import Size

# In pixels, for crossings that rounding has moved off a pixel's centre.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Spans:
    """Rows of pixels, S of them, each in one triangle.

    Attributes:
        triangle: (S,) index of the triangle.
        row, column: (S,) of the first pixel.
        length: (S,) in pixels, at least 1.
    """

    triangle: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    length: NDArray[np.int64]

    def __getitem__(self, which: NDArray[np.bool_] | slice) -> "Spans":
        """Return some of the spans."""
        return Spans(self.triangle[which], self.row[which], self.column[which], self.length[which])

    def pixels(self, size: Size) -> NDArray[np.int64]:
        """Return all of their pixels, span after span, as indices into an image of (H, W)."""
        ends = self.length.cumsum()
        start = self.row * size[1] + self.column - (ends - self.length)
        return np.repeat(start, self.length) + np.arange(self.length.sum())


def triangle_spans(points: NDArray[np.float64], triangles: NDArray[np.int32], size: Size) -> Spans:
    """Return the pixels whose centres lie in each triangle, its border included.

    So a pixel on an edge that triangles share is in both, and none between them is in neither:
    both compute the crossings of their edge in the same way.

    Args:
        points: (N, 2), x first, in pixels: whole numbers are the centres.
        triangles: (T, 3) indices of the corners. Flat ones have no pixels.
        size: (H, W) of the image that clips them.
    """
    # Corners from top to bottom, of one row from left to right, so that all triangles take an edge
    # from the same end.
    order = np.lexsort(points.T)
    rank = np.empty(len(points), np.int64)
    rank[order] = np.arange(len(points))
    sorted_ranks = np.sort(rank[triangles], axis=1)
    (ax, ay), (bx, by), (cx, cy) = (points[order[corner]].T for corner in sorted_ranks.T)
    solid = (bx - ax) * (cy - ay) != (by - ay) * (cx - ax)
    top = np.ceil(ay).clip(0).astype(np.int64)
    bottom = np.floor(cy).clip(max=size[0] - 1).astype(np.int64)
    heights = np.where(solid, bottom - top + 1, 0).clip(0)
    which = np.repeat(np.arange(len(triangles)), heights)
    row = np.repeat(top - (heights.cumsum() - heights), heights) + np.arange(len(which))
    with np.errstate(divide="ignore", invalid="ignore"):
        long, upper, lower = (cx - ax) / (cy - ay), (bx - ax) / (by - ay), (cx - bx) / (cy - by)
    above = (row < by[which]) | (by == cy)[which]
    # Of a flat upper edge no row is above, of a flat lower edge none below.
    short = np.where(
        above,
        _crossing(ax, ay, upper, which, row),
        _crossing(bx, by, lower, which, row),
    )
    across = _crossing(ax, ay, long, which, row)
    first = np.ceil(np.minimum(across, short) - _TOLERANCE).clip(0).astype(np.int64)
    last = np.floor(np.maximum(across, short) + _TOLERANCE).clip(max=size[1] - 1).astype(np.int64)
    filled = last >= first
    spans = Spans(which, row, first, last - first + 1)
    return spans[filled]


def _crossing(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    slope: NDArray[np.float64],
    which: NDArray[np.int64],
    row: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return where rows cross the edges from (x, y) with a slope of x by y; all of triangles."""
    with np.errstate(invalid="ignore"):
        return x[which] + (row - y[which]) * slope[which]
