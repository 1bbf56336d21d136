"""What preparing writes, and when it does not."""

import json
import shutil

import numpy as np
import pytest

from lzu.datasets.marks import MARKERS
from lzu.datasets.nuscenes.convert import sample_infos
from lzu.datasets.nuscenes.infos import read_head, stream_samples
from lzu.datasets.nuscenes.layout import VERSIONS, official_split, raw_state, root_of, source_of
from lzu.datasets.nuscenes.prepare import prepare
from lzu.datasets.nuscenes.splits import scene_names
from lzu.errors import UserError
from tests.datasets.nuscenes import maker


@pytest.fixture
def written(small, tmp_path):
    """Prepare a split of `small`; returns the content of both files."""
    root = small[0]

    def prepared(split="train", **options):
        files = tmp_path / f"{split}.json", tmp_path / f"{split}-about.json"
        prepare(root, maker.VERSION, split, *files, **options)
        return json.loads(files[0].read_text()), json.loads(files[1].read_text())

    return prepared


def test_info_counts_what_is_in_the_file(written):
    content, about = written()
    assert content["info"] == about
    samples = content["data_list"]
    boxes = [box for sample in samples for box in sample["instances"]]
    assert (about["samples"], about["scenes"], about["images"]) == (6, 2, 36)
    assert about["boxes"] == len(boxes) == sum(about["boxes_by_class"].values())
    assert about["source"] == "synthetic"
    for label, (name, count) in enumerate(content["info"]["boxes_by_class"].items()):
        assert count == sum(box["bbox_label_3d"] == label for box in boxes), name
    said = {key: about[key] for key in ("dataset", "split", "version")}
    assert said == {"dataset": "nuscenes", "split": "train", "version": maker.VERSION}


def test_chosen_cameras_and_classes_change_what_is_counted_alone(written):
    whole, about = written()
    part, of_part = written(cameras=("CAM_BACK", "CAM_FRONT"), classes=("truck", "car"))
    assert part["data_list"] == whole["data_list"]
    assert of_part["images"] == 12
    assert list(of_part["boxes_by_class"]) == ["car", "truck"]
    assert of_part["boxes_by_class"].items() <= about["boxes_by_class"].items()
    assert of_part["tables_sha256"] == about["tables_sha256"]
    assert of_part["images_sha256"] != about["images_sha256"]


def test_splits_share_no_sample(written):
    train, val = written("train")[0], written("val")[0]
    tokens = [{sample["token"] for sample in part["data_list"]} for part in (train, val)]
    assert not tokens[0] & tokens[1]
    assert {sample["scene"] for sample in val["data_list"]} == {"scene-0003"}


def test_equal_data_elsewhere_and_in_another_order_of_rows_is_equal(small, written, tmp_path):
    root, tables, _ = small
    first = written()
    copy = shutil.copytree(root, tmp_path / "copy")
    rng = np.random.default_rng(0)
    for name in ("sample", "sample_data", "ego_pose", "scene", "instance", "calibrated_sensor"):
        rng.shuffle(tables[name])
        (copy / maker.VERSION / f"{name}.json").write_text(json.dumps(tables[name], indent=2))
    prepare(copy, maker.VERSION, "train", tmp_path / "a.json", tmp_path / "b.json")
    assert json.loads((tmp_path / "a.json").read_text()) == first[0]


CHANGES = {
    "a box": ("sample_annotation", "translation", [1.0, 2.0, 3.0]),
    "a pose": ("ego_pose", "rotation", [0.0, 0.0, 0.0, 1.0]),
    "a camera": ("calibrated_sensor", "translation", [9.0, 9.0, 9.0]),
    "points": ("sample_annotation", "num_lidar_pts", 77),
    "another time": ("sample_data", "timestamp", 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_fingerprint_is_of_what_is_used(small, written, name):
    _, tables, again = small
    before = written()[1]["fingerprint"]
    table, key, value = CHANGES[name]
    samples = {
        row["token"]
        for row in tables["sample"]
        if row["scene_token"] == maker.token("scene", "scene-0001")
    }
    data = next(
        row
        for row in tables["sample_data"]
        if row["is_key_frame"] and row["sample_token"] in samples and "CAM" in row["filename"]
    )
    tokens = {
        "ego_pose": data["ego_pose_token"],
        "calibrated_sensor": data["calibrated_sensor_token"],
        "sample_data": data["token"],
        "sample_annotation": next(
            row["token"] for row in tables["sample_annotation"] if row["sample_token"] in samples
        ),
    }
    row = next(row for row in tables[table] if row["token"] == tokens[table])
    row[key] = value
    again(table)
    assert written()[1]["fingerprint"] != before


def test_the_fingerprint_is_not_of_what_is_not_used(small, written):
    root, tables, again = small
    before = written()[1]
    for row in tables["sample_data"]:
        if not row["is_key_frame"]:
            row["timestamp"] += 1
    for row in tables["category"]:
        row["description"] = "other"
    again("sample_data", "category")
    assert written()[1] == before
    image = root / written()[0]["data_list"][0]["images"]["CAM_FRONT"]["img_path"]
    image.write_bytes(image.read_bytes() + b" ")
    after = written()[1]
    assert after["fingerprint"] != before["fingerprint"]
    assert after["tables_sha256"] == before["tables_sha256"]


def test_progress_is_told(small, tmp_path):
    said = []
    prepare(small[0], maker.VERSION, "val", tmp_path / "a", tmp_path / "b", progress=said.append)
    assert [line.split("/")[-1] for line in said] == [
        "sample_data.json", "ego_pose.json", "sample_annotation.json", "a: 3 of 3 samples"
    ]  # fmt: skip


@pytest.mark.parametrize("after", [0, 1, 4, 5, 6])
def test_a_writing_that_was_cut_off_goes_on(small, written, tmp_path, monkeypatch, after):
    whole, about = written()
    files = tmp_path / "new" / "list.json", tmp_path / "new" / "about.json"

    def cut_off(dataset, start, stop, velocity):
        made = sample_infos(dataset, start, stop, velocity)
        if after < len(made):
            made[after] = None  # no sample, and half a line is nothing
        return made

    monkeypatch.setattr("lzu.datasets.nuscenes.prepare.sample_infos", cut_off)
    if after < 6:
        with pytest.raises(TypeError):
            prepare(small[0], maker.VERSION, "train", *files)
    else:
        monkeypatch.setattr("os.replace", lambda *paths: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare(small[0], maker.VERSION, "train", *files)
    monkeypatch.undo()
    [partial] = files[0].parent.iterdir()
    with open(partial, "a") as file:
        file.write('{"token": "cut o')
    (partial.with_name(".list.other.partial.json")).write_text("of other data")
    said = []
    prepare(small[0], maker.VERSION, "train", *files, progress=said.append)
    assert json.loads(files[0].read_text()) == whole
    assert json.loads(files[1].read_text()) == about
    assert sorted(files[0].parent.iterdir()) == sorted(files)
    assert any(f"goes on at sample {after}" in line for line in said) == (after > 0)


def test_what_other_data_or_other_code_wrote_is_not_taken_up(small, tmp_path, monkeypatch):
    files = tmp_path / "list.json", tmp_path / "about.json"
    monkeypatch.setattr("os.replace", lambda *paths: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prepare(small[0], maker.VERSION, "train", *files)
    [partial] = tmp_path.glob(".list*")
    partial.write_text("another head\n{}\n")
    monkeypatch.undo()
    monkeypatch.setattr("lzu.datasets.nuscenes.writing._code", lambda: b"other")
    prepare(small[0], maker.VERSION, "train", *files)
    assert len(json.loads(files[0].read_text())["data_list"]) == 6
    assert not list(tmp_path.glob(".list*"))


def test_a_dataset_with_errors_is_not_prepared(small, tmp_path):
    root, tables, again = small
    tables["sample_annotation"][0]["size"] = [1, 0, 1]
    again("sample_annotation")
    wrong = tables["sample_annotation"][0]["sample_token"]
    in_val = wrong in [maker.token("sample", "scene-0003", k) for k in range(3)]
    path = tmp_path / "list.json"
    path.write_text("before")
    with pytest.raises(UserError, match="not positive"):
        prepare(root, maker.VERSION, "val" if in_val else "train", path, tmp_path / "about.json")
    assert path.read_text() == "before"
    assert not list(tmp_path.glob(".*"))


def test_boxes_at_the_ends_and_behind_cameras_are_no_mistakes(prepared):
    samples = list(stream_samples(prepared))
    boxes = [box for sample in samples for box in sample["instances"]]
    assert any(box["velocity"] is None for box in boxes)
    assert any(box["velocity"] is not None for box in boxes)
    front = {box["token"] for sample in samples for box in sample["cam_instances"]["CAM_FRONT"]}
    assert 0 < len(front) < len(boxes) / 2
    assert read_head(prepared)["info"]["boxes"] == len(boxes)


def test_the_splits_are_the_devkits():
    from nuscenes.utils.splits import create_splits_scenes

    official = create_splits_scenes()
    sizes = {("v1.0-trainval", "train"): 700, ("v1.0-trainval", "val"): 150}
    for version in VERSIONS:
        for split in ("train", "val"):
            names = scene_names(version, split)
            assert names == set(official[official_split(version, split)])
            assert len(names) == sizes.get((version, split), len(names))
    for wrong in (("v1.0-test", "train"), ("v1.0-mini", "test")):
        with pytest.raises(UserError, match="cannot be used"):
            scene_names(*wrong)


def test_roots_of_worlds_and_of_real_data(small, tmp_path):
    root = small[0]
    assert source_of(root, "train") == "synthetic"
    (root / MARKERS["train"]).rename(root.parent / MARKERS["train"])
    assert source_of(root, "train") == "real"
    moved = root.rename(root.with_name("val"))
    assert source_of(moved, "val") == "synthetic"
    assert source_of(moved, "train") == "real"
    assert root_of(tmp_path, "val", synthetic=True) == moved
    assert root_of(tmp_path, "val", synthetic=False) == tmp_path


def test_the_raw_state_changes_with_tables_and_images(small, tmp_path):
    root = small[0]
    (root / MARKERS["train"]).unlink()
    first = raw_state(root, "train")
    assert raw_state(root, "val") == first
    assert json.loads(json.dumps(first)) == first
    path = root / maker.VERSION / "ego_pose.json"
    path.write_text(path.read_text() + " ")
    second = raw_state(root, "train")
    assert second["tables"] != first["tables"]
    assert second["images"] == first["images"]
    next((root / "samples" / "CAM_BACK").iterdir()).unlink()
    assert raw_state(root, "train")["images"] != second["images"]
    # A world has its splits in folders of their own.
    world = tmp_path / "world"
    shutil.copytree(root, world / "train")
    maker.write(world / "val", small[1])
    (world / "val" / MARKERS["train"]).rename(world / MARKERS["train"])
    assert raw_state(world, "train") != raw_state(world, "val")
    assert raw_state(tmp_path / "none", "val")["tables"] == ""
