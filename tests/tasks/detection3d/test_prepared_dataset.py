"""The dataset of the prepared file: its images and boxes, and that they are those of the tables."""

from itertools import groupby

import numpy as np
import pytest

pytest.importorskip("nuscenes")
pytest.importorskip("mmdet")

from lzu.datasets.nuscenes.classes import ATTRIBUTES, CAMERAS, CLASSES
from lzu.datasets.nuscenes.infos import stream_samples
from lzu.datasets.nuscenes.prepare import prepare
from lzu.tasks.detection3d.dataset import Mono3DDataset
from lzu.tasks.detection3d.rows import RANGES, Found, attribute_name, submission_rows
from tests.datasets.nuscenes import maker


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A prepared file of tables with vehicles, cameras tilted in all directions."""
    folder = tmp_path_factory.mktemp("dataset3d")
    tables = maker.tables(3, samples=3, objects=60, size=(90, 160))
    root = maker.write(folder / "nuscenes", tables)
    prepare(root, maker.VERSION, "train", folder / "train.json", folder / "about.json")
    return folder / "train.json"


@pytest.fixture(scope="module")
def whole(file):
    """All its images and classes."""
    return Mono3DDataset(file, "/data", CAMERAS)


def as_found(info):
    return Found(
        info["camera"],
        info["cam2ego"],
        info["ego2global"],
        info["gt_bboxes_3d"].tensor.double().numpy(),
        np.full(len(info["gt_labels_3d"]), 0.7),
        info["gt_labels_3d"],
        info["attr_labels"],
    )


def test_boxes_of_the_cameras_come_back_as_the_tables_have_them(file, whole):
    """To the tables' own numbers, though every camera and vehicle is tilted."""
    infos = [whole.get_data_info(k) for k in range(len(whole))]
    told = 0
    for sample, (token, images) in zip(
        stream_samples(file), groupby(infos, lambda info: info["sample_token"]), strict=True
    ):
        assert sample["token"] == token
        rows = submission_rows([as_found(info) for info in images], CLASSES)
        told += len(rows)
        for row in rows:
            same = [
                one
                for one in sample["instances"]
                if np.abs(np.subtract(one["translation"], row["translation"])).max() < 1e-3
            ]
            (one,) = same
            assert row["detection_name"] == CLASSES[one["bbox_label_3d"]]
            np.testing.assert_allclose(row["size"], one["size"], atol=1e-3)
            np.testing.assert_allclose(row["velocity"], one["velocity"] or [0, 0], atol=1e-3)
            yaws = [2 * np.arctan2(q[3], q[0]) for q in (row["rotation"], one["rotation"])]
            assert abs(np.sin((yaws[0] - yaws[1]) / 2)) < 1e-3
            assert row["attribute_name"] == attribute_name(
                row["detection_name"], [*ATTRIBUTES, ""].index(one["attribute"])
            )
    assert told > 60


def test_boxes_are_those_of_the_classes_that_lidar_has_met(file):
    classes, cameras = ("pedestrian", "car"), ("CAM_BACK", "CAM_FRONT")
    dataset = Mono3DDataset(file, "/data", cameras, classes)
    assert dataset.metainfo["classes"] == classes
    samples = list(stream_samples(file))
    assert len(dataset) == 2 * len(samples)
    seen = 0
    for k in range(len(dataset)):
        info, sample = dataset.get_data_info(k), samples[k // 2]
        camera = cameras[k % 2]
        assert (info["camera"], info["camera_index"]) == (camera, k % 2)
        image = sample["images"][camera]
        assert info["img_path"] == f"/data/{image['img_path']}"
        expected = [
            one
            for one in sample["cam_instances"][camera]
            if CLASSES[one["bbox_label_3d"]] in classes and one["bbox_3d_isvalid"]
        ]
        names = [CLASSES[one["bbox_label_3d"]] for one in expected]
        assert [classes[label] for label in info["gt_labels_3d"]] == names
        np.testing.assert_array_equal(info["gt_labels_3d"], info["gt_bboxes_labels"])
        if expected:
            centers = info["gt_bboxes_3d"].gravity_center
            boxes = np.array([one["bbox_3d"] for one in expected])
            np.testing.assert_allclose(centers, boxes[:, :3], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(info["depths"], boxes[:, 2], rtol=1e-5)
            np.testing.assert_allclose(
                info["gt_bboxes"], [one["bbox"] for one in expected], rtol=1e-5, atol=1e-4
            )
            attributes = [one["attr_label"] for one in expected]
            np.testing.assert_array_equal(info["attr_labels"], attributes)
        seen += len(expected)
    assert seen > 10
    assert sum(not len(dataset.get_data_info(k)["gt_labels_3d"]) for k in range(len(dataset))) > 0


def test_a_test_set_has_no_labels(file):
    dataset = Mono3DDataset(file, "/data", ("CAM_BACK_RIGHT",), test_mode=True)
    info = dataset.get_data_info(0)
    assert not any(name.startswith("gt_") for name in info)
    assert info["cam2img"].shape == (3, 3)
    assert set(RANGES) == set(CLASSES)


def test_nothing_that_is_written_to_an_item_stays(whole):
    first = whole.get_data_info(1)
    for name in ("gt_bboxes", "centers_2d", "cam2img", "depths", "gt_labels_3d"):
        first[name][...] = -7
    first["gt_bboxes_3d"].tensor[...] = -7
    again = whole.get_data_info(1)
    for name in ("gt_bboxes", "centers_2d", "cam2img", "depths", "gt_labels_3d"):
        assert not (again[name] == -7).any()
    assert not (again["gt_bboxes_3d"].tensor == -7).any()
