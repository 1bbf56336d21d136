"""A warp whose axes are independent: T(x, y) = (T_x(x), T_y(y)), both piecewise linear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lzu.core.inversion import find_tiles, in_padding, in_range, inverse_axis
from lzu.core.lattice import Region, Size, coordinates, sample_frame
from lzu.core.mapping import forward_axis, forward_axis_grid, grid_tiles
from lzu.core.memory import constant


@dataclass(frozen=True)
class SeparableNodes:
    """The nodes of a separable warp, and all that `lzu.Warp` asks of any kind of warp.

    Attributes:
        x: (B, w), T_x at the lattice points j / (w - 1), strictly increasing.
        y: (B, h), T_y at the lattice points i / (h - 1), strictly increasing.
        crops: the range of T may differ from [0, 1]; if not, the ends are exactly 0 and 1.
    """

    x: Tensor
    y: Tensor
    crops: bool

    @property
    def lattice(self) -> Size:
        """(h, w)."""
        return self.y.shape[1], self.x.shape[1]

    def map(self, change: Callable[[Tensor], Tensor]) -> "SeparableNodes":
        """Return the nodes with `change` applied to both tensors."""
        return replace(self, x=change(self.x), y=change(self.y))

    def dense(self) -> Tensor:
        """Return the nodes as (B, h, w, 2), (x, y)."""
        return _product(self.x, self.y)

    def one_to_one(self) -> Tensor:
        """Return a scalar: whether all nodes strictly increase, and none is NaN."""
        return (self.x.diff(dim=1) > 0).all() & (self.y.diff(dim=1) > 0).all()

    def check(self) -> None:
        """Raise an error for a fold and, unless the warp crops, for a border out of its place."""
        if not bool(self.one_to_one()):
            raise ValueError(f"the warp folds: {self.first_fold()}")
        ends = torch.stack((self.x[:, 0], self.y[:, 0], 1 - self.x[:, -1], 1 - self.y[:, -1]))
        if not self.crops and bool((ends != 0).any()):
            raise ValueError("with anti_crop=True the ends of the nodes must be 0 and 1")

    def first_fold(self) -> str:
        """Say where nodes do not strictly increase; `one_to_one` must be false."""
        for name, nodes in (("x", self.x), ("y", self.y)):
            bad = (~(nodes.diff(dim=1) > 0)).nonzero()
            if len(bad):
                item, node = bad[0].tolist()
                low, high = nodes[item, node].item(), nodes[item, node + 1].item()
                return (
                    f"batch item {item}, {name} axis, from node {node} to node {node + 1}, "
                    f"{name} does not increase: {low:.9g} to {high:.9g}"
                )
        raise AssertionError("all nodes increase")

    def forward(self, points: Tensor) -> Tensor:
        """Return T at points (B, N, 2)."""
        x, y = points.unbind(-1)
        return torch.stack((forward_axis(self.x, x), forward_axis(self.y, y)), dim=-1)

    def inverse(self, points: Tensor) -> Tensor:
        """Return T^-1 at points (B, N, 2)."""
        x, y = points.unbind(-1)
        return torch.stack((inverse_axis(self.x, x), inverse_axis(self.y, y)), dim=-1)

    def zoom_grid(self, size: Size) -> Tensor:
        """Return T at the coordinates of a map of `size`, (B, H, W, 2) in [-1, 1]."""
        x, y = forward_axis_grid(self.x, size[1]), forward_axis_grid(self.y, size[0])
        return _product(sample_frame(x), sample_frame(y))

    def unzoom_grids(self, maps: Sequence[tuple[Size, Region]]) -> list[Tensor]:
        """Return T^-1 at the cells of maps (size, region), (B, H, W, 2) each, in [-1, 1] of it.

        The cells of all maps are looked up together: on the small maps of a pyramid an operation
        takes about as long for one as for all.
        """
        y, x = (
            _unzoom_axes(nodes, tuple(_side(*one, axis) for one in maps), self.crops)
            for axis, nodes in enumerate((self.y, self.x))
        )
        return [_product(*axes) for axes in zip(x, y, strict=True)]

    def valid_mask(self, size: Size, region: Region) -> Tensor:
        """Return (B, 1, H, W), whether the zoom shows the content at each cell; true in padding."""
        y, x = (
            self._queries(nodes, *_side(size, region, axis))
            for axis, nodes in enumerate((self.y, self.x))
        )
        valid_x = in_range(self.x, x) | in_padding(x)
        valid_y = in_range(self.y, y) | in_padding(y)
        return (valid_y.unsqueeze(2) & valid_x.unsqueeze(1)).unsqueeze(1)

    def magnification(self, size: Size, frame: str, per_axis: bool) -> Tensor:
        """Return 1 / (T'_x T'_y) at the coordinates of a map of `size`, (B, H, W).

        Or the two factors, (B, H, W, 2).
        """
        axes = _product(
            self._magnification_axis(self.x, size[1], frame),
            self._magnification_axis(self.y, size[0], frame),
        )
        return axes if per_axis else axes.prod(dim=-1)

    def _queries(self, nodes: Tensor, n: int, extent: float, origin: float = 0.0) -> Tensor:
        cells = coordinates(n, extent, nodes.dtype, nodes.device, origin)
        return cells.expand(nodes.shape[0], n)

    def _magnification_axis(self, nodes: Tensor, n: int, frame: str) -> Tensor:
        last = nodes.shape[1] - 1
        if frame == "zoomed":
            tile, _ = grid_tiles(last + 1, n, nodes.dtype, nodes.device)
            return 1 / (last * nodes.diff(dim=1).index_select(1, tile))
        places = self._queries(nodes, n, float(n - 1))
        magnification = 1 / (last * nodes.diff(dim=1).gather(1, find_tiles(nodes, places)))
        if self.crops:
            return torch.where(in_range(nodes, places), magnification, 0)
        return magnification


Side = tuple[int, float, float]
"""Of a map along one axis: its cells, the extent and the origin of its region."""


def _side(size: Size, region: Region, axis: int) -> Side:
    return size[axis], region.extent[axis], region.origin[axis]


def _unzoom_axes(nodes: Tensor, sides: tuple[Side, ...], crops: bool) -> tuple[Tensor, ...]:
    """Return (B, n) for each side of a map, in [-1, 1] of that map.

    It tells where cell i finds its feature in the zoomed map.
    """
    cells, scale, low = _cells(sides, nodes.dtype, nodes.device)
    content = inverse_axis(nodes, cells.expand(nodes.shape[0], -1))
    if crops:
        # Without cropping T ends at 0 and 1 and its continuation already is the identity.
        content = torch.where(in_padding(cells), cells, content)
    axes: tuple[Tensor, ...] = (content * scale - low).split([n for n, _, _ in sides], dim=1)
    return axes


@constant
def _cells(
    sides: tuple[Side, ...], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the content coordinates c of the cells of all sides; and the scale and low that make
    c * scale - low of them in [-1, 1] of the map."""
    cells = [coordinates(n, extent, dtype, device, origin) for n, extent, origin in sides]
    counts = [n for n, _, _ in sides]
    steps = [2 / max(n - 1, 1) for n in counts]
    scales = [extent * step for (_, extent, _), step in zip(sides, steps, strict=True)]
    lows = [1 + origin * step for (_, _, origin), step in zip(sides, steps, strict=True)]
    scale, low = (
        torch.cat(
            [
                torch.full((n,), value, dtype=dtype, device=device)
                for n, value in zip(counts, values, strict=True)
            ]
        )
        for values in (scales, lows)
    )
    return torch.cat(cells), scale, low


def _product(x: Tensor, y: Tensor) -> Tensor:
    """Return (B, H, W, 2), (x, y), from x (B, W) and y (B, H).

    A view of two planes: to weave them together takes ten times as long as to write them.
    """
    shape = (x.shape[0], y.shape[1], x.shape[1])
    planes = torch.stack((x.unsqueeze(1).expand(shape), y.unsqueeze(2).expand(shape)))
    return planes.permute(1, 2, 3, 0)
