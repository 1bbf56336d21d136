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
import triton.language as tl
from torch import Tensor

from lzu.kernels import axis
from lzu.kernels.launch import launch, require_nodes, require_tensors, search_steps
from lzu.lattice import Extent, Size, as_extent, as_size
from lzu.resample import _memory_format, broadcast_batch, require_images

MAX_LEVELS = 8  # in one launch
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


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
        images: (B, C, H, W), float32, float16 or bfloat16, with any strides.
        x: (B, w), float32, T_x at the lattice points. A batch of one serves any number of images.
        y: (B, h), likewise.
        size: (H', W') of the result, at least 2.

    Returns:
        (B, C, H', W') in the images' dtype and memory format, computed in float32.

    Raises:
        TypeError, ValueError: wrong types, shapes, sizes, batch sizes or devices.
        RuntimeError: a gradient is wanted.
    """
    _require_maps([images], x, y, ("images",))
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


def _require_maps(maps: list[Tensor], x: Tensor, y: Tensor, names: Sequence[str]) -> None:
    require_nodes(x, y)
    for name, given in zip(names, maps, strict=True):
        require_images(given, name)
        require_tensors(_DTYPES, x=x, **{name: given})
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
        layout = _memory_format(source)
        shape = (batch, source.shape[1], *size)
        result = torch.empty(shape, dtype=source.dtype, device=x.device, memory_format=layout)
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
        _resample_kernel,
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


@triton.jit
def _neighbours(position, size):
    """Return the samples around a position in cells, and its place between them.

    Positions past the border, and NaN, go to the border.
    """
    last = (size - 1).to(tl.float32)
    position = tl.minimum(tl.maximum(position, 0.0), last)
    low = tl.minimum(tl.maximum(position.to(tl.int32), 0), size - 1)
    return low, tl.minimum(low + 1, size - 1), position - low.to(tl.float32)


@triton.jit
def _unzoom_positions(
    nodes_x,
    nodes_y,
    column,
    row,
    w,
    h,
    extent_x,
    extent_y,
    crops: tl.constexpr,
    steps: tl.constexpr,
):
    """Return where cells find their features, in cells along x and y; and whether it is shown.

    As `SeparableNodes.unzoom_grid` and `valid_mask`.
    """
    point_x = tl.div_rn(column.to(tl.float32), extent_x)
    point_y = tl.div_rn(row.to(tl.float32), extent_y)
    tile_x, left, right, first_x, final_x = axis.tile_of(nodes_x, point_x, w, steps)
    tile_y, top, bottom, first_y, final_y = axis.tile_of(nodes_y, point_y, h, steps)
    x = axis.inverse(point_x, w, tile_x, left, right, first_x, final_x)
    y = axis.inverse(point_y, h, tile_y, top, bottom, first_y, final_y)
    shown = point_x == point_x
    if crops:
        x = tl.where(point_x > 1, point_x, x)
        y = tl.where(point_y > 1, point_y, y)
        shown_x = ((point_x >= first_x) & (point_x <= final_x)) | (point_x > 1)
        shown_y = ((point_y >= first_y) & (point_y <= final_y)) | (point_y > 1)
        shown = shown_x & shown_y
    return x * extent_x, y * extent_y, shown


@triton.jit
def _store_cells(
    source,
    result,
    places,
    weights,
    cell,
    cells,
    shown,
    channel,
    channels,
    source_stride,
    result_stride,
    crops: tl.constexpr,
    even: tl.constexpr,
    tile: tl.constexpr,
):
    """Sample `tile` channels from `channel` on, each at all cells, and store them."""
    values = ()
    for k in tl.static_range(tile):
        # Past the last channel the last again, which takes fewer instructions than a mask.
        existing = channel + k if even else tl.minimum(channel + k, channels - 1)
        pixels = source + existing * source_stride
        value = weights[0] * tl.load(pixels + places[0]).to(tl.float32)
        value += weights[1] * tl.load(pixels + places[1]).to(tl.float32)
        value += weights[2] * tl.load(pixels + places[2]).to(tl.float32)
        value += weights[3] * tl.load(pixels + places[3]).to(tl.float32)
        if crops:
            value = tl.where(shown, value, 0.0)
        values = values + (value,)  # noqa: RUF005, Triton unpacks no tuples
    # All loads before the first store, which may not be put off past it: they could overlap.
    for k in tl.static_range(tile):
        limit = cells if even else tl.where(channel + k < channels, cells, 0)
        value = values[k].to(result.dtype.element_ty)
        tl.store(result + (channel + k) * result_stride, value, cell < limit)


@triton.jit
def _store_across(
    source,
    result,
    places,
    weights,
    exists,
    shown,
    channel,
    channels,
    crops: tl.constexpr,
    even: tl.constexpr,
):
    """Sample a block of neighbouring channels, of stride one, at all cells, and store them."""
    pixels = source + channel[None, :]
    given = channel[None, :] < channels
    if even:
        value = weights[0][:, None] * tl.load(pixels + places[0][:, None]).to(tl.float32)
        value += weights[1][:, None] * tl.load(pixels + places[1][:, None]).to(tl.float32)
        value += weights[2][:, None] * tl.load(pixels + places[2][:, None]).to(tl.float32)
        value += weights[3][:, None] * tl.load(pixels + places[3][:, None]).to(tl.float32)
    else:
        value = weights[0][:, None] * tl.load(pixels + places[0][:, None], given, 0).to(tl.float32)
        value += weights[1][:, None] * tl.load(pixels + places[1][:, None], given, 0).to(tl.float32)
        value += weights[2][:, None] * tl.load(pixels + places[2][:, None], given, 0).to(tl.float32)
        value += weights[3][:, None] * tl.load(pixels + places[3][:, None], given, 0).to(tl.float32)
    if crops:
        value = tl.where(shown[:, None], value, 0.0)
    value = value.to(result.dtype.element_ty)
    tl.store(result[:, None] + channel[None, :], value, exists[:, None] & given)


@triton.jit(do_not_specialize=["w", "h", "warp_step"])
def _resample_kernel(
    sources,
    results,
    shapes,
    scales,
    nodes_x,
    nodes_y,
    w,
    h,
    warp_step,
    levels: tl.constexpr,
    unzoom: tl.constexpr,
    crops: tl.constexpr,
    channels_last: tl.constexpr,
    across: tl.constexpr,
    alignment: tl.constexpr,
    even: tl.constexpr,
    cells_block: tl.constexpr,
    channels_block: tl.constexpr,
    tile: tl.constexpr,
    steps: tl.constexpr,
):
    program, channel_block, item = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    source, result = sources[0], results[0]
    start, channels = shapes[0][0], shapes[0][1]
    in_height, in_width, height, width = shapes[0][2], shapes[0][3], shapes[0][4], shapes[0][5]
    item_stride, channel_stride = shapes[0][6], shapes[0][7]
    row_stride, column_stride = shapes[0][8], shapes[0][9]
    scale_y, scale_x, reciprocal = scales[0][0], scales[0][1], scales[0][2]
    for k in tl.static_range(1, levels):
        here = program >= (shapes[k][0] >> 1)
        source = tl.where(here, sources[k], source)
        result = tl.where(here, results[k], result)
        start = tl.where(here, shapes[k][0], start)
        channels = tl.where(here, shapes[k][1], channels)
        in_height = tl.where(here, shapes[k][2], in_height)
        in_width = tl.where(here, shapes[k][3], in_width)
        height = tl.where(here, shapes[k][4], height)
        width = tl.where(here, shapes[k][5], width)
        item_stride = tl.where(here, shapes[k][6], item_stride)
        channel_stride = tl.where(here, shapes[k][7], channel_stride)
        row_stride = tl.where(here, shapes[k][8], row_stride)
        column_stride = tl.where(here, shapes[k][9], column_stride)
        scale_y = tl.where(here, scales[k][0], scale_y)
        scale_x = tl.where(here, scales[k][1], scale_x)
        reciprocal = tl.where(here, scales[k][2], reciprocal)
    # `_plain` undone.
    start, channels = start >> 1, tl.multiple_of(channels >> 1, alignment)
    in_height, in_width, height, width = in_height >> 1, in_width >> 1, height >> 1, width >> 1
    item_stride, channel_stride = item_stride.to(tl.int64) >> 1, channel_stride.to(tl.int64) >> 1
    row_stride, column_stride = row_stride.to(tl.int64) >> 1, column_stride.to(tl.int64) >> 1

    first_channel = channel_block * channels_block
    if first_channel >= channels:
        return
    cells = height * width
    cell = (program - start) * cells_block + tl.arange(0, cells_block)
    exists = cell < cells
    row, column = axis.divide(cell, width, reciprocal)
    nodes_x += item * warp_step * w
    nodes_y += item * warp_step * h
    if unzoom:
        x, y, shown = _unzoom_positions(
            nodes_x, nodes_y, column, row, w, h, scale_x, scale_y, crops, steps
        )
    else:
        x = axis.forward_grid(nodes_x, column, w, width, scale_x) * (in_width - 1).to(tl.float32)
        y = axis.forward_grid(nodes_y, row, h, height, scale_y) * (in_height - 1).to(tl.float32)
        shown = exists
    left, right, place_x = _neighbours(x, in_width)
    top, bottom, place_y = _neighbours(y, in_height)
    places = (
        tl.multiple_of(top * row_stride + left * column_stride, alignment),
        tl.multiple_of(top * row_stride + right * column_stride, alignment),
        tl.multiple_of(bottom * row_stride + left * column_stride, alignment),
        tl.multiple_of(bottom * row_stride + right * column_stride, alignment),
    )
    weights = (
        (1.0 - place_y) * (1.0 - place_x),
        (1.0 - place_y) * place_x,
        place_y * (1.0 - place_x),
        place_y * place_x,
    )

    source += tl.multiple_of(item * item_stride, alignment)
    result += item.to(tl.int64) * channels * cells
    if channels_last:
        result += cell.to(tl.int64) * channels
        result_stride = 1
    else:
        result += cell
        result_stride = cells.to(tl.int64)
    for offset in range(0, channels_block, tile):
        channel = first_channel + offset
        if across:
            channel += tl.arange(0, tile)
            _store_across(
                source, result, places, weights, exists, shown, channel, channels, crops, even
            )
        else:
            _store_cells(
                source,
                result,
                places,
                weights,
                cell,
                cells,
                shown,
                channel,
                channels,
                channel_stride,
                result_stride,
                crops,
                even,
                tile,
            )
