"""What a metrics file of semantic segmentation holds, as JSON schemas."""

from typing import Any

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.results.bins import bins_problem, bins_schema
from lzu.results.schema import COUNT, PERCENT, closed
from lzu.tasks.segmentation.tables import iou

IOU = {name: iou(name) for name in CLASSES}
"""A class's name -> the metric that is its IoU at full crop."""
MEANS = {
    "full": "mIoU",
    "network": "mIoU_network",
    "warped": "mIoU_warped",
    "intrinsic": "mIoU_intrinsic",
}
"""What is compared with what -> the metric that is its mean IoU: predictions and labels of the full
crop; both at the network's size, sampled uniformly; both at the method's own sampling points; and
labels that were sampled there and sent back, with the labels of the full crop."""
BOUNDARY_F = "boundary_F"

METRICS = closed({name: PERCENT for name in (*MEANS.values(), BOUNDARY_F, *IOU.values())})

_BINS = ("lower", "mIoU", "pixels")
EXTRAS = {
    # Mean IoU of the pixels by their distance from a true boundary, as shares of the crop's shorter
    # side
    "distance_bins": bins_schema(*_BINS),
    # How many pixels of the labels are of a class, at full crop
    "class_pixels": closed({name: COUNT for name in CLASSES}),
}


def check_extras(value: dict[str, Any]) -> str | None:
    """Bins of distance rise, each has a mean IoU and a number of pixels, and these are as many as
    the classes have; a class or bin has no IoU if it has no pixels: the first of it that does not
    hold, with its key."""
    if "distance_bins" in value and (problem := bins_problem(value["distance_bins"], *_BINS)):
        return f"distance_bins{problem}"
    if "class_pixels" not in value:
        return None
    pixels = value["class_pixels"]
    for name, metric in IOU.items():
        score, count = value["metrics"][metric], pixels[name]
        if (score is None) != (count == 0):
            return f"metrics.{metric}: {score} with {count} pixels"
    if "distance_bins" in value:
        inside, whole = sum(value["distance_bins"]["pixels"]), sum(pixels.values())
        if inside != whole:
            return f"distance_bins.pixels: {inside} in all, but the classes have {whole}"
    return None
