"""nuScenes' matching of predictions with objects by the distance of their centres over the ground.

Predictions choose by falling score, each the nearest object of its sample and class that is still
free, if that is near enough. So only pairs that are near enough matter: they are found for all
samples at once, and what is left to decide one by one is small.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK = 2**17
"""So many predictions are compared with their samples' objects at a time."""

SLACK = 1e-6
"""Relative: what is farther than the limit by more than this is no pair, however it is rounded."""


@dataclass(frozen=True)
class Pairs:
    """Predictions with objects of their sample that are near, the nearest object of a prediction
    first, of equally near ones that of lower index.

    Attributes:
        found: (p,) index of the prediction, rising.
        object: (p,) index of the object.
        distance: (p,) in metres.
    """

    found: NDArray[np.integer]
    object: NDArray[np.integer]
    distance: NDArray[np.float64]


def near_pairs(
    found_sample: NDArray[np.integer],
    found_xy: NDArray[np.float64],
    object_sample: NDArray[np.integer],
    object_xy: NDArray[np.float64],
    limit: float,
) -> Pairs:
    """The pairs of one class that are nearer than `limit`.

    Args:
        found_sample, object_sample: (n,), (m,) indices of samples, in any order.
        found_xy, object_xy: (n, 2), (m, 2) centres in metres.
    """
    by_sample = np.argsort(object_sample, kind="stable")
    places = object_sample[by_sample]
    first = np.searchsorted(places, found_sample)
    number = np.searchsorted(places, found_sample, side="right") - first
    parts = []
    for start in range(0, len(found_sample), CHUNK):
        own = slice(start, start + CHUNK)
        found = np.repeat(np.arange(len(found_sample))[own], number[own])
        within = np.arange(len(found)) - np.repeat(
            np.cumsum(number[own]) - number[own], number[own]
        )
        objects = by_sample[first[found] + within]
        offset = found_xy[found] - object_xy[objects]
        near = (offset**2).sum(axis=1) < (limit * (1 + SLACK)) ** 2
        # The devkit's distance to the last bit: its norm takes the same routine of the same library
        # for the product, which may round once where a sum of squares rounds twice.
        squared = np.matmul(offset[near][:, None, :], offset[near][:, :, None])[:, 0, 0]
        distance = np.sqrt(squared)
        order = np.lexsort((objects[near], distance, found[near]))
        parts.append((found[near][order], objects[near][order], distance[order]))
    if not parts:
        return Pairs(np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    found, objects, distance = map(np.concatenate, zip(*parts, strict=True))
    close = distance < limit
    return Pairs(found[close], objects[close], distance[close])


def match(pairs: Pairs, count: int, objects: int, threshold: float) -> NDArray[np.integer]:
    """The object that each of `count` predictions finds, or -1: (count,).

    The predictions are by falling score; `objects` is how many there are, and `threshold` what
    their distance must be below, not above the pairs' limit.
    """
    close = pairs.distance < threshold
    chosen = [-1] * count
    free = [True] * objects
    pair = zip(pairs.found[close].tolist(), pairs.object[close].tolist(), strict=True)
    for prediction, candidate in pair:
        if free[candidate] and chosen[prediction] < 0:
            chosen[prediction] = candidate
            free[candidate] = False
    return np.array(chosen, dtype=int)
