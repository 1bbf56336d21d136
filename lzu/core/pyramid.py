"""Unzooming the levels of a feature pyramid: by the exact inverse, or by a downsampled one.

The paper inverts the warp once, on Grid(H', W'), and gets the inverse of each coarser level from
that by bilinear downsampling (4.2, A.3). We need no such shortcut: T^-1 is computed exactly at the
cells of every level. The paper's way is there to compare with.

Its cost: the inverse at all H' W' points instead of at the few cells of the levels (2 % as many for
strides from 8 up), and one interpolation a level. So it is the dearer way; a fixed warp goes it
once.

Its error: T^-1 of a separable warp is piecewise linear, and so is the interpolation, so they agree
wherever T^-1 is straight between two neighbouring points of Grid(H', W'). Elsewhere the error along
an axis is at most a quarter of the points' distance times the change of slope of T^-1 between them.
Cells of a whole stride in pixels of Grid(H', W') lie on its points
(`lzu.core.lattice.content_extent`), and have no error at all; those of Eq. 18, whose corners are
aligned, do: `lzu.engine.analysis`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lzu.core.inversion import in_padding
from lzu.core.lattice import Region, Size, as_region, as_size, coordinates
from lzu.core.memory import constant
from lzu.core.resample import require_levels, sample
from lzu.core.warp import Warp, require_warp


def unzoom_levels(
    features: Sequence[Tensor],
    warp: Warp,
    *,
    extents: Sequence[Sequence[float] | Region | None],
    finest: Sequence[int] | None = None,
) -> list[Tensor]:
    """Return every level in uniform geometry, as `Warp.unzoom` does one.

    Args:
        features: levels (B, C, H, W), each of its own size.
        warp: what zoomed the images.
        extents: the content region of each level in its cells, as in `Warp.unzoom`.
        finest: None for the exact inverse; or (H', W'), the size of the zoomed images, where alone
            it is then exact: that of the levels is downsampled from there.

    Returns:
        The levels, in their sizes, dtypes and memory formats. Padding stays in its place, and
        where a cropping warp shows nothing (which is decided exactly) there is zero.

    Raises:
        TypeError: features are no list of floating point tensors, or `warp` is no warp.
        ValueError: wrong rank, extent, device or batch size; as many extents as levels are needed.
    """
    require_warp(warp)
    require_levels(features)
    if len(extents) != len(features):
        raise ValueError(f"{len(features)} feature maps, but {len(extents)} extents")
    maps = []
    for level, extent in zip(features, extents, strict=True):
        size = as_size(level.shape[2:], "features' size", 1)
        maps.append((size, as_region(extent, size)))
    if finest is None:
        grids = warp._unzoom_grids(maps)
    else:
        finest = as_size(finest, "finest")
        grids = [_downsampled_grid(warp, *one, finest) for one in maps]
    unzoomed = [
        sample(level, grid, name="features") for level, grid in zip(features, grids, strict=True)
    ]
    if warp.crops:
        masks = [warp._valid_mask(*one) for one in maps]
        return [torch.where(*pair, 0) for pair in zip(masks, unzoomed, strict=True)]
    return unzoomed


def downsampled_grid(
    warp: Warp,
    size: Sequence[int],
    extent: Sequence[float] | Region | None = None,
    *,
    finest: Sequence[int],
) -> Tensor:
    """Return T^-1 over a map of `size` as `Warp.unzoom_grid` does, downsampled from `finest`.

    Args:
        size: (H, W) of the map, padding included.
        extent: (ey, ex), the map's content region in its cells, as in `Warp.unzoom`.
        finest: (H', W'), at least 2: T^-1 is exact on Grid(H', W').

    Returns:
        (B, H, W, 2), (x, y) in [-1, 1] of the whole map, `align_corners=True`, in the warp's dtype.
        Cell (i, j) is interpolated at its content coordinates (j / ex, i / ey); for a map that is
        all content this is `F.interpolate(..., mode="bilinear", align_corners=True)`.
    """
    require_warp(warp)
    size = as_size(size, minimum=1)
    grid = _downsampled_grid(warp, size, as_region(extent, size), as_size(finest, "finest"))
    return warp._handed_out(grid)


def _downsampled_grid(warp: Warp, size: Size, region: Region, finest: Size) -> Tensor:
    whole = as_region(None, finest)
    return warp._remembered(
        ("downsampled", finest, size, region),
        lambda: downsample_inverse(warp._unzoom_grid(finest, whole), size, region),
    )


def downsample_inverse(inverse: Tensor, size: Size, region: Region) -> Tensor:
    """Return the inverse over a map of `size` from one over a map that is all content.

    Args:
        inverse: (B, H', W', 2), what `Warp.unzoom_grid((H', W'))` returns.
        size: (H, W) of the map; region: its content. `downsampled_grid` says what is returned.
    """
    down, right = zip(size, *region, strict=True)
    inverse = _interpolate(_interpolate(inverse, 1, *down), 2, *right)
    x, y = inverse.unbind(-1)
    return torch.stack((_in_level(x, -1, *right), _in_level(y, -2, *down)), dim=-1)


def _interpolate(inverse: Tensor, dim: int, n: int, extent: float, origin: float) -> Tensor:
    """Return `inverse` at n cells along `dim`; beyond the content, as at its end."""
    tile, fraction = _places(inverse.shape[dim], n, extent, origin, inverse.dtype, inverse.device)
    low, high = inverse.index_select(dim, tile), inverse.index_select(dim, tile + 1)
    return torch.lerp(low, high, fraction.view(-1, *[1] * (inverse.ndim - 1 - dim)))


@constant
def _places(
    given: int, n: int, extent: float, origin: float, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the tile (n,) of each cell among `given` points from 0 to 1, and its place in it."""
    cells = torch.arange(n, dtype=torch.float64, device="cpu")
    position = ((cells + origin) / extent).clamp(0, 1) * (given - 1)
    tile = position.long().clamp(max=given - 2)
    return tile.to(device), (position - tile).to(dtype).to(device)


def _in_level(inverse: Tensor, dim: int, n: int, extent: float, origin: float) -> Tensor:
    """Return one axis of the inverse, [-1, 1] over the content, as [-1, 1] over the level's map.

    The n cells of the axis lie along `dim`, -1 or -2. In padding it is not warped.
    """
    cells = coordinates(n, extent, inverse.dtype, inverse.device, origin)
    cells = cells if dim == -1 else cells.unsqueeze(-1)
    content = torch.where(in_padding(cells), cells, (inverse + 1) / 2)
    step = 2 / max(n - 1, 1)
    return content * (extent * step) - (1 + origin * step)
