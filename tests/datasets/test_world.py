"""The synthetic world: geometry, labels, statistics, and that equal seeds give equal bytes."""

import hashlib
import subprocess
import sys

import cv2
import numpy as np
import pytest

from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.datasets.cityscapes.classes import IDS
from lzu.datasets.synthetic import WorldConfig, drawlist
from lzu.datasets.synthetic.camera import CAMERAS, Pose, make_camera
from lzu.datasets.synthetic.labels_3d import boxes_3d
from lzu.datasets.synthetic.render import FIRST_ACTOR, make_stage, render
from lzu.datasets.synthetic.scene import make_sequence, snapshot
from lzu.errors import UserError
from lzu.report.pictures.boxes import box_statistics, plot_box_statistics

SMALL = WorldConfig(width=480, height=300, frames_per_sequence=4, frame_interval_s=1.5, seed=1)

DIGEST = """
import hashlib
from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.render import make_stage, render
config = WorldConfig(width=480, height=300, frames_per_sequence=4, frame_interval_s=1.5, seed=1)
frame = render(make_stage(config, "val", 3), 2, semantic=True)
print(hashlib.sha256(frame.image.tobytes() + frame.semantic.tobytes() + repr(frame.boxes).encode())
      .hexdigest())
"""


@pytest.fixture(scope="module")
def stages():
    return [make_stage(SMALL, "train", index) for index in range(6)]


@pytest.fixture(scope="module")
def frames(stages):
    return [render(stage, number, semantic=True) for stage in stages for number in (0, 3)]


@pytest.fixture(scope="module")
def statistics():
    """The boxes of many sequences, as a COCO file's content (no pictures are painted)."""
    images, annotations = [], []
    for index in range(30):
        stage = make_stage(SMALL, "train", index)
        for number in range(0, 4, 2):
            frame = render(stage, number, image=False)
            images.append({"id": len(images), "width": 480, "height": 300})
            for box in frame.boxes:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": images[-1]["id"],
                        "category_id": box.category,
                        "bbox": [box.left, box.top, box.right - box.left, box.bottom - box.top],
                        "visible": box.visible,
                        "inside": box.inside,
                    }
                )
    categories = [{"id": k, "name": name} for k, name in enumerate(CLASSES)]
    return {"images": images, "annotations": annotations, "categories": categories}


def test_equal_seeds_give_equal_bytes_in_another_process():
    frame = render(make_stage(SMALL, "val", 3), 2, semantic=True)
    data = frame.image.tobytes() + frame.semantic.tobytes() + repr(frame.boxes).encode()
    here = hashlib.sha256(data).hexdigest()
    other = subprocess.run(
        [sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == here


def test_frames_do_not_depend_on_the_order_of_rendering(stages):
    again = make_stage(SMALL, "train", 2)
    last, first = render(again, 3), render(again, 0)
    np.testing.assert_array_equal(first.image, render(stages[2], 0).image)
    np.testing.assert_array_equal(last.image, render(stages[2], 3).image)


def test_seed_split_and_index_matter(stages):
    other = [
        make_stage(WorldConfig(**{**SMALL.to_dict(), "seed": 2}), "train", 0),
        make_stage(SMALL, "val", 0),
        stages[1],
    ]
    reference = render(stages[0], 0).image
    assert all((render(stage, 0).image != reference).any() for stage in other)


def test_statistics_are_those_of_driving(statistics):
    found = box_statistics(statistics, horizon=0.5)
    assert 15 < found["boxes_per_image"] < 40
    assert 0.55 < found["below_5_percent"] < 0.8
    assert found["near_horizon"] > 0.8
    assert 0.005 < found["third_of_frame"] < 0.08
    records = statistics["annotations"]
    occluded = np.mean([record["visible"] < 0.9 for record in records])
    truncated = np.mean([record["inside"] < 0.9 for record in records])
    assert 0.1 < occluded < 0.7
    assert 0.02 < truncated < 0.2
    area = np.array([record["bbox"][2] * record["bbox"][3] for record in records])
    scale = (1920 / 480) ** 2
    small = np.mean(area * scale < 32**2)
    large = np.mean(area * scale > 96**2)
    assert 0.35 < small < 0.65
    assert 0.1 < large < 0.35


def test_class_frequencies_are_roughly_those_of_traffic(statistics):
    share = {k: v["share"] for k, v in box_statistics(statistics)["classes"].items()}
    assert set(share) == set(CLASSES)
    assert share["car"] > 0.35
    assert share["car"] > share["person"] > share["truck"]
    assert share["traffic_light"] > share["truck"] > share["bus"]
    assert min(share["person"], share["traffic_light"]) > 0.08
    assert max(share[k] for k in ("bus", "bicycle", "motorcycle", "stop_sign")) < 0.06


def test_histograms_count_every_box(statistics, tmp_path):
    found = box_statistics(statistics)
    assert sum(found["heights"]) == pytest.approx(1)
    assert sum(entry["share"] for entry in found["classes"].values()) == pytest.approx(1)
    by_hand = np.mean([record["bbox"][3] < 0.05 * 300 for record in statistics["annotations"]])
    assert found["below_5_percent"] == pytest.approx(by_hand)
    paths = plot_box_statistics(statistics, tmp_path, forms=("png",))
    assert paths["png"].stat().st_size > 10_000


def test_statistics_of_nothing():
    empty = {"images": [{"id": 0, "width": 1, "height": 1}], "annotations": [], "categories": []}
    with pytest.raises(UserError, match="no box"):
        box_statistics(empty)


def test_boxes_hold_exactly_what_is_visible(frames):
    """Against the id map: no visible pixel far outside its box, none of the box's sides empty."""
    checked = 0
    for frame in frames:
        for box in frame.boxes:
            rows, columns = np.nonzero(frame.instance == box.track + FIRST_ACTOR)
            seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            given = np.array([box.left, box.top, box.right, box.bottom])
            assert np.abs(seen - given).max() <= 2.0
            checked += 1
    assert checked > 150


def test_boxes_keep_the_configured_limits(frames):
    for frame in frames:
        for box in frame.boxes:
            assert 0 <= box.left < box.right <= SMALL.width
            assert 0 <= box.top < box.bottom <= SMALL.height
            assert box.bottom - box.top >= SMALL.min_box_height
            assert SMALL.min_visible_fraction <= box.visible <= 1
            assert 0 < box.inside <= 1 + 1e-9
        assert len({box.track for box in frame.boxes}) == len(frame.boxes)


def test_visible_fraction_is_that_of_the_object_drawn_alone(stages):
    """Each object is drawn once more on its own, and its pixels are counted."""
    partly = 0
    for stage in stages[:3]:
        frame = render(stage, 0)
        order = np.arange(1)
        for box in frame.boxes:
            order[0] = box.track
            alone = np.zeros((SMALL.height, SMALL.width), np.uint8)
            shape = drawlist.build(stage.sequence, frame.snapshot, frame.camera, order)
            for polygon, outline in zip(shape.polygons, shape.outline, strict=True):
                if outline:
                    cv2.fillConvexPoly(alone, polygon, 1, cv2.LINE_8, drawlist.SHIFT)
            shown = np.count_nonzero(frame.instance == box.track + FIRST_ACTOR)
            assert box.visible == pytest.approx(shown / np.count_nonzero(alone), abs=1e-9)
            partly += box.visible < 0.9
    assert partly > 5


def test_semantic_map_follows_the_instances(frames, stages):
    seen = set()
    for k, frame in enumerate(frames):
        actors = stages[k // 2].sequence.actors
        mask = frame.instance >= FIRST_ACTOR
        who = frame.instance[mask].astype(int) - FIRST_ACTOR
        np.testing.assert_array_equal(frame.semantic[mask], actors.semantic[who])
        assert frame.semantic.max() <= max(IDS.values())
        seen |= set(np.unique(frame.semantic))
        horizon = int(frame.camera.horizon)
        assert not np.isin(frame.semantic[horizon + 2 :], IDS["sky"]).any()
        assert (frame.semantic[-40:, 200:280] == IDS["road"]).mean() > 0.3
    for name in ("road", "sidewalk", "building", "vegetation", "sky", "person", "car", "pole"):
        assert IDS[name] in seen


def test_riders_are_people_to_the_detector_and_riders_to_the_segmenter():
    for index in range(8):
        actors = make_sequence(SMALL, "train", index).actors
        riders = np.flatnonzero(actors.semantic == IDS["rider"])
        assert (actors.label[riders] == CLASSES.index("person")).all()
        for rider in riders:
            mount = actors.parent[rider]
            assert CLASSES[actors.label[mount]] in ("bicycle", "motorcycle")


def test_projected_3d_boxes_cover_the_2d_boxes(stages):
    checked = 0
    for stage in stages:
        frame = render(stage, 1, image=False)
        solid = {b.track: b for b in boxes_3d(stage.sequence, frame.snapshot)}
        for box in frame.boxes:
            if box.track not in solid or box.inside < 0.99:
                continue
            item = solid[box.track]
            name = CLASSES[box.category]
            assert item.kind == {"person": "pedestrian"}.get(name, name)
            half = np.array(item.size) / 2
            corners = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1).T * half
            c, s = np.cos(item.yaw), np.sin(item.yaw)
            world = corners @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + item.centre
            at = frame.camera.to_camera(world)
            if at[:, 2].min() < 0.5:
                continue
            pixels = frame.camera.project(at)
            slack = 0.1
            assert (pixels.min(0) - slack <= (box.left, box.top)).all()
            assert (pixels.max(0) + slack >= (box.right, box.bottom)).all()
            checked += 1
    assert checked > 40


def test_velocity_is_the_change_of_position():
    config = WorldConfig(**{**SMALL.to_dict(), "frame_interval_s": 0.02})
    moving = 0
    for index in range(4):
        sequence = make_sequence(config, "train", index)
        a, b = snapshot(sequence, 1), snapshot(sequence, 2)
        there = (a.position[:, 2] > -1) & (b.position[:, 2] > -1)
        measured = (b.position - a.position)[there, :2] / 0.02
        np.testing.assert_allclose(a.velocity[there], measured, atol=0.4)
        moving += (np.hypot(*a.velocity[there].T) > 1).sum()
    assert moving > 50


def test_a_split_keeps_its_own_time():
    config = WorldConfig.from_dict(
        {**SMALL.to_dict(), "val_frames_per_sequence": 6, "val_frame_interval_s": 0.1}
    )
    for split, frames, interval in (("train", 4, 1.5), ("val", 6, 0.1)):
        sequence = make_sequence(config, split, 0)
        assert snapshot(sequence, frames - 1).time == pytest.approx((frames - 1) * interval)
        with pytest.raises(ValueError, match="frame"):
            snapshot(sequence, frames)


def test_the_ego_vehicle_moves_and_objects_persist(stages):
    drives = [stage for stage in stages if stage.sequence.plan.ego_speed > 4]
    assert drives
    for stage in drives:
        first, last = (render(stage, k, image=False) for k in (0, 1))
        step = np.hypot(
            last.snapshot.pose.x - first.snapshot.pose.x,
            last.snapshot.pose.y - first.snapshot.pose.y,
        )
        assert step > 0.6 * stage.sequence.plan.ego_speed * SMALL.frame_interval_s
        both = {b.track for b in first.boxes} & {b.track for b in last.boxes}
        assert len(both) > 0.2 * len(first.boxes)


def test_camera_projects_by_hand():
    config = WorldConfig(width=1920, height=1200, horizontal_fov_deg=90)
    camera = make_camera(config, Pose(10.0, 5.0, np.pi / 2, 0.0))
    assert camera.focal == pytest.approx(960)
    assert camera.horizon == pytest.approx(600)
    # The camera looks along +y from (10, 6.5, 1.6); 20 m ahead, 5 m right, on the ground.
    pixel = camera.project(camera.to_camera(np.array([15.0, 26.5, 0.0])))
    np.testing.assert_allclose(pixel, [960 + 960 * 5 / 20, 600 + 960 * 1.6 / 20])
    up = make_camera(config, Pose(0.0, 0.0, 0.0, 0.05))
    assert up.horizon == pytest.approx(600 + 960 * np.tan(0.05))


def test_six_cameras_look_all_round(stages):
    seen = {name: render(stages[0], 0, name) for name in CAMERAS}
    forward = [np.arctan2(*f.camera.rotation[2, 1::-1]) for f in seen.values()]
    assert len(np.unique(np.round(forward, 3))) == 6
    assert all(frame.image.std() > 10 for frame in seen.values())
    with pytest.raises(ValueError, match="unknown camera"):
        render(stages[0], 0, "CAM_UP")


def test_the_same_scene_at_another_size():
    double = WorldConfig(**{**SMALL.to_dict(), "width": 960, "height": 600})
    small = {b.track: b for b in render(make_stage(SMALL, "train", 4), 0).boxes}
    large = {b.track: b for b in render(make_stage(double, "train", 4), 0).boxes}
    both = set(small) & set(large)
    assert len(both) > 0.8 * len(small)
    whole = [small[k].visible == large[k].visible == small[k].inside == 1 for k in both]
    common = [k for k, fits in zip(both, whole, strict=True) if fits]
    assert common
    for track in common:
        a, b = small[track], large[track]
        np.testing.assert_allclose([b.left, b.top], [2 * a.left, 2 * a.top], atol=0.5)


def test_subset_of_classes():
    config = WorldConfig(
        **{**SMALL.to_dict(), "classes": ["car", "person"], "density": {"person": 3}}
    )
    plain = WorldConfig(**{**SMALL.to_dict(), "classes": ["car", "person"], "density": {}})

    def count(world):
        label = np.concatenate([make_sequence(world, "train", k).actors.label for k in range(5)])
        return np.bincount(label[label >= 0], minlength=8)

    dense, normal = count(config), count(plain)
    assert set(np.flatnonzero(dense)) == {0, 2}
    assert 2 < dense[0] / normal[0] < 4.5


def test_a_world_without_objects_still_renders():
    config = WorldConfig(**{**SMALL.to_dict(), "classes": []})
    frame = render(make_stage(config, "train", 0), 0, semantic=True)
    assert frame.boxes == ()
    assert frame.image.shape == (300, 480, 3)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("width", 10),
        ("frames_per_sequence", 0),
        ("frame_interval_s", 0.0),
        ("frame_interval_s", float("nan")),
        ("val_frames_per_sequence", 0),
        ("val_frame_interval_s", -0.1),
        ("min_visible_fraction", 1.5),
        ("classes", ("car", "tram")),
        ("density", {"car": -1}),
        ("density", {"tram": 1}),
        ("jpeg_quality", 0),
        ("scenery", "town"),
        ("colour", 1),
    ],
)
def test_bad_settings_are_named(key, value):
    with pytest.raises(UserError, match=key):
        WorldConfig.from_dict({key: value})


def test_settings_survive_json():
    config = WorldConfig(classes=("car", "bus"), density={"bus": 2.0}, seed=9)
    assert WorldConfig.from_dict(config.to_dict()) == config
