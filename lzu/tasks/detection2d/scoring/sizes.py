"""Ranges of object size that average precision is given for: in pixels as COCO has them, and in
heights of the image, which compare across datasets of other resolutions."""

from typing import Any

import numpy as np

from lzu.errors import UserError

# Ranges of area in square pixels, both ends included.
COCO_RANGES = {
    "AP": (0.0, 1e10),
    "AP_S": (0.0, 32.0**2),
    "AP_M": (32.0**2, 96.0**2),
    "AP_L": (96.0**2, 1e10),
}
SIZE_EDGES = (0, 8, 16, 24, 32, 48, 64, 96, 128, 192)
"""Lower edges of the finer bins of object size, the square root of the box's area in native pixels;
the last bin is open."""
PAPER_HEIGHT = 1200
"""Of Argoverse-HD's images in pixels: there relative and absolute sizes are the same."""
RELATIVE_EDGES = tuple(edge / PAPER_HEIGHT for edge in SIZE_EDGES)
"""`SIZE_EDGES` in heights of the image."""


def size_ranges(
    edges: tuple[int, ...] = SIZE_EDGES, height: int = PAPER_HEIGHT
) -> list[tuple[float, float]]:
    """The ranges of area of bins with these lower edges; a box on an edge is in the upper bin.

    Edges are in pixels of an image of `PAPER_HEIGHT`, and grow with an image's height.
    """
    areas = [(edge * (height / PAPER_HEIGHT)) ** 2 for edge in edges]
    uppers = [*(float(np.nextafter(area, 0)) for area in areas[1:]), 1e10]
    return list(zip(areas, uppers, strict=True))


def relative_ranges(height: int) -> dict[str, tuple[float, float]]:
    """COCO's small, medium and large in an image of this height, both ends included: AP_S_rel is
    of boxes up to 32/1200 of the height, AP_L_rel of those from 96/1200 on."""
    small, large = ((edge * (height / PAPER_HEIGHT)) ** 2 for edge in (32, 96))
    return {"AP_S_rel": (0.0, small), "AP_M_rel": (small, large), "AP_L_rel": (large, 1e10)}


def image_height(truth: dict[str, Any]) -> int:
    """The one height in pixels of all images of a COCO annotation file's content.

    Raises UserError if they have several or none.
    """
    heights = sorted({image.get("height") or 0 for image in truth["images"]})
    if len(heights) != 1 or heights[0] <= 0:
        raise UserError(
            f"annotations: images.height: {heights} px, but sizes relative to the height need one; "
            "prepare the dataset from images of one height"
        )
    return heights[0]
