"""The inverse of a nonseparable warp at all cells of a map, in two launches.

What must cross device memory is the result, 8 bytes a cell; the tables between the launches,
4 (H w + W h) bytes, stay in a cache.
"""

import math
from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from lzu.core.arguments import require_shape
from lzu.core.lattice import as_extent, as_size
from lzu.kernels import axis
from lzu.kernels.launch import launch, require_lattice, require_tensors, search_steps

_BLOCK = 128
_TINY = tl.constexpr(torch.finfo(torch.float32).tiny)


def nonseparable_inverse(
    nodes: Tensor,
    size: Sequence[int],
    extent: Sequence[float] | None = None,
    *,
    crops: bool = False,
) -> Tensor:
    """Return T^-1 over a map, as `lzu.Warp.unzoom_grid` of the nonseparable warp with these nodes.

    Args:
        nodes: (B, h, w, 2), float32, T = (x, y) at the lattice points: T_x increasing along rows,
            T_y along columns, and no tile folded.
        size: (H, W), the size of the map, padding included.
        extent: (ey, ex), the map's content region in its cells, as in `lzu.Warp.unzoom`.
        crops: the range of T may be other than the unit square.

    Returns:
        (B, H, W, 2), float32, (x, y) in [-1, 1] of the whole map, `align_corners=True`; a view of
        two planes.

    Raises:
        TypeError, ValueError: wrong types, shapes, sizes or devices.
        RuntimeError: a gradient is wanted.
    """
    require_shape(nodes, "nodes", ("B", "h", "w", 2))
    require_tensors((torch.float32,), nodes=nodes)
    batch, h, w, _ = nodes.shape
    require_lattice((h, w))
    height, width = as_size(size, minimum=1)
    ey, ex = as_extent(extent, (height, width))
    nodes = nodes.contiguous()
    inverse = nodes.new_empty((2, batch, height, width))
    if not batch:
        return inverse.permute(1, 2, 3, 0)
    columns, rows = nodes.new_empty((batch, height, w)), nodes.new_empty((batch, h, width))
    column_programs = triton.cdiv(columns.numel(), _BLOCK)
    launch(
        _crossings_kernel,
        (column_programs + triton.cdiv(rows.numel(), _BLOCK),),
        nodes,
        columns,
        rows,
        batch,
        w,
        h,
        width,
        height,
        ex,
        ey,
        column_programs,
        steps=search_steps(max(h, w) - 2),
        block=_BLOCK,
        num_warps=4,
    )
    launch(
        _invert_kernel,
        (triton.cdiv(height * width, _BLOCK), batch),
        nodes,
        columns,
        rows,
        inverse,
        w,
        h,
        width,
        height,
        ex,
        ey,
        *(math.floor(side) + 1 if crops else math.ceil(side) for side in (ex, ey)),
        *(2 * side / max(n - 1, 1) for side, n in ((ex, width), (ey, height))),
        1 / (w - 1),
        1 / (h - 1),
        1 / width,
        crops=crops,
        steps=search_steps(max(h, w)),
        block=_BLOCK,
        num_warps=4,
    )
    return inverse.permute(1, 2, 3, 0)


@triton.jit(do_not_specialize=["batch", "w", "h", "width", "height", "column_programs"])
def _crossings_kernel(
    nodes,
    columns,
    rows,
    batch,
    w,
    h,
    width,
    height,
    extent_x,
    extent_y,
    column_programs,
    steps: tl.constexpr,
    block: tl.constexpr,
):
    """Store where lattice lines cross lines of cells, in cells, as `lzu.core.polylines.columns_at`.

    columns (B, H, w): the x at which each column of nodes crosses each row of cells. rows
    (B, h, W): the y at which each row of nodes crosses each column of cells.
    """
    program = tl.program_id(0)
    along_rows = program >= column_programs
    program -= tl.where(along_rows, column_programs, 0)
    lines = tl.where(along_rows, h, w)
    n = tl.where(along_rows, w, h)
    cells = tl.where(along_rows, width, height)
    line_stride = tl.where(along_rows, 2 * w, 2)
    node_stride = tl.where(along_rows, 2, 2 * w)
    table = tl.where(along_rows, rows, columns)
    cell_extent = tl.where(along_rows, extent_x, extent_y)
    crossing_extent = tl.where(along_rows, extent_y, extent_x)
    # The coordinate along the line of nodes, which is sought, and that across, which is wanted.
    along = tl.where(along_rows, 0, 1)
    across = 1 - along

    index = program * block + tl.arange(0, block)
    exists = index < batch * lines * cells
    inner = tl.where(along_rows, cells, lines)
    outer_index = tl.minimum(index, batch * lines * cells - 1) // inner
    inner_index = tl.minimum(index, batch * lines * cells - 1) - outer_index * inner
    outer = tl.where(along_rows, lines, cells)
    item = outer_index // outer
    outer_index -= item * outer
    line = tl.where(along_rows, outer_index, inner_index)
    cell = tl.where(along_rows, inner_index, outer_index)

    line_nodes = nodes + item * h * w * 2 + line * line_stride
    point = tl.div_rn(cell.to(tl.float32), cell_extent)
    tile = axis.last_node_below(line_nodes + along, node_stride, point, n - 2, steps)
    start = line_nodes + tile * node_stride
    low, high = tl.load(start + along), tl.load(start + node_stride + along)
    low_value, high_value = tl.load(start + across), tl.load(start + node_stride + across)
    fraction = tl.minimum(tl.maximum(tl.div_rn(point - low, high - low), 0.0), 1.0)
    crossing = axis.lerp(low_value, high_value, fraction) * crossing_extent
    tl.store(table + index, crossing, exists)


@triton.jit(do_not_specialize=["w", "h", "width", "height", "padding_x", "padding_y"])
def _invert_kernel(
    nodes,
    columns,
    rows,
    inverse,
    w,
    h,
    width,
    height,
    extent_x,
    extent_y,
    padding_x,
    padding_y,
    scale_x,
    scale_y,
    step_x,
    step_y,
    reciprocal,
    crops: tl.constexpr,
    steps: tl.constexpr,
    block: tl.constexpr,
):
    """Store the inverse's planes (2, B, H, W), in [-1, 1], as `lzu.core.bilinear.Tiles.invert`."""
    item = tl.program_id(1)
    cells = height * width
    cell = tl.program_id(0) * block + tl.arange(0, block)
    exists = cell < cells
    cell = tl.minimum(cell, cells - 1)
    row, column = axis.divide(cell, width, reciprocal)
    point_x, point_y = column.to(tl.float32), row.to(tl.float32)

    # The tile's lower right node, counted from 1 past the last: how many lines are passed.
    columns += (item * height + row) * w - 1
    rows += item * h * width + column - width
    right = axis.last_node_below(columns, 1, point_x, w, steps)
    bottom = axis.last_node_below(rows, width, point_y, h, steps)
    point_x, point_y = tl.div_rn(point_x, extent_x), tl.div_rn(point_y, extent_y)

    # The ring of `lzu.core.bilinear.ring`: the border's nodes, moved outward by one step.
    shift_left = tl.where(right == 0, step_x, 0.0)
    shift_right = tl.where(right == w, step_x, 0.0)
    shift_top = tl.where(bottom == 0, step_y, 0.0)
    shift_bottom = tl.where(bottom == h, step_y, 0.0)
    left_node, right_node = tl.maximum(right - 1, 0), tl.minimum(right, w - 1)
    top_nodes = nodes + (item * h + tl.maximum(bottom - 1, 0)) * w * 2
    bottom_nodes = nodes + (item * h + tl.minimum(bottom, h - 1)) * w * 2
    tl_x = tl.load(top_nodes + left_node * 2) - shift_left
    tl_y = tl.load(top_nodes + left_node * 2 + 1) - shift_top
    tr_x = tl.load(top_nodes + right_node * 2) + shift_right
    tr_y = tl.load(top_nodes + right_node * 2 + 1) - shift_top
    bl_x = tl.load(bottom_nodes + left_node * 2) - shift_left
    bl_y = tl.load(bottom_nodes + left_node * 2 + 1) + shift_bottom
    br_x = tl.load(bottom_nodes + right_node * 2) + shift_right
    br_y = tl.load(bottom_nodes + right_node * 2 + 1) + shift_bottom

    # Eqs. 8-17 with the slip of Eq. 14 mended, from the corner that makes Eq. 16's c2 negative.
    x3, y3 = br_x - bl_x - tr_x + tl_x, br_y - bl_y - tr_y + tl_y
    turned = x3 * (bl_y - tl_y) - y3 * (bl_x - tl_x) > 0
    x1, y1 = tl.where(turned, bl_x - br_x, tr_x - tl_x), tl.where(turned, bl_y - br_y, tr_y - tl_y)
    x2, y2 = tl.where(turned, tr_x - br_x, bl_x - tl_x), tl.where(turned, tr_y - br_y, bl_y - tl_y)
    x, y = point_x - tl.where(turned, br_x, tl_x), point_y - tl.where(turned, br_y, tl_y)
    c0 = y1 * x - x1 * y
    c1 = y3 * x - x3 * y + (x1 * y2 - x2 * y1)
    c2 = x3 * y2 - x2 * y3
    root = tl.sqrt_rn(tl.maximum(c1 * c1 - 4.0 * c0 * c2, _TINY))
    v = tl.div_rn(-2.0 * c0, c1 + root)
    edge_x, edge_y = x1 + x3 * v, y1 + y3 * v
    along = edge_x * (x - x2 * v) + edge_y * (y - y2 * v)
    u = tl.div_rn(along, edge_x * edge_x + edge_y * edge_y)
    place_x = tl.where(turned, right.to(tl.float32) - u, (right - 1).to(tl.float32) + u) * step_x
    place_y = tl.where(turned, bottom.to(tl.float32) - v, (bottom - 1).to(tl.float32) + v) * step_y

    # As `NonseparableNodes._keep_padding`.
    kept_x, kept_y = column >= padding_x, row >= padding_y
    if not crops:
        kept_x |= column == 0
        kept_y |= row == 0
    place_x = tl.where(kept_x, point_x, place_x)
    place_y = tl.where(kept_y, point_y, place_y)
    plane = tl.num_programs(1).to(tl.int64) * cells
    inverse += item.to(tl.int64) * cells
    tl.store(inverse + cell, place_x * scale_x - 1.0, exists)
    tl.store(inverse + plane + cell, place_y * scale_y - 1.0, exists)
