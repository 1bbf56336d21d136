"""Saliency maps: positive, (B, 1, h, w), sum 1 over the lattice of h x w cells.

Cell (i, j) lies at y = i / (h - 1), x = j / (w - 1) of the image, corners on corners.
"""

from lzu.saliency.boundaries import BoundaryDensity, from_boundaries, semantic_boundaries
from lzu.saliency.boxes import BoxDensity, from_boxes, from_kernel_sum, kernel_sum
from lzu.saliency.boxes_3d import from_boxes_3d, project_boxes_3d
from lzu.saliency.checks import require_saliency
from lzu.saliency.composition import Composed, compose
from lzu.saliency.constant import uniform
from lzu.saliency.floor import magnification_bound
from lzu.saliency.learned import LearnedSaliency

__all__ = [
    "BoundaryDensity",
    "BoxDensity",
    "Composed",
    "LearnedSaliency",
    "compose",
    "from_boundaries",
    "from_boxes",
    "from_boxes_3d",
    "from_kernel_sum",
    "kernel_sum",
    "magnification_bound",
    "project_boxes_3d",
    "require_saliency",
    "semantic_boundaries",
    "uniform",
]
