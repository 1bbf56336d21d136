"""Projection of many boxes at once against one at a time, with shapely and pyquaternion."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyquaternion import Quaternion
from shapely.geometry import MultiPoint, box

from lzu.datasets.nuscenes.geometry import (
    NEAR,
    camera_yaw,
    corners,
    extents,
    inverse,
    poses,
    rotation_matrices,
)
from lzu.saliency.boxes_3d import project_boxes_3d

SIZE = (90, 160)
INTRINSICS = np.array([[120.0, 0, 82], [0, 118, 44], [0, 0, 1]])


def quaternions(rng, count):
    found = rng.normal(size=(count, 4))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_rotations_poses_and_the_way_back():
    rng = np.random.default_rng(0)
    turns, shifts = quaternions(rng, 20), rng.normal(size=(20, 3)) * 1000
    for turn, shift, matrix in zip(turns, shifts, poses(shifts, turns), strict=True):
        np.testing.assert_allclose(matrix[:3, :3], Quaternion(turn).rotation_matrix, atol=1e-14)
        np.testing.assert_array_equal(matrix[:3, 3], shift)
        np.testing.assert_allclose(inverse(matrix) @ matrix, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(rotation_matrices(3 * turns), rotation_matrices(turns), atol=1e-14)


def test_yaw_is_minus_pyquaternions():
    turns = quaternions(np.random.default_rng(1), 50)
    expected = [-Quaternion(turn).yaw_pitch_roll[0] for turn in turns]
    np.testing.assert_allclose(camera_yaw(rotation_matrices(turns)), expected, atol=1e-9)


def test_corners_are_the_devkits():
    from nuscenes.utils.data_classes import Box

    rng = np.random.default_rng(2)
    centres, sizes = rng.normal(size=(9, 3)) * 20, rng.uniform(0.2, 9, (9, 3))
    turns = quaternions(rng, 9)
    found = corners(centres, sizes, rotation_matrices(turns))
    for place in range(9):
        theirs = Box(centres[place], sizes[place], Quaternion(turns[place])).corners().T
        apart = np.linalg.norm(found[place][:, None] - theirs[None], axis=-1)
        assert apart.min(0).max() < 1e-12
        assert apart.min(1).max() < 1e-12


def expected_extent(points):
    """Of one box: its part in front of the near plane as a polytope, projected, cut, measured."""
    if points[:, 2].max() < NEAR:
        return None
    shown = list(points[points[:, 2] >= NEAR])
    for a, b in combinations(points, 2):
        if (a[2] < NEAR) != (b[2] < NEAR):
            shown.append(a + (NEAR - a[2]) / (b[2] - a[2]) * (b - a))
    pixels = (INTRINSICS @ np.array(shown).T).T
    seen = MultiPoint(pixels[:, :2] / pixels[:, 2:]).convex_hull.intersection(
        box(0, 0, *SIZE[::-1])
    )
    return np.array(seen.bounds) if seen.area > 0 else None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 3, 15, 60]))
def test_extents_are_those_of_polygons_cut_to_the_image(seed, far):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-far, far, (40, 3))
    points = corners(centres, rng.uniform(0.1, 8, (40, 3)), rotation_matrices(quaternions(rng, 40)))
    found, visible = extents(points, INTRINSICS, SIZE)
    for place in range(40):
        expected = expected_extent(points[place])
        assert visible[place] == (expected is not None)
        if expected is not None:
            np.testing.assert_allclose(found[place], expected, rtol=1e-9, atol=1e-6)
        else:
            assert not found[place].any()


def test_the_whole_image_within_a_box_is_the_whole_image():
    centres, turn = np.array([[0.0, 0, 0], [0, 0, 6]]), np.broadcast_to(np.eye(3), (2, 3, 3))
    points = corners(centres, np.full((2, 3), 11.0), turn)
    found, visible = extents(points, INTRINSICS, SIZE)
    assert visible.all()
    np.testing.assert_array_equal(found, [[0, 0, 160, 90]] * 2)


def test_behind_beside_and_none():
    behind = corners(np.array([[0.0, 0, -20]]), np.ones((1, 3)), np.eye(3)[None])
    beside = corners(np.array([[90.0, 0, 10]]), np.ones((1, 3)), np.eye(3)[None])
    found, visible = extents(np.concatenate((behind, beside)), INTRINSICS, SIZE)
    assert not visible.any()
    assert not found.any()
    found, visible = extents(np.empty((0, 8, 3)), INTRINSICS, SIZE)
    assert found.shape == (0, 4)


def test_an_outline_whose_rectangle_alone_meets_the_image_is_not_seen():
    """mmdet3d's converter looks at the outline, too; the rectangle of what is in the image of a
    slanted outline is smaller than that of the outline."""
    turn = rotation_matrices(Quaternion(axis=[0, 0, 1], degrees=45).elements)
    long = np.array([[0.2, 9.0, 0.2]])  # a pole across the image's upper right corner
    at = np.array([[5.6, -4.2, 8.0]])
    points = corners(at, long, turn[None])
    pixels = points[0] @ INTRINSICS.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    low, high = pixels.min(0), pixels.max(0)
    assert (low < SIZE[::-1]).all()
    assert (high > 0).all()
    assert not extents(points, INTRINSICS, SIZE)[1].any()


@pytest.mark.parametrize("far", [4, 30])
def test_the_rectangles_of_saliency_hold_ours(far):
    """`lzu.saliency` cuts the rectangle around the projection to the image; ours lies in it, and is
    it if the outline is wholly in the image."""
    rng = np.random.default_rng(far)
    boxes = np.column_stack([
        rng.uniform(-far, far, 300), rng.uniform(-2, 2, 300), rng.uniform(-far, 2 * far, 300),
        rng.uniform(0.5, 6, (300, 3)), rng.uniform(-4, 4, 300),
    ])  # fmt: skip
    theirs, shown = project_boxes_3d(torch.tensor(boxes), torch.tensor(INTRINSICS), SIZE)
    centres = boxes[:, :3] - boxes[:, 4:5] * [0, 0.5, 0]
    cos, sin, none = np.cos(boxes[:, 6]), np.sin(boxes[:, 6]), np.zeros(300)
    # l along the camera's x, w along z, h along -y at yaw 0
    turn = np.stack([
        np.stack([cos, sin, none], -1), np.stack([none, none, none - 1], -1),
        np.stack([-sin, cos, none], -1),
    ], 1)  # fmt: skip
    found, visible = extents(corners(centres, boxes[:, [5, 3, 4]], turn), INTRINSICS, SIZE)
    theirs, shown = theirs.numpy(), shown.numpy()
    assert not (visible & ~shown).any()
    assert (found[visible, :2] >= theirs[visible, :2] - 1e-6).all()
    assert (found[visible, 2:] <= theirs[visible, 2:] + 1e-6).all()
    whole = shown & (theirs[:, :2] > 0).all(1) & (theirs[:, 2:] < SIZE[::-1]).all(1)
    assert whole.sum() > 5
    np.testing.assert_allclose(found[whole], theirs[whole], atol=1e-6)
