"""How often each pixel of the crop is right, over many images (no torch)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.cityscapes.classes import IGNORE

Map = NDArray[np.uint8]


@dataclass(frozen=True)
class PixelAccuracy:
    """Counts of each pixel (H, W), over images: how often its prediction was `right`, and in how
    many its label `counted`."""

    right: NDArray[np.int64]
    counted: NDArray[np.int64]

    def pooled(self, most: int) -> "PixelAccuracy":
        """The counts of square blocks of pixels, so large that there are at most `most` each way;
        blocks at the right and lower border may be smaller."""
        side = -(-max(self.right.shape) // most)
        return PixelAccuracy(_blocks(self.right, side), _blocks(self.counted, side))

    def values(self) -> NDArray[np.float64]:
        """The share that is right (H, W); NaN where nothing counted."""
        found = np.full(self.right.shape, np.nan)
        np.divide(self.right, self.counted, out=found, where=self.counted > 0)
        return found


def pixel_accuracy(pairs: Iterable[tuple[Map, Map]]) -> PixelAccuracy:
    """Count over pairs of labels and prediction, trainIds (H, W) all of one size.

    A pixel whose label is 255 does not count.

    Raises:
        ValueError: maps of two sizes, or no pair.
    """
    right = counted = None
    for truth, predicted in pairs:
        if right is None or counted is None:
            right, counted = (np.zeros(truth.shape, np.int64) for _ in range(2))
        if not truth.shape == predicted.shape == right.shape:
            raise ValueError(f"maps of {truth.shape}, {predicted.shape} and {right.shape}")
        counts = truth != IGNORE
        counted += counts
        right += counts & (truth == predicted)
    if right is None or counted is None:
        raise ValueError("no image, so there is no accuracy")
    return PixelAccuracy(right, counted)


def _blocks(counts: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    for axis in (0, 1):
        counts = np.add.reduceat(counts, np.arange(0, counts.shape[axis], side), axis)
    return counts
