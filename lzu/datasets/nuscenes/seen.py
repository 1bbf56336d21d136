"""What the cameras of nuScenes see of its boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.nuscenes.classes import CAMERAS
from lzu.datasets.nuscenes.geometry import (
    Floats,
    camera_yaw,
    corners,
    extents,
    inverse,
    poses,
    rotation_matrices,
)
from lzu.datasets.nuscenes.records import NuScenes

MOST_SECONDS = 1.5
"""Between annotations of which the devkit makes a velocity; across one that lies between them,
twice as much."""
PIXELS, METRES = 4, 6
"""Decimals of what cameras see: a ten-thousandth of a pixel, a micrometre. (What is scored is not
rounded: it is the tables', and the velocities the devkit's to the last bit.)"""


def vehicle(dataset: NuScenes, start: int, stop: int) -> Floats:
    """(n, 7, 4, 4): ego to global of samples `start` to `stop`, at the time of each sensor."""
    views = dataset.views
    return poses(views.translations[start:stop], views.rotations[start:stop])


def mounted(dataset: NuScenes, start: int, stop: int) -> Floats:
    """(n, 7, 4, 4): sensor to ego, of the sensors that there are."""
    calibrations, index = dataset.calibrations, dataset.views.calibrations[start:stop]
    return poses(calibrations.translations[index], calibrations.rotations[index])


def velocities(dataset: NuScenes) -> Floats:
    """(N, 2): x and y of the boxes' velocities in the global frame, m/s, by the devkit's rule.

    The difference of the neighbours in time, or of one and the box itself; NaN if there is none, or
    they are further apart than `MOST_SECONDS` (twice that between two neighbours).
    """
    boxes = dataset.boxes
    own = np.arange(len(boxes))
    first = np.where(boxes.previous >= 0, boxes.previous, own)
    last = np.where(boxes.following >= 0, boxes.following, own)
    seconds = 1e-6 * dataset.samples.timestamps[boxes.samples]
    apart = seconds[last] - seconds[first]
    both = (boxes.previous >= 0) & (boxes.following >= 0)
    known = (first != last) & (apart <= np.where(both, 2 * MOST_SECONDS, MOST_SECONDS))
    moved = boxes.translations[last, :2] - boxes.translations[first, :2]
    found: Floats = np.where(known, apart, np.nan)
    return moved / found[:, None]


@dataclass(frozen=True)
class Seen:
    """The boxes that cameras see (n), by sample, camera and place among the sample's boxes.

    Attributes:
        samples, cameras, boxes: indices.
        rectangles: (n, 4) left, top, right, bottom in pixels, in the image.
        boxes_3d: (n, 7) x, y, z, length, height, width, yaw in the camera's frame; the centre is
            that of gravity.
        velocities: (n, 2) along the camera's x and z; 0 where unknown.
        centres: (n, 3) the centre's pixel, in the image or not, and its depth.
    """

    samples: NDArray[np.intp]
    cameras: NDArray[np.intp]
    boxes: NDArray[np.intp]
    rectangles: Floats
    boxes_3d: Floats
    velocities: Floats
    centres: Floats


def seen(dataset: NuScenes, start: int, stop: int, velocity: Floats) -> Seen:
    """What the cameras see of the boxes of the ten classes in samples `start` to `stop`.

    As mmdet3d's converter has it, a camera sees a box whose centre is in front of it and whose
    projection meets the image, whether something hides it or not; see `geometry.extents` for the
    rectangle.
    """
    boxes, views = dataset.boxes, dataset.views
    to_camera = inverse(mounted(dataset, start, stop)) @ inverse(vehicle(dataset, start, stop))
    low, high = dataset.bounds[[start, stop]]
    inside = low + np.flatnonzero(boxes.labels[low:high] >= 0)
    own = boxes.samples[inside]
    # A row for every box and camera that there is.
    pairs, cameras = np.nonzero(views.calibrations[own][:, : len(CAMERAS)] >= 0)
    index, sample = inside[pairs], own[pairs]
    world = to_camera[sample - start, cameras]
    turn = world[:, :3, :3] @ rotation_matrices(boxes.rotations[inside])[pairs]
    centre = (world[:, :3, :3] @ boxes.translations[index, :, None])[..., 0] + world[:, :3, 3]
    intrinsics = dataset.calibrations.intrinsics[views.calibrations[sample, cameras]]
    sizes = views.sizes[sample, cameras]
    rectangles, visible = extents(corners(centre, boxes.sizes[index], turn), intrinsics, sizes)
    rectangles = np.round(rectangles, PIXELS)
    visible &= (rectangles[:, 2:] > rectangles[:, :2]).all(1) & (np.round(centre[:, 2], METRES) > 0)

    at = np.flatnonzero(visible)
    at = at[np.lexsort((index[at], cameras[at], sample[at]))]
    index, centre, turn, world = index[at], centre[at], turn[at], world[at]
    flat = np.concatenate((velocity[index], np.zeros((len(at), 1))), 1)
    moving = (world[:, :3, :3] @ np.nan_to_num(flat)[..., None])[..., 0]
    pixels = (intrinsics[at] @ centre[..., None])[..., 0]
    return Seen(
        samples=sample[at],
        cameras=cameras[at],
        boxes=index,
        rectangles=rectangles[at],
        boxes_3d=np.concatenate(
            (centre, boxes.sizes[index][:, [1, 2, 0]], camera_yaw(turn)[:, None]), 1
        ).round(METRES),
        velocities=moving[:, ::2].round(METRES),
        centres=np.concatenate(
            ((pixels[:, :2] / pixels[:, 2:]).round(PIXELS), centre[:, 2:].round(METRES)), 1
        ),
    )
