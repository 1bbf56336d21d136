"""Boxes of samples as columns, and which of them the devkit's rules leave out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from nuscenes.utils.data_classes import Box
from nuscenes.utils.geometry_utils import points_in_box
from pyquaternion import Quaternion

from lzu.datasets.nuscenes.classes import CLASSES

CYCLES = (CLASSES.index("bicycle"), CLASSES.index("motorcycle"))
"""Labels of what is left out where it stands in a bicycle rack."""


@dataclass(frozen=True)
class Boxes:
    """n boxes in the global frame, column by column.

    Attributes:
        sample: (n,) index of each box's sample.
        label: (n,) index into `CLASSES`.
        translation: (n, 3) x, y, z of the centre in metres.
        size: (n, 3) width, length, height in metres.
        rotation: (n, 4) quaternion w, x, y, z.
        velocity: (n, 2) along x and y in m/s; NaN where it is unknown.
        attribute: (n,) index into `ATTRIBUTES`, or NO_ATTRIBUTE.
    """

    sample: NDArray[np.integer]
    label: NDArray[np.integer]
    translation: NDArray[np.float64]
    size: NDArray[np.float64]
    rotation: NDArray[np.float64]
    velocity: NDArray[np.float64]
    attribute: NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.sample)

    def take(self, rows: NDArray[Any]) -> "Boxes":
        """The boxes at these indices, or of a mask."""
        return Boxes(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass(frozen=True)
class Samples:
    """The S samples that are scored.

    Attributes:
        tokens: (S,), each once.
        scenes: (S,) name of each one's scene.
        ego: (S, 3) where the vehicle is in the global frame, when LIDAR_TOP is read.
        racks: index of a sample -> its bicycle racks: translation, size and rotation, as boxes have
            them. Those that have none are not in it.
    """

    tokens: Sequence[str]
    scenes: Sequence[str]
    ego: NDArray[np.float64]
    racks: Mapping[int, Sequence[Mapping[str, Any]]]


def ego_distance(boxes: Boxes, samples: Samples) -> NDArray[np.float64]:
    """How far each box's centre is from the vehicle, over the ground: (n,) in metres."""
    offset = boxes.translation[:, :2] - samples.ego[boxes.sample, :2]
    return np.sqrt((offset**2).sum(axis=1))


def counted(boxes: Boxes, samples: Samples, reach: Mapping[str, float]) -> NDArray[np.bool_]:
    """Which boxes count, true or found: (n,).

    Those nearer than their class's reach (m), but for cycles in a bicycle rack. (The devkit leaves
    out objects without lidar or radar points, too; those are not in a `Truth`.)
    """
    limit = np.array([reach.get(name, 0) for name in CLASSES], dtype=float)
    near = ego_distance(boxes, samples) < limit[boxes.label]
    return near & ~_in_a_rack(boxes, samples)


def _in_a_rack(boxes: Boxes, samples: Samples) -> NDArray[np.bool_]:
    inside = np.zeros(len(boxes), bool)
    has_racks = np.zeros(len(samples.tokens), bool)
    has_racks[list(samples.racks)] = True
    rows = np.flatnonzero(np.isin(boxes.label, CYCLES) & has_racks[boxes.sample])
    rows = rows[np.argsort(boxes.sample[rows], kind="stable")]
    places, starts = np.unique(boxes.sample[rows], return_index=True)
    for place, own in zip(places.tolist(), np.split(rows, starts[1:]), strict=False):
        centres = boxes.translation[own].T
        for rack in samples.racks[place]:
            box = Box(rack["translation"], rack["size"], Quaternion(rack["rotation"]))
            inside[own] |= points_in_box(box, centres)
    return inside
