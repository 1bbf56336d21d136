"""How densely a method samples each place of the crop."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

NODES = (33, 33)
"""Places of a density map, rows and columns; the first and last are at the crop's borders."""
_FINE = 256


def sample_density(points: Tensor, nodes: tuple[int, int] = NODES) -> NDArray[np.float64]:
    """The magnification of areas, relative to uniform, by which an image is sampled: (m, n).

    Points of the network's input are spread evenly over it, where they are taken from is found
    bilinearly, and each counts at the four nodes around that place, the more the nearer; counts are
    divided by those of uniform sampling. So it is the mean magnification around a node, for warps
    that fold or leave something out, too.

    Args:
        points: (h, w, 2), where each pixel of the network's input is taken from, in [0, 1], x
            first, `align_corners=True`.
        nodes: rows and columns of the nodes, at least 2 each way, from border to border.
    """
    planes = points.detach().double().cpu().permute(2, 0, 1).unsqueeze(0)
    middle = (torch.arange(_FINE, dtype=torch.float64) + 0.5) / _FINE
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    even = torch.stack((x, y), dim=-1)
    found = F.grid_sample(planes, 2 * even[None] - 1, padding_mode="border", align_corners=True)
    return _spread(found[0].permute(1, 2, 0).numpy(), nodes) / _spread(even.numpy(), nodes)


def _spread(places: NDArray[np.float64], nodes: tuple[int, int]) -> NDArray[np.float64]:
    """Places (..., 2), x first, in [0, 1], counted at the nodes around them, bilinearly."""
    last = np.array(nodes[::-1]) - 1
    scaled = places.reshape(-1, 2).clip(0, 1) * last
    low = np.minimum(scaled.astype(int), last - 1)
    share = scaled - low
    total = np.zeros(nodes[0] * nodes[1])
    for right in (0, 1):
        for down in (0, 1):
            weight = np.abs(1 - right - share[:, 0]) * np.abs(1 - down - share[:, 1])
            index = (low[:, 1] + down) * nodes[1] + low[:, 0] + right
            total += np.bincount(index, weight, len(total))
    return total.reshape(nodes)
