"""The synthetic world passes the validator, and its infos are its own."""

import json

import cv2
import numpy as np
import pytest

from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES
from lzu.datasets.nuscenes.infos import read_head, stream_samples
from lzu.datasets.nuscenes.layout import VERSIONS, raw_state, root_of
from lzu.datasets.nuscenes.prepare import prepare
from lzu.datasets.nuscenes.validation import validate
from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.nuscenes_writer import write_nuscenes

WORLD = WorldConfig(
    width=192, height=108, horizontal_fov_deg=60, seed=5, min_box_fraction=0.03,
    train_sequences=1, val_sequences=1, frames_per_sequence=3, frame_interval_s=0.5,
    classes=CLASSES, cameras=CAMERAS[:2],
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_nuscenes(tmp_path_factory.mktemp("data") / "world", WORLD)


@pytest.mark.parametrize("split", ["train", "val"])
def test_nothing_is_wrong_with_a_world(world, split, tmp_path):
    root = root_of(world, split, synthetic=True)
    options = {"cameras": WORLD.cameras}
    report = validate(root, VERSIONS[0], split, image_size=(108, 192), **options)
    assert report.findings == ()
    assert report.images == 6
    prepare(root, VERSIONS[0], split, tmp_path / "a.json", tmp_path / "b.json", **options)
    info = read_head(tmp_path / "a.json")["info"]
    assert info == json.loads((tmp_path / "b.json").read_text())
    assert (info["source"], info["samples"], info["scenes"]) == ("synthetic", 3, 1)
    seen = 0
    for sample in stream_samples(tmp_path / "a.json"):
        assert tuple(sample["images"]) == WORLD.cameras
        valid = {box["token"] for box in sample["instances"] if box["bbox_3d_isvalid"]}
        for camera, image in sample["images"].items():
            pixels = cv2.imread(str(root / image["img_path"]))
            assert pixels.shape == (image["height"], image["width"], 3)
            for box in sample["cam_instances"][camera]:
                assert box["bbox_3d_isvalid"] == (box["token"] in valid)
                assert np.all(np.array(box["bbox"]) <= [192, 108, 192, 108])
                seen += box["bbox_3d_isvalid"]
    assert seen > 3


def test_each_split_of_a_world_has_a_state_of_its_own(world):
    states = {split: raw_state(world, split) for split in ("train", "val")}
    assert all("sample_annotation" in state["tables"] for state in states.values())
    assert states["train"] != states["val"]
    path = next((world / "val" / "samples" / "CAM_FRONT").iterdir())
    path.rename(path.with_name("other.jpg"))
    after = {split: raw_state(world, split) for split in ("train", "val")}
    path.with_name("other.jpg").rename(path)
    assert after["train"] == states["train"]
    assert after["val"]["images"] != states["val"]["images"]
