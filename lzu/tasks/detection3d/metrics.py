"""What a metrics file of monocular 3-D detection holds, as JSON schemas."""

from typing import Any

from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES
from lzu.experiments.task import Bins, Unit
from lzu.results.bins import bins_problem, bins_schema
from lzu.results.schema import COUNT, PERCENT, closed
from lzu.tasks.detection3d.tables import AP, ERRORS

# Means over the classes, times 100 as the paper prints them. null: the devkit's NaN, where no class
# that counts has such an error
_ERROR = {"type": ["number", "null"], "minimum": 0}

METRICS = closed(
    {
        "NDS": PERCENT,
        "mAP": PERCENT,
        **{name: _ERROR for name in ERRORS},
        # null: not among the suite's classes
        **{name: PERCENT for name in AP.values()},
    }
)

BY_DISTANCE = Bins(
    name="recall_by_distance",
    metric="recall",
    label="recall",
    count="objects",
    quantity="distance",
    axis="distance of the object from the vehicle",
    units=(Unit("m", "distance_bins", "lower", "m", sign="/m"),),
)
BY_HEIGHT = Bins(
    name="recall_by_height",
    metric="recall",
    label="recall",
    count="objects",
    quantity="projected height",
    axis="height of the object's projected box",
    units=(
        Unit("heights", "height_bins", "lower", "% of the image's height", sign="/H", factor=100),
    ),
)
BINS = (BY_DISTANCE, BY_HEIGHT)
"""Recall at 2 m of all classes' objects, by their distance and by how large they are in the image
(where they are largest, if several cameras see them)."""

_RECALL = closed({"recall": PERCENT, "objects": COUNT})
_NAMED = {"recall_by_class": CLASSES, "recall_by_camera": CAMERAS}
NAMED = dict.fromkeys(_NAMED, "recall")
"""As `Task.named` has it: the tables' recall_car, recall_CAM_FRONT and so on."""

EXTRAS = {
    **{
        unit.key: bins_schema(unit.lower, bins.metric, bins.count)
        for bins in BINS
        for unit in bins.units
    },
    # of the class, or of the camera in which an object is largest; objects: null or not, as in bins
    **{key: closed({name: _RECALL for name in names}) for key, names in _NAMED.items()},
}


def check_extras(value: dict[str, Any]) -> str | None:
    """Bins rise, and each bin, class and camera has a recall if it has objects; the bins of
    distance have as many as the classes, those of height as many as the cameras: the first of it
    that does not hold, with its key."""
    for bins in BINS:
        for unit in bins.units:
            names = (unit.lower, bins.metric, bins.count)
            if unit.key in value and (problem := bins_problem(value[unit.key], *names)):
                return f"{unit.key}{problem}"
    for key in _NAMED:
        for name, one in value.get(key, {}).items():
            if (one["recall"] is None) != (one["objects"] == 0):
                return f"{key}.{name}: recall {one['recall']} with {one['objects']} objects"
    for bins, key in zip(BINS, _NAMED, strict=True):
        binned = bins.units[0].key
        if binned in value and key in value:
            inside = sum(value[binned][bins.count])
            whole = sum(one["objects"] for one in value[key].values())
            if inside != whole:
                return f"{binned}.{bins.count}: {inside} in all, but {key} has {whole}"
    return None
