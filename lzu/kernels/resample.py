"""Zoom an image, or unzoom all feature maps, in one launch and with no grid in memory.

What must cross device memory is each source once and each result once. Sources are gathered, but
neighbouring programs read neighbouring places, so that nearly all repeated reads meet a cache.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from lzu.core.lattice import Extent, Size, as_extent, as_size
from lzu.core.resample import broadcast_batch, memory_format_of, require_images
from lzu.kernels.launch import launch, require_nodes, require_tensors, search_steps
from lzu.kernels.sampling import resample_kernel

MAX_LEVELS = 8  # in one launch
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)  # of maps; images may be uint8, too


@dataclass(frozen=True)
class Blocks:
    """How one launch cuts its work: a program makes `cells` x `channels` of a result.

    Attributes:
        cells: cells of the map in a program. Their coordinates are computed once.
        channels: channels in a program, a multiple of `tile`.
        tile: channels taken at a time, and so the loads in flight: four for each value.
        across: the threads of a warp take neighbouring channels, rather than neighbouring cells.
        warps: of 32 threads.
    """

    cells: int
    channels: int
    tile: int
    across: bool
    warps: int = 4

    @classmethod
    def choose(cls, channels: int, channels_last: bool, alignment: int) -> "Blocks":
        """Return blocks for maps of up to `channels` channels.

        With many channels last, a thread takes up to 8 values of neighbouring channels, in
        16-byte accesses where the channels are a multiple of `alignment`. Otherwise a thread
        takes one cell: more would spread a warp's gather over more cache lines.
        """
        if channels_last and channels >= 32:
            tile = min(triton.next_power_of_2(channels), 256)
            cells = min(256 * alignment, 1024) // tile
            return cls(cells=cells, channels=tile, tile=tile, across=True)
        tile = min(channels, 8)
        parts = min(triton.cdiv(channels, tile), 4)
        return cls(cells=128, channels=parts * tile, tile=tile, across=False)


def zoom(images: Tensor, x: Tensor, y: Tensor, size: Sequence[int]) -> Tensor:
    """Return I(T(p)), as `lzu.Warp.zoom` of the separable warp with these nodes.

    Args:
        images: (B, C, H, W), float32, float16, bfloat16 or uint8, with any strides.
        x: (B, w), float32, T_x at the lattice points. A batch of one serves any number of images.
        y: (B, h), likewise.
        size: (H', W') of the result, at least 2.

    Returns:
        (B, C, H', W') in the images' dtype and memory format, computed in float32; of uint8 it is
        float32, of values from 0 to 255.

    Raises:
        TypeError, ValueError: wrong types, shapes, sizes, batch sizes or devices.
        RuntimeError: a gradient is wanted.
    """
    _require_maps([images], x, y, ("images",), eight_bit=True)
    as_size(images.shape[2:], "images' size", 1)
    size = as_size(size)
    scale = 1 / (size[0] - 1), 1 / (size[1] - 1)
    return _resample([images], [size], [scale], x, y, unzoom=False, crops=False)[0]


def unzoom(
    levels: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    extents: Sequence[Sequence[float] | None] | None = None,
    *,
    crops: bool = False,
) -> list[Tensor]:
    """Return F(T^-1(p)) for every feature map, as `lzu.Warp.unzoom` of the separable warp.

    Maps of one dtype, memory format and batch size take one launch for every eight of them.

    Args:
        levels: each (B, C, H, W), float32, float16 or bfloat16, with any strides; sizes, channels
            and dtypes may differ from level to level.
        x: (B, w), float32, T_x at the lattice points, strictly increasing. A batch of one serves
            any number of items.
        y: (B, h), likewise.
        extents: for each level (ey, ex) in cells, or None, as in `lzu.Warp.unzoom`.
        crops: the range of T may be other than [0, 1]: results are zero where it shows nothing.

    Returns:
        For each level its result, of the same size, dtype and memory format.

    Raises:
        TypeError, ValueError: wrong types, shapes, batch sizes or devices, named by their level.
        RuntimeError: a gradient is wanted.
    """
    if isinstance(levels, (Tensor, str)) or not isinstance(levels, Sequence):
        raise TypeError(
            f"levels must be a list of tensors (B, C, H, W), got {type(levels).__name__}"
        )
    levels = list(levels)
    _require_maps(levels, x, y, [f"levels[{index}]" for index in range(len(levels))])
    extents = [None] * len(levels) if extents is None else list(extents)
    if len(extents) != len(levels):
        raise ValueError(f"{len(levels)} feature maps, but {len(extents)} extents")
    sizes = [
        as_size(level.shape[2:], f"the size of levels[{index}]", 1)
        for index, level in enumerate(levels)
    ]
    regions = [as_extent(extent, size) for extent, size in zip(extents, sizes, strict=True)]
    return _resample(levels, sizes, regions, x, y, unzoom=True, crops=crops)


def _require_maps(
    maps: list[Tensor], x: Tensor, y: Tensor, names: Sequence[str], *, eight_bit: bool = False
) -> None:
    require_nodes(x, y)
    dtypes = (*_DTYPES, torch.uint8) if eight_bit else _DTYPES
    for name, given in zip(names, maps, strict=True):
        require_images(given, name, eight_bit=eight_bit)
        require_tensors(dtypes, x=x, **{name: given})
        broadcast_batch(given.shape[0], x.shape[0], name)


def _resample(
    sources: list[Tensor],
    sizes: list[Size],
    scales: list[Extent],
    x: Tensor,
    y: Tensor,
    *,
    unzoom: bool,
    crops: bool,
) -> list[Tensor]:
    groups = defaultdict(list)
    results = []
    for index, (source, size) in enumerate(zip(sources, sizes, strict=True)):
        batch = broadcast_batch(source.shape[0], x.shape[0], "maps")
        layout = memory_format_of(source)
        shape = (batch, source.shape[1], *size)
        dtype = torch.float32 if source.dtype == torch.uint8 else source.dtype
        result = torch.empty(shape, dtype=dtype, device=x.device, memory_format=layout)
        results.append(result)
        if result.numel():
            groups[source.dtype, layout, batch].append(index)
    for (_, layout, _), members in groups.items():
        for start in range(0, len(members), MAX_LEVELS):
            part = members[start : start + MAX_LEVELS]
            _launch_levels(
                [sources[i] for i in part],
                [results[i] for i in part],
                [scales[i] for i in part],
                x,
                y,
                unzoom=unzoom,
                crops=crops,
                channels_last=layout == torch.channels_last,
            )
    return results


def _launch_levels(
    sources: list[Tensor],
    results: list[Tensor],
    scales: list[Extent],
    x: Tensor,
    y: Tensor,
    *,
    unzoom: bool,
    crops: bool,
    channels_last: bool,
) -> None:
    channels = [source.shape[1] for source in sources]
    alignment = _alignment(sources) if channels_last else 1
    blocks = Blocks.choose(max(channels), channels_last, alignment)
    shapes, programs = [], 0
    for source, result in zip(sources, results, strict=True):
        _, depth, height, width = result.shape
        strides = list(source.stride())
        if source.shape[0] == 1:
            strides[0] = 0
        shapes.append((programs, depth, *source.shape[2:], height, width, *strides))
        programs += triton.cdiv(height * width, blocks.cells)
    launch(
        resample_kernel,
        (programs, triton.cdiv(max(channels), blocks.channels), len(results[0])),
        tuple(sources),
        tuple(results),
        tuple(tuple(_plain(value) for value in shape) for shape in shapes),
        tuple((*scale, 1 / result.shape[3]) for scale, result in zip(scales, results, strict=True)),
        x.contiguous(),
        y.contiguous(),
        x.shape[1],
        y.shape[1],
        0 if x.shape[0] == 1 else 1,
        levels=len(sources),
        unzoom=unzoom,
        crops=crops,
        channels_last=channels_last,
        across=blocks.across,
        alignment=alignment if blocks.across else 1,
        even=all(depth % blocks.channels == 0 for depth in channels),
        cells_block=blocks.cells,
        channels_block=blocks.channels,
        tile=blocks.tile,
        steps=search_steps(max(x.shape[1], y.shape[1]) - 2),
        num_warps=blocks.warps,
        num_stages=1,
    )


def _plain(value: int) -> int:
    # Triton compiles anew for integers in a tuple that are 1 or multiples of 16. Odd ones are
    # neither, so that one kernel serves maps of all sizes.
    return 2 * value + 1


def _alignment(sources: list[Tensor]) -> int:
    """Return the channels that every cell's address is a multiple of, at most 16 bytes."""
    steps = [16 // sources[0].element_size()]
    for source in sources:
        items, _, rows, columns = source.stride()
        steps += [items, rows, columns, source.shape[1]]
    return math.gcd(*steps)
