"""COCO's average precision of boxes, in many ranges of object size and on subsets of the images.

The definition is that of pycocotools' COCOeval, and tests hold the results to its. Matching is
within an image, so it is done once (`evaluate`); averaging over all images or some (`precision`)
starts from its outcomes. Numpy alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.errors import UserError
from lzu.tasks.detection2d.scoring.coco import MOST_DETECTIONS, THRESHOLDS, average_of_curve
from lzu.tasks.detection2d.scoring.matching import Boxes, Objects, match

# What became of a detection: it is a mistake, found an object that counts, or bears on nothing (it
# found a crowd or an object outside of the range, or found none and is itself outside).
WRONG, RIGHT, IGNORED = 0, 1, 2


@dataclass(frozen=True)
class Precision:
    """Average precision by IoU threshold, category and range of sizes.

    Attributes:
        values: (T, K, A) between 0 and 1; NaN where there are no such objects.
        objects: (K, A) number of annotated objects that count.
    """

    values: NDArray[np.floating]
    objects: NDArray[np.integer]

    def mean(self, threshold: int | None = None) -> NDArray[np.floating]:
        """Mean over categories and over thresholds, or at the one of an index: (A,), or NaN."""
        chosen = self.values if threshold is None else self.values[threshold : threshold + 1]
        defined = ~np.isnan(chosen)
        number = defined.sum(axis=(0, 1))
        total = np.where(defined, chosen, 0).sum(axis=(0, 1))
        return np.divide(total, number, out=np.full(len(number), np.nan), where=number > 0)


@dataclass(frozen=True)
class Category:
    """A category's n detections, by falling score, and its m objects.

    Attributes:
        image: (n,) index of each detection's image.
        outcome: (A, T, n) of WRONG, RIGHT and IGNORED, by range of sizes and IoU threshold.
        object_image: (m,) index of each object's image.
        counts: (m, A) whether the object is to be found in a range.
    """

    image: NDArray[np.integer]
    outcome: NDArray[np.uint8]
    object_image: NDArray[np.integer]
    counts: NDArray[np.bool_]


@dataclass(frozen=True)
class Evaluation:
    """Every image's outcomes.

    Attributes:
        images: (I,) ids, ascending.
        categories: by ascending id.
        ranges: how many ranges of sizes there are.
    """

    images: NDArray[np.integer]
    categories: tuple[Category, ...]
    ranges: int


@dataclass(frozen=True)
class _Records:
    """Columns of COCO records, in their order: indices of image and category, and boxes (n, 4)."""

    image: np.ndarray
    category: np.ndarray
    ltwh: np.ndarray


def evaluate(
    truth: dict[str, Any], detections: list[dict[str, Any]], ranges: NDArray[np.floating]
) -> Evaluation:
    """Match `detections` with the objects of each range of sizes, image by image.

    Args:
        truth: content of a COCO annotation file; it stays as it is.
        detections: COCO results: image_id, category_id, bbox (left, top, width, height), score.
        ranges: (A, 2) smallest and largest area in square pixels, both included.

    Raises:
        UserError: a detection names an image or a category that `truth` does not have.
    """
    ranges = np.asarray(ranges, dtype=float)
    images = np.unique([image["id"] for image in truth["images"]])
    categories = np.unique([category["id"] for category in truth["categories"]])
    annotated = truth["annotations"]
    objects = _records(annotated, images, categories, "annotations")
    area = np.array([record["area"] for record in annotated], dtype=float)
    crowd = np.array([bool(record.get("iscrowd", 0)) for record in annotated], dtype=bool)
    found = _records(detections, images, categories, "predictions")
    score = np.array([record["score"] for record in detections], dtype=float)
    evaluated = []
    for k in range(len(categories)):
        own = np.flatnonzero(objects.category == k)
        own = own[np.argsort(objects.image[own], kind="stable")]
        counts = _inside(area[own], ranges) & ~crowd[own, None]
        wanted = Objects(objects.image[own], objects.ltwh[own], crowd[own], counts)
        evaluated.append(
            _category(found, score, np.flatnonzero(found.category == k), wanted, ranges)
        )
    return Evaluation(images, tuple(evaluated), len(ranges))


def precision(
    evaluation: Evaluation,
    kept: NDArray[np.bool_] | None = None,
    ranges: Sequence[int] | None = None,
) -> Precision:
    """Average precision on all images, or on those `kept` (I,) alone.

    With `ranges`, indices, only those are computed; the others are NaN.
    """
    shape = (len(evaluation.categories), evaluation.ranges)
    values = np.full((len(THRESHOLDS), *shape), np.nan)
    objects = np.zeros(shape, dtype=int)
    for k, category in enumerate(evaluation.categories):
        there = slice(None) if kept is None else kept[category.object_image]
        objects[k] = category.counts[there].sum(axis=0)
        own = None if kept is None else kept[category.image]
        for a in range(evaluation.ranges) if ranges is None else ranges:
            if not objects[k, a]:
                continue
            for t, outcome in enumerate(category.outcome[a]):
                counted = outcome != IGNORED
                right = outcome[counted if own is None else counted & own] == RIGHT
                values[t, k, a] = average_of_curve(right, objects[k, a])
    return Precision(values, objects)


def _index(ids: list[Any], known: np.ndarray, what: str, whose: str) -> np.ndarray:
    if not ids:
        return np.zeros(0, dtype=int)
    given = np.asarray(ids)
    places = np.minimum(np.searchsorted(known, given), max(len(known) - 1, 0))
    wrong = given[known[places] != given] if len(known) else given
    if len(wrong):
        raise UserError(
            f"{whose} name {what} {wrong.min()}, which the annotation file does not list; "
            + ("predict again from this dataset" if whose == "predictions" else "prepare it again")
        )
    return places


def _records(
    records: list[dict[str, Any]], images: np.ndarray, categories: np.ndarray, whose: str
) -> _Records:
    return _Records(
        _index([record["image_id"] for record in records], images, "image", whose),
        _index([record["category_id"] for record in records], categories, "category", whose),
        np.array([record["bbox"] for record in records], dtype=float).reshape(-1, 4),
    )


def _category(
    found: _Records, score: np.ndarray, rows: np.ndarray, wanted: Objects, ranges: np.ndarray
) -> Category:
    """Match the detections of one category, which are `rows` of `found`."""
    rows = rows[np.lexsort((-score[rows], found.image[rows]))]
    image = found.image[rows]
    rank = np.arange(len(rows)) - np.searchsorted(image, image)
    rows, image = rows[rank < MOST_DETECTIONS], image[rank < MOST_DETECTIONS]
    ltwh = found.ltwh[rows]
    # a mistake counts only in the range of its own size
    outcome = np.where(_inside(ltwh[:, 2] * ltwh[:, 3], ranges), WRONG, IGNORED).astype(np.uint8)
    outcome = np.repeat(outcome[:, :, None], len(THRESHOLDS), axis=2)
    sizes = np.arange(len(ranges))[:, None]
    for chosen, taken in match(Boxes(image, ltwh), wanted, THRESHOLDS):
        result = np.where(wanted.counts[taken, sizes], RIGHT, IGNORED)
        outcome[chosen] = np.where(taken >= 0, result, outcome[chosen])
    order = np.argsort(-score[rows], kind="stable")
    by_range = np.ascontiguousarray(outcome[order].transpose(1, 2, 0))
    return Category(image[order], by_range, wanted.place, wanted.counts)


def _inside(area: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    """Whether each area is in each range: (n, A)."""
    return (area[:, None] >= ranges[:, 0]) & (area[:, None] <= ranges[:, 1])
