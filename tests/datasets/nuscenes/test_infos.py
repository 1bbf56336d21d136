"""Every number of a prepared file against the devkit and mmdet3d's own converter."""

import json

import numpy as np
import pytest
from nuscenes.utils.geometry_utils import transform_matrix, view_points
from pyquaternion import Quaternion

from lzu.datasets.nuscenes.classes import ATTRIBUTES, CAMERAS, CLASSES, NO_ATTRIBUTE
from lzu.datasets.nuscenes.infos import read_head, stream_samples
from lzu.datasets.nuscenes.prepare import prepare
from lzu.errors import UserError
from lzu.models.compat import import_mmdet3d
from tests.datasets.nuscenes import maker

HALF = {"rtol": 0, "atol": 0.6e-6}
"""Half of the last decimal, of metres; of pixels a hundred times as much."""
PIXELS = {"rtol": 0, "atol": 0.6e-4}


@pytest.fixture(scope="module")
def samples(prepared):
    return list(stream_samples(prepared))


@pytest.fixture(scope="module")
def converter(devkit):
    """mmdet3d's boxes of a key frame of a camera, by the annotation's token."""
    import_mmdet3d()
    from mmdet3d.datasets.convert_utils import get_nuscenes_2d_boxes

    def boxes(data, annotations):
        # One after another, because its records do not say which annotation they are of.
        sample, found = devkit.get("sample", devkit.get("sample_data", data)["sample_token"]), {}
        for token in annotations:
            sample["anns"] = [token]
            for record in get_nuscenes_2d_boxes(devkit, data, ["", "1", "2", "3", "4"]):
                found[token] = record
        sample["anns"] = annotations
        return found

    return boxes


def matrix(row):
    return transform_matrix(row["translation"], Quaternion(row["rotation"]))


def test_the_file_is_json_and_a_sample_a_line(prepared, samples):
    whole = json.loads(prepared.read_text())
    assert whole["data_list"] == samples
    assert read_head(prepared) == {key: whole[key] for key in ("info", "metainfo")}
    lines = prepared.read_text().splitlines()
    assert len(lines) == 2 + len(samples)
    assert [json.loads(line.rstrip(","))["token"] for line in lines[1:-1]] == [
        sample["token"] for sample in samples
    ]
    assert whole["metainfo"]["categories"] == {name: k for k, name in enumerate(CLASSES)}
    assert whole["metainfo"]["info_version"] == "1.1"


def test_samples_come_by_scene_and_time_with_their_poses(samples, devkit):
    assert [sample["scene"] for sample in samples] == ["scene-0001"] * 4 + ["scene-0002"] * 4
    assert [sample["frame"] for sample in samples] == [0, 1, 2, 3] * 2
    assert [sample["sample_idx"] for sample in samples] == list(range(8))
    for sample in samples:
        row = devkit.get("sample", sample["token"])
        assert devkit.get("scene", row["scene_token"])["name"] == sample["scene"]
        assert (row["prev"] == "") == (sample["frame"] == 0)
        assert sample["timestamp"] == row["timestamp"] / 1e6
        lidar = devkit.get("sample_data", row["data"]["LIDAR_TOP"])
        mounted = matrix(devkit.get("calibrated_sensor", lidar["calibrated_sensor_token"]))
        pose = matrix(devkit.get("ego_pose", lidar["ego_pose_token"]))
        assert sample["lidar_points"]["lidar_path"] == lidar["filename"]
        np.testing.assert_allclose(sample["ego2global"], pose, atol=1e-12)
        np.testing.assert_allclose(sample["lidar_points"]["lidar2ego"], mounted, atol=1e-12)
        assert tuple(sample["images"]) == CAMERAS
        for camera, image in sample["images"].items():
            data = devkit.get("sample_data", row["data"][camera])
            sensor = devkit.get("calibrated_sensor", data["calibrated_sensor_token"])
            own = matrix(devkit.get("ego_pose", data["ego_pose_token"]))
            assert image["sample_data_token"] == data["token"]
            assert image["img_path"] == data["filename"]
            assert (image["height"], image["width"]) == (900, 1600)
            assert image["timestamp"] == data["timestamp"] / 1e6
            assert image["cam2img"] == sensor["camera_intrinsic"]
            np.testing.assert_allclose(image["cam2ego"], matrix(sensor), atol=1e-12)
            np.testing.assert_allclose(image["ego2global"], own, atol=1e-12)
            back = np.linalg.inv(own @ matrix(sensor)) @ pose @ mounted
            np.testing.assert_allclose(image["lidar2cam"], back, atol=1e-9)


def test_what_is_scored_is_what_the_devkit_loads(samples, devkit):
    from nuscenes.eval.common.loaders import load_gt
    from nuscenes.eval.detection.data_classes import DetectionBox

    truth = load_gt(devkit, "train", DetectionBox)
    unknown = 0
    for sample in samples:
        boxes = truth[sample["token"]]
        assert len(boxes) == len(sample["instances"])
        for box, ours in zip(boxes, sample["instances"], strict=True):
            assert CLASSES[ours["bbox_label_3d"]] == box.detection_name
            for key in ("translation", "size", "rotation"):
                assert tuple(ours[key]) == tuple(getattr(box, key))
            assert ours["attribute"] == box.attribute_name
            assert ours["num_lidar_pts"] + ours["num_radar_pts"] == box.num_pts
            assert ours["bbox_3d_isvalid"] == (box.num_pts > 0)
            if ours["velocity"] is None:
                assert np.isnan(box.velocity).all()
                unknown += 1
            else:
                np.testing.assert_allclose(ours["velocity"], box.velocity, **HALF)
            row = devkit.get("sample_annotation", ours["token"])
            assert ours["instance"] == row["instance_token"]
            assert str(ours["visibility"] or "") == row["visibility_token"]
    assert 5 < unknown < sum(len(sample["instances"]) for sample in samples) / 2


def test_bicycle_racks_are_those_of_the_devkit(samples, devkit):
    racks = 0
    for sample in samples:
        rows = [
            devkit.get("sample_annotation", token)
            for token in devkit.get("sample", sample["token"])["anns"]
        ]
        expected = [
            {key: row[key] for key in ("translation", "size", "rotation")}
            for row in rows
            if row["category_name"] == "static_object.bicycle_rack"
        ]
        assert sample["bicycle_racks"] == expected
        racks += len(expected)
    assert racks > 1


def test_what_is_learned_is_what_mmdet3d_converts(samples, devkit, converter):
    """The same boxes and numbers; rectangles, too, of boxes that are wholly before the camera."""
    equal = grown = 0
    for sample in samples:
        annotations = list(devkit.get("sample", sample["token"])["anns"])
        for camera, image in sample["images"].items():
            theirs = converter(image["sample_data_token"], annotations)
            ours = {box["token"]: box for box in sample["cam_instances"][camera]}
            assert [box["token"] for box in ours.values()] == [t for t in annotations if t in ours]
            for token in ours.keys() | theirs.keys():
                depths = camera_box(devkit, image, token).corners()[2]
                if depths.min() > 0.1:
                    assert token in ours
                    assert token in theirs
                    np.testing.assert_allclose(ours[token]["bbox"], theirs[token]["bbox"], **PIXELS)
                    equal += 1
                elif token in ours and token in theirs:
                    contains(ours[token]["bbox"], theirs[token]["bbox"])
                    grown += ours[token]["bbox"] != pytest.approx(theirs[token]["bbox"], abs=1e-3)
                if token in ours and token in theirs:
                    same_but_rectangle(ours[token], theirs[token])
    assert equal > 50
    assert grown > 3


def camera_box(devkit, image, token):
    """The devkit's box in a camera's frame."""
    box = devkit.get_box(token)
    for pose in (image["ego2global"], image["cam2ego"]):
        box.translate(-np.array(pose)[:3, 3])
        box.rotate(Quaternion(matrix=np.array(pose)).inverse)
    return box


def contains(outer, inner):
    assert outer[0] <= inner[0] + 1e-3
    assert outer[1] <= inner[1] + 1e-3
    assert outer[2] >= inner[2] - 1e-3
    assert outer[3] >= inner[3] - 1e-3


def same_but_rectangle(ours, theirs):
    for key in ("bbox_label", "bbox_label_3d", "attr_label"):
        assert ours[key] == theirs[key]
    # mmdet3d's are all valid.
    assert ours["bbox_3d_isvalid"] == (ours["num_lidar_pts"] + ours["num_radar_pts"] > 0)
    np.testing.assert_allclose(ours["bbox_3d"], theirs["bbox_3d"], **HALF)
    np.testing.assert_allclose(ours["velocity"], np.nan_to_num(theirs["velocity"]), **HALF)
    np.testing.assert_allclose(ours["center_2d"], theirs["center_2d"], rtol=1e-6, atol=1e-4)
    # mmdet3d projects in float32
    np.testing.assert_allclose(ours["depth"], theirs["depth"], rtol=2e-7, atol=1e-6)


def test_attributes_have_mmdet3ds_numbers():
    import_mmdet3d()
    from mmdet3d.datasets.convert_utils import nus_attributes, nus_categories

    assert (*ATTRIBUTES, "None") == nus_attributes
    assert nus_attributes[NO_ATTRIBUTE] == "None"
    assert nus_categories == CLASSES


def test_mmdet3ds_boxes_have_the_devkits_corners(tmp_path):
    """Of a level camera and level boxes: mmdet3d's boxes turn about the camera's y alone."""
    import_mmdet3d()
    import torch
    from mmdet3d.structures import CameraInstance3DBoxes
    from nuscenes import NuScenes

    root = maker.write(tmp_path, maker.tables(5, tilt=0, samples=2, size=(90, 160)))
    prepare(root, maker.VERSION, "train", tmp_path / "a.json", tmp_path / "b.json")
    devkit, count = NuScenes(maker.VERSION, str(root), verbose=False), 0
    for sample in stream_samples(tmp_path / "a.json"):
        for camera, boxes in sample["cam_instances"].items():
            for box in boxes:
                expected = camera_box(devkit, sample["images"][camera], box["token"]).corners().T
                tensor = torch.tensor([box["bbox_3d"]])
                found = CameraInstance3DBoxes(tensor, origin=(0.5, 0.5, 0.5)).corners[0].numpy()
                apart = np.linalg.norm(found[:, None] - expected[None], axis=-1)
                assert apart.min(0).max() < 2e-4
                assert apart.min(1).max() < 2e-4
                pixel = view_points(np.array([box["bbox_3d"][:3]]).T, np.array(
                    sample["images"][camera]["cam2img"]), True)[:2, 0]  # fmt: skip
                np.testing.assert_allclose(box["center_2d"], pixel, rtol=1e-5, atol=1e-2)
                count += 1
    assert count > 30


def test_mmdet3ds_own_dataset_reads_the_file_as_it_is(whole, prepared, samples):
    import_mmdet3d()
    from mmdet3d.datasets import NuScenesDataset

    dataset = NuScenesDataset(
        data_root=str(whole),
        ann_file=str(prepared),
        load_type="mv_image_based",
        modality={"use_camera": True, "use_lidar": False},
        box_type_3d="Camera",
        use_valid_flag=True,
        filter_empty_gt=False,
    )
    assert len(dataset) == 6 * len(samples)
    seen = 0
    for number in range(len(dataset)):
        record = dataset.get_data_info(number)
        sample = samples[number // 6]
        [(camera, image)] = record["images"].items()
        assert camera == CAMERAS[number % 6]
        assert image["img_path"] == str(whole / sample["images"][camera]["img_path"])
        boxes, found = sample["cam_instances"][camera], record["ann_info"]
        if not boxes:
            continue
        boxes = [box for box in boxes if box["bbox_3d_isvalid"]]
        expected = np.array([box["bbox_3d"] + box["velocity"] for box in boxes]).reshape(-1, 9)
        expected[:, 1] += expected[:, 4] / 2  # to the centre of the bottom
        np.testing.assert_allclose(
            found["gt_bboxes_3d"].tensor.numpy(), expected, rtol=1e-5, atol=1e-6
        )
        for key, name in {
            "gt_labels_3d": "bbox_label_3d", "gt_bboxes": "bbox", "depths": "depth",
            "centers_2d": "center_2d", "attr_labels": "attr_label",
        }.items():  # fmt: skip
            wanted = np.array([box[name] for box in boxes]).reshape(found[key].shape)
            np.testing.assert_allclose(found[key], wanted, rtol=1e-5)
        seen += len(boxes)
    assert seen > 50


def _read(path):
    return read_head(path), list(stream_samples(path))


@pytest.mark.parametrize(
    ("cut", "text"),
    [
        (lambda lines: [], "line 1 cannot be read"),
        (lambda lines: lines[:4], "ends too soon"),
        (lambda lines: [*lines[:3], lines[3][:500]], "line 4 cannot be read"),
        (lambda lines: [lines[0], "{}", *lines[2:]], "line 2 cannot be read (it is no prepared"),
    ],
)
def test_a_broken_file_is_told_with_its_line(prepared, tmp_path, cut, text):
    path = tmp_path / "broken.json"
    path.write_text("\n".join(cut(prepared.read_text().splitlines())))
    with pytest.raises(UserError) as caught:
        _read(path)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    for read in (read_head, lambda path: next(stream_samples(path))):
        with pytest.raises(UserError, match="no such file"):
            read(tmp_path / "none.json")
