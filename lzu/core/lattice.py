"""Sizes, coordinates and content regions.

Convention, here and in all of the core: an axis of n samples puts sample i at coordinate
i / (n - 1), so that the first and the last sample lie at exactly 0 and 1 (`align_corners=True`).
Sizes are (height, width); points are (x, y).
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lzu.core.arguments import as_integer, as_number, as_positive
from lzu.core.memory import constant

Size = tuple[int, int]
Extent = tuple[float, float]


class Region(NamedTuple):
    """The content region of a map, along y and along x.

    Cell i of an axis lies at content coordinate (i + origin) / extent.

    Attributes:
        extent: the content's length in cells; it may be fractional.
        origin: how far inside of the content cell 0 lies, in cells.
    """

    extent: Extent
    origin: Extent = (0.0, 0.0)


def as_size(size: Sequence[int], name: str = "size", minimum: int = 2) -> Size:
    """Return `size` as (height, width), both integers of at least `minimum`.

    Raises:
        TypeError: `size` is not a pair of integers.
        ValueError: a side is smaller than `minimum`.
    """
    try:
        height, width = (_as_int(side) for side in size)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be two integers (height, width), got {size!r}") from None
    if height < minimum or width < minimum:
        raise ValueError(
            f"{name} must be at least {minimum} in height and width, got {(height, width)}"
        )
    return height, width


def as_region(extent: "Sequence[float] | Region | None", size: Size) -> Region:
    """Return the content region of a map of `size`: given as it stands, or by its extent.

    Raises:
        TypeError, ValueError: as `as_extent`, or the origin is not finite.
    """
    if not isinstance(extent, Region):
        return Region(as_extent(extent, size))
    oy, ox = _two_numbers(extent.origin, "a region's origin must be two numbers (oy, ox)")
    if not (math.isfinite(oy) and math.isfinite(ox)):
        raise ValueError(f"a region's origin must be finite in both axes, got {(oy, ox)}")
    return Region(as_extent(extent.extent, size), (oy, ox))


def as_extent(extent: Sequence[float] | None, size: Size) -> Extent:
    """Return the extent (ey, ex) of a map's content in its cells, for a map of `size`.

    Content coordinate 1 lies at cell index ey (down) and ex (right), which may be fractional and
    may lie past the last cell. None means that all of the map is content: (height - 1, width - 1).

    Raises:
        TypeError: `extent` is not a pair of numbers.
        ValueError: an extent is not positive and finite, or is missing where a side of the map is
            1, so that it has no extent of its own.
    """
    if extent is None:
        if min(size) < 2:
            raise ValueError(
                f"a map of size {size} has a side of one cell, so its extent must be given: "
                "extent=(ey, ex) in cells (see lzu.core.lattice.content_extent)"
            )
        return float(size[0] - 1), float(size[1] - 1)
    ey, ex = _two_numbers(extent, "extent must be two numbers (ey, ex)")
    if not (0 < ey < math.inf and 0 < ex < math.inf):
        raise ValueError(f"extent must be positive and finite in both axes, got {(ey, ex)}")
    return ey, ex


def content_extent(size: Sequence[int], stride: float) -> Extent:
    """Return the extent, in cells, of an input of `size` pixels on a feature map of `stride`.

    A convolution's cell i sits at pixel stride * i, so the last content pixel, size - 1, lies at
    cell (size - 1) / stride, whatever padding was added to the right and below.

    Args:
        size: (height, width) of the content in pixels, before padding.
        stride: pixels per cell.

    Raises:
        ValueError: `stride` is not positive, or a side is smaller than 2.

    >>> content_extent((600, 960), stride=32)
    (18.71875, 29.96875)
    """
    height, width = as_size(size)
    stride = as_positive(stride, "stride")
    return (height - 1) / stride, (width - 1) / stride


def content_region(
    size: Sequence[int], stride: float, offset: float | Sequence[float] = 0.0
) -> Region:
    """Return the region of a feature map whose cell i sits at pixel stride * i + offset.

    Pixel p of an input of `size` lies at content coordinate p / (size - 1) (`align_corners=True`),
    so cell i is at (stride * i + offset) / (size - 1) = (i + offset / stride) / extent, with the
    extent (size - 1) / stride of `content_extent`. The unzoomed map has its cells where the
    features have theirs: with u the coordinate of cell i, it takes them from T^-1(u), which is cell
    T^-1(u) * extent - offset / stride. A place before the first cell or past the last one, up to
    an offset away from the border, takes that cell's value.

    A cell sits in the middle of the pixels that it sees. A layer of kernel k, dilation d and
    padding p moves it by d (k - 1) / 2 - p times the stride before the layer. So the offset is 0
    where odd kernels are padded by half of them, as in a ResNet; and (stride - 1) / 2 of patches,
    pooling and space-to-depth without padding, as in ViT, Swin, ConvNeXt and VGG.

    Args:
        size: (height, width) of the content in pixels, before padding.
        stride: pixels per cell.
        offset: pixel of cell 0, along both axes or (along y, along x).

    Raises:
        TypeError: `offset` is neither a number nor two.
        ValueError: `stride` is not positive, `offset` not finite, or a side is smaller than 2.

    >>> content_region((600, 960), stride=32, offset=15.5)
    Region(extent=(18.71875, 29.96875), origin=(0.484375, 0.484375))
    """
    extent, stride = content_extent(size, stride), as_positive(stride, "stride")
    sides = offset if isinstance(offset, Iterable) else (offset, offset)
    oy, ox = _two_numbers(sides, "offset must be a number or two (y, x)", offset)
    if not (math.isfinite(oy) and math.isfinite(ox)):
        raise ValueError(f"offset must be finite, got {offset!r}")
    return Region(extent, (oy / stride, ox / stride))


@constant
def coordinates(
    n: int, extent: float, dtype: torch.dtype, device: torch.device, origin: float = 0.0
) -> Tensor:
    """Return the content coordinates (n,) of the cells 0, ..., n - 1: (i + origin) / extent."""
    cells = torch.arange(n, dtype=torch.float64, device="cpu")
    return ((cells + origin) / extent).to(dtype).to(device)


@constant
def pair(x: float, y: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return (x, y) as a tensor (2,), copied to a device but once."""
    return torch.tensor([x, y], dtype=dtype, device="cpu").to(device)


def as_buffer(saliency: Tensor, name: str = "saliency") -> Tensor:
    """Return a copy of a fixed prior, for a module's buffer.

    Raises:
        ValueError: a gradient is wanted of it, which a buffer would lose.
    """
    if saliency.requires_grad:
        raise ValueError(
            f"{name} requires a gradient, which a fixed prior has not: wrap it in "
            "torch.nn.Parameter to learn it as it stands, give a callable that returns it to carry "
            "its gradient on, or detach() it"
        )
    with torch.inference_mode(False), torch.no_grad():
        return saliency.clone()


def restore_precision(module: nn.Module, name: str, precise: Tensor) -> None:
    """Undo the rounding of a saliency buffer that came with a module's move to half precision.

    A half-precision model keeps a precise warp: small saliency would be lost.

    Args:
        module: after the move.
        name: of the buffer.
        precise: the buffer as it was before.
    """
    moved = getattr(module, name)
    if moved.dtype in (torch.float16, torch.bfloat16):
        setattr(module, name, precise.to(moved.device))


def sample_frame(coordinates: Tensor) -> Tensor:
    """Map coordinates from [0, 1] to `grid_sample`'s [-1, 1]."""
    return 2 * coordinates - 1


def _two_numbers(sides: Iterable[float], wanted: str, given: object = None) -> Extent:
    """Return two numbers as floats; else a TypeError says what is wanted, and what was `given`."""
    try:
        y, x = (as_number(side, "side") for side in sides)
    except (TypeError, ValueError):
        raise TypeError(f"{wanted}, got {sides if given is None else given!r}") from None
    return y, x


def _as_int(value: int) -> int:
    if not isinstance(value, (int, torch.SymInt)) or isinstance(value, bool):
        return as_integer(value, "side")
    return int(value)
