"""Saliency from boxes, or the nodes of its separable warp straight from them, in one launch."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from lzu.core.arguments import as_positive, require_shape
from lzu.core.lattice import Size, as_size
from lzu.kernels.launch import launch, require_lattice, require_tensors
from lzu.kernels.nodes import ELEMENTS, WARPS, attract, prepare

_BOXES = 32  # taken at a time
_ROWS = 16  # rows of saliency that a program makes: the smallest side of a matrix product


def box_nodes(
    boxes: Tensor,
    image_size: Sequence[int],
    lattice: Sequence[int] = (31, 51),
    *,
    counts: Tensor | None = None,
    amplitude: float = 1.0,
    bandwidth: float = 64.0,
    fwhm: float = 22.0,
    anti_crop: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return `separable_nodes` of `boxes_to_saliency`, without making the saliency.

    A separable warp sees only the saliency's sums along either axis. Of a box's Gaussian, scaled
    to sum 1, they are its two factors.

    Args:
        boxes, image_size, lattice, counts, amplitude, bandwidth: as in `boxes_to_saliency`.
        fwhm, anti_crop: as in `separable_nodes`.

    Returns:
        The nodes along x (B, w) and y (B, h), float32.

    Raises:
        TypeError, ValueError: wrong types, shapes, lattice or setting.
        RuntimeError: a gradient is wanted.
    """
    boxes, counts, image_size, lattice = _require_boxes(boxes, counts, image_size, lattice)
    density = _density(boxes, counts, image_size, lattice, amplitude, bandwidth)
    (h, w), batch = lattice, len(boxes)
    x, y, kernels_x, kernels_y = prepare(batch, lattice, fwhm, anti_crop, boxes.device)
    side = triton.next_power_of_2(max(h, w))
    if batch:
        launch(
            _box_nodes_kernel,
            (batch, 2),
            *density,
            kernels_x,
            kernels_y,
            x,
            y,
            w,
            h,
            counted=counts is not None,
            side=side,
            boxes_block=max(1, min(_BOXES, ELEMENTS // side)),
            rows=max(1, min(ELEMENTS // side, side)),
            num_warps=WARPS,
        )
    return x, y


def boxes_to_saliency(
    boxes: Tensor,
    image_size: Sequence[int],
    lattice: Sequence[int] = (31, 51),
    *,
    counts: Tensor | None = None,
    amplitude: float = 1.0,
    bandwidth: float = 64.0,
) -> Tensor:
    """Return the saliency (B, 1, h, w) of boxes, as `lzu.saliency.from_boxes`, in float32.

    Args:
        boxes: (B, n, 4) left, top, right, bottom in pixels of `image_size`; float32, float16,
            bfloat16, int32 or int64, of which float32 is made. Widths and heights must be
            positive: the boxes are not looked at before the launch.
        image_size: (H, W), the frame of the boxes.
        lattice: (h, w) cells.
        counts: (B,), int32 or int64, on the boxes' device: item b has counts[b] boxes, its first
            ones, and what follows them is ignored. By default all n. An item without boxes gets
            uniform saliency.
        amplitude: a, the weight of the boxes against the constant.
        bandwidth: b, in pixels.

    Raises:
        TypeError, ValueError: wrong types, shapes, lattice or setting.
        RuntimeError: a gradient is wanted.
    """
    boxes, counts, image_size, lattice = _require_boxes(boxes, counts, image_size, lattice)
    density = _density(boxes, counts, image_size, lattice, amplitude, bandwidth)
    (h, w), batch = lattice, len(boxes)
    saliency = torch.empty((batch, 1, h, w), dtype=torch.float32, device=boxes.device)
    side_x, side_y = (max(16, triton.next_power_of_2(n)) for n in (w, h))
    if batch:
        launch(
            _saliency_kernel,
            (batch, triton.cdiv(h, _ROWS)),
            *density,
            saliency,
            w,
            h,
            counted=counts is not None,
            side_x=side_x,
            side_y=side_y,
            # A matrix product sums over 16 boxes at least.
            boxes_block=max(16, min(_BOXES, ELEMENTS // max(side_x, side_y))),
            rows=_ROWS,
            num_warps=WARPS,
        )
    return saliency


def _require_boxes(
    boxes: Tensor, counts: Tensor | None, image_size: Sequence[int], lattice: Sequence[int]
) -> tuple[Tensor, Tensor | None, Size, Size]:
    numbers = (torch.float32, torch.float16, torch.bfloat16, torch.int32, torch.int64)
    require_shape(boxes, "boxes", ("B", "n", 4))
    require_tensors(numbers, boxes=boxes)
    if counts is not None:
        require_shape(counts, "counts", ("B",))
        require_tensors((torch.int32, torch.int64), counts=counts)
        if counts.device != boxes.device:
            raise ValueError(f"boxes are on {boxes.device}, but counts on {counts.device}")
        if counts.shape != boxes.shape[:1]:
            raise ValueError(
                f"counts must be ({boxes.shape[0]},), one for each item of the boxes, got "
                f"{tuple(counts.shape)}"
            )
        counts = counts.contiguous()
    image_size, lattice = as_size(image_size, "image_size", 1), as_size(lattice, "lattice")
    require_lattice(lattice)
    return boxes.contiguous(), counts, image_size, lattice


def _density(
    boxes: Tensor,
    counts: Tensor | None,
    image_size: Size,
    lattice: Size,
    amplitude: float,
    bandwidth: float,
) -> tuple[Tensor | int | float, ...]:
    """Return the arguments that both kernels begin with, `boxes` to `bandwidth`.

    The weights of the mean Gaussian and of the constant are those of `from_kernel_sum`.
    """
    amplitude, bandwidth = as_positive(amplitude, "amplitude"), as_positive(bandwidth, "bandwidth")
    floor = 1 / (2 * min(lattice) - 1) ** 2
    total = amplitude + lattice[0] * lattice[1] * floor
    height, width = (float(side) for side in image_size)
    weights = amplitude / total, floor / total, bandwidth
    # An unused pointer has to be one, too.
    return boxes, boxes if counts is None else counts, boxes.shape[1], width, height, *weights


@triton.jit
def _gaussians(low, high, position, last, spacing, bandwidth):
    """Return exp of the log density of boxes [low, high] at lattice cells, up to a factor a box.

    With l_j = j * spacing the lattice points, m the one nearest to the centre c, and the variance
    bandwidth * (high - low), this is exp(-((l_j - c)^2 - (l_m - c)^2) / (2 * variance)). The
    difference of squares is taken as a product, which keeps its precision far from the centre, and
    gives 1 at m, so that no sum over the cells underflows.

    Args:
        low, high: of the boxes.
        position: j, to broadcast with the boxes.
        last: the index of the last lattice point.
        spacing: pixels between lattice points.
        bandwidth: in pixels.
    """
    centre = (low + high) * 0.5
    nearest = tl.minimum(tl.maximum(tl.floor(tl.div_rn(centre, spacing) + 0.5), 0.0), last)
    # Padding past the last would be exp of a large number where the centre lies beyond.
    step = (tl.minimum(position, last) - nearest) * spacing
    distance = step * (step + 2.0 * (nearest * spacing - centre))
    return tl.exp(distance * tl.div_rn(-0.5, bandwidth * (high - low)))


@triton.jit(do_not_specialize=["longest", "w", "h"])
def _box_nodes_kernel(
    boxes,
    counts,
    longest,
    image_width,
    image_height,
    weight,
    floor,
    bandwidth,
    kernels_x,
    kernels_y,
    nodes_x,
    nodes_y,
    w,
    h,
    counted: tl.constexpr,
    side: tl.constexpr,
    boxes_block: tl.constexpr,
    rows: tl.constexpr,
):
    item, axis = tl.program_id(0), tl.program_id(1)
    n = tl.where(axis == 1, h, w)
    across = tl.where(axis == 1, w, h)
    kernels = tl.where(axis == 1, kernels_y, kernels_x)
    nodes = tl.where(axis == 1, nodes_y, nodes_x) + item * n
    image_side = tl.where(axis == 1, image_height, image_width)
    count = longest
    if counted:
        count = tl.minimum(tl.load(counts + item).to(tl.int32), longest)

    cell = tl.arange(0, side)[None, :]
    last = (n - 1).to(tl.float32)
    spacing = tl.div_rn(image_side, last)
    corners = boxes + item.to(tl.int64) * longest * 4 + axis
    total = tl.zeros((boxes_block, side), dtype=tl.float32)
    start = 0
    while start < count:
        box = start + tl.arange(0, boxes_block)[:, None]
        start += boxes_block
        exists = box < count
        low = tl.load(corners + box * 4, exists, 0).to(tl.float32)
        high = tl.load(corners + box * 4 + 2, exists, 1).to(tl.float32)
        density = _gaussians(low, high, cell.to(tl.float32), last, spacing, bandwidth)
        density = tl.where(exists & (cell < n), density, 0.0)
        scale = tl.where(exists, tl.sum(density, axis=1, keep_dims=True), 1.0)
        total += density * tl.div_rn(1.0, scale)
    mean = tl.sum(total, axis=0) * tl.div_rn(weight, tl.maximum(count, 1).to(tl.float32))
    marginal = tl.where(count > 0, mean + floor * across, 1.0)
    attract(marginal, kernels, nodes, n, side, rows)


@triton.jit(do_not_specialize=["longest", "w", "h"])
def _saliency_kernel(
    boxes,
    counts,
    longest,
    image_width,
    image_height,
    weight,
    floor,
    bandwidth,
    saliency,
    w,
    h,
    counted: tl.constexpr,
    side_x: tl.constexpr,
    side_y: tl.constexpr,
    boxes_block: tl.constexpr,
    rows: tl.constexpr,
):
    item = tl.program_id(0)
    row = tl.program_id(1) * rows + tl.arange(0, rows)[None, :]
    count = longest
    if counted:
        count = tl.minimum(tl.load(counts + item).to(tl.int32), longest)

    column = tl.arange(0, side_x)[None, :]
    every_row = tl.arange(0, side_y)[None, :]
    last_x, last_y = (w - 1).to(tl.float32), (h - 1).to(tl.float32)
    spacing_x = tl.div_rn(image_width, last_x)
    spacing_y = tl.div_rn(image_height, last_y)
    corners = boxes + item.to(tl.int64) * longest * 4
    total = tl.zeros((rows, side_x), dtype=tl.float32)
    start = 0
    while start < count:
        box = start + tl.arange(0, boxes_block)[:, None]
        start += boxes_block
        exists = box < count
        left = tl.load(corners + box * 4, exists, 0).to(tl.float32)
        top = tl.load(corners + box * 4 + 1, exists, 0).to(tl.float32)
        right = tl.load(corners + box * 4 + 2, exists, 1).to(tl.float32)
        bottom = tl.load(corners + box * 4 + 3, exists, 1).to(tl.float32)
        along_x = _gaussians(left, right, column.to(tl.float32), last_x, spacing_x, bandwidth)
        along_x = tl.where(exists & (column < w), along_x, 0.0)
        along_y = _gaussians(top, bottom, row.to(tl.float32), last_y, spacing_y, bandwidth)
        along_y = tl.where(exists, along_y, 0.0)
        every_y = _gaussians(top, bottom, every_row.to(tl.float32), last_y, spacing_y, bandwidth)
        every_y = tl.where(every_row < h, every_y, 0.0)
        scale = tl.sum(along_x, axis=1, keep_dims=True) * tl.sum(every_y, axis=1, keep_dims=True)
        along_y *= tl.div_rn(1.0, tl.where(exists, scale, 1.0))
        # Not in TF32, which keeps ten bits.
        total += tl.dot(tl.trans(along_y), along_x, input_precision="ieee")
    mean = total * tl.div_rn(weight, tl.maximum(count, 1).to(tl.float32)) + floor
    uniform = tl.div_rn(1.0, (w * h).to(tl.float32))
    mean = tl.where(count > 0, mean, uniform)
    at = saliency + item * h * w + tl.trans(row) * w + column
    tl.store(at, mean, (tl.trans(row) < h) & (column < w))
