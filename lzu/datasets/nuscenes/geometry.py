"""From global boxes to what cameras see of them, many at once.

Poses are 4 x 4 matrices that take points of their own frame to the next one. Quaternions are w, x,
y, z. A camera looks along z; x is right and y is down.
"""

from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEAR = 0.1
"""Metres in front of a camera at which what is nearer is cut off."""

# Corner 4 a + 2 b + c of a box is ahead (a = 1), to the left (b = 1), above (c = 1) in its frame.
_CORNERS = np.array(list(product((-0.5, 0.5), repeat=3)))
EDGES = np.array(
    [pair for pair in combinations(range(8), 2) if (pair[0] ^ pair[1]).bit_count() == 1]
).T
"""(2, 12): the corners at the ends of each edge of a box."""
_AT_ONCE = 4096
"""Projections whose extents are computed together; memory is in proportion."""


def rotation_matrices(quaternions: Any) -> Floats:
    """(..., 3, 3) of quaternions (..., 4), which are brought to length 1."""
    q = np.asarray(quaternions, np.float64)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def poses(translations: Any, quaternions: Any) -> Floats:
    """(..., 4, 4) of translations (..., 3) and quaternions (..., 4)."""
    found = np.zeros((*np.shape(translations)[:-1], 4, 4))
    found[..., :3, :3] = rotation_matrices(quaternions)
    found[..., :3, 3] = translations
    found[..., 3, 3] = 1
    return found


def inverse(pose: Floats) -> Floats:
    """The way back of poses (..., 4, 4), whose upper left parts are rotations."""
    found = np.zeros_like(pose)
    turned = np.swapaxes(pose[..., :3, :3], -1, -2)
    found[..., :3, :3] = turned
    found[..., :3, 3] = -(turned @ pose[..., :3, 3:])[..., 0]
    found[..., 3, 3] = 1
    return found


def camera_yaw(rotations: Floats) -> Floats:
    """mmdet3d's yaw (...) of boxes whose rotations (..., 3, 3) are given in a camera's frame.

    It turns about y: 0 is along +x, and it falls from +x to +z. It is minus the first angle of
    R = R_x(roll) R_y(pitch) R_z(yaw), as mmdet3d's converter has it: what a camera or a box is
    tilted otherwise is left out.
    """
    return np.arctan2(rotations[..., 0, 1], rotations[..., 0, 0])


def corners(centres: Floats, sizes: Floats, rotations: Floats) -> Floats:
    """(n, 8, 3): the corners of boxes, in the frame of their centres (n, 3) and rotations.

    Sizes (n, 3) are width, length, height: along y, x and z of the box.
    """
    lengths = sizes[:, None, [1, 0, 2]] * _CORNERS
    return lengths @ np.swapaxes(rotations, -1, -2) + centres[:, None]


def extents(points: Floats, intrinsics: Floats, sizes: Any) -> tuple[Floats, NDArray[np.bool_]]:
    """What cameras see of boxes.

    The part of a box in front of the plane at depth `NEAR` is projected, and the rectangle is that
    around the part of its outline (convex) that lies in the image. mmdet3d's converter leaves out
    the corners behind the camera instead of cutting the edges there, so of boxes partly behind the
    camera it makes too small a rectangle; of those wholly before it this gives the same.

    Args:
        points: (n, 8, 3) corners, as of `corners`, in the cameras' frames.
        intrinsics: (n, 3, 3), or (3, 3) of all.
        sizes: (n, 2) height and width of the images, or (2,).

    Returns:
        (n, 4) left, top, right, bottom in pixels, 0 where nothing is seen; (n,) whether the part in
        the image has an area.
    """
    count = len(points)
    intrinsics = np.broadcast_to(intrinsics, (count, 3, 3))
    sizes = np.broadcast_to(np.asarray(sizes, np.float64), (count, 2))
    found = np.zeros((count, 4))
    before = points[..., 2] >= NEAR
    for whole in (True, False):
        rows = np.flatnonzero(before.all(1) if whole else before.any(1) & ~before.all(1))
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            shown = points[part] if whole else _cut(points[part])
            pixels = shown @ np.swapaxes(intrinsics[part], -1, -2)
            pixels = pixels[..., :2] / pixels[..., 2:]
            # Most boxes lie beside an image as a whole.
            meets = (pixels.max(1) > 0) & (pixels.min(1) < sizes[part][:, ::-1])
            near = np.flatnonzero(meets.all(1))
            if len(near):
                found[part[near]] = _outline(pixels[near], sizes[part[near]])
    visible = (found[:, 2] > found[:, 0]) & (found[:, 3] > found[:, 1])
    found[~visible] = 0
    return found, visible


def _cut(points: Floats) -> Floats:
    """(n, 20, 3) whose hull is the part in front of `NEAR` of the box with the corners (n, 8, 3).

    Points that there are not are at the place of one that there is.
    """
    start, end = points[:, EDGES[0]], points[:, EDGES[1]]
    crosses = (start[..., 2] < NEAR) != (end[..., 2] < NEAR)
    along = (NEAR - start[..., 2]) / np.where(crosses, end[..., 2] - start[..., 2], 1)
    cuts = start + along[..., None] * (end - start)
    cuts[..., 2] = np.where(crosses, NEAR, cuts[..., 2])
    every = np.concatenate((points, cuts), 1)
    there = np.concatenate((points[..., 2] >= NEAR, crosses), 1)
    spare = every[np.arange(len(every)), there.argmax(1)]
    return np.where(there[..., None], every, spare[:, None])


def _outline(pixels: Floats, sizes: Floats) -> Floats:
    """(n, 4): around the part of the convex hulls of points (n, k, 2) in images of (height, width).

    Of the corners of that part each is an end of a line between two points as far as it lies in the
    image, or a corner of the image that the hull covers.
    """
    first, second = np.triu_indices(pixels.shape[1], 1)
    limits = sizes[:, ::-1]
    start, step = pixels[:, first], pixels[:, second] - pixels[:, first]
    low, high = np.zeros(start.shape[:2]), np.ones(start.shape[:2])
    for axis in (0, 1):
        with np.errstate(divide="ignore", invalid="ignore"):
            near = -start[..., axis] / step[..., axis]
            far = (limits[:, None, axis] - start[..., axis]) / step[..., axis]
        flat = step[..., axis] == 0
        inside = (start[..., axis] >= 0) & (start[..., axis] <= limits[:, None, axis])
        low = np.maximum(low, np.where(flat, np.where(inside, 0, 2), np.minimum(near, far)))
        high = np.minimum(high, np.where(flat, 1, np.maximum(near, far)))
    seen = low <= high
    ends = np.stack((low, high), 2)[..., None] * step[:, :, None] + start[:, :, None]
    image = np.array([(0, 0), (1, 0), (0, 1), (1, 1)]) * limits[:, None]
    every = np.concatenate((ends.reshape(len(pixels), -1, 2), image), 1)
    there = np.concatenate((np.repeat(seen, 2, 1), _covered(image, pixels)), 1)[..., None]
    # Arithmetic may carry an end across the border that it was cut at.
    every = np.clip(every, 0, limits[:, None])
    least = np.where(there, every, np.inf).min(1)
    most = np.where(there, every, -np.inf).max(1)
    return np.concatenate((least, most), 1)


def _covered(places: Floats, pixels: Floats) -> NDArray[np.bool_]:
    """(n, m): whether places (n, m, 2) lie in the convex hulls of points (n, k, 2): no half-plane
    through such a place is without a point."""
    towards = pixels[:, None] - places[:, :, None]
    angles = np.sort(np.arctan2(towards[..., 1], towards[..., 0]), -1)
    gaps = np.diff(angles, axis=-1, append=angles[..., :1] + 2 * np.pi)
    return gaps.max(-1) <= np.pi
