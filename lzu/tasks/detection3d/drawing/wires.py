"""Boxes in the global frame as a camera sees them, and from above."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.nuscenes.geometry import (
    EDGES,
    NEAR,
    corners,
    inverse,
    rotation_matrices,
)
from lzu.report.pictures.wire_boxes import Ground, WireBoxes
from lzu.tasks.detection3d.scoring.boxes import Boxes

STEP, NEAREST, FARTHEST = 10.0, 20.0, 60.0
"""Metres ahead that a view from above shows: to the farthest box, in steps, within bounds."""
SIDE = 0.36
"""To either side it shows at least this share of them, which fills its place in the figure."""

Floats = NDArray[np.float64]

# Corners, as `lzu.datasets.nuscenes.geometry` numbers them, in their order around a face.
_FRONT = (4, 5, 7, 6)
_BOTTOM = (6, 4, 0, 2)


def camera_pose(image: Mapping[str, Any]) -> Floats:
    """(4, 4): from a camera's frame to the global one, of an image in a prepared file."""
    pose: Floats = np.array(image["ego2global"]) @ np.array(image["cam2ego"])
    return pose


def as_wires(boxes: Boxes, image: Mapping[str, Any]) -> WireBoxes:
    """Boxes as the camera of an image in a prepared file sees them, in its native pixels."""
    pose, intrinsics = camera_pose(image), np.array(image["cam2img"])
    around = corners(boxes.translation, boxes.size, rotation_matrices(boxes.rotation))
    back = inverse(pose)
    points = around @ back[:3, :3].T + back[:3, 3]
    front = points[:, _FRONT]
    before = (front[..., 2] >= NEAR).all(axis=1)
    return WireBoxes(
        edges=edges_seen(points, intrinsics),
        front=np.where(before[:, None, None], _pixels(front, intrinsics), np.nan),
        footprint=from_above(around[:, _BOTTOM], pose),
    )


def edges_seen(points: Floats, intrinsics: Floats) -> Floats:
    """(n, 12, 2, 2): the ends in pixels of the edges of boxes with the corners (n, 8, 3), in the
    camera's frame, cut at the depth `NEAR`; NaN for those that are nearer as a whole."""
    ends = points[:, EDGES.T]
    depth = ends[..., 2]
    span = depth[..., 1] - depth[..., 0]
    share = (NEAR - depth[..., 0]) / np.where(span == 0, 1, span)
    cut = ends[..., 0, :] + share[..., None] * (ends[..., 1, :] - ends[..., 0, :])
    ends = np.where((depth < NEAR)[..., None], cut[..., None, :], ends)
    seen = (depth >= NEAR).any(axis=-1)
    return np.where(seen[..., None, None], _pixels(ends, intrinsics), np.nan)


def from_above(points: Floats, pose: Floats) -> Floats:
    """(..., 2): metres to the right of a camera and ahead of it, over the ground, of points
    (..., 3) in the global frame."""
    ahead = pose[:2, 2] / np.linalg.norm(pose[:2, 2])
    right = np.array([ahead[1], -ahead[0]])
    return (points[..., :2] - pose[:2, 3]) @ np.stack([right, ahead], axis=1)


def ground_of(image: Mapping[str, Any], shown: Sequence[WireBoxes]) -> Ground:
    """The ground before the camera of an image in a prepared file, as far as there are boxes."""
    intrinsics = np.array(image["cam2img"])
    focal, centre = intrinsics[0, 0], intrinsics[0, 2]
    points = np.concatenate([one.footprint.reshape(-1, 2) for one in shown])
    farthest = STEP * np.ceil(points[:, 1].max(initial=0) / STEP)
    reach = float(np.clip(farthest, NEAREST, FARTHEST))
    near = points[points[:, 1] <= reach]
    side = float(np.abs(near[:, 0]).max(initial=SIDE * reach))
    return Ground((-centre / focal, (image["width"] - centre) / focal), reach, side)


def _pixels(points: Floats, intrinsics: Floats) -> Floats:
    """(..., 2) of points (..., 3) before the camera; of others no number that means anything."""
    projected = points @ intrinsics.T
    depth = projected[..., 2:]
    return projected[..., :2] / np.where(depth == 0, 1, depth)
