"""What a metrics file of 2-D detection holds, as JSON schemas."""

from typing import Any

from lzu.results.schema import COUNT, NON_NEGATIVE, PERCENT, closed

COCO = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L")
RELATIVE = ("AP_S_rel", "AP_M_rel", "AP_L_rel")

METRICS = closed({name: PERCENT for name in COCO})

_LOWER = {"type": "array", "items": NON_NEGATIVE, "minItems": 1, "uniqueItems": True}
_VALUES = {
    "AP": {"type": "array", "items": PERCENT},
    "boxes": {"type": "array", "items": COUNT},
}
EXTRAS = {
    # AP by bins of object size, the square root of a box's area, in native pixels and in heights of
    # the image. Bins are given by their lower edges; the last is open.
    "size_bins": closed({"lower_px": _LOWER, **_VALUES}),
    "size_bins_relative": closed({"lower": _LOWER, **_VALUES}),
    # COCO's three sizes, as they are in a picture of the paper's height
    "relative": closed({name: PERCENT for name in RELATIVE}),
}


def check_extras(value: dict[str, Any]) -> str | None:
    """Bins of size rise, each has an AP and a number of boxes, and an AP is null where there are no
    boxes: the first of it that does not hold, with its key."""
    for key, edges in (("size_bins", "lower_px"), ("size_bins_relative", "lower")):
        if key in value and (problem := _problem(value[key], edges)):
            return f"{key}{problem}"
    return None


def _problem(bins: dict[str, Any], edges: str) -> str | None:
    lower = bins[edges]
    if lower != sorted(lower):
        return f".{edges}: {lower} do not rise"
    for name in ("AP", "boxes"):
        if len(bins[name]) != len(lower):
            return f".{name}: {len(bins[name])} values for {len(lower)} bins"
    for edge, score, boxes in zip(lower, bins["AP"], bins["boxes"], strict=True):
        if (score is None) != (boxes == 0):
            return f": from {edge:g}: AP {score} with {boxes} boxes"
    return None
