"""Confusions of classes, and intersection over union from them.

The definition is that of cityscapesscripts, and a test holds the results to its evaluation, to the
last bit. In one thing they differ: a class that the truth never has, but that is predicted
somewhere, has no IoU here. There it is 0 and counts in the mean, so that a mean over the classes
of a small set of images depends on what a model dreams up. Such pixels do count against the class
that they truly are.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from lzu.datasets.cityscapes.classes import CLASSES, IGNORE

CLASS_COUNT = len(CLASSES)

# Pixels that do not count are put in a row and a column of their own, which are then cut off.
_SLOTS = CLASS_COUNT + 1
_SLOT = np.full(256, _SLOTS, np.uint8)
_SLOT[:CLASS_COUNT] = range(CLASS_COUNT)
_SLOT[IGNORE] = CLASS_COUNT


def confusion(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many pixels of each class are predicted as which: (19, 19), rows truth.

    Args:
        truth, predicted: trainIds of one shape, uint8, 0 to 18 or 255 (`IGNORE`). A pixel that is
            255 in `truth` never counts, nor does one that is 255 in `predicted`: no model predicts
            it, but labels that were sampled and sent back have it.

    Raises:
        ValueError: other types or values, or two shapes.
    """
    found: NDArray[np.int64] = confusions_by(truth, predicted, None, 1)[0]
    return found


def confusions_by(
    truth: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    part: NDArray[np.uint8] | None,
    parts: int,
) -> NDArray[np.int64]:
    """The `confusion` of each part of the pixels: (parts, 19, 19).

    Args:
        part: of the maps' shape, the index of the part that a pixel belongs to; None: all are in
            the first.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth is {truth.shape}, but the prediction {predicted.shape}")
    code = _slots(truth, "truth").astype(np.intp) * _SLOTS + _slots(predicted, "prediction")
    if part is not None:
        code += part.astype(np.intp) * _SLOTS**2
    counts = np.bincount(code.ravel(), minlength=parts * _SLOTS**2)
    table = counts.reshape(parts, _SLOTS, _SLOTS)[:, :CLASS_COUNT, :CLASS_COUNT]
    return table.astype(np.int64)


def _slots(train_ids: NDArray[np.uint8], what: str) -> NDArray[np.uint8]:
    if train_ids.dtype != np.uint8 or not train_ids.size:
        raise ValueError(f"the {what} must be uint8 pixels, not {train_ids.size} {train_ids.dtype}")
    slots = cv2.LUT(np.ascontiguousarray(train_ids).reshape(1, -1), _SLOT).reshape(train_ids.shape)
    if slots.max() == _SLOTS:
        raise ValueError(f"the {what} has values that are no trainIds")
    return slots


def iou(confusion: NDArray[np.integer]) -> NDArray[np.float64]:
    """Intersection over union of each class (..., 19), from confusions (..., 19, 19), rows truth.

    NaN for a class that never occurs in the truth, be it predicted or not.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    pixels = confusion.sum(axis=-1)
    union = pixels + confusion.sum(axis=-2) - hits
    undefined = np.full(hits.shape, np.nan)
    values: NDArray[np.float64] = np.divide(hits, union, out=undefined, where=pixels > 0)
    return values


def mean_iou(confusion: NDArray[np.integer]) -> NDArray[np.float64]:
    """The mean IoU (...) over the classes that occur in the truth; NaN where none does."""
    values = iou(confusion)
    occurs = ~np.isnan(values)
    # one after the other, as cityscapesscripts adds them, and not in pairs
    total = np.where(occurs, values, 0).cumsum(axis=-1)[..., -1]
    number = occurs.sum(axis=-1)
    mean: NDArray[np.float64] = np.divide(
        total, number, out=np.full(total.shape, np.nan), where=number > 0
    )
    return mean
