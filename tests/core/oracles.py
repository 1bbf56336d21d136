"""The library's formulas again, in plain float64 loops, straight from their definitions."""

import math

import numpy as np
import torch
from torch import Tensor


def box_saliency(
    boxes: list[list[float]],
    image_size: tuple[int, int],
    lattice: tuple[int, int],
    amplitude: float,
    bandwidth: float,
) -> np.ndarray:
    """FOVEA's box saliency (h, w): notes of `lzu.saliency.from_boxes`."""
    (height, width), (h, w) = image_size, lattice
    radius = min(h, w) - 1
    total = np.zeros(lattice)
    for left, top, right, bottom in boxes:
        single = np.zeros(lattice)
        for i in range(h):
            for j in range(w):
                dy = i * height / (h - 1) - (top + bottom) / 2
                dx = j * width / (w - 1) - (left + right) / 2
                single[i, j] = math.exp(
                    -(dx**2) / (2 * bandwidth * (right - left))
                    - dy**2 / (2 * bandwidth * (bottom - top))
                )
        single *= amplitude / single.sum()
        total += single + 1 / (2 * radius + 1) ** 2
    return total / total.sum()


def axis_nodes(marginal: np.ndarray, radius: int, fwhm: float, anti_crop: bool) -> np.ndarray:
    """Eqs. 3-4 on one axis, summed over padded cells one by one."""
    n = len(marginal)
    nodes = []
    for i in range(n):
        numerator = denominator = 0.0
        for j in range(i - radius, i + radius + 1):
            source = j
            if anti_crop:
                while not 0 <= source < n:
                    source = -source if source < 0 else 2 * (n - 1) - source
            else:
                source = min(max(j, 0), n - 1)
            weight = marginal[source] * math.exp(-4 * math.log(2) * ((j - i) / fwhm) ** 2)
            numerator += weight * j / (n - 1)
            denominator += weight
        nodes.append(numerator / denominator)
    return np.array(nodes)


def nodes(saliency: np.ndarray, fwhm: float, anti_crop: bool) -> tuple[np.ndarray, np.ndarray]:
    """The nodes along x (w,) and y (h,) for saliency (h, w)."""
    radius = min(saliency.shape) - 1
    along_x = [
        sum(saliency[i, j] for i in range(saliency.shape[0])) for j in range(saliency.shape[1])
    ]
    along_y = [
        sum(saliency[i, j] for j in range(saliency.shape[1])) for i in range(saliency.shape[0])
    ]
    return (
        axis_nodes(np.array(along_x), radius, fwhm, anti_crop),
        axis_nodes(np.array(along_y), radius, fwhm, anti_crop),
    )


def bilinear(image: np.ndarray, y: float, x: float) -> float:
    """The value at row y and column x, with the border replicated."""
    height, width = image.shape
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    b, r = y - top, x - left
    return (1 - b) * ((1 - r) * image[top, left] + r * image[top, right]) + b * (
        (1 - r) * image[bottom, left] + r * image[bottom, right]
    )


def zoom(image: np.ndarray, x: np.ndarray, y: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """I(T(p)) for nodes x (w,), y (h,)."""
    zoomed = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            v = np.interp(i / (size[0] - 1), np.linspace(0, 1, len(y)), y)
            u = np.interp(j / (size[1] - 1), np.linspace(0, 1, len(x)), x)
            zoomed[i, j] = bilinear(image, v * (image.shape[0] - 1), u * (image.shape[1] - 1))
    return zoomed


def unzoom(
    features: np.ndarray, x: np.ndarray, y: np.ndarray, extent: tuple[float, float]
) -> np.ndarray:
    """F(T^-1(p)) in the content region, and the features themselves in the padding."""
    unzoomed = np.zeros(features.shape)
    for i in range(features.shape[0]):
        for j in range(features.shape[1]):
            v, u = i / extent[0], j / extent[1]
            if v <= 1:
                v = np.interp(v, y, np.linspace(0, 1, len(y)))
            if u <= 1:
                u = np.interp(u, x, np.linspace(0, 1, len(x)))
            unzoomed[i, j] = bilinear(features, v * extent[0], u * extent[1])
    return unzoomed


def random_saliency(
    seed: int,
    lattice: tuple[int, int],
    *,
    batch: int = 1,
    contrast: float = 20.0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Saliency (B, 1, h, w) with values from 1 to `contrast`, evenly spread in their logarithm."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand((batch, 1, *lattice), generator=generator, dtype=torch.float64)
    return (contrast**uniform).to(dtype)
