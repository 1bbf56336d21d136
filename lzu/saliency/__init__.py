"""Saliency maps: positive, (B, 1, h, w), sum 1 over the lattice of h x w cells.

Cell (i, j) lies at y = i / (h - 1), x = j / (w - 1) of the image, corners on corners.
"""

from lzu.saliency.boxes import BoxDensity, from_boxes, from_kernel_sum, kernel_sum
from lzu.saliency.checks import require_saliency
from lzu.saliency.constant import uniform

__all__ = [
    "BoxDensity",
    "from_boxes",
    "from_kernel_sum",
    "kernel_sum",
    "require_saliency",
    "uniform",
]
