"""Boxes as a camera sees them: edges, fronts and footprints, against arithmetic point by point."""

from itertools import combinations

import numpy as np
import pytest

from lzu.datasets.nuscenes.geometry import EDGES, NEAR, extents, inverse
from lzu.tasks.detection3d.drawing.wires import as_wires, camera_pose, from_above, ground_of
from lzu.tasks.detection3d.scoring.boxes import Boxes
from tests.tasks.detection3d.scenes import camera_poses, intrinsics, pose, turn

SIZE = (90, 160)


def image(camera="CAM_FRONT", tilt=0.03, roll=0.02):
    """An image's record of a car that is turned, and stands on a slope."""
    ego = pose(turn(2, 0.7) @ turn(1, 0.04), [600.0, 1600.0, 3.0])
    return {
        "cam2img": intrinsics(SIZE).tolist(),
        "cam2ego": camera_poses(tilt, roll)[camera].tolist(),
        "ego2global": ego.tolist(),
        "height": SIZE[0],
        "width": SIZE[1],
    }


def boxes(record, n=40, seed=0, reach=30.0):
    """Upright boxes around the camera, before it and behind it."""
    rng = np.random.default_rng(seed)
    yaw = rng.uniform(-np.pi, np.pi, n)
    rotation = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=1)
    place = camera_pose(record)[:3, 3] + rng.uniform(-reach, reach, (n, 3)) * [1, 1, 0.05]
    zeros = np.zeros(n, int)
    return Boxes(
        zeros, zeros, place, rng.uniform(0.5, 6, (n, 3)), rotation, np.zeros((n, 2)), zeros
    )


def corners_of(boxes, k):
    """(8, 3) in the global frame: ahead or not, to the left or not, above or not."""
    width, length, height = boxes.size[k]
    rotation = turn(2, 2 * np.arctan2(boxes.rotation[k, 3], boxes.rotation[k, 0]))
    offsets = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    return np.array(offsets) / 2 * [length, width, height] @ rotation.T + boxes.translation[k]


def seen_from(record, points):
    back = np.linalg.inv(np.array(record["ego2global"]) @ np.array(record["cam2ego"]))
    return points @ back[:3, :3].T + back[:3, 3]


@pytest.mark.parametrize("camera", ["CAM_FRONT", "CAM_BACK_LEFT"])
def test_edges_are_those_of_the_box_cut_where_they_pass_the_camera(camera):
    record = image(camera)
    given = boxes(record)
    found = as_wires(given, record)
    matrix = intrinsics(SIZE)
    pairs = [pair for pair in combinations(range(8), 2) if (pair[0] ^ pair[1]).bit_count() == 1]
    assert EDGES.T.tolist() == [list(pair) for pair in pairs]
    cut = whole = hidden = 0
    for k in range(len(given)):
        points = seen_from(record, corners_of(given, k))
        for edge, (first, second) in zip(found.edges[k], pairs, strict=True):
            ends = points[[first, second]]
            if (ends[:, 2] < NEAR).all():
                assert np.isnan(edge).all()
                hidden += 1
                continue
            if (ends[:, 2] >= NEAR).all():
                whole += 1
            else:
                cut += 1
                behind = int(np.argmin(ends[:, 2]))
                share = (NEAR - ends[behind, 2]) / (ends[1 - behind, 2] - ends[behind, 2])
                ends[behind] += share * (ends[1 - behind] - ends[behind])
            pixels = ends @ matrix.T
            np.testing.assert_allclose(edge, pixels[:, :2] / pixels[:, 2:], rtol=1e-6, atol=1e-6)
    assert min(cut, whole, hidden) > 5


def test_the_front_is_the_face_ahead_or_nothing():
    record = image()
    given = boxes(record)
    found = as_wires(given, record)
    for k in range(len(given)):
        points = seen_from(record, corners_of(given, k))[[4, 5, 7, 6]]
        if (points[:, 2] >= NEAR).all():
            pixels = points @ intrinsics(SIZE).T
            np.testing.assert_allclose(found.front[k], pixels[:, :2] / pixels[:, 2:], rtol=1e-9)
        else:
            assert np.isnan(found.front[k]).all()
    assert 5 < np.isfinite(found.front[:, 0, 0]).sum() < len(given) - 5


def test_the_edges_reach_as_far_as_the_box_that_is_learned():
    record = image()
    given = boxes(record, 400)
    back = inverse(camera_pose(record))
    points = np.stack([corners_of(given, k) for k in range(len(given))])
    points = points @ back[:3, :3].T + back[:3, 3]
    around, visible = extents(points, intrinsics(SIZE), SIZE)
    edges = as_wires(given, record).edges.reshape(len(given), -1, 2)
    inside = (edges >= 0).all(axis=(1, 2)) & (edges <= SIZE[::-1]).all(axis=(1, 2))
    assert inside.sum() > 10
    assert visible[inside].all()
    reach = np.concatenate([edges.min(axis=1), edges.max(axis=1)], axis=1)
    np.testing.assert_allclose(reach[inside], around[inside], atol=1e-6)


def test_from_above_distances_stay_and_the_camera_looks_ahead():
    record = image("CAM_BACK_RIGHT")
    pose_ = camera_pose(record)
    points = np.random.default_rng(0).normal(size=(50, 3)) * 20 + pose_[:3, 3]
    found = from_above(points, pose_)
    expected = np.linalg.norm(points[:, :2] - pose_[:2, 3], axis=1)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), expected)
    axis = pose_[:3, 3] + 10 * pose_[:3, 2]
    assert from_above(axis, pose_)[0] == pytest.approx(0, abs=1e-9)
    assert from_above(axis, pose_)[1] > 9.9
    # x of a camera is to the right, whatever it is tilted
    assert from_above(pose_[:3, 3] + pose_[:3, 0], pose_)[0] > 0.99


def test_a_footprint_begins_at_the_front_left():
    record = image(tilt=0, roll=0)
    record["ego2global"] = np.eye(4).tolist()
    ones, zeros = np.ones(1), np.zeros(1, int)
    # a box 10 m ahead that looks to the left
    given = Boxes(
        zeros, zeros, np.array([[11.0, 0, 0]]), np.array([[2.0, 4, 1]]),
        np.array([[np.sqrt(0.5), 0, 0, np.sqrt(0.5)]]), np.zeros((1, 2)), ones,
    )  # fmt: skip
    expected = [[-2, 9], [-2, 11], [2, 11], [2, 9]]
    np.testing.assert_allclose(as_wires(given, record).footprint[0], expected, atol=1e-9)


def test_the_ground_reaches_to_the_farthest_box_within_bounds():
    record = image()
    far, near = boxes(record, 30, reach=300.0), boxes(record, 3, reach=2.0)
    assert ground_of(record, [as_wires(far, record), as_wires(near, record)]).reach == 60
    ground = ground_of(record, [as_wires(near, record)])
    assert ground.reach == 20
    left, right = ground.field
    matrix = intrinsics(SIZE)
    assert left == pytest.approx(-matrix[0, 2] / matrix[0, 0])
    assert right == pytest.approx((160 - matrix[0, 2]) / matrix[0, 0])
    none = near.take(np.zeros(3, bool))
    assert ground_of(record, [as_wires(none, record)]).reach == 20
