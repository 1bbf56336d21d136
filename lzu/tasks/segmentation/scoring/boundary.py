"""How well the boundaries of classes are met, and how well pixels near and far from them are told.

A boundary pixel differs in class from at least one of its eight neighbours, as in
`lzu.saliency.semantic_boundaries`; so a boundary is two pixels wide, one of each class. Pixels
that do not count (trainId 255) are no boundary pixels, and none is one because of them. All
distances are Euclidean, between centres of pixels.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lzu.datasets.cityscapes.classes import IGNORE
from lzu.tasks.segmentation.scoring.confusion import CLASS_COUNT, confusions_by

TOLERANCE = 0.0075
"""Distance at which a boundary counts as met, as a share of the map's diagonal; at least 1 px."""
LOWER_EDGES = tuple(edge / 256 for edge in (0, 1, 2, 4, 8, 16, 32))
"""Of the bins of distance from a boundary, as shares of the map's shorter side; the last is open.
On a side of 256 px the first bin holds the boundary pixels alone."""


def boundaries(train_ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels of a map (H, W) are boundary pixels; see the module."""
    height, width = train_ids.shape
    counts = train_ids != IGNORE
    found = np.zeros((height, width), np.bool_)
    # Half of the eight directions: each difference marks both of its pixels.
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        left = max(-right, 0)
        here = (slice(0, height - down), slice(left, width - max(right, 0)))
        there = (slice(down, height), slice(left + right, width - left))
        differs = train_ids[here] != train_ids[there]
        differs &= counts[here]
        differs &= counts[there]
        found[here] |= differs
        found[there] |= differs
    return found


def boundary_f(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> float:
    """The boundary F-score of a map, 0 to 1, mean over classes; NaN if the truth has no boundary.

    The boundary of a class is the boundary pixels that are of this class. Precision is the share
    of its predicted boundary that lies within `TOLERANCE` of its true one (0 if none is predicted),
    recall the share of its true boundary that lies within it of the predicted one, and F their
    harmonic mean (0 if both are 0). A class counts if it has a true boundary in this map. What is
    predicted where the truth does not count (255) is no boundary and makes none.

    Args:
        truth, predicted: (H, W) trainIds, uint8.
    """
    predicted = np.where(truth == IGNORE, np.uint8(IGNORE), predicted)
    true, own = boundaries(truth), boundaries(predicted)
    true_class, own_class = truth[true], predicted[own]
    square = max(1.0, TOLERANCE**2 * (truth.shape[0] ** 2 + truth.shape[1] ** 2))
    precision = _met(own, own_class, true, true_class, square)
    recall = _met(true, true_class, own, own_class, square)
    occurs = np.bincount(true_class, minlength=CLASS_COUNT) > 0
    both = precision + recall
    f = np.divide(2 * precision * recall, both, out=np.zeros(CLASS_COUNT), where=both > 0)
    return float(f[occurs].mean()) if occurs.any() else math.nan


def _met(
    these: NDArray[np.bool_],
    their_class: NDArray[np.uint8],
    others: NDArray[np.bool_],
    other_class: NDArray[np.uint8],
    square: float,
) -> NDArray[np.float64]:
    """The share of each class's boundary pixels that have one of the others, of the same class, at
    a squared distance of at most `square`: (19,), 0 for a class without such pixels."""
    # One bit a class, so that all classes are widened at once.
    marks = np.zeros(others.shape, np.uint32)
    marks[others] = np.uint32(1) << other_class.astype(np.uint32)
    near = _widened(marks, square)[these] >> their_class & 1
    pixels = np.bincount(their_class, minlength=CLASS_COUNT)
    met = np.bincount(their_class, weights=near, minlength=CLASS_COUNT)
    return np.divide(met, pixels, out=np.zeros(CLASS_COUNT), where=pixels > 0)


def _widened(marks: NDArray[np.uint32], square: float) -> NDArray[np.uint32]:
    """Every pixel gets the bits of all pixels at a squared distance of at most `square`.

    A disc is a row for each step down, the shorter the farther. So marks are spread along their
    rows only as far as the next row needs.
    """
    height = len(marks)
    most = math.floor(square)
    found, row = np.zeros_like(marks), marks.copy()
    spread = 0
    for down in range(min(math.isqrt(most), height - 1), -1, -1):
        while spread < math.isqrt(most - down * down):
            spread += 1
            row[:, spread:] |= marks[:, :-spread]
            row[:, :-spread] |= marks[:, spread:]
        found[down:] |= row[: height - down]
        found[: height - down] |= row[down:]
    return found


def distance_bins(truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The bin of `LOWER_EDGES` that each pixel's distance to the nearest boundary is in: (H, W).

    A pixel on an edge is in the upper bin. Without any boundary all are in the last one.
    """
    boundary = boundaries(truth)
    last = len(LOWER_EDGES) - 1
    if not boundary.any():
        return np.full(truth.shape, last, np.uint8)
    away = (~boundary).astype(np.uint8)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # It is the root of a whole number, though not always to the last bit.
    square = np.rint(distance * distance)
    side = min(truth.shape)
    found = np.zeros(truth.shape, np.uint8)
    for edge in LOWER_EDGES[1:]:
        found += square >= math.ceil((edge * side) ** 2)
    return found


def confusions_by_distance(
    truth: NDArray[np.uint8], predicted: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """The `confusion` of the pixels of each of the `distance_bins`: (7, 19, 19)."""
    return confusions_by(truth, predicted, distance_bins(truth), len(LOWER_EDGES))
