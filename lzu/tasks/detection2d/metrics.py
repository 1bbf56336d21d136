"""What a metrics file of 2-D detection holds, as JSON schemas."""

from typing import Any

from lzu.results.bins import bins_problem, bins_schema
from lzu.results.schema import PERCENT, closed

COCO = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L")
RELATIVE = ("AP_S_rel", "AP_M_rel", "AP_L_rel")

METRICS = closed({name: PERCENT for name in COCO})

_BINS = {
    "size_bins": ("lower_px", "AP", "boxes"),
    "size_bins_relative": ("lower", "AP", "boxes"),
}
EXTRAS = {
    # AP by bins of object size, the square root of a box's area, in native pixels and in heights of
    # the image
    **{key: bins_schema(*names) for key, names in _BINS.items()},
    # COCO's three sizes, as they are in a picture of the paper's height
    "relative": closed({name: PERCENT for name in RELATIVE}),
}


def check_extras(value: dict[str, Any]) -> str | None:
    """Bins of size rise, each has an AP and a number of boxes, and an AP is null where there are no
    boxes: the first of it that does not hold, with its key."""
    for key, names in _BINS.items():
        if key in value and (problem := bins_problem(value[key], *names)):
            return f"{key}{problem}"
    return None
