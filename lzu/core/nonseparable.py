"""A warp that is bilinear between the nodes of its lattice: the paper's T-tilde (Eq. 5, A.2)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lzu.core.bilinear import Tiles, corner_determinants, corners, ring
from lzu.core.inversion import in_padding
from lzu.core.lattice import Region, Size, coordinates, pair, sample_frame
from lzu.core.mapping import grid_tiles
from lzu.core.polylines import tiles_of_map, tiles_of_points

_CELLS_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class NonseparableNodes:
    """The nodes of a nonseparable warp, and all that `lzu.Warp` asks of any kind of warp.

    Attributes:
        grid: (B, h, w, 2), T = (x, y) at the lattice points (j / (w - 1), i / (h - 1)). T_x
            increases along rows, T_y along columns, and no tile folds: see `check`.
        crops: the range of T may differ from the unit square; if not, the border nodes lie
            exactly on its border.
    """

    grid: Tensor
    crops: bool

    @property
    def x(self) -> Tensor:
        """T_x at the lattice points, (B, h, w)."""
        return self.grid[..., 0]

    @property
    def y(self) -> Tensor:
        """T_y at the lattice points, (B, h, w)."""
        return self.grid[..., 1]

    @property
    def lattice(self) -> Size:
        """(h, w)."""
        return self.grid.shape[1], self.grid.shape[2]

    def map(self, change: Callable[[Tensor], Tensor]) -> "NonseparableNodes":
        """Return the nodes with `change` applied to the tensor."""
        return replace(self, grid=change(self.grid))

    def dense(self) -> Tensor:
        """Return the nodes as (B, h, w, 2), (x, y), a copy."""
        return self.grid.clone()

    def one_to_one(self) -> Tensor:
        """Return a scalar: whether the warp has no fold and no NaN."""
        increasing = (self.x.diff(dim=2) > 0).all() & (self.y.diff(dim=1) > 0).all()
        return increasing & (corner_determinants(self.grid) > 0).all()

    def check(self) -> None:
        """Raise an error for a fold and, unless the warp crops, for a border out of its place."""
        if not bool(self.one_to_one()):
            raise ValueError(f"the warp folds: {self.first_fold()}")
        x, y = self.x, self.y
        sides = (x[:, :, 0], 1 - x[:, :, -1], y[:, 0], 1 - y[:, -1])
        if not self.crops and any(bool((side != 0).any()) for side in sides):
            raise ValueError(
                "with anti_crop=True the border nodes must lie on the border of the unit square"
            )

    def first_fold(self) -> str:
        """Say where the warp folds; `one_to_one` must be false."""
        bad = ~(self.x.diff(dim=2) > 0)
        if bad.any():
            item, row, column = bad.nonzero()[0].tolist()
            return self._fold(item, (row, column), (row, column + 1), "x does not increase")
        bad = ~(self.y.diff(dim=1) > 0)
        if bad.any():
            item, row, column = bad.nonzero()[0].tolist()
            return self._fold(item, (row, column), (row + 1, column), "y does not increase")
        bad = ~(corner_determinants(self.grid) > 0)
        item, row, column, _ = bad.nonzero()[0].tolist()
        return self._fold(item, (row, column), (row + 1, column + 1), "the tile folds")

    def _fold(self, item: int, start: Size, end: Size, problem: str) -> str:
        ends = (self.grid[(item, *node)].tolist() for node in (start, end))
        shown = " to ".join(f"({x:.9g}, {y:.9g})" for x, y in ends)
        return (
            f"batch item {item}, from node {start} to node {end} (row, column), {problem}: {shown}"
        )

    def forward(self, points: Tensor) -> Tensor:
        """Return T at points (B, N, 2)."""
        tile, (u, v) = self._tiles_of_zoomed(points, ringed=True)
        nodes = [n.flatten(1, 2) for n in corners(ring(self.grid))]
        index = tile.unsqueeze(-1).expand(-1, -1, 2)
        top_left, top_right, bottom_left, bottom_right = (n.gather(1, index) for n in nodes)
        u, v = u.unsqueeze(-1), v.unsqueeze(-1)
        top, bottom = torch.lerp(top_left, top_right, u), torch.lerp(bottom_left, bottom_right, u)
        return torch.lerp(top, bottom, v)

    def inverse(self, points: Tensor) -> Tensor:
        """Return T^-1 at points (B, N, 2)."""
        tiles = Tiles.of(ring(self.grid))
        index = tiles_of_points(self.grid, points) + tiles.offsets().unsqueeze(1)
        x, y = points.unbind(-1)
        inverse = torch.stack(tiles.invert(index, x, y), dim=-1)
        if self.crops:
            return inverse
        # Borders stay where they are, exactly.
        return torch.where((points > 0) & (points < 1), inverse, points)

    def zoom_grid(self, size: Size) -> Tensor:
        """Return T at the coordinates of a map of `size`, (B, H, W, 2) in [-1, 1]."""
        return sample_frame(_at_grid(self.grid, size))

    def unzoom_grids(self, maps: Sequence[tuple[Size, Region]]) -> list[Tensor]:
        """Return T^-1 at the cells of maps (size, region), (B, H, W, 2) each, in [-1, 1] of it."""
        grids = []
        for size, region in maps:
            y, x = (2 / max(n - 1, 1) for n in size)
            (ey, ex), (oy, ox) = region
            scale, low = (x * ex, y * ey), (-1 - x * ox, -1 - y * oy)
            grids.append(self._inverse_map(size, region, scale, low))
        return grids

    def valid_mask(self, size: Size, region: Region) -> Tensor:
        """Return (B, 1, H, W), whether the zoom shows the content at each cell; true in padding."""
        if not self.crops:
            shape = (self.grid.shape[0], 1, *size)
            return torch.ones((), dtype=torch.bool, device=self.grid.device).expand(shape)
        x, y = self._cells(size, region)
        padding = in_padding(y).unsqueeze(1) | in_padding(x)
        places = self._inverse_map(size, region)
        shown = ((places >= 0) & (places <= 1)).all(-1)
        return (shown | padding).unsqueeze(1)

    def magnification(self, size: Size, frame: str, per_axis: bool) -> Tensor:
        """Return (B, H, W), 1 / det T' at the coordinates of a map of `size`."""
        if per_axis:
            raise ValueError(
                "per_axis=True needs a separable warp: the axes of this one do not magnify apart"
            )
        whole = Region((size[0] - 1.0, size[1] - 1.0))
        if frame == "zoomed":
            x, y = self._cells(size, whole)
            places = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
            places = places.expand(self.grid.shape[0], -1, -1, -1)
        else:
            places = self._inverse_map(size, whole)
        h, w = self.lattice
        tile, (u, v) = self._tiles_of_zoomed(places.flatten(1, 2), ringed=False)
        at_corners = corner_determinants(self.grid).flatten(1, 2)
        at_corners = at_corners.gather(1, tile.unsqueeze(-1).expand(-1, -1, 4))
        # Affine within a tile, so the corners' values give it everywhere.
        top_left, top_right, bottom_left, bottom_right = at_corners.unbind(-1)
        top, bottom = torch.lerp(top_left, top_right, u), torch.lerp(bottom_left, bottom_right, u)
        magnification = 1 / (torch.lerp(top, bottom, v) * ((h - 1) * (w - 1)))
        magnification = magnification.view(places.shape[:3])
        if self.crops:
            inside = ((places >= 0) & (places <= 1)).all(-1)
            return torch.where(inside, magnification, 0)
        return magnification

    def _tiles_of_zoomed(
        self, points: Tensor, ringed: bool
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the tile (B, N) of points (B, N, 2) of the zoomed frame, and the places in it.

        Tiles are counted row by row, in the lattice with or without its ring.
        """
        h, w = self.lattice
        border = int(ringed)
        position = points * pair(w - 1.0, h - 1.0, points.dtype, points.device)
        # Clamped as integers, because NaN becomes some integer, and must not index out of bounds.
        tile = position.detach().floor().long()
        column = tile[..., 0].clamp(-border, w - 2 + border)
        row = tile[..., 1].clamp(-border, h - 2 + border)
        place = position[..., 0] - column, position[..., 1] - row
        return (row + border) * (w - 1 + 2 * border) + column + border, place

    def _cells(self, size: Size, region: Region) -> tuple[Tensor, Tensor]:
        """Return the coordinates of a map's cells, x (W,) and y (H,)."""
        y, x = (
            coordinates(n, extent, self.grid.dtype, self.grid.device, origin)
            for n, extent, origin in zip(size, *region, strict=True)
        )
        return x, y

    def _inverse_map(
        self,
        size: Size,
        region: Region,
        scale: tuple[float, float] = (1.0, 1.0),
        low: tuple[float, float] = (0.0, 0.0),
    ) -> Tensor:
        """Return T^-1 (B, H, W, 2) at the cells of a map; content runs from low to low + scale."""
        batch = self.grid.shape[0]
        x, y = self._cells(size, region)
        tiles = Tiles.of(ring(self.grid), scale, low)
        index = tiles_of_map(self.grid, size, region, x, y)
        index = index.add_(tiles.offsets().view(-1, 1, 1)).flatten(0, 1)
        # In parts that stay in a CPU's cache.
        rows = max(1, _CELLS_AT_ONCE // size[1]) if index.device.type == "cpu" else len(index)
        parts = zip(index.split(rows), y.repeat(batch).unsqueeze(1).split(rows), strict=True)
        axes = zip(*(tiles.invert(tile, x, heights) for tile, heights in parts), strict=True)
        inverse = torch.cat([part for axis in axes for part in axis])
        # The axes as planes, which saves weaving them together.
        inverse = inverse.view(2, batch, *size).permute(1, 2, 3, 0)
        (ey, ex), (oy, ox) = region
        self._keep_padding(inverse[..., 0], x * scale[0] + low[0], -ox, ex - ox)
        self._keep_padding(inverse[..., 1].transpose(1, 2), y * scale[1] + low[1], -oy, ey - oy)
        return inverse

    def _keep_padding(self, inverse: Tensor, identity: Tensor, start: float, end: float) -> None:
        """Set the inverse (..., n) to the identity (n,) in the padding around cells start to end.

        And at the borders of the content, which without cropping stay where they are, exactly.
        """
        if self.crops:
            before, padding = math.ceil(start), math.floor(end) + 1
        else:
            before, padding = math.floor(start) + 1, math.ceil(end)
        before, padding = max(before, 0), max(padding, 0)
        inverse[..., :before] = identity[:before]
        inverse[..., padding:] = identity[padding:]


def _at_grid(grid: Tensor, size: Size) -> Tensor:
    """Return T (B, H, W, 2) at `size` coordinates from 0 to 1, both ends included."""
    h, w = grid.shape[1:3]
    planes = grid.permute(3, 0, 1, 2)
    tile, fraction = grid_tiles(h, size[0], grid.dtype, grid.device)
    low, high = planes.index_select(2, tile), planes.index_select(2, tile + 1)
    planes = torch.lerp(low, high, fraction.unsqueeze(1))
    tile, fraction = grid_tiles(w, size[1], grid.dtype, grid.device)
    low, high = planes.index_select(3, tile), planes.index_select(3, tile + 1)
    return torch.lerp(low, high, fraction).permute(1, 2, 3, 0)
