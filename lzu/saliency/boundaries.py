"""Saliency of semantic boundaries: the paper's prior for segmentation (Section 5.2, A.6)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lzu.core.arguments import as_integer, as_positive
from lzu.core.lattice import Size, as_size


def from_boundaries(
    labels: Tensor,
    lattice: Sequence[int] = (45, 45),
    *,
    boundary: float = 200.0,
    background: float = 1.0,
    ignore: int | None = None,
) -> Tensor:
    """Return the density of semantic boundaries, as in the paper's Cityscapes prior (A.6).

    Pixels of `semantic_boundaries` get the intensity `boundary`, all others `background`; these
    are averaged over the cells and scaled to sum 1. The cells are those of adaptive average
    pooling: cell i of h takes the rows from floor(i H / h) up to, and without,
    ceil((i + 1) H / h). So they overlap by a row where H / h is no integer (256 rows on 45 cells:
    6 or 7 rows each). A cell stands for an area here, as in the paper, and for the lattice point
    i / (h - 1) in the warp.

    Only the ratio boundary / background matters. It works on labels as they are: the paper
    resizes them to 256 x 256 beforehand (by nearest neighbour, for they are classes), and at
    another size a boundary is of another width in cells.

    Args:
        labels: classes (B, H, W), or (H, W) for a batch of one, of an integer dtype.
        lattice: (h, w) cells.
        boundary, background: intensities, positive.
        ignore: as in `semantic_boundaries`.

    Returns:
        Saliency (B, 1, h, w), float32, on the labels' device; each item has sum 1.

    Raises:
        TypeError: labels are no integer tensor.
        ValueError: labels of another rank, without a pixel or without an item; an intensity that
            is not positive; an `ignore` that such labels cannot hold.

    >>> labels = torch.zeros(1, 256, 256, dtype=torch.uint8)
    >>> labels[:, 128:] = 7
    >>> s = from_boundaries(labels)
    >>> s.shape, s[0, 0, :, 0].argmax().item()
    (torch.Size([1, 1, 45, 45]), 22)
    """
    share = boundary_share(labels, lattice, ignore=ignore)
    return _from_share(share, boundary, background).float()


def semantic_boundaries(labels: Tensor, *, ignore: int | None = None) -> Tensor:
    """Return which pixels differ from at least one of their eight neighbours (A.6), as bool.

    Pixels at the border of the image have only those neighbours that lie inside.

    Args:
        labels: (..., H, W), of an integer dtype.
        ignore: a label that stands for no class, such as Cityscapes' 255. None, as in the paper's
            words: it is a label like any other, and its outline a boundary. If given, no pixel
            with this label is a boundary, and none is because of a neighbour with this label
            (as ES treats it).

    Returns:
        (..., H, W), bool.

    >>> semantic_boundaries(torch.tensor([[1, 1, 1, 255]])).int()
    tensor([[0, 0, 1, 1]], dtype=torch.int32)
    >>> semantic_boundaries(torch.tensor([[1, 1, 1, 255]]), ignore=255).int()
    tensor([[0, 0, 0, 0]], dtype=torch.int32)
    """
    _require_labels(labels, ignore)
    height, width = labels.shape[-2:]
    found = torch.zeros_like(labels, dtype=torch.bool)
    # Half of the eight directions: each difference marks both of its pixels.
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        left = max(-right, 0)
        here = (..., slice(0, height - down), slice(left, width - max(right, 0)))
        there = (..., slice(down, height), slice(left + right, width - left))
        differs = labels[here] != labels[there]
        if ignore is not None:
            differs &= (labels[here] != ignore) & (labels[there] != ignore)
        found[here] |= differs
        found[there] |= differs
    return found


def boundary_share(
    labels: Tensor, lattice: Sequence[int] = (45, 45), *, ignore: int | None = None
) -> Tensor:
    """Return the share (B, 1, h, w), float32, of each cell's pixels that are boundaries.

    The part of `from_boundaries` that adds up over a data set, with the same arguments.
    """
    lattice = as_size(lattice, "lattice")
    if isinstance(labels, Tensor) and labels.ndim == 2:
        labels = labels.unsqueeze(0)
    found = semantic_boundaries(labels, ignore=ignore)
    if labels.ndim != 3 or 0 in labels.shape:
        raise ValueError(
            f"labels must be (B, H, W) or (H, W), with no side of 0, got {tuple(labels.shape)}"
        )
    return F.adaptive_avg_pool2d(found.unsqueeze(1).float(), lattice)


class BoundaryDensity:
    """`from_boundaries`, averaged over the images of a data set that comes in parts.

    The paper's prior is that of the training images. Intensities are averaged over images before
    they are scaled to sum 1, so an image counts by its boundaries. The share of boundary pixels
    does not depend on the intensities, so one pass serves any number of them.

    >>> density = BoundaryDensity(lattice=(45, 45), ignore=255)
    >>> for _ in range(3):
    ...     density.add(torch.randint(0, 19, (2, 256, 256)))
    >>> density.count, tuple(density.saliency(boundary=50).shape)
    (6, (1, 1, 45, 45))
    """

    def __init__(self, lattice: Sequence[int] = (45, 45), *, ignore: int | None = None) -> None:
        self.lattice: Size = as_size(lattice, "lattice")
        self.ignore = None if ignore is None else as_integer(ignore, "ignore")
        self.count = 0
        self.total = torch.zeros((1, 1, *self.lattice), dtype=torch.float64)

    def add(self, labels: Tensor) -> None:
        """Add the labels (B, H, W) of B images, or (H, W) of one."""
        share = boundary_share(labels, self.lattice, ignore=self.ignore)
        self.total += share.double().sum(0, keepdim=True).to(self.total.device)
        self.count += len(share)

    def saliency(self, boundary: float = 200.0, background: float = 1.0) -> Tensor:
        """Return the saliency (1, 1, h, w), float32, of all images so far; uniform without any."""
        share = self.total / max(self.count, 1)
        return _from_share(share, boundary, background).float()


def _from_share(share: Tensor, boundary: float, background: float) -> Tensor:
    boundary, background = as_positive(boundary, "boundary"), as_positive(background, "background")
    intensity = background + (boundary - background) * share
    return intensity / intensity.sum(dim=(2, 3), keepdim=True)


def _require_labels(labels: Tensor, ignore: int | None) -> None:
    if not isinstance(labels, Tensor):
        raise TypeError(f"labels must be a tensor (..., H, W), got {type(labels).__name__}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"labels must be integers, got {labels.dtype}")
    if labels.ndim < 2:
        raise ValueError(f"labels must be (..., H, W), got {tuple(labels.shape)}")
    if ignore is not None:
        ignore, limits = as_integer(ignore, "ignore"), torch.iinfo(labels.dtype)
        # PyTorch would wrap such a value, and find it in labels that do not have it.
        if not limits.min <= ignore <= limits.max:
            raise ValueError(
                f"ignore={ignore} cannot occur in {labels.dtype} labels; "
                "give a label that can, or None"
            )
