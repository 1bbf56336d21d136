"""COCO's average precision of boxes, for many ranges of object size at once (numpy alone).

The definition is that of pycocotools' COCOeval, and tests hold the results to its. COCOeval matches
detection by detection in Python, for each range of sizes anew, which takes many minutes for
Argoverse-HD's 15,062 validation images and a dozen ranges. Here the images with equally many
objects are matched together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lzu.errors import UserError
from lzu.tasks.detection2d.coco import MOST_DETECTIONS, RECALLS, THRESHOLDS

# What became of a detection: matched to no object, to one that counts, or to one that is ignored
# (a crowd, or of a size outside of the range).
UNMATCHED, MATCHED, IGNORED = 0, 1, 2
# Elements that a step of the matching works on: they should stay in a core's cache.
CHUNK = 2**20


@dataclass(frozen=True)
class Precision:
    """Average precision by IoU threshold, category and range of sizes.

    Attributes:
        values: (T, K, A) between 0 and 1; NaN where there are no such objects.
        objects: (K, A) number of annotated objects that count.
    """

    values: np.ndarray
    objects: np.ndarray

    def mean(self, threshold: int | None = None) -> np.ndarray:
        """Mean over categories and over thresholds, or at the one of an index: (A,), or NaN."""
        chosen = self.values if threshold is None else self.values[threshold : threshold + 1]
        defined = self.objects.any(axis=0)
        means = np.full(self.values.shape[2], np.nan)
        means[defined] = np.nanmean(chosen[:, :, defined], axis=(0, 1))
        return means


@dataclass(frozen=True)
class _Boxes:
    """Boxes in the order of `pair`, which numbers (category, image)."""

    pair: np.ndarray
    ltwh: np.ndarray
    area: np.ndarray
    crowd: np.ndarray
    score: np.ndarray


def average_precision_by_size(
    truth: dict[str, Any], detections: list[dict[str, Any]], ranges: np.ndarray
) -> Precision:
    """Average precision of `detections` on objects of each range of sizes.

    Args:
        truth: content of a COCO annotation file.
        detections: COCO results: image_id, category_id, bbox (left, top, width, height), score.
        ranges: (A, 2) smallest and largest area, both included.

    Raises:
        UserError: a detection names an image or a category that `truth` does not have.
    """
    images = np.unique([image["id"] for image in truth["images"]])
    categories = np.unique([category["id"] for category in truth["categories"]])
    objects = _objects(truth["annotations"], images, categories)
    found = _detections(detections, images, categories)
    ranges = np.asarray(ranges, dtype=float)
    outcome = _match(objects, found, ranges)
    counts = _regular(objects, ranges)
    values = np.full((len(THRESHOLDS), len(categories), len(ranges)), np.nan)
    number = np.zeros((len(categories), len(ranges)), dtype=int)
    ends = np.arange(len(categories) + 1) * len(images)
    bounds, object_bounds = np.searchsorted(found.pair, ends), np.searchsorted(objects.pair, ends)
    for k in range(len(categories)):
        number[k] = counts[object_bounds[k] : object_bounds[k + 1]].sum(axis=0)
        own = np.arange(bounds[k], bounds[k + 1])
        own = own[np.argsort(-found.score[own], kind="stable")]
        by_range = np.ascontiguousarray(outcome[own].transpose(1, 2, 0))
        for a in np.flatnonzero(number[k]):
            counted = _inside(found.area[own], ranges[a])
            for t in range(len(THRESHOLDS)):
                values[t, k, a] = _average(by_range[a, t], counted, number[k, a])
    return Precision(values, number)


def _index(ids: list[Any], known: np.ndarray, what: str) -> np.ndarray:
    given = np.asarray(ids, dtype=known.dtype)
    places = np.minimum(np.searchsorted(known, given), len(known) - 1)
    wrong = given[known[places] != given]
    if len(wrong):
        raise UserError(
            f"predictions name {what} {wrong.min()}, which the annotations do not have; "
            "predict again from this dataset"
        )
    return places


def _objects(records: list[dict[str, Any]], images: np.ndarray, categories: np.ndarray) -> _Boxes:
    pair = _pairs(records, images, categories)
    order = np.argsort(pair, kind="stable")
    return _Boxes(
        pair=pair[order],
        ltwh=_ltwh(records)[order],
        area=np.array([record["area"] for record in records], dtype=float)[order],
        crowd=np.array([bool(record.get("iscrowd", 0)) for record in records], dtype=bool)[order],
        score=np.zeros(len(records)),
    )


def _detections(
    records: list[dict[str, Any]], images: np.ndarray, categories: np.ndarray
) -> _Boxes:
    """The detections that count, of each pair in the order of falling scores."""
    pair = _pairs(records, images, categories)
    score = np.array([record["score"] for record in records], dtype=float)
    order = np.lexsort((-score, pair))
    pair = pair[order]
    rank = np.arange(len(pair)) - np.searchsorted(pair, pair)
    order, pair = order[rank < MOST_DETECTIONS], pair[rank < MOST_DETECTIONS]
    ltwh = _ltwh(records)[order]
    return _Boxes(
        pair=pair,
        ltwh=ltwh,
        area=ltwh[:, 2] * ltwh[:, 3],
        crowd=np.zeros(len(pair), dtype=bool),
        score=score[order],
    )


def _pairs(records: list[dict[str, Any]], images: np.ndarray, categories: np.ndarray) -> np.ndarray:
    if not records:
        return np.zeros(0, dtype=int)
    image = _index([record["image_id"] for record in records], images, "image")
    category = _index([record["category_id"] for record in records], categories, "category")
    return category * len(images) + image


def _ltwh(records: list[dict[str, Any]]) -> np.ndarray:
    return np.array([record["bbox"] for record in records], dtype=float).reshape(-1, 4)


def _inside(area: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    return (area >= bounds[0]) & (area <= bounds[1])


def _regular(objects: _Boxes, ranges: np.ndarray) -> np.ndarray:
    """Whether each object counts in each range: (n, A)."""
    sizes = [_inside(objects.area, bounds) for bounds in ranges]
    return np.stack(sizes, axis=1) & ~objects.crowd[:, None]


def _match(objects: _Boxes, found: _Boxes, ranges: np.ndarray) -> np.ndarray:
    """What became of each detection: (n, A, T) of UNMATCHED, MATCHED and IGNORED."""
    outcome = np.zeros((len(found.pair), len(ranges), len(THRESHOLDS)), dtype=np.uint8)
    regular = _regular(objects, ranges)
    for chosen, rows in _groups(objects, found, len(ranges)):
        for detections, result in _match_group(objects, found, regular, chosen, rows):
            outcome[detections] = result
    return outcome


def _groups(
    objects: _Boxes, found: _Boxes, ranges: int
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Pairs with equally many objects, in chunks.

    Each is the rows of its objects (P, G) and, for each rank d, the row of the d-th detection of
    each pair, or -1 for none (P,).
    """
    pairs, first, count = np.unique(objects.pair, return_index=True, return_counts=True)
    start = np.searchsorted(found.pair, pairs, side="left")
    detected = np.searchsorted(found.pair, pairs, side="right") - start
    for size in np.unique(count[detected > 0]):
        own = np.flatnonzero((count == size) & (detected > 0))
        step = max(1, CHUNK // (size * ranges * len(THRESHOLDS)))
        for chunk in (own[i : i + step] for i in range(0, len(own), step)):
            rows = [
                np.where(d < detected[chunk], start[chunk] + d, -1)
                for d in range(detected[chunk].max())
            ]
            yield first[chunk][:, None] + np.arange(size), rows


def _match_group(
    objects: _Boxes,
    found: _Boxes,
    regular: np.ndarray,
    chosen: np.ndarray,
    rows: list[np.ndarray],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Match P pairs of G objects each; yields rows of detections and their outcomes (n, A, T).

    As in COCOeval, detections choose by falling score, each the object of highest IoU of those that
    are free (of equal ones the last); one that counts goes before any that is ignored, and a
    crowd stays free.
    """
    size = chosen.shape[1]
    # An object's key at a choice: its place in the order of IoU, 1 to G, and G more if it counts.
    kind = np.uint8 if 2 * size < 256 else np.uint16
    ahead = np.where(regular[chosen], size, 0).astype(kind).transpose(1, 0, 2)[..., None]
    boxes, crowd = objects.ltwh[chosen], objects.crowd[chosen]
    free = np.ones((*ahead.shape[:3], len(THRESHOLDS)), dtype=bool)
    stays = crowd.T[:, :, None, None]
    for row in rows:
        there = np.flatnonzero(row >= 0)
        iou = _iou(found.ltwh[row[there]], boxes[there], crowd[there])
        # most detections are near no object at all
        near = iou.max(axis=1) >= THRESHOLDS[0]
        there, iou = there[near], iou[near]
        if not len(there):
            continue
        place = iou.argsort(axis=1, kind="stable").argsort(axis=1).astype(kind) + kind(1)
        enough = iou.T[:, :, None] >= THRESHOLDS
        key = place.T[:, :, None, None] + ahead[:, there]
        key = key * (enough[:, :, None] & free[:, there])
        best = key.max(axis=0)
        free[:, there] &= (key != best) | (key == 0) | stays[:, there]
        yield row[there], np.where(best > size, MATCHED, np.where(best > 0, IGNORED, UNMATCHED))


def _iou(detections: np.ndarray, boxes: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """(P, G) IoU of one detection (P, 4) a pair with its objects (P, G, 4); with a crowd it is the
    share of the detection that lies inside."""
    d = detections[:, None]
    width = np.minimum(d[..., 0] + d[..., 2], boxes[..., 0] + boxes[..., 2])
    width = width - np.maximum(d[..., 0], boxes[..., 0])
    height = np.minimum(d[..., 1] + d[..., 3], boxes[..., 1] + boxes[..., 3])
    height = height - np.maximum(d[..., 1], boxes[..., 1])
    shared = np.where((width > 0) & (height > 0), width * height, 0.0)
    own = d[..., 2] * d[..., 3]
    whole = np.where(crowd, own, own + boxes[..., 2] * boxes[..., 3] - shared)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=shared > 0)


def _average(outcome: np.ndarray, inside: np.ndarray, objects: int) -> float:
    """Mean over `RECALLS` of the precision's envelope.

    Args:
        outcome: (n,) of one category, range and threshold, by falling score.
        inside: (n,) whether the detection's own size is in the range; others are no mistakes.
        objects: how many there are to find.
    """
    hit = outcome == MATCHED
    counted = hit | ((outcome == UNMATCHED) & inside)
    place = np.flatnonzero(hit[counted])
    right = np.arange(1, len(place) + 1)
    # COCOeval's epsilon, for the same digits
    precision = right / (place + 1 + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(right / objects, RECALLS, side="left")
    return float(np.mean(np.append(envelope, 0.0)[reached]))
