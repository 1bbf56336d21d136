"""The kernel of `lzu.kernels.resample`: coordinates, four neighbours, and their mean."""

import triton
import triton.language as tl

from lzu.kernels import axis


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

    As `SeparableNodes.unzoom_grids` and `valid_mask`.
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
def resample_kernel(
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
    # Odd numbers, as `lzu.kernels.resample` passes them, undone.
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
