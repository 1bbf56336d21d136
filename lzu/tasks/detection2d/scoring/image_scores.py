"""How well a detector does in a single image: COCO's AP of that image, all classes in one curve.

COCO's mean over classes makes little sense in an image: a single truck, found or not, would weigh
as much as forty cars. So detections are matched with the ground truth of their own class, as in
COCO, and then ranked by their scores all together, whatever their class. That is COCO's AP of the
image if each class lay in a place of its own and all were called alike. Boxes are (n, 4) left,
top, width, height in pixels, as in COCO files. Pure NumPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lzu.tasks.detection2d.scoring.coco import MOST_DETECTIONS, THRESHOLDS, average_of_curve
from lzu.tasks.detection2d.scoring.matching import Boxes, Objects, match


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


def find(
    found: Sequence[Found], truths: Sequence[Truth], thresholds: NDArray[np.floating]
) -> list[NDArray[np.integer]]:
    """Which true box each detection finds, at each threshold of IoU, in each of several images.

    Args:
        found: by falling score (see `Found.best`); COCO's matching, within classes.
        thresholds: (T,).

    Returns:
        Of each image (T, n), indices into its `Truth`, or -1 for none.
    """
    if not truths:
        return []
    many = np.array([len(one.labels) for one in found])
    few = np.array([len(one.labels) for one in truths])
    labels = np.concatenate([one.labels for one in (*found, *truths)])
    classes, label = np.unique(labels, return_inverse=True)
    image = np.concatenate([np.repeat(np.arange(len(truths)), count) for count in (many, few)])
    place = image * len(classes) + label
    own, true = place[: many.sum()], place[many.sum() :]
    detected, annotated = np.argsort(own, kind="stable"), np.argsort(true, kind="stable")
    crowd = np.concatenate([one.crowd for one in truths])[annotated]
    boxes = np.concatenate([one.boxes for one in truths])[annotated]
    objects = Objects(true[annotated], boxes, crowd, ~crowd[:, None])
    matches = np.full((len(own), len(thresholds)), -1)
    first = np.cumsum(few) - few
    candidates = Boxes(own[detected], np.concatenate([one.boxes for one in found])[detected])
    for chosen, taken in match(candidates, objects, thresholds):
        rows, taken = detected[chosen], taken[:, 0]
        matches[rows] = np.where(taken < 0, -1, annotated[taken] - first[image[rows], None])
    return np.split(matches.T, np.cumsum(many)[:-1], axis=1)


def image_aps(found: Sequence[Found], truths: Sequence[Truth]) -> list[float | None]:
    """Each image's AP in percent, over IoU .5:.05:.95, all classes in one curve; see the module.

    The `MOST_DETECTIONS` of highest score count, whatever their class, where COCO takes so many
    of each. None if nothing is to be found.
    """
    best = [one.best(MOST_DETECTIONS) for one in found]
    matches = find(best, truths, THRESHOLDS)
    return [_ap(*one) for one in zip(matches, truths, strict=True)]


def _ap(matches: NDArray[np.integer], truth: Truth) -> float | None:
    if not truth.count:
        return None
    counted = (matches < 0) | ~truth.crowd[matches]
    curves = [row[own] >= 0 for row, own in zip(matches, counted, strict=True)]
    return 100 * float(np.mean([average_of_curve(curve, truth.count) for curve in curves]))


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
    [[matches]] = find([shown], [truth], np.array([overlap]))
    missed = ~truth.crowd
    missed[matches[matches >= 0]] = False
    right = matches >= 0
    if len(truth.crowd):
        right = right & ~truth.crowd[matches]
    return Outcome(shown, right, matches < 0, missed)
