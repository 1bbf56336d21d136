"""The ground truth of a prepared file, as columns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.nuscenes.classes import ATTRIBUTES, CLASSES, NO_ATTRIBUTE
from lzu.tasks.detection3d.scoring.boxes import Boxes, Samples

LABEL_OF_ATTRIBUTE = {"": NO_ATTRIBUTE, **{name: k for k, name in enumerate(ATTRIBUTES)}}
UNKNOWN = (np.nan, np.nan)


@dataclass(frozen=True)
class Truth:
    """What is to be found: m objects of the classes that count, each with a lidar or radar point.

    Attributes:
        samples: all, those without objects included.
        boxes: the objects.
        camera: (m,) the camera in which an object is largest, of those that are looked at, as an
            index into them; -1: none of them sees it.
        height: (m,) of its projected box in that camera, cut to the image, as a share of the
            image's height; NaN if no camera sees it.
    """

    samples: Samples
    boxes: Boxes
    camera: NDArray[np.integer]
    height: NDArray[np.float64]


def read_truth(
    samples: Iterable[dict[str, Any]], classes: Sequence[str], cameras: Sequence[str]
) -> Truth:
    """The objects of the samples of a prepared file.

    Args:
        samples: as `lzu.datasets.nuscenes.infos` has them.
        classes: those that count.
        cameras: those that are looked at. With all six, everything counts, all round; with fewer,
            what they see.
    """
    labels = {CLASSES.index(name) for name in classes}
    whole = len(cameras) == 6
    about, racks, rows = [], {}, []
    for place, sample in enumerate(samples):
        pose = sample["ego2global"]
        about.append((sample["token"], sample["scene"], [row[3] for row in pose[:3]]))
        if sample["bicycle_racks"]:
            racks[place] = sample["bicycle_racks"]
        rows += _objects(place, sample, labels, cameras, whole)
    tokens, scenes, ego = zip(*about, strict=True) if about else ((), (), ())
    columns = zip(*rows, strict=True) if rows else [[]] * 9
    sample, label, translation, size, rotation, velocity, attribute, camera, height = columns
    return Truth(
        Samples(tokens, scenes, _floats(ego, 3), racks),
        Boxes(
            np.array(sample, dtype=int),
            np.array(label, dtype=int),
            _floats(translation, 3),
            _floats(size, 3),
            _floats(rotation, 4),
            _floats(velocity, 2),
            np.array(attribute, dtype=int),
        ),
        np.array(camera, dtype=int),
        np.array(height, dtype=float),
    )


def _objects(
    place: int, sample: dict[str, Any], labels: set[int], cameras: Sequence[str], whole: bool
) -> Iterator[tuple[Any, ...]]:
    """A row of the columns for each object of a sample that is to be found."""
    seen = _largest(sample, cameras)
    for one in sample["instances"]:
        label, points = one["bbox_label_3d"], one["num_lidar_pts"] + one["num_radar_pts"]
        if label not in labels or points == 0 or not (whole or one["token"] in seen):
            continue
        _, camera, height = seen.get(one["token"], (0.0, -1, np.nan))
        velocity = UNKNOWN if one["velocity"] is None else one["velocity"]
        attribute = LABEL_OF_ATTRIBUTE[one["attribute"]]
        box = (one["translation"], one["size"], one["rotation"], velocity, attribute)
        yield place, label, *box, camera, height


def _largest(sample: dict[str, Any], cameras: Sequence[str]) -> dict[str, tuple[float, int, float]]:
    """An object's token -> the area of its largest projection, its camera and relative height."""
    found: dict[str, tuple[float, int, float]] = {}
    for k, name in enumerate(cameras):
        for one in sample["cam_instances"].get(name, ()):
            image_height = sample["images"][name]["height"]
            left, top, right, bottom = one["bbox"]
            area = (right - left) * (bottom - top)
            if one["token"] not in found or area > found[one["token"]][0]:
                found[one["token"]] = (area, k, (bottom - top) / image_height)
    return found


def _floats(rows: Sequence[Sequence[float]], width: int) -> NDArray[np.float64]:
    return np.array(rows, dtype=float).reshape(-1, width)
