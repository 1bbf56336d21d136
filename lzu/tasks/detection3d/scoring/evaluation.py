"""nuScenes' precision and errors of what is found, over all samples or some of them.

Matching is within a sample, so it is done once (`evaluate`); averaging over all samples or a part
(`metrics`) starts from its outcomes and gives what the devkit's DetectionEval would, to the bit.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from nuscenes.eval.common.utils import (
    attr_acc,
    center_distance,
    cummean,
    scale_iou,
    velocity_l2,
    yaw_diff,
)
from nuscenes.eval.detection.algo import calc_ap, calc_tp
from nuscenes.eval.detection.constants import TP_METRICS
from nuscenes.eval.detection.data_classes import (
    DetectionConfig,
    DetectionMetricData,
    DetectionMetrics,
)

from lzu.datasets.nuscenes.classes import ATTRIBUTES, CLASSES
from lzu.tasks.detection3d.scoring.boxes import Boxes, Samples, counted
from lzu.tasks.detection3d.scoring.matching import match, near_pairs
from lzu.tasks.detection3d.scoring.predictions import Found
from lzu.tasks.detection3d.scoring.rules import UNDEFINED
from lzu.tasks.detection3d.scoring.truth import Truth

ATTRIBUTE_OF_LABEL = (*ATTRIBUTES, "")


@dataclass(frozen=True)
class Outcome:
    """A class's n predictions, by falling score, and its m objects, those that count.

    Attributes:
        sample: (n,) index of each prediction's sample.
        score: (n,).
        right: (T, n) whether it found an object, by distance threshold.
        errors: (5, k) of the k that found one at the threshold for errors (2 m), in the order of
            the devkit's TP_METRICS; NaN where an error has no meaning.
        objects: (m,) index of each object among the truth's.
        object_sample: (m,) index of its sample.
        is_found: (m,) whether it was found at the threshold for errors.
    """

    sample: NDArray[np.integer]
    score: NDArray[np.float64]
    right: NDArray[np.bool_]
    errors: NDArray[np.float64]
    objects: NDArray[np.integer]
    object_sample: NDArray[np.integer]
    is_found: NDArray[np.bool_]


def evaluate(truth: Truth, found: Found, config: DetectionConfig) -> dict[str, Outcome]:
    """Match what was predicted with what counts, class by class: class -> outcome."""
    own = _rows(truth.boxes, truth.samples, config)
    theirs = _rows(found.boxes, truth.samples, config)
    outcomes = {}
    for name in config.class_names:
        label = CLASSES.index(name)
        objects = own[truth.boxes.label[own] == label]
        rows = theirs[found.boxes.label[theirs] == label]
        # of equal scores, the devkit takes the last first
        rows = rows[np.argsort(found.score[rows], kind="stable")][::-1]
        outcomes[name] = _outcome(truth.boxes, objects, found, rows, name, config)
    return outcomes


def metrics(
    outcomes: dict[str, Outcome], config: DetectionConfig, kept: NDArray[np.bool_] | None = None
) -> DetectionMetrics:
    """The devkit's metrics of all samples, or of those `kept` (S,) alone.

    As in the devkit, a class that has no objects has an AP of 0 and errors of 1.
    """
    result = DetectionMetrics(config)
    for name, outcome in outcomes.items():
        curves = dict(zip(config.dist_ths, _curves(outcome, config, kept), strict=True))
        for threshold, curve in curves.items():
            precision = calc_ap(curve, config.min_recall, config.min_precision)
            result.add_label_ap(name, threshold, precision)
        for error in TP_METRICS:
            if error in UNDEFINED.get(name, ()):
                value = np.nan
            else:
                value = calc_tp(curves[config.dist_th_tp], config.min_recall, error)
            result.add_label_tp(name, error, value)
    return result


def tp_errors(result: DetectionMetrics) -> dict[str, float]:
    """The devkit's mean errors over the classes; NaN, without its warning, if no class has one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return result.tp_errors


def nd_score(result: DetectionMetrics) -> float:
    """The devkit's NDS; an error that no class has counts as 1 or more, so it adds nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return result.nd_score


def _rows(boxes: Boxes, samples: Samples, config: DetectionConfig) -> NDArray[np.integer]:
    return np.flatnonzero(counted(boxes, samples, config.class_range))


def _outcome(
    true: Boxes,
    objects: NDArray[np.integer],
    found: Found,
    rows: NDArray[np.integer],
    name: str,
    config: DetectionConfig,
) -> Outcome:
    boxes, wanted = found.boxes.take(rows), true.take(objects)
    xy, true_xy = boxes.translation[:, :2], wanted.translation[:, :2]
    pairs = near_pairs(boxes.sample, xy, wanted.sample, true_xy, max(config.dist_ths))
    chosen = {
        threshold: match(pairs, len(rows), len(objects), threshold) for threshold in config.dist_ths
    }
    taken = chosen[config.dist_th_tp]
    right = np.flatnonzero(taken >= 0)
    is_found = np.zeros(len(objects), bool)
    is_found[taken[right]] = True
    return Outcome(
        sample=boxes.sample,
        score=found.score[rows],
        right=np.array([one >= 0 for one in chosen.values()]),
        errors=_errors(wanted.take(taken[right]), boxes.take(right), name),
        objects=objects,
        object_sample=wanted.sample,
        is_found=is_found,
    )


class _Box(NamedTuple):
    """What the devkit's functions read of a box."""

    translation: Sequence[float]
    size: Sequence[float]
    rotation: Sequence[float]
    velocity: Sequence[float]
    attribute_name: str


def _each(boxes: Boxes) -> Iterator[_Box]:
    columns = (boxes.translation, boxes.size, boxes.rotation, boxes.velocity)
    names = [ATTRIBUTE_OF_LABEL[label] for label in boxes.attribute.tolist()]
    return map(_Box, *(column.tolist() for column in columns), names)


def _errors(true: Boxes, found: Boxes, name: str) -> NDArray[np.float64]:
    """The errors of the k boxes found, by the devkit's functions: (5, k)."""
    # a barrier's front is as good as its back
    period = np.pi if name == "barrier" else 2 * np.pi
    errors = np.empty((len(TP_METRICS), len(true)))
    for k, (one, other) in enumerate(zip(_each(true), _each(found), strict=True)):
        values = {
            "trans_err": center_distance(one, other),
            "scale_err": 1 - scale_iou(one, other),
            "orient_err": yaw_diff(one, other, period=period),
            "vel_err": velocity_l2(one, other),
            "attr_err": 1 - attr_acc(one, other),
        }
        errors[:, k] = [values[error] for error in TP_METRICS]
    return errors


def _curves(
    outcome: Outcome, config: DetectionConfig, kept: NDArray[np.bool_] | None
) -> list[DetectionMetricData]:
    """What the devkit's `accumulate` gives at each threshold.

    Errors are those at `dist_th_tp`, the only ones that it reads; at the others they stand at 1.
    """
    score, right, errors = outcome.score, outcome.right, outcome.errors
    objects = len(outcome.objects)
    if kept is not None:
        own = kept[outcome.sample]
        at_tp = right[config.dist_ths.index(config.dist_th_tp)]
        score, right, errors = score[own], right[:, own], errors[:, own[at_tp]]
        objects = int(kept[outcome.object_sample].sum())
    return [
        _curve(score, one, objects, errors if threshold == config.dist_th_tp else None)
        for threshold, one in zip(config.dist_ths, right, strict=True)
    ]


def _curve(
    score: NDArray[np.float64],
    right: NDArray[np.bool_],
    objects: int,
    errors: NDArray[np.float64] | None,
) -> DetectionMetricData:
    if not objects or not right.any():
        return DetectionMetricData.no_predictions()
    found = np.cumsum(right).astype(float)
    precision = found / (np.cumsum(~right).astype(float) + found)
    reached = found / float(objects)
    recall = np.linspace(0, 1, DetectionMetricData.nelem)
    confidence = np.interp(recall, reached, score, right=0)
    return DetectionMetricData(
        recall=recall,
        precision=np.interp(recall, reached, precision, right=0),
        confidence=confidence,
        **_resampled(errors, score[right], confidence),
    )


def _resampled(
    errors: NDArray[np.float64] | None, score: NDArray[np.float64], confidence: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """The mean error of what has a score of at least each confidence: name -> (101,)."""
    if errors is None:
        return {name: np.ones(len(confidence)) for name in TP_METRICS}
    means = map(cummean, errors)
    return {
        name: np.interp(confidence[::-1], score[::-1], mean[::-1])[::-1]
        for name, mean in zip(TP_METRICS, means, strict=True)
    }
