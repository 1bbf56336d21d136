"""Breaks a small data set in each way that the validator must find."""

import json

import numpy as np
import pytest

from lzu.datasets.nuscenes.collected import MOST
from lzu.datasets.nuscenes.reader import load
from lzu.datasets.nuscenes.validation import validate
from lzu.errors import UserError
from tests.datasets.nuscenes import maker
from tests.datasets.nuscenes.conftest import SIZE

SCENE = "scene-0001"
SAMPLES = [maker.token("sample", SCENE, k) for k in range(3)]
CALIBRATED = maker.token("calibrated", SCENE, "CAM_BACK")
DATA = maker.token("data", SCENE, 1, "CAM_BACK", 0)
POSE = maker.token("pose", DATA)


def row(tables, name, token):
    return next(row for row in tables[name] if row["token"] == token)


def boxes(tables, count=1):
    """Annotations of one instance of the scene that has at least so many, in the order of time."""
    of = {}
    for one in tables["sample_annotation"]:
        if one["sample_token"] in SAMPLES:
            of.setdefault(one["instance_token"], []).append(one)
    found = next(rows for rows in of.values() if len(rows) >= count)
    return sorted(found, key=lambda one: SAMPLES.index(one["sample_token"]))


def car(tables):
    """An annotation of the class car, and its category's row."""
    categories = {one["token"]: one for one in tables["category"]}
    for one in tables["sample_annotation"]:
        instance = row(tables, "instance", one["instance_token"])
        category = categories[instance["category_token"]]
        if category["name"] == "vehicle.car" and one["sample_token"] in SAMPLES:
            return one, category
    raise AssertionError


def changed(name, token, key, value):
    """A change of one value, and the row that is told."""

    def change(tables):
        row(tables, name, token)[key] = value
        return token

    return change


def of_box(key, value, count=1):
    def change(tables):
        one = boxes(tables, count)[0]
        one[key] = value
        return one["token"]

    return change


def of_car(key, value):
    def change(tables):
        one = car(tables)[0]
        one[key] = value
        return one["token"]

    return change


def unknown_category(tables):
    category = car(tables)[1]
    category["name"] = "vehicle.hovercraft"
    return category["token"]


def unknown_attribute(tables):
    attribute = tables["attribute"][7]
    attribute["name"] = "vehicle.flying"
    one = car(tables)[0]
    for other in tables["sample_annotation"]:
        other["attribute_tokens"] = []
    one["attribute_tokens"] = [attribute["token"]]
    return one["token"]


def twice(tables):
    first, second = boxes(tables, 2)[:2]
    second["sample_token"] = first["sample_token"]
    first["next"] = second["prev"] = second["next"] = ""
    for other in tables["sample_annotation"]:
        if other["prev"] == second["token"]:
            other["prev"] = ""
    order = [one["token"] for one in tables["sample_annotation"]]
    return max(first["token"], second["token"], key=order.index)


def neighbour(tables):
    first, second = boxes(tables, 2)[:2]
    other = next(
        one for one in tables["sample_annotation"]
        if one["instance_token"] != first["instance_token"]
        and one["sample_token"] == second["sample_token"]
    )  # fmt: skip
    first["next"] = other["token"]
    return first["token"]


def backwards(tables):
    first, second = boxes(tables, 2)[:2]
    second["next"] = first["token"]
    return second["token"]


def without_view(channel):
    def change(tables):
        token = maker.token("data", SCENE, 1, channel, 0)
        tables["sample_data"].remove(row(tables, "sample_data", token))
        return SAMPLES[1]

    return change


def second_view(tables):
    one = row(tables, "sample_data", maker.token("data", SCENE, 1, "CAM_BACK", 1))
    one["is_key_frame"] = True
    tables["sample_data"].sort(key=lambda other: other is one)
    return one["token"]


def without_pose(tables):
    tables["ego_pose"].remove(row(tables, "ego_pose", POSE))
    return DATA


def repeated(name, token):
    def change(tables):
        tables[name].append(dict(row(tables, name, token)))
        return token

    return change


def order(tables):
    row(tables, "sample", SAMPLES[0])["next"] = SAMPLES[2]
    return SAMPLES[0]


def without_map(tables):
    tables["map"][0]["log_tokens"].remove(maker.token("log", SCENE))
    return maker.token("log", SCENE)


def log_of_map(tables):
    tables["map"][0]["log_tokens"].append("none")
    return tables["map"][0]["token"]


def of_instance(key):
    def change(tables):
        instance = boxes(tables)[0]["instance_token"]
        row(tables, "instance", instance)[key] = "none"
        return instance

    return change


NONE = "none"
NAN, INFINITE = float("nan"), float("inf")
MATRIX = [[100.0, 0, 80], [0, 100, 45], [0, 0, 1]]
SENSOR = ("calibrated_sensor", CALIBRATED)
BROKEN = {
    # what refers to nothing
    "a scene's log": (
        changed("scene", maker.token("scene", SCENE), "log_token", NONE), "dangling_token",
        "scene", "log_token 'none' is no token of log.json",
    ),
    "a scene's first sample": (
        changed("scene", maker.token("scene", SCENE), "first_sample_token", NONE),
        "dangling_token", "scene", "first_sample_token 'none' is no token of sample.json",
    ),
    "a sample's scene": (
        changed("sample", maker.token("sample", "scene-0003", 1), "scene_token", NONE),
        "dangling_token", "sample", "no token of scene.json",
    ),
    "a sample's next": (
        changed("sample", SAMPLES[1], "next", NONE), "dangling_token", "sample",
        "next 'none' is no token of sample.json",
    ),
    "a sensor": (
        changed(*SENSOR, "sensor_token", NONE), "dangling_token", "calibrated_sensor",
        "no token of sensor.json",
    ),
    "a calibrated sensor": (
        changed("sample_data", DATA, "calibrated_sensor_token", NONE), "dangling_token",
        "sample_data", "no token of calibrated_sensor.json",
    ),
    "a calibrated sensor of a sweep": (
        changed(
            "sample_data", maker.token("data", SCENE, 1, "CAM_BACK", 1), "calibrated_sensor_token",
            NONE,
        ),
        "dangling_token", "sample_data", "no token of calibrated_sensor.json",
    ),
    "a key frame's sample": (
        changed("sample_data", DATA, "sample_token", NONE), "dangling_token", "sample_data",
        "no token of sample.json",
    ),
    "a pose": (without_pose, "dangling_token", "sample_data", "no token of ego_pose.json"),
    "an annotation's sample": (
        of_box("sample_token", NONE), "dangling_token", "sample_annotation",
        "no token of sample.json",
    ),
    "an annotation's instance": (
        of_box("instance_token", NONE), "dangling_token", "sample_annotation",
        "no token of instance.json",
    ),
    "an annotation's visibility": (
        of_box("visibility_token", "5"), "dangling_token", "sample_annotation",
        "no token of visibility.json",
    ),
    "an annotation's attribute": (
        of_box("attribute_tokens", [NONE]), "dangling_token", "sample_annotation",
        "no token of attribute.json",
    ),
    "an annotation's prev": (
        of_box("prev", NONE), "dangling_token", "sample_annotation",
        "prev 'none' is no token of sample_annotation.json",
    ),
    "an instance's category": (
        of_instance("category_token"), "dangling_token", "instance", "no token of category.json"
    ),
    "an instance's first annotation": (
        of_instance("first_annotation_token"), "dangling_token", "instance",
        "no token of sample_annotation.json",
    ),
    "a log without a map": (without_map, "dangling_token", "map", "no map is of this log"),
    "a map's log": (log_of_map, "dangling_token", "map", "'none', which no row of log.json has"),
    # tokens that are there twice
    "a sample twice": (repeated("sample", SAMPLES[0]), "duplicate_token", "sample", "another row"),
    "a pose twice": (repeated("ego_pose", POSE), "duplicate_token", "ego_pose", "another row"),
    "an annotation twice": (
        lambda tables: repeated("sample_annotation", boxes(tables)[0]["token"])(tables),
        "duplicate_token", "sample_annotation", "another row",
    ),
    "an instance twice": (twice, "instance_twice", "sample_annotation", "in the same sample"),
    "a camera twice in a sample": (
        second_view, "duplicate_view", "sample_data", "two key frames of CAM_BACK"
    ),
    # the order of time
    "a next that is not the next": (order, "sample_order", "sample", f"it is {SAMPLES[1]!r}"),
    "a first sample that is not": (
        changed("scene", maker.token("scene", SCENE), "first_sample_token", SAMPLES[1]),
        "sample_order", "scene", f"it is {SAMPLES[0]!r}",
    ),
    "a neighbour of another instance": (
        neighbour, "neighbour", "sample_annotation", "is of another instance or scene"
    ),
    "a neighbour that is earlier": (backwards, "neighbour", "sample_annotation", "not later"),
    # sensors that a sample has not
    "a sample without a camera": (
        without_view("CAM_BACK"), "missing_view", "sample", "no key frame of CAM_BACK"
    ),
    "a sample without the lidar": (
        without_view("LIDAR_TOP"), "missing_view", "sample", "no key frame of LIDAR_TOP"
    ),
    # values
    "singular intrinsics": (
        changed(*SENSOR, "camera_intrinsic", [[100, 0, 80], [200, 0, 160], [0, 0, 1]]),
        "intrinsics", "calibrated_sensor", "is singular",
    ),
    "intrinsics of zeros": (
        changed(*SENSOR, "camera_intrinsic", np.zeros((3, 3)).tolist()), "intrinsics",
        "calibrated_sensor", "is singular",
    ),
    "no intrinsics": (
        changed(*SENSOR, "camera_intrinsic", []), "intrinsics", "calibrated_sensor",
        "no matrix of 3 x 3",
    ),
    "intrinsics of 3 x 4": (
        changed(*SENSOR, "camera_intrinsic", [[*line, 0] for line in MATRIX]), "intrinsics",
        "calibrated_sensor", "no matrix of 3 x 3",
    ),
    "ragged intrinsics": (
        changed(*SENSOR, "camera_intrinsic", [[1], [2, 3]]), "intrinsics", "calibrated_sensor",
        "no matrix of 3 x 3",
    ),
    "NaN in intrinsics": (
        changed(*SENSOR, "camera_intrinsic", [[NAN, 0, 80], *MATRIX[1:]]), "intrinsics",
        "calibrated_sensor", "no matrix of 3 x 3",
    ),
    "intrinsics that scale": (
        changed(*SENSOR, "camera_intrinsic", [*MATRIX[:2], [0, 0, 2]]), "intrinsics",
        "calibrated_sensor", "not with [0, 0, 1]",
    ),
    "a mounting's quaternion": (
        changed(*SENSOR, "rotation", [1, 1, 0, 0]), "rotation", "calibrated_sensor",
        "no quaternion of length 1",
    ),
    "a pose's quaternion": (
        changed("ego_pose", POSE, "rotation", [0, 0, 0, 0]), "rotation", "ego_pose",
        "no quaternion of length 1",
    ),
    "a pose at infinity": (
        changed("ego_pose", POSE, "translation", [0, INFINITE, 0]), "bad_value", "ego_pose",
        "translation is [0.0, inf, 0.0]",
    ),
    "a pose of NaN": (
        changed("ego_pose", POSE, "translation", [NAN, NAN, NAN]), "bad_value", "ego_pose",
        "not finite",
    ),
    "a box's quaternion": (
        of_box("rotation", [2, 0, 0, 0]), "rotation", "sample_annotation", "of length 1"
    ),
    "a box's quaternion of NaN": (
        of_box("rotation", [NAN, 0, 0, 0]), "rotation", "sample_annotation", "of length 1"
    ),
    "a box of NaN": (
        of_box("translation", [NAN, 0, 0]), "bad_value", "sample_annotation", "not finite"
    ),
    "a box that is too far": (
        of_box("translation", [1e300, 0, 0]), "bad_value", "sample_annotation", "beyond 1e+07"
    ),
    "a box without a height": (
        of_box("size", [1, 2, 0]), "bad_value", "sample_annotation", "[1.0, 2.0, 0.0], not positive"
    ),
    "a box of negative size": (
        of_box("size", [-1, 2, 3]), "bad_value", "sample_annotation", "not positive"
    ),
    "an image without pixels": (
        changed("sample_data", DATA, "width", 0), "bad_value", "sample_data", "is 0 x 90"
    ),
    "an image elsewhere": (
        changed("sample_data", DATA, "filename", "../secret.jpg"), "file_name", "sample_data",
        "no path below the root",
    ),
    # names
    "an unknown category": (
        unknown_category, "unknown_category", "category", "of the category 'vehicle.hovercraft'"
    ),
    "an unknown attribute": (
        unknown_attribute, "unknown_attribute", "sample_annotation", "'vehicle.flying'"
    ),
    "two attributes": (
        of_car("attribute_tokens", [maker.token("attribute", f"vehicle.{how}")
                                    for how in ("moving", "parked")]),
        "several_attributes", "sample_annotation", "it has 2 attributes",
    ),
    "an unknown level of visibility": (
        changed("visibility", "2", "level", "v1-2"), "unknown_visibility", "visibility", "'v1-2'"
    ),
}  # fmt: skip
FOLLOWS = {
    "a sensor": {"dangling_token", "missing_view"},
    "a calibrated sensor": {"dangling_token", "missing_view"},
    "a key frame's sample": {"dangling_token", "missing_view"},
    "an image without pixels": {"bad_value", "image_size"},
    "an image elsewhere": {"file_name", "image_missing"},
}
"""The kinds of all that such a mistake leads to, where it is more than its own."""


def test_a_clean_dataset(small):
    report = validate(small[0], maker.VERSION, "train", jobs=2, image_size=SIZE)
    assert report.findings == ()
    assert (report.images, report.errors) == (36, ())
    assert "36 images, " in report.text()
    assert "nothing wrong" in report.text()


@pytest.mark.parametrize("name", BROKEN)
def test_each_thing_that_is_wrong_is_named_with_file_and_token(small, name):
    root, tables, _ = small
    change, kind, table, text = BROKEN[name]
    token = change(tables)
    maker.write(root, tables, images=False)
    found = validate(root, maker.VERSION, "train", images="header").findings
    own = [one for one in found if one.kind == kind and one.id == token]
    assert [one.file for one in own] == [str(root / maker.VERSION / f"{table}.json")] * len(own)
    assert any(text in one.message for one in own), found
    assert {one.kind for one in found} == FOLLOWS.get(name, {kind})
    assert all(one.severity == "error" for one in found)


def test_the_devkit_refuses_or_misreads_what_is_found(small):
    """Some of these the devkit notices, too, by an exception that names no file."""
    from nuscenes import NuScenes

    for name in ("a calibrated sensor of a sweep", "an annotation's sample", "a log without a map"):
        root, tables, _ = small
        broken = json.loads(json.dumps(tables))
        BROKEN[name][0](broken)
        maker.write(root, broken, images=False)
        with pytest.raises(KeyError):
            NuScenes(maker.VERSION, str(root), verbose=False)


def test_what_is_wrong_in_another_split_is_left_to_it(small):
    root, tables, again = small
    one = next(
        one for one in tables["sample_annotation"]
        if one["sample_token"] == maker.token("sample", "scene-0003", 0)
    )  # fmt: skip
    one["size"] = [0, 0, 0]
    again("sample_annotation")
    assert validate(root, maker.VERSION, "train", images="none").findings == ()
    [finding] = validate(root, maker.VERSION, "val", images="none").findings
    assert finding.id == one["token"]


def test_a_split_without_samples(small):
    root, tables, again = small
    for one in tables["scene"]:
        one["name"] = {"scene-0003": "scene-0004"}.get(one["name"], "scene-0000")
    again("scene")
    with pytest.raises(UserError, match=r"scene.json: no scene of the split 'val' has samples"):
        validate(root, maker.VERSION, "val").raise_if_errors()


def test_a_scene_without_samples(small):
    root, tables, again = small
    gone = [one for one in tables["sample"] if one["token"] in SAMPLES]
    tables["sample"] = [one for one in tables["sample"] if one not in gone]
    again("sample")
    found = validate(root, maker.VERSION, "train", images="none")
    assert "empty_scene" in found.counts
    assert found.counts["dangling_token"] > 10


def test_a_real_split_has_all_of_its_scenes(small, tmp_path):
    root = maker.write(tmp_path / "real", small[1], marked=False)
    [finding] = validate(root, maker.VERSION, "train").findings
    assert finding.kind == "missing_scene"
    assert "698 scenes of the split 'train' are missing: scene-0004" in finding.message


def test_of_a_mistake_that_is_everywhere_some_are_told(small):
    root, tables, again = small
    template = boxes(tables)[0]
    more = [
        {**template, "token": maker.token("more", k), "prev": "", "next": "",
         "instance_token": maker.token("none", k)}
        for k in range(MOST + 50)
    ]  # fmt: skip
    tables["sample_annotation"] += more
    again("sample_annotation")
    findings = load(root, maker.VERSION, "train").findings
    assert len(findings) == MOST + 1
    assert findings[-1].message == "50 more of this kind, not listed"
