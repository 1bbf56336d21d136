"""Breaks a small dataset in each way that the validator must find."""

import io
import json
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from lzu.datasets.cityscapes.classes import COLOURS
from lzu.datasets.cityscapes.prepare import check_split
from lzu.datasets.cityscapes.validation import validate
from lzu.errors import UserError
from tests.datasets.cityscapes.conftest import SIZE, add_train_ids, files, label_ids

NAME = "berg_000000_000019"


def png(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def palette_png():
    image = Image.fromarray(label_ids(3)).convert("P")
    image.putpalette(COLOURS.ravel().tolist())
    return png(image)


def label(values, dtype=np.uint8):
    return cv2.imencode(".png", np.asarray(values, dtype))[1].tobytes()


def with_value(value):
    ids = label_ids(3)
    ids[-1, -1] = value
    return label(ids)


def half(data):
    return data[: len(data) // 2]


GOOD_LABEL = label(label_ids(3))
GOOD_IMAGE = label(np.random.default_rng(3).integers(0, 256, (*SIZE, 3)))
BROKEN = {
    "colours for ids": (
        "ids", label(COLOURS[label_ids(3)]), "label_mode", "the values are no labels"
    ),
    "colours with alpha": (
        "ids", label(np.zeros((*SIZE, 4))), "label_mode", "the values are no labels"
    ),
    "a palette": ("ids", palette_png(), "label_mode", "indices of a palette"),
    "ids of 16 bits": ("ids", label(label_ids(3), np.uint16), "label_mode", "not of 8 bits"),
    "ids of 1 bit": ("ids", png(Image.new("1", SIZE[::-1])), "label_mode", "not of 8 bits"),
    "a JPEG": (
        "ids", cv2.imencode(".jpg", label_ids(3))[1].tobytes(), "label_mode", "are no labels"
    ),
    "a smaller label image": (
        "ids", label(label_ids(3)[::2, ::2]), "label_size", "is 32 x 16, and its image 64 x 32"
    ),
    "an unknown id": (
        "ids", with_value(34), "label_value", "1 of 2048 pixels have values (34) that are no ids"
    ),
    "half a label image": ("ids", half(GOOD_LABEL), "label_unreadable", "cannot be read"),
    "no end of a label image": ("ids", GOOD_LABEL[:-12], "label_unreadable", "cut off"),
    "an empty label image": ("ids", b"", "label_unreadable", "the file is empty"),
    "half an image": ("image", half(GOOD_IMAGE), "image_unreadable", "cannot be read"),
    "an image with alpha": (
        "image", label(np.zeros((*SIZE, 4))), "image_format", "transparency"
    ),
    "text": ("image", b"not found", "image_unreadable", "neither a JPEG nor a PNG"),
    "no image": ("image", None, "image_missing", "the image is missing"),
    "no label image": ("ids", None, "label_missing", "_labelTrainIds.png or _gtFine_labelIds.png"),
}  # fmt: skip
SEEN_BY_DECODING = {
    "an unknown id", "half a label image", "no end of a label image", "half an image"
}  # fmt: skip


def test_a_clean_dataset(root):
    report = validate(root, "train", jobs=2)
    assert (report.findings, report.images, report.annotations) == ((), 6, 6)
    assert "6 images, 6 label images, nothing wrong" in report.text()
    add_train_ids(root)
    assert validate(root, "train", image_size=SIZE, crop=(32, 32)).findings == ()


@pytest.mark.parametrize("name", BROKEN)
def test_each_thing_that_is_wrong_is_named_with_its_file(root, name):
    what, content, kind, text = BROKEN[name]
    path = files(root, "train", NAME)[what]
    path.unlink() if content is None else path.write_bytes(content)
    [finding] = validate(root, "train", jobs=2).findings
    assert (finding.kind, finding.severity, finding.id) == (kind, "error", NAME)
    assert finding.file == str(path)
    assert text in finding.message
    assert str(root) not in finding.message
    looked = validate(root, "train", images="header").findings
    assert [f.kind for f in looked] == ([] if name in SEEN_BY_DECODING else [kind])
    listed = validate(root, "train", images="none").findings
    assert len(listed) == (content is None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (19, "no trainIds (0 to 18, and 255); they are ids: name the file"),
        (254, "no trainIds (0 to 18, and 255)"),
    ],
)
def test_values_of_train_ids(root, value, text):
    add_train_ids(root)
    path = files(root, "train", NAME)["train_ids"]
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    values[0, :2] = value
    path.write_bytes(label(values))
    [finding] = validate(root, "train").findings
    assert (finding.kind, finding.file) == ("label_value", str(path))
    assert f"2 of 2048 pixels have values ({value}) that are {text}" in finding.message


def test_minus_one_is_a_license_plate_and_no_mistake(root):
    files(root, "train", NAME)["ids"].write_bytes(with_value(255))
    assert validate(root, "train").findings == ()


@pytest.mark.parametrize("folder", ["gtFine", "gtFine/train", "leftImg8bit/train"])
def test_a_root_without_one_of_its_folders_is_told_once(root, folder):
    shutil.rmtree(root / folder)
    [finding] = validate(root, "train").findings
    assert finding.kind == ("label_missing" if "gtFine" in folder else "image_missing")
    assert finding.file == str(root / folder.split("/")[0] / "train")
    assert "cityscapes-dataset.com" in finding.message
    with pytest.raises(UserError, match="the folder is missing"):
        validate(root, "train").raise_if_errors()


def test_images_of_another_size_and_too_small_for_the_crop(root):
    report = validate(root, "train", image_size=(1024, 2048), crop=(64, 64))
    assert report.counts == {"image_size": 6, "crop_size": 6}
    first, second = report.findings[:2]
    assert "64 x 32, and the suite's native_size says 2048 x 1024" in first.message
    assert "the image is 64 x 32, too small for the crop of 64 x 64" in second.message


@pytest.mark.parametrize("stray", [
    "leftImg8bit/train/berg/ashton_000009_000019_leftImg8bit.png",
    "gtFine/train/berg/berg_19_gtFine_labelIds.png",
])  # fmt: skip
def test_a_name_that_is_no_frame_of_its_city(root, stray):
    (root / stray).write_bytes(GOOD_LABEL)
    [finding] = validate(root, "train").findings
    assert (finding.kind, finding.file) == ("file_name", str(root / stray))


def test_all_is_found_at_once_and_written(root, tmp_path):
    names = ("ashton_000000_000019", "ashton_000001_000019", "berg_000000_000019")
    files(root, "train", names[0])["image"].unlink()
    files(root, "train", names[1])["ids"].write_bytes(palette_png())
    files(root, "train", names[2])["ids"].write_bytes(half(GOOD_LABEL))
    listed = tmp_path / "findings.json"
    with pytest.raises(UserError) as caught:
        check_split(root, "train", listed, jobs=2)
    for name in names:
        assert name in str(caught.value)
    assert str(listed) in str(caught.value)
    full = json.loads(listed.read_text())
    assert full["counts"] == {"image_missing": 1, "label_mode": 1, "label_unreadable": 1}
    assert check_split(root, "val", listed).findings == ()
    assert json.loads(listed.read_text())["findings"] == []


def test_how_to_look_is_one_of_three(root):
    with pytest.raises(ValueError, match="images must be one of"):
        validate(root, "train", images="all")
