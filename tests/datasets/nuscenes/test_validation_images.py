"""What the validator says of images and of choices of cameras, and what it writes."""

import json
import shutil

import cv2
import numpy as np
import pytest

from lzu.datasets.nuscenes.prepare import check_split, prepare
from lzu.datasets.nuscenes.validation import validate
from lzu.errors import UserError
from tests.datasets.nuscenes import maker
from tests.datasets.nuscenes.test_validation import BROKEN, SCENE


def file_of(root, camera="CAM_BACK"):
    return next((root / "samples" / camera).glob(f"{SCENE}*"))


IMAGES = {
    "absent": (lambda path: path.unlink(), "image_missing", "the image is missing"),
    "of another size": (
        lambda path: cv2.imwrite(str(path), np.zeros((45, 160, 3), np.uint8)), "image_size",
        "160 x 45 pixels, but the annotations say 160 x 90",
    ),
    "cut off": (
        lambda path: path.write_bytes(path.read_bytes()[:-900]), "image_unreadable", "cut off"
    ),
    "no image": (lambda path: path.write_text("none"), "image_unreadable", "neither a JPEG"),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_looked_at(small, name):
    root, change = small[0], IMAGES[name][0]
    path = file_of(root)
    change(path)
    [finding] = validate(root, maker.VERSION, "train", jobs=2).findings
    assert (finding.kind, finding.file) == (IMAGES[name][1], str(path))
    assert IMAGES[name][2] in finding.message
    data = {one["token"]: one for one in small[1]["sample_data"]}[finding.id]
    assert str(root / data["filename"]) == str(path)
    how = {"header": name != "cut off", "none": name == "absent"}
    for images, seen in how.items():
        found = validate(root, maker.VERSION, "train", images=images).findings
        assert len(found) == seen
    # Images of cameras that are not chosen are not needed.
    kept = validate(root, maker.VERSION, "train", cameras=("CAM_FRONT",))
    assert (kept.findings, kept.images) == ((), 6)


def test_a_folder_that_is_missing_is_told_once(small):
    root = small[0]
    shutil.rmtree(root / "samples" / "CAM_BACK_LEFT")
    [finding] = validate(root, maker.VERSION, "train").findings
    assert finding.file == str(root / "samples" / "CAM_BACK_LEFT")
    assert "nuscenes.org" in finding.message


def test_images_of_another_size_than_the_suites(small):
    found = validate(small[0], maker.VERSION, "train", images="none", image_size=(900, 1600))
    assert found.counts == {"other_image_size": 36}
    assert "160 x 90, and the suite's native_size says 1600 x 900" in found.findings[0].message


def test_fewer_cameras_in_the_tables_are_enough_for_those(small, tmp_path):
    root, tables, again = small
    tables["sample_data"] = [
        one for one in tables["sample_data"]
        if "CAM" not in one["filename"] or "/CAM_FRONT/" in one["filename"]
    ]  # fmt: skip
    again("sample_data")
    files = tmp_path / "list.json", tmp_path / "about.json"
    prepare(root, maker.VERSION, "train", *files, cameras=("CAM_FRONT",))
    samples = json.loads(files[0].read_text())["data_list"]
    assert all(list(sample["images"]) == ["CAM_FRONT"] for sample in samples)
    assert all(list(sample["cam_instances"]) == ["CAM_FRONT"] for sample in samples)
    with pytest.raises(UserError, match="no key frame of CAM_FRONT_RIGHT"):
        prepare(root, maker.VERSION, "train", *files)


def test_all_is_found_at_once_and_written(small, tmp_path):
    root, tables, _ = small
    names = ("a pose's quaternion", "singular intrinsics", "a box without a height")
    tokens = [BROKEN[name][0](tables) for name in names]
    maker.write(root, tables, images=False)
    file_of(root, "CAM_FRONT").unlink()
    listed = tmp_path / "findings.json"
    with pytest.raises(UserError) as caught:
        check_split(root, maker.VERSION, "train", listed, jobs=2)
    for told in (*tokens, "image_missing", str(listed)):
        assert told in str(caught.value)
    assert json.loads(listed.read_text())["counts"] == {
        "rotation": 1, "intrinsics": 1, "bad_value": 1, "image_missing": 1
    }  # fmt: skip
    assert check_split(root, maker.VERSION, "val", listed).findings == ()
    assert json.loads(listed.read_text())["findings"] == []


def test_arguments(small):
    with pytest.raises(ValueError, match="images must be one of"):
        validate(small[0], maker.VERSION, "train", images="all")
    with pytest.raises(ValueError, match=r"cameras must be among .* not \['CAM_TOP'\]"):
        validate(small[0], maker.VERSION, "train", cameras=("CAM_TOP",))
