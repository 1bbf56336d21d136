"""Whether the boxes of an instance follow one another: one in a sample, and linked in time."""

from typing import Any

import numpy as np

from lzu.datasets.nuscenes.collected import Collected
from lzu.datasets.nuscenes.records import Boxes, Samples
from lzu.datasets.nuscenes.tables import Table

ABSENT, ELSEWHERE, LOST = -1, -2, -3
"""Places of rows that are not kept: not in the table, of another split, told already."""


def check_neighbours(
    table: Table, boxes: Boxes, samples: Samples, named: Any, said: list[str], problems: Collected
) -> None:
    """A box's neighbours are of the same instance and scene; those that are not are taken out.

    `named` (N, 2) are the numbers of the tokens, of which `said` is the list.
    """
    for key, column, found, sign in (
        ("prev", named[:, 0], boxes.previous, -1),
        ("next", named[:, 1], boxes.following, 1),
    ):
        for index in np.flatnonzero((column >= 0) & (found == ABSENT)):
            text = f"{key} {said[column[index]]!r} is no token of sample_annotation.json"
            problems.add("dangling_token", table.path, boxes.tokens[index], text)
        other = (column >= 0) & (found != ABSENT) & (found != LOST)
        other[other] = _is_other(boxes, samples, np.flatnonzero(other), found[other], sign)
        for index in np.flatnonzero(other):
            text = (
                f"{key} {said[column[index]]!r} is of another instance or scene, or not "
                f"{'earlier' if sign < 0 else 'later'}"
            )
            problems.add("neighbour", table.path, boxes.tokens[index], text)
        found[other | (found == LOST)] = ABSENT


def _is_other(boxes: Boxes, samples: Samples, one: Any, neighbour: Any, sign: int) -> Any:
    """Whether a neighbour is none of the same instance in the same scene, on that side in time."""
    here = neighbour != ELSEWHERE
    place = np.where(here, neighbour, one)
    own, theirs = boxes.samples[one], boxes.samples[place]
    later = sign * (samples.timestamps[theirs] - samples.timestamps[own]) > 0
    same = boxes.instances[one] == boxes.instances[place]
    return ~(here & same & later & (samples.scenes[own] == samples.scenes[theirs]))


def check_instances(table: Table, boxes: Boxes, instances: list[str], problems: Collected) -> None:
    """An instance has one box in a sample."""
    order = np.lexsort((boxes.instances, boxes.samples))
    pairs = np.stack((boxes.samples[order], boxes.instances[order]))
    for place in np.flatnonzero((pairs[:, 1:] == pairs[:, :-1]).all(0)):
        first, second = order[place], order[place + 1]
        text = (
            f"instance {instances[boxes.instances[second]]!r} has another annotation in the same "
            f"sample: {boxes.tokens[first]!r}"
        )
        problems.add("instance_twice", table.path, boxes.tokens[second], text)
