"""The nodes of a separable warp from saliency, in one launch.

Little crosses device memory here (for a lattice of 31 x 51, 6 KB of saliency and 64 KB of kernel
constants); what counts is that one launch replaces a dozen.
"""

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from lzu.core.arguments import as_positive, require_shape
from lzu.core.lattice import Size
from lzu.core.mapping import folded_kernels
from lzu.core.memory import constant
from lzu.kernels.launch import launch, require_lattice, require_tensors

ELEMENTS = 4096  # of a block of saliency or of a kernel constant, 16 a thread
WARPS = 8


def separable_nodes(
    saliency: Tensor, *, fwhm: float = 22.0, anti_crop: bool = True
) -> tuple[Tensor, Tensor]:
    """Return the nodes of T along x (B, w) and y (B, h), as `lzu.core.mapping.separable_nodes`.

    Args:
        saliency: (B, 1, h, w), positive; float32, float16 or bfloat16, with any strides. It is
            not looked at before the launch: bad saliency makes NaN or folds.
        fwhm: full width at half maximum of the kernel, in cells.
        anti_crop: reflect the saliency at the border rather than replicate it.

    Returns:
        Two float32 tensors. With anti-cropping the ends are exactly 0 and 1.

    Raises:
        TypeError, ValueError: wrong types, shapes, lattice or setting.
        RuntimeError: a gradient is wanted.
    """
    require_shape(saliency, "saliency", ("B", 1, "h", "w"))
    require_tensors((torch.float32, torch.float16, torch.bfloat16), saliency=saliency)
    batch, _, h, w = saliency.shape
    x, y, kernels_x, kernels_y = prepare(batch, (h, w), fwhm, anti_crop, saliency.device)
    side = triton.next_power_of_2(max(h, w))
    if batch:
        launch(
            _saliency_nodes_kernel,
            (batch, 2),
            saliency,
            *(saliency.stride(axis) for axis in (0, 2, 3)),
            kernels_x,
            kernels_y,
            x,
            y,
            w,
            h,
            side=side,
            rows=max(1, min(ELEMENTS // side, side)),
            num_warps=WARPS,
        )
    return x, y


def prepare(
    batch: int, lattice: Size, fwhm: float, anti_crop: bool, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return empty nodes along x and y, and the constants of their kernels."""
    require_lattice(lattice)
    fwhm = as_positive(fwhm, "fwhm")
    h, w = lattice
    radius = min(h, w) - 1
    nodes = (torch.empty((batch, n), dtype=torch.float32, device=device) for n in (w, h))
    side = triton.next_power_of_2(max(h, w))
    kernels = (_padded_kernels(n, side, radius, fwhm, bool(anti_crop), device) for n in (w, h))
    return *nodes, *kernels


@constant
def _padded_kernels(
    n: int, side: int, radius: int, fwhm: float, anti_crop: bool, device: torch.device
) -> Tensor:
    """Return `lzu.core.mapping.folded_kernels`, padded with zeros to (2, side, side).

    So that rows begin at multiples of 16 bytes.
    """
    kernels = folded_kernels(n, radius, fwhm, anti_crop, torch.float32, device)
    return F.pad(kernels, (0, side - n, 0, side - n))


@triton.jit
def attract(marginal, kernels, nodes, n, side: tl.constexpr, rows: tl.constexpr):
    """Store the nodes (n,) that `lzu.core.mapping._axis_nodes` makes of marginal saliency (side,).

    `kernels` is what `_padded_kernels` returns, and `marginal` is finite past n.
    """
    cell = tl.arange(0, side)[None, :]
    for start in range(0, side, rows):
        node = start + tl.arange(0, rows)
        at = kernels + node[:, None] * side + cell
        weight = tl.sum(tl.load(at) * marginal[None, :], axis=1)
        attraction = tl.sum(tl.load(at + side * side) * marginal[None, :], axis=1)
        exists = node < n
        weight = tl.where(exists, weight, 1.0)
        place = tl.div_rn(node.to(tl.float32), (n - 1).to(tl.float32))
        tl.store(nodes + node, place + tl.div_rn(attraction, weight), exists)


@triton.jit(do_not_specialize=["item_stride", "row_stride", "column_stride", "w", "h"])
def _saliency_nodes_kernel(
    saliency,
    item_stride,
    row_stride,
    column_stride,
    kernels_x,
    kernels_y,
    nodes_x,
    nodes_y,
    w,
    h,
    side: tl.constexpr,
    rows: tl.constexpr,
):
    item, along_y = tl.program_id(0), tl.program_id(1) == 1
    n = tl.where(along_y, h, w)
    across = tl.where(along_y, w, h)
    stride = tl.where(along_y, row_stride, column_stride)
    across_stride = tl.where(along_y, column_stride, row_stride)
    kernels = tl.where(along_y, kernels_y, kernels_x)
    nodes = tl.where(along_y, nodes_y, nodes_x) + item * n

    cell = tl.arange(0, side)[None, :]
    total = tl.zeros((rows, side), dtype=tl.float32)
    values = saliency + item.to(tl.int64) * item_stride + cell * stride
    for start in range(0, side, rows):
        line = start + tl.arange(0, rows)[:, None]
        mask = (line < across) & (cell < n)
        total += tl.load(values + line * across_stride, mask, 0.0).to(tl.float32)
    attract(tl.sum(total, axis=0), kernels, nodes, n, side, rows)
