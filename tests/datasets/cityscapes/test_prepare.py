"""The listing of a split: what is in it, and that equal data gives equal files."""

import json
import shutil

import numpy as np
import pytest

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.datasets.cityscapes.prepare import prepare
from lzu.datasets.cityscapes.reader import load, read_train_ids
from lzu.errors import UserError
from tests.datasets.cityscapes.conftest import FRAMES, add_train_ids, files


def prepared(root, folder, split="train", **options):
    out, about = folder / f"{split}.json", folder / f"{split}.about.json"
    prepare(root, split, out, about, **options)
    return json.loads(out.read_text()), json.loads(about.read_text())


def test_a_listing_names_the_files_and_counts_pixels(root, tmp_path):
    content, about = prepared(root, tmp_path, jobs=2)
    assert about == content["info"]
    assert [image["id"] for image in content["images"]] == list(FRAMES["train"])
    record = content["images"][3]
    assert {key: record[key] for key in record if key != "pixels"} == {
        "id": "berg_000000_000019",
        "city": "berg",
        "sequence": "000000",
        "frame": "000019",
        "image": "leftImg8bit/train/berg/berg_000000_000019_leftImg8bit.png",
        "label": "gtFine/train/berg/berg_000000_000019_gtFine_labelIds.png",
        "width": 64,
        "height": 32,
    }
    labels = np.stack([read_train_ids(root / frame.label) for frame in load(root, "train").frames])
    for image, values in zip(content["images"], labels, strict=True):
        assert image["pixels"] == [*((values == k).sum() for k in range(19)), (values == 255).sum()]
    assert about["class_pixels"] == {name: (labels == k).sum() for k, name in enumerate(CLASSES)}
    assert about["ignored_pixels"] == (labels == 255).sum()
    assert (about["images"], about["cities"], about["crop"]) == (6, 3, None)
    assert (about["dataset"], about["split"], about["source"]) == ("cityscapes", "train", "real")
    # Of a class that never occurs it says so.
    assert 0 in prepared(root, tmp_path, "val")[1]["class_pixels"].values()


def test_pixels_are_counted_in_the_crop(root, tmp_path):
    content, about = prepared(root, tmp_path, crop=(16, 16))
    assert all(sum(image["pixels"]) == 256 for image in content["images"])
    values = read_train_ids(root / content["images"][0]["label"])[8:24, 24:40]
    assert content["images"][0]["pixels"][0] == (values == 0).sum()
    assert about["crop"] == [16, 16]
    with pytest.raises(UserError, match=r"_labelIds\.png: a crop of 33 x 33 does not fit"):
        prepared(root, tmp_path, crop=(33, 33))


def test_equal_data_gives_equal_files_wherever_it_lies(root, tmp_path):
    first = prepared(root, tmp_path)
    other = shutil.copytree(root, tmp_path / "elsewhere")
    assert prepared(other, tmp_path) == first
    assert str(root) not in json.dumps(first)
    # The same labels in the other form are the same data.
    add_train_ids(other)
    content, about = prepared(other, tmp_path)
    assert about == first[1]
    assert content["images"][0]["label"].endswith("_labelTrainIds.png")


@pytest.mark.parametrize("what", ["a label", "an image", "a name", "the crop"])
def test_the_fingerprint_tells_other_data(root, tmp_path, what):
    _, before = prepared(root, tmp_path)
    paths = files(root, "train", FRAMES["train"][0])
    match what:
        case "a label":
            shutil.copy(files(root, "train", FRAMES["train"][1])["ids"], paths["ids"])
        case "an image":
            paths["image"].write_bytes(paths["image"].read_bytes() + b"\0")
        case "a name":
            for path in (paths["image"], paths["ids"]):
                path.rename(str(path).replace("000019", "000020"))
    _, after = prepared(root, tmp_path, crop=(16, 16) if what == "the crop" else None)
    assert after["fingerprint"] != before["fingerprint"]


def test_what_is_missing_or_broken_is_not_prepared(root, tmp_path):
    files(root, "train", FRAMES["train"][0])["image"].unlink()
    with pytest.raises(UserError, match="the image is missing"):
        prepared(root, tmp_path)
    assert not (tmp_path / "train.json").exists()
    (root / "gtFine").rename(root / "elsewhere")
    with pytest.raises(UserError, match="the folder is missing"):
        prepared(root, tmp_path, "val")
    (root / "elsewhere").rename(root / "gtFine")
    files(root, "val", FRAMES["val"][0])["ids"].write_bytes(b"")
    with pytest.raises(UserError, match=r"labelIds\.png: the image cannot be read"):
        prepared(root, tmp_path, "val")
