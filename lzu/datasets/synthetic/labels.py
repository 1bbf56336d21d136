"""2-D labels of a picture."""

from dataclasses import dataclass

import numpy as np

from lzu.datasets.synthetic.camera import Camera
from lzu.datasets.synthetic.drawlist import DrawList
from lzu.datasets.synthetic.scene import Sequence, Snapshot

FACING = np.cos(np.deg2rad(75))
"""A stop sign is labelled if seen from less than 75 degrees off its face."""


@dataclass(frozen=True)
class Box2D:
    """A labelled box.

    Attributes:
        category: index in `CLASSES` of Argoverse-HD; -1 for what only nuScenes has a class for.
        track: actor, the same in all frames of a sequence.
        left, top, right, bottom: extent of what is visible, in pixels, inside the image.
        visible: fraction of the object's pixels inside the image that nothing hides.
        pixels: how many these are.
        inside: fraction of the object's full box that lies inside the image.
        depth: metres along the optical axis to the object's centre.
    """

    category: int
    track: int
    left: float
    top: float
    right: float
    bottom: float
    visible: float
    pixels: int
    inside: float
    depth: float


def boxes_2d(
    sequence: Sequence,
    state: Snapshot,
    camera: Camera,
    polygons: DrawList,
    ids: np.ndarray,
    marks: dict[int, tuple[int, int, int, int, int]],
    first: int,
) -> tuple[Box2D, ...]:
    """Boxes that a human annotator would draw, far to near; see `WorldConfig` for the limits.

    `ids` and `marks` come from the renderer; actor i has the value i + `first`. A side of a box
    comes from the projected solid, to a fraction of a pixel, unless that part of it is hidden.
    """
    config = sequence.config
    height, width = camera.size
    out = []
    for k, who in enumerate(polygons.order):
        who = int(who)
        if who not in marks or not _faces(sequence, state, camera, who):
            continue
        left, top, right, bottom, whole = marks[who]
        mask = ids[top:bottom, left:right] == who + first
        visible = int(np.count_nonzero(mask))
        if whole == 0 or visible < max(config.min_visible_fraction * whole, 2):
            continue
        full = polygons.bounds[k]
        box = np.clip(full, 0, (width, height, width, height))
        inside = float(np.prod(box[2:] - box[:2]) / max(np.prod(full[2:] - full[:2]), 1e-9))
        # Of a truncated solid, the highest corner may lie beside the image.
        if visible < whole or inside < 1:
            columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
            seen = np.array(
                [left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1]
            )
            # A rasterised solid is up to a pixel larger than the solid: keep its exact sides.
            moved = np.abs(seen - box) > 1.5
            box = np.where(moved, seen, box)
        size = box[2:] - box[:2]
        if size[1] < config.min_box_height or size[0] < config.min_box_height / 3:
            continue
        centre = state.position[who] + (0, 0, state.size[who, 2] / 2)
        out.append(
            Box2D(
                category=int(sequence.actors.label[who]),
                track=who,
                left=float(box[0]),
                top=float(box[1]),
                right=float(box[2]),
                bottom=float(box[3]),
                visible=visible / whole,
                pixels=visible,
                inside=inside,
                depth=float(camera.to_camera(centre)[2]),
            )
        )
    return tuple(out)


def _faces(sequence: Sequence, state: Snapshot, camera: Camera, who: int) -> bool:
    """Flat signs can be told from one side only."""
    if sequence.actors.meshes[who][0].size[0] > 0.05:
        return True
    toward = camera.position[:2] - state.position[who, :2]
    face = np.array([np.cos(state.yaw[who]), np.sin(state.yaw[who])])
    return float(face @ toward) > FACING * float(np.hypot(*toward))
