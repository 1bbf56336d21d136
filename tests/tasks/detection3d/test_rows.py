"""From detections in images to rows of a submission: back to where the objects are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("nuscenes")
pytest.importorskip("mmdet")

from shapely.geometry import Polygon

from lzu.datasets.nuscenes.classes import ATTRIBUTES, CAMERAS, CLASSES
from lzu.tasks.detection3d.rows import MOST_BOXES, RANGES, Found, attribute_name, submission_rows
from tests.tasks.detection3d import scenes

UNIT = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2


def found_in(sample, camera, scores=None):
    """The ground truth of an image as if the adapter had found it."""
    image, rows = sample["images"][camera], sample["cam_instances"][camera]
    boxes = np.array([[*row["bbox_3d"], *row["velocity"]] for row in rows]).reshape(-1, 9)
    boxes[:, 1] += boxes[:, 4] / 2  # of CameraInstance3DBoxes: the bottom's centre
    return Found(
        camera,
        np.array(image["cam2ego"]),
        np.array(image["ego2global"]),
        boxes,
        np.full(len(rows), 0.9) if scores is None else scores,
        np.array([row["bbox_label_3d"] for row in rows], dtype=int),
        np.array([row["attr_label"] for row in rows], dtype=int),
    )


def yaw_of(row):
    return 2 * np.arctan2(row["rotation"][3], row["rotation"][0])


def apart(sample):
    """Of the sample's instances, those that overlap no other from above."""
    shapes = []
    for one in sample["instances"]:
        width, length, _ = one["size"]
        corners = UNIT * [length, width]
        turned = corners @ scenes.turn(2, yaw_of(one))[:2, :2].T + one["translation"][:2]
        shapes.append(Polygon(turned))
    return [
        one
        for k, one in enumerate(sample["instances"])
        if not any(shapes[k].intersects(other) for j, other in enumerate(shapes) if j != k)
    ]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), tilt=st.floats(-0.05, 0.05), roll=st.floats(-0.05, 0.05))
def test_ground_truth_in_the_cameras_comes_back_as_the_global_instances(seed, tilt, roll):
    sample = scenes.sample(np.random.default_rng(seed), tilt=tilt, roll=roll)
    rows = submission_rows([found_in(sample, camera) for camera in CAMERAS], CLASSES)
    seen = {row["token"] for one in sample["cam_instances"].values() for row in one}
    for instance in apart(sample):
        if instance["token"] not in seen:
            continue
        distance = [np.subtract(row["translation"], instance["translation"]) for row in rows]
        near = [row for row, d in zip(rows, distance, strict=True) if np.abs(d).max() < 0.01]
        assert len(near) == 1, "an object that two cameras see comes once"
        (row,) = near
        np.testing.assert_allclose(row["translation"], instance["translation"], atol=1e-3)
        np.testing.assert_allclose(row["size"], instance["size"], atol=1e-3)
        np.testing.assert_allclose(row["velocity"], instance["velocity"], atol=1e-3)
        assert abs(np.sin((yaw_of(row) - yaw_of(instance)) / 2)) < 1e-3
        assert row["detection_name"] == CLASSES[instance["bbox_label_3d"]]
        assert row["camera"] in CAMERAS


def test_an_object_in_two_cameras_is_told_of_the_surer_one():
    rng = np.random.default_rng(5)
    while True:
        sample = scenes.sample(rng, objects=1)
        cameras = [name for name in CAMERAS if sample["cam_instances"][name]]
        if len(cameras) == 2:
            break
    first, second = (
        found_in(sample, name, np.array([s])) for name, s in zip(cameras, (0.4, 0.8), strict=True)
    )
    (row,) = submission_rows([first, second], CLASSES)
    assert (row["camera"], row["detection_score"]) == (cameras[1], 0.8)
    other = Found(**{**vars(second), "labels": (second.labels + 1) % 5})
    assert len(submission_rows([first, other], CLASSES)) == 2


def test_boxes_beyond_a_class_s_range_are_not_told():
    sample = scenes.sample(np.random.default_rng(0), objects=0)
    ahead = np.array([[0.0, 1, z, 1, 1, 1, 0, 0, 0] for z in (10.0, 28, 35, 45, 60)])
    image = found_in(sample, "CAM_FRONT")
    for name in CLASSES:
        given = Found(
            **{
                **vars(image),
                "boxes": ahead,
                "scores": np.full(5, 0.5),
                "labels": np.zeros(5, dtype=int),
                "attributes": np.zeros(5, dtype=int),
            }
        )
        rows = submission_rows([given], [name])
        # the camera stands a metre before the car's origin
        assert len(rows) == sum(z + 1 <= RANGES[name] for z in ahead[:, 2])
        assert {row["detection_name"] for row in rows} == {name}


def test_the_best_are_told_best_first_and_no_more_than_the_devkit_takes():
    rng = np.random.default_rng(1)
    sample = scenes.sample(rng, objects=0)
    n = 900
    boxes = np.zeros((n, 9))
    boxes[:, 3:6] = 0.01
    boxes[:, 0], boxes[:, 2] = rng.uniform(-10, 10, n), rng.uniform(5, 30, n)
    scores = rng.uniform(0, 1, n)
    given = Found(
        **{
            **vars(found_in(sample, "CAM_BACK")),
            "boxes": boxes,
            "scores": scores,
            "labels": rng.integers(0, 2, n),
            "attributes": np.full(n, 8),
        }
    )
    rows = submission_rows([given], ["car", "bus"])
    told = [row["detection_score"] for row in rows]
    np.testing.assert_allclose(told, np.sort(scores)[::-1][:MOST_BOXES], atol=1e-5)
    assert submission_rows([found_in(sample, "CAM_BACK")], CLASSES) == []


def test_what_is_no_box_is_not_told_and_no_size_is_rounded_to_nothing():
    sample = scenes.sample(np.random.default_rng(0), objects=0)
    boxes = np.tile([0.0, 1, 10, 1, 1, 1, 0, 0, 0], (12, 1))
    boxes[:, 2] += 2 * np.arange(12)
    for k in range(9):
        boxes[k, k] = np.nan if k % 2 else np.inf
    boxes[10, 3:6] = 1e-7
    given = Found(
        **{
            **vars(found_in(sample, "CAM_FRONT")),
            "boxes": boxes,
            "scores": np.full(12, 0.5),
            "labels": np.zeros(12, dtype=int),
            "attributes": np.zeros(12, dtype=int),
        }
    )
    rows = submission_rows([given], ["car"])
    assert len(rows) == 3
    assert all(np.isfinite(row["translation"]).all() for row in rows)
    assert min(size for row in rows for size in row["size"]) > 0


def test_attributes_fall_back_as_mmdet3d_s_do():
    from lzu.models.compat import import_mmdet3d

    import_mmdet3d()
    from mmdet3d.evaluation.metrics import NuScenesMetric

    metric = NuScenesMetric.__new__(NuScenesMetric)
    for name in CLASSES:
        for label in range(len(ATTRIBUTES) + 1):
            assert attribute_name(name, label) == metric.get_attr_name(label, name)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_what_overlaps_from_above_is_told_once(seed):
    """Against polygons, greedily."""
    rng = np.random.default_rng(seed)
    sample = scenes.sample(rng, objects=0)
    n = 12
    boxes = np.zeros((n, 9))
    boxes[:, 0], boxes[:, 2] = rng.uniform(-3, 3, n), rng.uniform(8, 14, n)
    boxes[:, 3:6] = rng.uniform(0.5, 4, (n, 3))
    boxes[:, 6] = rng.uniform(-np.pi, np.pi, n)
    image = found_in(sample, "CAM_FRONT_LEFT")
    given = Found(
        **{
            **vars(image),
            "boxes": boxes,
            "scores": np.linspace(0.9, 0.1, n),
            "labels": np.zeros(n, dtype=int),
            "attributes": np.zeros(n, dtype=int),
        }
    )
    shapes = []
    for x, z, length, width, yaw in boxes[:, [0, 2, 3, 5, 6]]:
        corners = UNIT * [length, width]
        # about y, from z towards x
        turned = corners @ np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        shapes.append(Polygon(turned + np.array([x, z])))
    kept, doubtful = [], False
    for k, shape in enumerate(shapes):
        overlaps = [shape.intersection(shapes[j]).area / shape.union(shapes[j]).area for j in kept]
        doubtful |= any(abs(overlap - 0.05) < 1e-3 for overlap in overlaps)
        if all(overlap <= 0.05 for overlap in overlaps):
            kept.append(k)
    if not doubtful:
        told = [row["detection_score"] for row in submission_rows([given], ["car"])]
        np.testing.assert_allclose(told, given.scores[kept], atol=1e-5)
