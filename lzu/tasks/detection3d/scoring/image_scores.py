"""How well a detector does in a single image: nuScenes' AP of that image, all classes in one curve.

The mean over classes makes little sense in an image: a single truck, found or not, would weigh as
much as ten cars. So detections are matched with the objects of their own class, as nuScenes does
it, and then ranked by their scores all together, whatever their class. An image has the objects
that its camera sees and the detections that were found in it; one that another camera's image
shares may have been told of that one alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from nuscenes.eval.detection.data_classes import DetectionConfig

from lzu.datasets.nuscenes.classes import CLASSES
from lzu.tasks.detection3d.scoring.boxes import Boxes, counted
from lzu.tasks.detection3d.scoring.evaluation import Outcome, evaluate
from lzu.tasks.detection3d.scoring.matching import match, near_pairs
from lzu.tasks.detection3d.scoring.predictions import Found
from lzu.tasks.detection3d.scoring.truth import Truth


@dataclass(frozen=True)
class CameraScores:
    """A detector in the S images of one camera.

    Attributes:
        average: (S,) AP of each image in percent, the mean over the distances; NaN without objects.
        objects: (S,) how many there are.
        score, right: (n,) of all detections: their scores, and whether they found an object at the
            distance for errors (2 m).
    """

    average: NDArray[np.float64]
    objects: NDArray[np.integer]
    score: NDArray[np.float64]
    right: NDArray[np.bool_]


def in_camera(found: Found, rows: Sequence[Mapping[str, Any]], camera: str) -> Found:
    """Of detections those that were found in a camera's images; `rows` are theirs, in order."""
    own = np.array([row["camera"] == camera for row in rows], dtype=bool)
    return Found(found.boxes.take(own), found.score[own])


def camera_scores(truth: Truth, found: Found, config: DetectionConfig) -> CameraScores:
    """Score a detector in every image of a camera, whose objects and detections are given."""
    outcomes = list(evaluate(truth, found, config).values())
    sample = np.concatenate([one.sample for one in outcomes])
    score = np.concatenate([one.score for one in outcomes])
    right = np.concatenate([one.right for one in outcomes], axis=1)
    count = len(truth.samples.tokens)
    objects = _objects(outcomes, count)
    order = np.lexsort((-score, sample))
    ends = np.searchsorted(sample[order], np.arange(count + 1))
    average = np.full(count, np.nan)
    for place in np.flatnonzero(objects):
        own = right[:, order[ends[place] : ends[place + 1]]]
        average[place] = 100 * np.mean([average_precision(one, objects[place]) for one in own])
    at_tp = right[config.dist_ths.index(config.dist_th_tp)]
    return CameraScores(average, objects, score, at_tp)


def _objects(outcomes: Iterable[Outcome], count: int) -> NDArray[np.integer]:
    samples = np.concatenate([one.object_sample for one in outcomes])
    return np.bincount(samples.astype(int), minlength=count)


def average_precision(right: NDArray[np.bool_], objects: int) -> float:
    """The area below precision over recall of detections by falling score, the precision at a
    recall being the best at that recall or a higher one; `right` (n,) tells which found one of the
    `objects`.

    >>> average_precision(np.array([True, False, True]), 2)  # 1 up to a half, then 2 / 3
    0.8333333333333333
    """
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[right].sum() / objects)


def best_threshold(scores: Sequence[CameraScores]) -> float:
    """The score from which on detections in all images have the best F1, the harmonic mean of
    precision and recall at the distance for errors; 0 if none is right."""
    score = np.concatenate([one.score for one in scores])
    right = np.concatenate([one.right for one in scores])
    objects = sum(int(one.objects.sum()) for one in scores)
    if not right.any():
        return 0.0
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(right[order])
    f1 = 2 * found / (np.arange(1, len(found) + 1) + objects)
    # Equal scores cannot be told apart by a threshold: the last of them counts.
    last = np.append(np.diff(score[order]) != 0, True)
    return float(score[order][np.argmax(np.where(last, f1, -1))])


@dataclass(frozen=True)
class ImageOutcome:
    """An image's n detections from a score on, and its m objects.

    `right` (n,) tells which found an object at the distance for errors, `missed` (m,) which objects
    were not found.
    """

    found: Boxes
    right: NDArray[np.bool_]
    missed: NDArray[np.bool_]


def in_image(
    truth: Truth, found: Found, place: int, config: DetectionConfig
) -> tuple[Boxes, Found]:
    """The objects of an image that count, and the detections, of a camera's; `place` is that of its
    sample."""
    own = counted(truth.boxes, truth.samples, config.class_range) & (truth.boxes.sample == place)
    theirs = counted(found.boxes, truth.samples, config.class_range)
    theirs &= found.boxes.sample == place
    return truth.boxes.take(own), Found(found.boxes.take(theirs), found.score[theirs])


def outcome(objects: Boxes, found: Found, score: float, config: DetectionConfig) -> ImageOutcome:
    """Compare the detections of an image, of at least `score`, with its objects."""
    shown = np.flatnonzero(found.score >= score)
    shown = shown[np.argsort(-found.score[shown], kind="stable")]
    boxes = found.boxes.take(shown)
    right, missed = np.zeros(len(boxes), bool), np.ones(len(objects), bool)
    for name in config.class_names:
        label = CLASSES.index(name)
        own, true = (np.flatnonzero(one.label == label) for one in (boxes, objects))
        pairs = near_pairs(
            boxes.sample[own],
            boxes.translation[own, :2],
            objects.sample[true],
            objects.translation[true, :2],
            config.dist_th_tp,
        )
        taken = match(pairs, len(own), len(true), config.dist_th_tp)
        right[own] = taken >= 0
        missed[true[taken[taken >= 0]]] = False
    return ImageOutcome(boxes, right, missed)
