"""Counts of pixels by class, on the device where they are, in the form of `scoring.confusion`."""

import torch
from torch import Tensor

from lzu.datasets.cityscapes.classes import CLASSES, IGNORE


def pixel_counts(truth: Tensor, predicted: Tensor) -> Tensor:
    """(19, 19) int64: how many pixels of each true class (rows) are taken for each class.

    `truth` and `predicted` are trainIds of the same shape, integers; `IGNORE` in either does not
    count.
    """
    known = (truth != IGNORE) & (predicted != IGNORE)
    place = truth[known].long() * len(CLASSES) + predicted[known].long()
    counted = torch.bincount(place, minlength=len(CLASSES) ** 2)
    return counted.view(len(CLASSES), len(CLASSES))
