"""Where LDS samples: denser where its saliency is high."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lzu.core.arguments import as_count, as_positive, require_floating, require_shape
from lzu.core.lattice import as_size, coordinates
from lzu.core.mapping import attraction, folded_kernels

# Far below what softmax gives a cell; a node whose neighbourhood has less hardly moves.
_LEAST_WEIGHT = 1e-30


def lds_locations(
    saliency: Tensor,
    size: Sequence[int],
    fwhm: float = 15.0,
    radius: int = 15,
    released_frame: Sequence[int] | None = None,
) -> Tensor:
    """Return where the pixels of the network's input are taken from.

    The nodes are those of a nonseparable Learning to Zoom warp without anti-cropping (Eqs. 1-2
    of LZU), of a kernel of bounded size: 2 radius + 1 cells, 31 x 31. The kernel is stretched
    along the longer side by the lattice's aspect ratio. Nodes are clamped to the image, then
    resized bilinearly to `size`. Other than `lzu.Warp`, this map may fold.

    Slips of the released code: it samples as if coordinates 0 and 1 were the outer edges of the
    image and not the centres of its first and last pixels (`align_corners=False`), and resizes the
    nodes so as well, which repeats the outer ones where `size` is larger than the lattice:
    `released_frame`. On a lattice that is not square it stretches by the whole part of the aspect
    ratio, along x always, by interpolating the kernel; this is not reproduced.

    Args:
        saliency: (B, 1, h, w), not negative, each side at least 2. Where a node's whole
            neighbourhood has none, the node stays in its place.
        size: (H, W) of the network's input.
        fwhm: full width at half maximum of the kernel, in cells of the shorter side.
        radius: cells of the kernel on each side of its centre, likewise.
        released_frame: the size (height, width) of the sampled image, for locations that sample
            as the released code does. Beyond the centres of its outer pixels it mixes in black;
            here the location is clamped to the centre.

    Returns:
        (B, H, W, 2), x first, in [0, 1], `align_corners=True`; float32, or float64 if the saliency
        is. Differentiable with respect to the saliency.

    Raises:
        TypeError: not floating point, or sizes that are no pairs of integers.
        ValueError: another shape, a side smaller than 2, or a kernel of no width.
    """
    require_shape(saliency, "saliency", ("B", 1, "h", "w"))
    require_floating(saliency, "saliency")
    h, w = as_size(saliency.shape[2:], "saliency's lattice")
    fwhm, radius = as_positive(fwhm, "fwhm"), as_count(radius, "radius")
    dtype = torch.float64 if saliency.dtype == torch.float64 else torch.float32
    planes = _nodes(saliency, fwhm, radius, (h, w)).clamp(0, 1)
    corners = released_frame is None
    resized = F.interpolate(planes, as_size(size), mode="bilinear", align_corners=corners)
    locations = resized.permute(0, 2, 3, 1)
    if released_frame is not None:
        height, width = as_size(released_frame, "released_frame")
        sides = locations.new_tensor([width, height])
        locations = ((locations * sides - 0.5) / (sides - 1)).clamp(0, 1)
    return locations.to(dtype)


def _nodes(saliency: Tensor, fwhm: float, radius: int, lattice: tuple[int, int]) -> Tensor:
    """Return the nodes of the saliency's size as planes (B, 2, h, w), x first, float64."""
    device, shorter = saliency.device, min(lattice)
    along_y, along_x = (
        folded_kernels(n, radius * n // shorter, fwhm * n / shorter, False, torch.float64, device)
        for n in lattice
    )
    weight, *moved = attraction(saliency, along_y, along_x)
    weight = weight.clamp(min=_LEAST_WEIGHT)
    h, w = lattice
    x = coordinates(w, float(w - 1), torch.float64, device)
    y = coordinates(h, float(h - 1), torch.float64, device).unsqueeze(1)
    return torch.stack((x + moved[0] / weight, y + moved[1] / weight), dim=1)
