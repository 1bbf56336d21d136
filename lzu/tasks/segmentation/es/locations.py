"""Where ES samples: its lattice of locations, resized to the network's input, at whole pixels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lzu.core.arguments import require_floating, require_shape
from lzu.core.lattice import as_size


def es_locations(
    lattice_locations: Tensor, size: Sequence[int], image_size: Sequence[int]
) -> Tensor:
    """Return where the pixels of the network's input are taken from.

    The lattice is resized bilinearly with corners aligned, clamped to the image, and each location
    moved to the nearest pixel of the image (of two equally near ones, the even). So several
    locations may be one pixel.

    Args:
        lattice_locations: (B, n, m, 2), x first, in [0, 1] (`align_corners=True`), floating
            point, each side at least 2.
        size: (h, w) of the network's input.
        image_size: (H, W) of the image that is sampled.

    Returns:
        (B, h, w, 2), float32, or float64 if the lattice is: exact multiples of 1 / (W - 1) and
        1 / (H - 1) up to rounding. No gradient comes back through them.

    Raises:
        TypeError: not floating point, or sizes that are no pairs of integers.
        ValueError: another shape, or a side smaller than 2.
    """
    require_shape(lattice_locations, "lattice_locations", ("B", "n", "m", 2))
    require_floating(lattice_locations, "lattice_locations")
    as_size(lattice_locations.shape[1:3], "lattice_locations' lattice")
    h, w = as_size(image_size, "image_size")
    dtype = torch.float64 if lattice_locations.dtype == torch.float64 else torch.float32
    # In float64, so that a location half way between two pixels falls alike on every machine.
    planes = lattice_locations.detach().double().permute(0, 3, 1, 2)
    resized = F.interpolate(planes, as_size(size), mode="bilinear", align_corners=True)
    last = resized.new_tensor([w - 1, h - 1])
    pixels = (resized.permute(0, 2, 3, 1).clamp(0, 1) * last).round()
    return (pixels / last).to(dtype)


def on_border(locations: Tensor) -> Tensor:
    """Return locations (B, n, m, 2), clamped to [0, 1], with the border of ES's targets.

    The first and last row lie at y = 0 and 1, the first and last column at x = 0 and 1: corners
    are fixed, and the nodes of a border slide along it.
    """
    x, y = locations.clamp(0, 1).unbind(-1)
    x = F.pad(x[:, :, 1:-1], (1, 0), value=0.0)
    x = F.pad(x, (0, 1), value=1.0)
    y = F.pad(y[:, 1:-1], (0, 0, 1, 0), value=0.0)
    y = F.pad(y, (0, 0, 0, 1), value=1.0)
    return torch.stack((x, y), dim=-1)
