"""Saliency of boxes: FOVEA's kernel density estimate (the paper's A.6)."""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lzu.core.arguments import as_count, as_positive, require_floating, require_shape
from lzu.core.lattice import Size, as_size, coordinates
from lzu.core.memory import has_values, refuse_tracing
from lzu.saliency.checks import as_item, as_items, require_boxes, result_dtype


def from_boxes(
    boxes: Tensor | Sequence[Tensor],
    image_size: Sequence[int],
    lattice: Sequence[int] = (31, 51),
    *,
    amplitude: float = 1.0,
    bandwidth: float = 64.0,
    chunk: int = 16384,
    check: bool = True,
) -> Tensor:
    """Return FOVEA's kernel density estimate of boxes (the paper's A.6: a = 1, b = 64).

    Every box adds a Gaussian around its centre, of *variance* bandwidth * width along x and
    bandwidth * height along y (pixels squared), taken at the lattice points linspace(0, W) x
    linspace(0, H) and scaled to sum `amplitude` over them; and 1 / (2p + 1)^2 on every cell, with
    p = min(h, w) - 1. The sum over boxes is scaled to 1. Without boxes it is uniform.

    Args:
        boxes: (n, 4) left, top, right, bottom in pixels of `image_size`, for a batch of one; or a
            list of B such, or (B, n, 4). Tensors or NumPy arrays of any real numbers, each item
            of its own type. They may lie partly or all outside the image.
        image_size: (H, W), the frame of the boxes.
        lattice: (h, w) cells.
        amplitude: a, the weight of the boxes against the constant.
        bandwidth: b, in pixels.
        chunk: boxes taken at a time; bounds the memory to about chunk * (h + w) * 32 bytes.
        check: look for bad boxes (on a GPU this waits for it).

    Returns:
        Saliency (B, 1, h, w), float64 if the boxes of any item are, else float32, on the boxes'
        device; differentiable with respect to the boxes. Sums are taken in float64.

    Raises:
        TypeError: boxes are no tensors or arrays of real numbers.
        ValueError: wrong shape, a box with NaN, infinite, zero or negative size (its index is
            named), or a setting that is not positive.

    >>> s = from_boxes(torch.tensor([[40.0, 20.0, 60.0, 30.0]]), (100, 200), lattice=(11, 21))
    >>> s.shape, s.flatten().argmax().item() == 2 * 21 + 5
    (torch.Size([1, 1, 11, 21]), True)
    """
    items = as_items(boxes, 4)
    image_size, lattice = as_size(image_size, "image_size", 1), as_size(lattice, "lattice")
    total = kernel_sum(items, image_size, lattice, bandwidth=bandwidth, chunk=chunk, check=check)
    counts = [len(item) for item in items]
    return from_kernel_sum(total, counts, amplitude=amplitude).to(result_dtype(items))


def kernel_sum(
    boxes: Tensor | Sequence[Tensor],
    image_size: Sequence[int],
    lattice: Sequence[int] = (31, 51),
    *,
    bandwidth: float = 64.0,
    chunk: int = 16384,
    check: bool = True,
) -> Tensor:
    """Return the sum (B, h, w), float64, of the boxes' Gaussians, each of sum 1.

    The part of `from_boxes` that adds up over parts of a data set, with the same arguments.
    `from_kernel_sum` makes saliency of it.
    """
    items = as_items(boxes, 4)
    image_size, lattice = as_size(image_size, "image_size", 1), as_size(lattice, "lattice")
    bandwidth, chunk = as_positive(bandwidth, "bandwidth"), as_count(chunk, "chunk")
    refuse_tracing("saliency of boxes", "their number")
    if check and has_values(items[0]):
        require_boxes(items)
    longest = max(len(item) for item in items)
    if longest == 0:
        return items[0].new_zeros((len(items), *lattice), dtype=torch.float64)
    step = max(1, chunk // len(items))
    parts = ([item[start : start + step] for item in items] for start in range(0, longest, step))
    sums = (_kernel_sum_once(part, image_size, lattice, bandwidth) for part in parts)
    return functools.reduce(torch.add, sums)


def from_kernel_sum(total: Tensor, counts: Sequence[int], *, amplitude: float = 1.0) -> Tensor:
    """Return saliency (B, 1, h, w) from `kernel_sum`'s (B, h, w) and the numbers of boxes.

    As each Gaussian has sum 1, the whole has the sum counts * (amplitude + h * w / (2p + 1)^2),
    known beforehand. An item without boxes gets uniform saliency. It is float64 if `total` is,
    else float32.

    Raises:
        TypeError: no floating point tensor, or counts that are no integers.
        ValueError: a wrong shape, or as many counts as batch items are needed.
    """
    amplitude = as_positive(amplitude, "amplitude")
    require_shape(total, "total", ("B", "h", "w"))
    require_floating(total, "total")
    if total.dtype != torch.float64:
        total = total.float()
    batch, h, w = total.shape
    as_size((h, w), "total's lattice")
    try:
        counts = [as_count(count, f"counts[{i}]", 0) for i, count in enumerate(counts)]
    except TypeError as error:
        raise TypeError(f"counts must be {batch} integers: {error}") from None
    if len(counts) != batch:
        raise ValueError(f"total has {batch} batch items, counts has {len(counts)}")
    floor = 1 / (2 * min(h, w) - 1) ** 2
    whole = amplitude + h * w * floor
    weights = [amplitude / count / whole if count else 0.0 for count in counts]
    floors = [floor / whole if count else 1 / (h * w) for count in counts]
    factors = torch.tensor([weights, floors], dtype=total.dtype, device=total.device)
    weight, least = factors.view(2, -1, 1, 1, 1).unbind()
    return torch.addcmul(least, total.unsqueeze(1), weight)


class BoxDensity:
    """`from_boxes` over a data set that comes in parts.

    The kernel sum does not depend on the amplitude, so one pass serves any number of them. No
    gradient is kept of the boxes.

    >>> density = BoxDensity(image_size=(1200, 1920), lattice=(31, 51), bandwidth=64)
    >>> density.add(torch.tensor([[900.0, 600.0, 960.0, 640.0]]))
    >>> density.add(torch.tensor([[200.0, 640.0, 230.0, 700.0]]))
    >>> density.count, tuple(density.saliency(amplitude=5).shape)
    (2, (1, 1, 31, 51))
    """

    def __init__(
        self,
        image_size: Sequence[int],
        lattice: Sequence[int] = (31, 51),
        *,
        bandwidth: float = 64.0,
    ) -> None:
        self.image_size: Size = as_size(image_size, "image_size", 1)
        self.lattice: Size = as_size(lattice, "lattice")
        self.bandwidth = as_positive(bandwidth, "bandwidth")
        self.count = 0
        self.total = torch.zeros((1, *self.lattice), dtype=torch.float64)

    def add(self, boxes: Tensor, *, check: bool = True) -> None:
        """Add boxes (n, 4), a tensor or array as in `from_boxes`; n = 0 changes nothing.

        Raises:
            TypeError, ValueError: as `from_boxes`; or boxes of several items: add one by one.
        """
        item = as_item(boxes, 4)
        part = kernel_sum(
            item.detach(), self.image_size, self.lattice, bandwidth=self.bandwidth, check=check
        )
        self.total += part.to(self.total.device)
        self.count += len(item)

    def saliency(self, amplitude: float = 1.0) -> Tensor:
        """Return the saliency (1, 1, h, w), float32, of all boxes so far."""
        return from_kernel_sum(self.total, [self.count], amplitude=amplitude).float()


def _kernel_sum_once(
    items: list[Tensor], image_size: Size, lattice: Size, bandwidth: float
) -> Tensor:
    # Float64 keeps a sum over a million boxes exact, and is left alone by autocast and TF32.
    # Each item by itself, for padding together takes the first one's type.
    items = [item.double() for item in items]
    boxes = items[0].unsqueeze(0) if len(items) == 1 else pad_sequence(items, True)
    weights = None
    if any(len(item) != boxes.shape[1] for item in items):
        ones = [item.new_ones(len(item), dtype=torch.float64) for item in items]
        weights = pad_sequence(ones, batch_first=True)
        # Padding rows are no boxes; give them a size so that their gradient is finite.
        unit = boxes.new_tensor([0.0, 0.0, 1.0, 1.0])
        boxes = torch.where(weights.unsqueeze(-1) > 0, boxes, unit)
    left, top, right, bottom = boxes.unbind(-1)
    along_x = _axis_kernel(left, right, image_size[1], lattice[1], bandwidth)
    along_y = _axis_kernel(top, bottom, image_size[0], lattice[0], bandwidth)
    if weights is not None:
        along_x = along_x * weights.unsqueeze(-1)
    return along_y.transpose(1, 2) @ along_x


def _axis_kernel(low: Tensor, high: Tensor, side: int, n: int, bandwidth: float) -> Tensor:
    """Return (B, boxes, n): along one axis, each box's Gaussian scaled to sum 1.

    A Gaussian is separable, so scaling both axes scales the box. Softmax does it without dividing
    by an underflowed sum where a small box lies far from all lattice points.
    """
    lattice = coordinates(n, (n - 1) / side, low.dtype, low.device)
    distance = lattice - ((low + high) / 2).unsqueeze(-1)
    variance = bandwidth * (high - low).unsqueeze(-1)
    return torch.softmax(distance.square() / (-2 * variance), dim=-1)
