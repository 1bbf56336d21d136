"""A split of nuScenes in memory: what the tables say of its key frames, row by row in arrays.

Numbers are as in the tables: metres, microseconds, quaternions w, x, y, z, sizes as width, length,
height. An index of -1 refers to nothing.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.findings import Finding
from lzu.datasets.nuscenes.classes import CAMERAS
from lzu.datasets.nuscenes.layout import LIDAR

CHANNELS = (*CAMERAS, LIDAR)
"""Sensors whose key frames are read, in the order of the columns of `Views`."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]


@dataclass(frozen=True)
class Samples:
    """The key frames (S), by the names of their scenes and in the order of time.

    Attributes:
        tokens: of each.
        timestamps: (S,) int64.
        scenes: (S,) indices of `NuScenes.scenes`.
        frames: (S,) number within the scene, from 0 on.
    """

    tokens: list[str]
    timestamps: NDArray[np.int64]
    scenes: Integers
    frames: Integers


@dataclass(frozen=True)
class Views:
    """What each sensor of `CHANNELS` recorded of each sample: arrays (S, 7, ...).

    Attributes:
        tokens, files: of the rows of sample_data, and paths below the root; None where a sample has
            no such row.
        timestamps: int64.
        sizes: height and width in pixels; 0 of the lidar.
        calibrations: indices of `Calibrations`; -1 where a sample has no such row.
        poses: tokens of ego_pose, None where the table has no such pose.
        translations, rotations: of these, ego to global, at the sensor's own time.
    """

    tokens: NDArray[np.object_]
    files: NDArray[np.object_]
    timestamps: NDArray[np.int64]
    sizes: Integers
    calibrations: Integers
    poses: NDArray[np.object_]
    translations: Floats
    rotations: Floats


@dataclass(frozen=True)
class Calibrations:
    """How sensors are mounted (C): arrays (C, ...).

    Attributes:
        tokens: of each.
        translations, rotations: sensor to ego.
        intrinsics: (C, 3, 3), NaN where the table has no matrix of 3 x 3.
    """

    tokens: list[str]
    translations: Floats
    rotations: Floats
    intrinsics: Floats


@dataclass(frozen=True)
class Boxes:
    """The annotations (N) of all categories, by their samples: arrays (N, ...).

    Attributes:
        tokens: of each.
        samples: indices of samples, ascending.
        instances: indices of `NuScenes.instances`.
        labels: index of the class, -1: of none of the ten.
        racks: whether it is a bicycle rack.
        translations, sizes, rotations: box to global.
        previous, following: indices of the boxes of the same instance in its samples before and
            after; -1: none.
        lidar, radar: numbers of points.
        visibility: 1 to 4; 0: unknown.
        attributes: index of the attribute, `NO_ATTRIBUTE`: none.
    """

    tokens: list[str]
    samples: Integers
    instances: Integers
    labels: NDArray[np.int8]
    racks: NDArray[np.bool_]
    translations: Floats
    sizes: Floats
    rotations: Floats
    previous: Integers
    following: Integers
    lidar: Integers
    radar: Integers
    visibility: NDArray[np.int8]
    attributes: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class NuScenes:
    """A split as its tables have it.

    Attributes:
        root: of the data set that has the split.
        version: folder of the tables.
        split: "train" or "val".
        source: "synthetic" or "real".
        scenes: names, sorted.
        instances: tokens.
        samples, views, calibrations, boxes: see there.
        findings: what was wrong in the tables that cannot be seen in these arrays any more, rows
            that refer to nothing above all.
    """

    root: Path
    version: str
    split: str
    source: str
    scenes: tuple[str, ...]
    instances: list[str]
    samples: Samples
    views: Views
    calibrations: Calibrations
    boxes: Boxes
    findings: tuple[Finding, ...]

    @cached_property
    def bounds(self) -> Any:
        """(S + 1,): the boxes of sample i are those from bounds[i] to bounds[i + 1]."""
        return np.searchsorted(self.boxes.samples, np.arange(len(self.samples.tokens) + 1))
