"""Writing the synthetic world in nuScenes' layout: as the devkit reads it, and true."""

import json
import re
import shutil
from collections import Counter

import numpy as np
import pytest
from nuscenes import NuScenes
from nuscenes.eval.common.loaders import add_center_dist, filter_eval_boxes, load_gt
from nuscenes.eval.detection.config import config_factory
from nuscenes.eval.detection.data_classes import DetectionBox
from nuscenes.utils.data_classes import Box
from nuscenes.utils.geometry_utils import BoxVisibility, view_points
from nuscenes.utils.splits import create_splits_scenes
from PIL import Image
from pyquaternion import Quaternion

from lzu.datasets.marks import MARKERS, SEALS
from lzu.datasets.nuscenes.classes import ATTRIBUTES, CAMERAS, CLASSES, OF_CATEGORY
from lzu.datasets.nuscenes.layout import TABLES, is_synthetic, root_of
from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.camera import CAMERAS as RIG
from lzu.datasets.synthetic.labels_3d import boxes_3d, seen_boxes_3d
from lzu.datasets.synthetic.nuscenes_writer import write_nuscenes
from lzu.datasets.synthetic.render import make_stage, render
from lzu.errors import UserError
from tests.datasets.test_argoverse_writer import content

WORLD = WorldConfig(
    width=192, height=108, horizontal_fov_deg=60, seed=7, min_box_fraction=0.03,
    train_sequences=2, val_sequences=2, frames_per_sequence=3, frame_interval_s=0.5,
    classes=CLASSES, density={"bicycle": 20.0, "truck": 3.0, "bus": 3.0, "motorcycle": 3.0},
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A small synthetic nuScenes that tests must not change."""
    return write_nuscenes(tmp_path_factory.mktemp("data") / "world", WORLD)


@pytest.fixture(scope="module")
def devkit(root):
    return NuScenes("v1.0-trainval", str(root_of(root, "val", synthetic=True)), verbose=False)


@pytest.fixture(scope="module")
def stages():
    return [make_stage(WORLD, "val", index) for index in range(2)]


def samples(devkit):
    """(sequence, frame, sample) of all samples."""
    for index, scene in enumerate(devkit.scene):
        number, token = 0, scene["first_sample_token"]
        while token:
            sample = devkit.get("sample", token)
            yield index, number, sample
            number, token = number + 1, sample["next"]


def same_actor(devkit, sample, boxes):
    """(annotation, box) pairs of a sample, told by their places."""
    places = np.array([box.centre for box in boxes])
    for token in sample["anns"]:
        record = devkit.get("sample_annotation", token)
        away = np.linalg.norm(places - record["translation"], axis=1)
        assert away.min() < 0.002
        yield record, boxes[int(away.argmin())]


def test_scenes_are_the_devkits_and_their_samples_are_in_order(devkit):
    assert [scene["name"] for scene in devkit.scene] == create_splits_scenes()["val"][:2]
    stamps = {}
    for index, number, sample in samples(devkit):
        stamps[index, number] = sample["timestamp"]
        assert set(sample["data"]) == {*CAMERAS, "LIDAR_TOP"}
    assert len(stamps) == 2 * 3 == len(devkit.sample)
    assert stamps[1, 2] - stamps[1, 1] == stamps[1, 1] - stamps[1, 0] == 500_000


def test_every_token_resolves_and_every_image_is_there(devkit, root):
    for table in TABLES:
        rows = getattr(devkit, table)
        tokens = [row["token"] for row in rows]
        assert len(rows) > 0
        assert len(set(tokens)) == len(tokens)
        if table != "visibility":
            assert all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens)
        for row in rows:
            for key, value in row.items():
                target = re.sub(r"^(first|last)_|_tokens?$", "", key)
                if target in ("prev", "next"):
                    target = table
                target = {"annotation": "sample_annotation"}.get(target, target)
                if target in TABLES and key not in ("token", "category", "visibility"):
                    for one in value if isinstance(value, list) else [value] * bool(value):
                        devkit.get(target, one)
    for row in devkit.sample_data:
        if row["channel"] != "LIDAR_TOP":
            with Image.open(root / "val" / row["filename"]) as image:
                assert image.size == (row["width"], row["height"]) == (192, 108)
    assert len(list((root / "val/samples").rglob("*.jpg"))) == 2 * 3 * 6


def test_chains_of_instances_hold_all_their_annotations(devkit):
    assert len(devkit.instance) > 30
    for instance in devkit.instance:
        token, chain = instance["first_annotation_token"], []
        while token:
            record = devkit.get("sample_annotation", token)
            assert record["instance_token"] == instance["token"]
            assert record["prev"] == (chain[-1]["token"] if chain else "")
            chain.append(record)
            token = record["next"]
        assert chain[-1]["token"] == instance["last_annotation_token"]
        assert len(chain) == instance["nbr_annotations"]
        assert any(record["num_lidar_pts"] for record in chain)
        assert len({tuple(record["size"]) for record in chain}) == 1
    total = sum(instance["nbr_annotations"] for instance in devkit.instance)
    assert total == len(devkit.sample_annotation)


def test_calibration_puts_the_solids_where_they_are_drawn(devkit, stages):
    """What the tables say, by the devkit's own steps, against the renderer's 2-D boxes."""
    compared = Counter()
    for index, number, sample in samples(devkit):
        stage = stages[index]
        for name in CAMERAS:
            frame = render(stage, number, name, image=False)
            data = devkit.get("sample_data", sample["data"][name])
            pose = devkit.get("ego_pose", data["ego_pose_token"])
            mount = devkit.get("calibrated_sensor", data["calibrated_sensor_token"])
            for box in frame.boxes:
                if box.visible < 1 or box.inside < 1:
                    continue
                mesh, i = frame.snapshot.meshes[box.track], box.track
                faces = mesh.faces[mesh.detail == 0].reshape(-1, 3).astype(float)
                turn = Quaternion(axis=(0, 0, 1), angle=frame.snapshot.yaw[i]).rotation_matrix
                points = faces * stage.sequence.actors.scale[i] @ turn.T
                points += frame.snapshot.position[i]
                for record in (pose, mount):
                    rotation = Quaternion(record["rotation"]).rotation_matrix
                    points = (points - record["translation"]) @ rotation
                pixels = view_points(points.T, np.array(mount["camera_intrinsic"]), True)[:2]
                drawn = (*pixels.min(1), *pixels.max(1))
                # Sides that only faces turned away have are not drawn.
                assert (
                    np.abs(np.array(drawn) - (box.left, box.top, box.right, box.bottom)).max() < 1
                )
                compared[name] += 1
    assert len(compared) == 6
    assert sum(compared.values()) > 60


def test_boxes_hold_what_is_seen_and_little_more(devkit, stages):
    shares = {}
    for index, number, sample in samples(devkit):
        stage = stages[index]
        for name in CAMERAS:
            frame = render(stage, number, name, image=False)
            found = seen_boxes_3d(stage.sequence, [frame])
            drawn = {box.track: box for box in frame.boxes if box.visible == box.inside == 1}
            _, boxes, matrix = devkit.get_sample_data(sample["data"][name], BoxVisibility.ALL)
            solid = {box.token: box for box in boxes}
            for record, item in same_actor(devkit, sample, found):
                if record["token"] in solid and item.track in drawn:
                    box, seen = solid[record["token"]], drawn[item.track]
                    corners = view_points(box.corners(), matrix, True)[:2]
                    low, high = corners.min(1), corners.max(1)
                    # A millimetre of rounding.
                    assert (low <= np.array([seen.left, seen.top]) + 0.2).all()
                    assert (high >= np.array([seen.right, seen.bottom]) - 0.2).all()
                    area = (seen.right - seen.left) * (seen.bottom - seen.top)
                    shares.setdefault(item.kind, []).append(area / np.prod(high - low))
    assert len(shares["car"]) > 10
    # What is no cuboid fills less of it: cones and people half.
    least = {"traffic_cone": 0.45, "pedestrian": 0.45, "bicycle": 0.45, "motorcycle": 0.45}
    for kind, found in shares.items():
        assert np.median(found) > least.get(kind, 0.75), kind


def test_velocities_orientations_and_sizes_are_the_actors(devkit, stages):
    errors = []
    for index, number, sample in samples(devkit):
        stage = stages[index]
        found = boxes_3d(stage.sequence, render(stage, number, image=False, boxes=False).snapshot)
        for record, item in same_actor(devkit, sample, found):
            box = devkit.get_box(record["token"])
            assert isinstance(box, Box)
            assert box.wlh == pytest.approx([item.size[k] for k in (1, 0, 2)], abs=0.001)
            assert np.cos(box.orientation.yaw_pitch_roll[0] - item.yaw) == pytest.approx(1)
            if record["prev"] and record["next"]:
                errors.append(devkit.box_velocity(record["token"])[:2] - item.velocity)
            sizes = record["size"]
            if record["category_name"] == "vehicle.car":
                assert 1.6 < sizes[0] < 2.2 < 3.8 < sizes[1] < 5.4
    speed = np.linalg.norm(errors, axis=1)
    # They sway, and the devkit takes the mean over a second.
    assert np.median(speed) < 0.05
    assert speed.max() < 0.8


def test_points_visibility_and_attributes_follow_what_the_cameras_show(devkit, stages):
    hidden = 0
    for index, number, sample in samples(devkit):
        stage = stages[index]
        frames = [render(stage, number, name, image=False) for name in CAMERAS]
        parent = stage.sequence.actors.parent
        labelled = {
            int(parent[box.track]) if parent[box.track] >= 0 else box.track
            for frame in frames
            for box in frame.boxes
        }
        found = seen_boxes_3d(stage.sequence, frames)
        annotated = set()
        for record, item in same_actor(devkit, sample, found):
            annotated.add(item.track)
            assert (record["num_lidar_pts"] > 0) == (item.track in labelled)
            if record["num_lidar_pts"] == 0:
                hidden += 1
                assert (record["visibility_token"], record["num_radar_pts"]) == ("1", 0)
            attributes = [
                devkit.get("attribute", one)["name"] for one in record["attribute_tokens"]
            ]
            kind = OF_CATEGORY[record["category_name"]]
            assert kind == item.kind
            if kind in ("traffic_cone", "barrier"):
                assert attributes == []
                continue
            (attribute,) = attributes
            beginning = {"pedestrian": "pedestrian", "bicycle": "cycle", "motorcycle": "cycle"}
            assert attribute.startswith(beginning.get(kind, "vehicle") + ".")
            assert attribute in ATTRIBUTES
        objects = {item.track for item in found}
        assert labelled & objects <= annotated
    assert hidden > 0
    levels = Counter(record["visibility_token"] for record in devkit.sample_annotation)
    assert set(levels) == {"1", "2", "3", "4"}


def test_riders_are_no_objects_and_their_cycles_hold_them(devkit, stages):
    riders = 0
    for index, number, sample in samples(devkit):
        stage = stages[index]
        actors = stage.sequence.actors
        found = boxes_3d(stage.sequence, render(stage, number, image=False, boxes=False).snapshot)
        assert not any(actors.parent[item.track] >= 0 for item in found)
        for record, _ in same_actor(devkit, sample, found):
            kind = OF_CATEGORY[record["category_name"]]
            if kind in ("bicycle", "motorcycle"):
                (token,) = record["attribute_tokens"]
                ridden = devkit.get("attribute", token)["name"] == "cycle.with_rider"
                assert (record["size"][2] > 1.5) == ridden
                riders += ridden
    assert riders > 0


def test_the_devkits_evaluation_reads_it(devkit):
    truth = load_gt(devkit, "val", DetectionBox)
    assert len(truth.sample_tokens) == 6
    everything = len(truth.all)
    assert {box.detection_name for box in truth.all} == set(CLASSES)
    truth = add_center_dist(devkit, truth)
    settings = config_factory("detection_cvpr_2019")
    left = filter_eval_boxes(devkit, truth, settings.class_range)
    assert 0 < len(left.all) < everything
    assert all(box.num_pts > 0 and np.isfinite(box.velocity).all() for box in left.all)


def test_same_bytes_with_several_processes_and_again(root, tmp_path):
    again = write_nuscenes(tmp_path / "again", WORLD, jobs=2, splits=("val",))
    assert content(again) == {
        path: digest
        for path, digest in content(root).items()
        if path.startswith("val/") or path in (MARKERS["val"], SEALS["val"])
    }
    write_nuscenes(root, WORLD, progress=lambda *_: pytest.fail("wrote again"))
    assert is_synthetic(root)


def test_a_rig_of_fewer_cameras_shows_the_same(root, tmp_path):
    """Its images are those of the six, and what only the others see has no points."""
    front = WorldConfig.from_dict({**WORLD.to_dict(), "cameras": ["CAM_FRONT"]})
    small = write_nuscenes(tmp_path / "front", front, splits=("val",))
    images = {path: d for path, d in content(root).items() if "val/samples/CAM_FRONT/" in path}
    assert {path: d for path, d in content(small).items() if "samples" in path} == images
    one = NuScenes("v1.0-trainval", str(small / "val"), verbose=False)
    assert {row["channel"] for row in one.sample_data} == {"CAM_FRONT", "LIDAR_TOP"}
    all_points, points = (
        sum(row["num_lidar_pts"] for row in json.loads(path.read_text()))
        for path in (place / "val/v1.0-trainval/sample_annotation.json" for place in (root, small))
    )
    assert 0 < points < all_points


def test_names_of_cameras_and_the_number_of_scenes_are_checked(tmp_path):
    assert set(RIG) == set(CAMERAS) == set(WORLD.cameras)
    for wrong in ([], ["CAM_UP"], ["CAM_BACK", "CAM_BACK"]):
        with pytest.raises(UserError, match="world setting cameras"):
            WorldConfig(cameras=wrong)
    with pytest.raises(UserError, match="val_sequences is 151: nuScenes has 150 scenes"):
        write_nuscenes(tmp_path / "world", WorldConfig(val_sequences=151), splits=("val",))


def test_a_split_is_replaced_whole_unless_something_else_lies_in_it(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "world")
    other = WorldConfig.from_dict(
        {**WORLD.to_dict(), "seed": 8, "val_sequences": 1, "cameras": ["CAM_BACK"]}
    )
    mine = copy / "val/samples/CAM_FRONT/holiday.jpg"
    mine.write_text("mine")
    with pytest.raises(
        UserError, match=r"holiday\.jpg: not of the synthetic world, whose val split"
    ):
        write_nuscenes(copy, other, splits=("val",))
    mine.unlink()
    write_nuscenes(copy, other, splits=("val",))
    assert [path.name for path in (copy / "val/samples").iterdir()] == ["CAM_BACK"]
    assert len(list((copy / "val/maps").iterdir())) == 1
    assert {k: v for k, v in content(copy).items() if "train" in k.split("/")[0]} == {
        k: v for k, v in content(root).items() if "train" in k.split("/")[0]
    }
