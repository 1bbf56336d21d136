"""Recall of the ground truth by distance, by projected size, by class and by camera.

What is found is what nuScenes' own matching finds at 2 m, its threshold for errors: predictions of
a class choose by falling score, each the nearest object of its sample and class that is free. All
predictions of the file take part (nuScenes allows 500 a sample), so that recall does not depend on
how scores are scaled; and all objects that nuScenes counts, of all classes alike. AP cannot be
split so: a false positive is of no object, so neither of a distance nor of a size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES
from lzu.experiments.task import Bins
from lzu.results.bins import bin_names
from lzu.results.percent import percent
from lzu.tasks.detection3d.metrics import BY_DISTANCE, BY_HEIGHT
from lzu.tasks.detection3d.scoring.boxes import ego_distance
from lzu.tasks.detection3d.scoring.evaluation import Outcome
from lzu.tasks.detection3d.scoring.truth import Truth

DISTANCES = tuple(range(0, 50, 5))
"""Lower edges of the bins of distance from the vehicle in metres; nuScenes counts up to 50."""

HEIGHTS = (0, 0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24, 0.32, 0.48)
"""Lower edges of the bins of projected height, as shares of the image's height."""


@dataclass(frozen=True)
class Objects:
    """The m objects that count, of all classes.

    Attributes:
        sample: (m,) index of each one's sample.
        label: (m,) index into `CLASSES`.
        camera: (m,) index into `CAMERAS` of that in which it is largest; -1: no camera sees it.
        distance: (m,) from the vehicle over the ground, in metres.
        height: (m,) in that camera, as a share of the image's height; NaN if no camera sees it.
        is_found: (m,).
    """

    sample: NDArray[np.integer]
    label: NDArray[np.integer]
    camera: NDArray[np.integer]
    distance: NDArray[np.float64]
    height: NDArray[np.float64]
    is_found: NDArray[np.bool_]


def objects_of(truth: Truth, outcomes: Mapping[str, Outcome], cameras: Sequence[str]) -> Objects:
    """The objects that an evaluation counts; `cameras` are those that `truth` was read with."""
    each = [outcome.objects for outcome in outcomes.values()]
    rows = np.concatenate(each) if each else np.zeros(0, int)
    boxes = truth.boxes.take(rows)
    of_camera = np.array([*(CAMERAS.index(name) for name in cameras), -1])
    return Objects(
        boxes.sample,
        boxes.label,
        of_camera[truth.camera[rows]],
        ego_distance(boxes, truth.samples),
        truth.height[rows],
        np.concatenate([outcome.is_found for outcome in outcomes.values()] or [np.zeros(0, bool)]),
    )


def recall_by_bin(objects: Objects) -> dict[str, dict[str, list[Any]]]:
    """Recall by distance and by projected height, as a metrics file holds it.

    Objects that no camera sees have no height, and are in none of its bins.
    """
    return {
        bins.units[0].key: {
            bins.units[0].lower: list(edges),
            bins.metric: list(map(percent, recall)),
            bins.count: number.tolist(),
        }
        for bins, edges, place in _binned(objects)
        for recall, number in [_recall(objects.is_found, place, len(edges))]
    }


def recall_scores(objects: Objects, kept: NDArray[np.bool_]) -> dict[str, float]:
    """Recall by bin of the samples kept (S,), as shares of 1; NaN in a bin without objects.

    Their names are those that collected results have for them.
    """
    own = kept[objects.sample]
    scores: dict[str, float] = {}
    for bins, edges, place in _binned(objects):
        recall, _ = _recall(objects.is_found[own], place[own], len(edges))
        names = bin_names(edges, bins.metric, bins.units[0].sign)
        scores |= dict(zip(names, recall.tolist(), strict=True))
    return scores


def recall_by_name(objects: Objects) -> dict[str, dict[str, dict[str, Any]]]:
    """Recall by class and by the camera in which an object is largest."""
    groups = {
        "recall_by_class": (CLASSES, objects.label),
        "recall_by_camera": (CAMERAS, objects.camera),
    }
    found = {}
    for key, (names, label) in groups.items():
        recall, number = _recall(objects.is_found, label, len(names))
        found[key] = {
            name: {"recall": percent(share), "objects": count}
            for name, share, count in zip(names, recall.tolist(), number.tolist(), strict=True)
        }
    return found


def _binned(objects: Objects) -> list[tuple[Bins, tuple[float, ...], NDArray[np.integer]]]:
    """Bins, their lower edges, and the bin that each object is in (-1: none)."""
    distance = np.digitize(objects.distance, DISTANCES) - 1
    height = np.digitize(objects.height, HEIGHTS) - 1
    return [
        (BY_DISTANCE, DISTANCES, distance),
        (BY_HEIGHT, HEIGHTS, np.where(np.isnan(objects.height), -1, height)),
    ]


def _recall(
    is_found: NDArray[np.bool_], place: NDArray[np.integer], places: int
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """The share that is found, NaN where there is nothing, and the number, of each place."""
    inside = place >= 0
    number = np.bincount(place[inside], minlength=places)
    found = np.bincount(place[inside & is_found], minlength=places)
    return np.divide(found, number, out=np.full(places, np.nan), where=number > 0), number
