"""What COCO's average precision is defined by."""

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Of the intersection over union."""
RECALLS = np.linspace(0, 1, 101)
"""At which precision is read off."""
MOST_DETECTIONS = 100
"""Of an image and category, those of highest score count."""


def average_of_curve(right: NDArray[np.bool_], objects: int) -> float:
    """The mean over `RECALLS` of the precision's envelope, between 0 and 1.

    Args:
        right: (n,) of each detection that counts, by falling score.
        objects: how many there are to find, at least 1.
    """
    place = np.flatnonzero(right)
    found = np.arange(1, len(place) + 1)
    # pycocotools adds this epsilon
    precision = found / (place + 1 + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(found / objects, RECALLS, side="left")
    return float(np.mean(np.append(envelope, 0.0)[reached]))
