"""What of a metrics file of segmentation has to fit together."""

import copy
import re

import jsonschema
import pytest

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.results.schema import closed
from lzu.tasks.segmentation.metrics import EXTRAS, IOU, METRICS, check_extras

SCHEMA = closed({"metrics": METRICS, **EXTRAS}, optional=tuple(EXTRAS))


@pytest.fixture
def value():
    """Roads and trains alone."""
    metrics = dict.fromkeys(METRICS["properties"])
    metrics |= {"mIoU": 60.0, "IoU_road": 80.0, "IoU_train": 40.0}
    return {
        "metrics": metrics,
        "distance_bins": {"lower": [0, 0.1, 0.2], "mIoU": [50, None, 70.5], "pixels": [30, 0, 70]},
        "class_pixels": dict.fromkeys(CLASSES, 0) | {"road": 90, "train": 10},
    }


def test_metrics_are_the_means_the_boundaries_and_every_class(value):
    assert list(METRICS["properties"]) == [
        "mIoU", "mIoU_network", "mIoU_warped", "mIoU_intrinsic", "boundary_F", *IOU.values()
    ]  # fmt: skip
    assert len(IOU) == 19
    assert IOU["traffic light"] == "IoU_traffic_light"
    jsonschema.validate(value, SCHEMA)
    assert check_extras(value) is None
    assert check_extras({"metrics": value["metrics"]}) is None


@pytest.mark.parametrize(
    ("keys", "new", "said"),
    [
        (("distance_bins", "lower"), [0, 0.2, 0.1], "distance_bins.lower: .* do not rise"),
        (("distance_bins", "mIoU"), [50, None], "distance_bins.mIoU: 2 values for 3 bins"),
        (("distance_bins", "mIoU"), [50, 3, 70], "distance_bins: from 0.1: mIoU 3 with 0 pixels"),
        (("distance_bins", "pixels"), [30, 0, 71], "distance_bins.pixels: 101 in all, .* have 100"),
        (("class_pixels", "train"), 0, "metrics.IoU_train: 40.0 with 0 pixels"),
        (("class_pixels", "car"), 4, "metrics.IoU_car: None with 4 pixels"),
    ],
)
def test_what_does_not_fit_together_is_named(value, keys, new, said):
    broken = copy.deepcopy(value)
    broken[keys[0]][keys[1]] = new
    jsonschema.validate(broken, SCHEMA)
    assert re.fullmatch(said, check_extras(broken) or "")


@pytest.mark.parametrize(
    ("keys", "new"),
    [
        (("metrics", "mIoU"), 101),
        (("metrics", "IoU_road"), "high"),
        (("class_pixels", "road"), -1),
        (("class_pixels", "tram"), 1),
        (("distance_bins", "AP"), []),
    ],
)
def test_the_schema_refuses_other_values_and_keys(value, keys, new):
    value[keys[0]][keys[1]] = new
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, SCHEMA)
