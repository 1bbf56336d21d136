"""How well a detector does in a single image: COCO's AP of that image, all classes in one curve.

COCO's mean over classes makes little sense in an image: a single truck, found or not, would weigh
as much as forty cars. So detections are matched with the ground truth of their own class, as in
COCO, and then ranked by their scores all together, whatever their class. That is COCO's AP of the
image if each class lay in a place of its own and all were called alike. Boxes are (n, 4) left,
top, width, height in pixels, as in COCO files. Pure NumPy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lzu.tasks.detection2d.coco import MOST_DETECTIONS, RECALLS, THRESHOLDS


@dataclass(frozen=True)
class Truth:
    """An image's ground truth: boxes (n, 4), labels (n,) and whether each is a crowd (n,) bool.

    A crowd (COCO's iscrowd) need not be found, and detections within it are no mistakes.
    """

    boxes: NDArray[np.floating]
    labels: NDArray[np.integer]
    crowd: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """The boxes that are to be found."""
        return int((~self.crowd).sum())


@dataclass(frozen=True)
class Found:
    """What was detected in an image: boxes (n, 4), labels (n,) and scores (n,)."""

    boxes: NDArray[np.floating]
    labels: NDArray[np.integer]
    scores: NDArray[np.floating]

    def best(self, most: int) -> "Found":
        """The `most` detections of highest score, in the order of scores; ties stay in theirs."""
        order = np.argsort(-self.scores, kind="stable")[:most]
        return Found(self.boxes[order], self.labels[order], self.scores[order])

    def above(self, score: float) -> "Found":
        """The detections of at least this score."""
        kept = self.scores >= score
        return Found(self.boxes[kept], self.labels[kept], self.scores[kept])


def overlaps(found: Found, truth: Truth) -> NDArray[np.floating]:
    """The intersection over union (n, m) of each detection with each true box.

    With a crowd it is the intersection over the detection's area, as in COCO; between classes, -1.
    """
    a, b = found.boxes[:, None], truth.boxes[None]
    start = np.maximum(a[..., :2], b[..., :2])
    end = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = np.clip(end - start, 0, None).prod(axis=-1)
    own, true = a[..., 2:].prod(axis=-1), b[..., 2:].prod(axis=-1)
    union = np.where(truth.crowd, own, own + true - shared)
    ratio = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return np.where(found.labels[:, None] == truth.labels[None], ratio, -1.0)


def match(found: Found, truth: Truth, thresholds: NDArray[np.floating]) -> NDArray[np.integer]:
    """Which true box each detection finds, at each threshold; COCO's greedy matching.

    Detections take, in the order given (by falling score, see `Found.best`), the free true box of
    their class with the largest overlap; of equal ones the last; a crowd, which any number may
    take, only if there is none else.

    Returns:
        (thresholds, n), an index into `truth`, or -1 for none.
    """
    shape = (len(thresholds), len(found.scores))
    taken = np.zeros((len(thresholds), len(truth.labels)), bool)
    matches = np.full(shape, -1)
    if not taken.size:
        return matches
    rows, last = np.arange(len(thresholds)), taken.shape[1] - 1
    # COCO lowers a threshold of 1 by this much, so that equal boxes pass it.
    limits = np.minimum(thresholds, 1 - 1e-10)[:, None]
    for n, ratio in enumerate(overlaps(found, truth)):
        fits = (ratio >= limits) & ~taken
        proper = fits & ~truth.crowd
        fits = np.where(proper.any(axis=1, keepdims=True), proper, fits)
        best = last - np.where(fits, ratio, -1.0)[:, ::-1].argmax(axis=1)
        some = fits[rows, best]
        matches[some, n] = best[some]
        taken[rows[some], best[some]] = ~truth.crowd[best[some]]
    return matches


def image_ap(found: Found, truth: Truth) -> float | None:
    """The image's AP in percent, over IoU .5:.05:.95, all classes in one curve; see the module.

    The `MOST_DETECTIONS` of highest score count, whatever their class, where COCO takes so many
    of each. None if nothing is to be found.
    """
    if not truth.count:
        return None
    best = found.best(MOST_DETECTIONS)
    matches = match(best, truth, THRESHOLDS)
    in_crowd = (matches >= 0) & truth.crowd[matches] if len(truth.crowd) else matches >= 0
    return 100 * float(
        np.mean(
            [
                _interpolated_precision(row[~ignored] >= 0, truth.count)
                for row, ignored in zip(matches, in_crowd, strict=True)
            ]
        )
    )


def _interpolated_precision(right: NDArray[np.bool_], count: int) -> float:
    """COCO's 101-point average of precision; `right` is by falling score."""
    hits = np.cumsum(right)
    # the best precision at this recall or a higher one
    precision = np.maximum.accumulate((hits / np.arange(1, len(right) + 1))[::-1])[::-1]
    places = np.searchsorted(hits / count, RECALLS, side="left")
    return float(np.append(precision, 0.0)[np.minimum(places, len(right))].mean())


@dataclass(frozen=True)
class Outcome:
    """An image's detections from a score on, at one overlap: what is right, wrong, missed.

    `right` (n,) tells of each of `found`; those within a crowd are in neither. `missed` (m,) tells
    of each true box.
    """

    found: Found
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    missed: NDArray[np.bool_]


def outcome(found: Found, truth: Truth, *, score: float, overlap: float = 0.5) -> Outcome:
    """Compare the detections of at least `score` with the truth, at an overlap (IoU)."""
    shown = found.best(MOST_DETECTIONS).above(score)
    [matches] = match(shown, truth, np.array([overlap]))
    missed = ~truth.crowd
    missed[matches[matches >= 0]] = False
    right = matches >= 0
    if len(truth.crowd):
        right = right & ~truth.crowd[matches]
    return Outcome(shown, right, matches < 0, missed)
