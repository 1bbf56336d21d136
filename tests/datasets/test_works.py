"""Trailers, construction vehicles, cones and barriers: where they stand, how large they are, and
that worlds without them are what they were before there were any."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lzu.datasets.nuscenes.classes import CLASSES as KINDS
from lzu.datasets.synthetic import WorldConfig, works_solids
from lzu.datasets.synthetic.actors import ActorList
from lzu.datasets.synthetic.argoverse_writer import write_argoverse_hd
from lzu.datasets.synthetic.config import WORKS
from lzu.datasets.synthetic.palette import palette
from lzu.datasets.synthetic.render import make_stage, render
from lzu.datasets.synthetic.road import LANE_WIDTH
from lzu.datasets.synthetic.scene import make_sequence, snapshot
from lzu.errors import UserError
from lzu.experiments.reading import read_settings
from lzu.files import read_json

ALL = WorldConfig(
    width=320, height=180, classes=KINDS, density={"truck": 3.0}, seed=3, min_box_fraction=0.02,
    train_sequences=12, frames_per_sequence=4, frame_interval_s=0.5,
)  # fmt: skip
REPOSITORY = Path(__file__).parents[2]
KEPT = {
    ("demo", "detection2d"): "82120faf785e53cc",
    ("demo", "segmentation"): "cff0677ab07d227e",
    ("study", "detection2d"): "7c7426759d685337",
    ("study", "segmentation"): "d52745f4f10d2bb5",
    ("smoke", "detection2d"): "9fba37b8751090e4",
    ("smoke", "segmentation"): "f2342239acd5455f",
}


@pytest.fixture(scope="module")
def sequences():
    return [make_sequence(ALL, "train", index) for index in range(12)]


def row(sequence, i):
    """Where actor i is at the start: s, d, and how far it reaches along and across the road."""
    actors = sequence.actors
    length, width, _ = np.array(actors.meshes[i][0].size) * actors.scale[i]
    c, s = abs(np.cos(actors.yaw[i])), abs(np.sin(actors.yaw[i]))
    return actors.s[i], actors.d[i], c * length + s * width, s * length + c * width


def of_kind(sequence, kind):
    return [i for i, name in enumerate(sequence.actors.kind) if name == kind]


@pytest.mark.parametrize(
    ("kind", "wlh"),
    [
        ("trailer", (2.9, 12.3, 3.9)),
        ("construction_vehicle", (2.9, 6.4, 3.2)),
        ("traffic_cone", (0.41, 0.41, 1.07)),
        ("barrier", (2.53, 0.5, 0.98)),
    ],
)
def test_mean_sizes_are_those_of_nuscenes(kind, wlh):
    sizes = np.array([mesh.size for mesh in works_solids.meshes(kind)]).mean(0)[[1, 0, 2]]
    np.testing.assert_allclose(sizes, wlh, rtol=0.03)
    for mesh in works_solids.meshes(kind):
        low, high = mesh.extent
        np.testing.assert_allclose(low[:2], -high[:2], atol=0.03)
        assert low[2] == 0


def test_all_ten_classes_occur_and_are_to_be_seen(sequences):
    there, seen = Counter(), Counter()
    for index, sequence in enumerate(sequences):
        there.update(sequence.actors.kind)
        stage = make_stage(ALL, "train", index)
        for name in ("CAM_FRONT", "CAM_BACK"):
            boxes = render(stage, 0, name, image=False).boxes
            seen.update(sequence.actors.kind[box.track] for box in boxes)
    assert {*KINDS, ""} == set(there)
    assert set(KINDS) <= set(seen)
    assert there["car"] > max(there[kind] for kind in KINDS if kind != "car")
    assert there["traffic_cone"] > there["barrier"] > there["construction_vehicle"] > 5


def test_they_stand_at_the_side_and_trailers_follow_trucks(sequences):
    towed = 0
    for sequence in sequences:
        road, actors = sequence.road, sequence.actors
        lanes = road.lanes * LANE_WIDTH
        for kind in WORKS:
            for i in of_kind(sequence, kind):
                s, d, along, across = row(sequence, i)
                if abs(d) > lanes:
                    assert abs(d) - across / 2 > lanes - 0.02
                    assert abs(d) + across / 2 < road.half_width + road.sidewalk + 0.5
                    assert all(abs(s - c.s) > c.half_width + along / 2 for c in road.crossings)
                    continue
                assert kind == "trailer"
                ahead = np.cos(actors.yaw[i])
                trucks = [
                    ahead * (actors.s[t] - s) - (along + row(sequence, t)[2]) / 2
                    for t in of_kind(sequence, "truck")
                    if actors.group[t] == actors.group[i] and actors.d[t] == d
                ]
                assert min(abs(gap - 0.5) for gap in trucks) < 0.1
                towed += 1
    assert towed > 5


def test_nothing_stands_in_another(sequences):
    """By their boxes on the road at the start; the street's own things may touch each other."""
    thin = {17, 21}  # poles and trees, whose boxes hold arms and crowns
    checked = 0
    for sequence in sequences:
        actors = sequence.actors
        places = np.array([row(sequence, i) for i in range(len(actors))])
        solid = ~np.isin(actors.semantic, list(thin)) & (actors.z == 0) & ~actors.blocks
        for kind in WORKS:
            for i in of_kind(sequence, kind):
                apart = np.abs(places[:, :2] - places[i, :2])
                touch = (apart < 0.93 * (places[:, 2:] + places[i, 2:]) / 2).all(1) & solid
                touch[i] = False
                walking = (actors.speed_s != 0) | (actors.speed_d != 0)
                assert not (touch & ~walking).any(), (kind, np.flatnonzero(touch))
                checked += 1
    assert checked > 100


def test_they_stand_still_or_move_with_their_truck(sequences):
    moving = 0
    for sequence in sequences:
        states = [snapshot(sequence, number) for number in (0, 1)]
        for kind in WORKS:
            for i in of_kind(sequence, kind):
                moved = np.linalg.norm(states[1].position[i] - states[0].position[i])
                attribute = sequence.actors.attribute[i]
                if kind in ("traffic_cone", "barrier"):
                    assert attribute == ""
                if attribute == "vehicle.moving":
                    moving += moved > 0.5
                else:
                    assert moved == 0
    assert moving > 3


def test_only_what_the_world_names_appears():
    for classes in (("car",), ("car", "barrier")):
        world = WorldConfig.from_dict({**ALL.to_dict(), "classes": classes, "density": {}})
        kinds = set()
        for index in range(6):
            kinds.update(make_sequence(world, "train", index).actors.kind)
        assert kinds == {"", *classes}
    assert WorldConfig(classes=("pedestrian", "car")).classes == ("person", "car")
    assert WorldConfig(density={"pedestrian": 2.0}).multiplier("person") == 2
    assert not WorldConfig().has_works
    with pytest.raises(
        UserError, match=r"classes/density is 'animal': it must be one of: .*barrier"
    ):
        WorldConfig(classes=("animal",))


def test_density_multiplies_how_many_there_are():
    counts = {}
    for factor in (0.5, 2.0):
        density = dict.fromkeys(WORKS, factor)
        world = WorldConfig.from_dict({**ALL.to_dict(), "density": density})
        kinds = Counter()
        for index in range(12):
            kinds.update(make_sequence(world, "train", index).actors.kind)
        counts[factor] = kinds
    assert all(counts[2.0][kind] > 1.5 * counts[0.5][kind] for kind in WORKS)


def test_riders_stay_or_go_with_their_cycles():
    actors = ActorList()
    mesh = works_solids.meshes("traffic_cone")
    for parent in (-1, -1, 1, -1, 3):
        actors.add(mesh, palette(), "dynamic", 0.0, 0.0, parent=parent)
    actors.keep([True, False, True, True, False])
    assert [one["parent"] for one in actors.rows] == [-1, -1, 1]


def test_argoverse_hd_has_no_class_for_them(tmp_path):
    world = WorldConfig.from_dict(
        {**ALL.to_dict(), "train_sequences": 1, "frames_per_sequence": 1, "classes": WORKS}
    )
    root = write_argoverse_hd(tmp_path / "world", world, splits=("train",))
    found = read_json(root / "Argoverse-HD/annotations/train.json")
    assert found["annotations"] == []


@pytest.mark.parametrize(("suite", "task"), KEPT)
def test_kept_worlds_are_the_same_as_ever(suite, task):
    """Results depend on their content: where everything stands and what is labelled."""
    dataset = read_settings(REPOSITORY / f"config/{suite}.yaml")[task]["dataset"]
    height, width = dataset["native_size"]
    world = WorldConfig.from_dict({**dataset["synthetic"], "height": height, "width": width})
    digest = hashlib.sha256()
    for split in ("train", "val"):
        last = world.sequences(split) - 1
        frame = render(make_stage(world, split, last), 1)
        state = frame.snapshot
        boxes = [(b.category, b.track, b.left, b.top, b.right, b.bottom) for b in frame.boxes]
        values = (state.position, state.size, state.palette, state.yaw, boxes, [frame.image.mean()])
        for one in values:
            rounded = np.round(np.asarray(one, np.float64) * 10)
            digest.update(rounded.astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == KEPT[suite, task]
