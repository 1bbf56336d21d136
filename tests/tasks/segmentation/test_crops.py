"""The images and labels that segmenters are given: decoded once, never written into, or an error
that names the file."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("mmseg")

from mmseg.registry import DATASETS

from lzu.datasets.cityscapes import reader
from lzu.datasets.cityscapes.reader import read_train_ids
from lzu.datasets.images import read_image
from lzu.engine.build import enter_scope
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.tasks.segmentation import images
from lzu.tasks.segmentation.build import dataset_config, listed, listing_config
from lzu.tasks.segmentation.images import LoadCrop
from tests.prepared import changed

CROP, SIZE = (12, 12), (16, 24)


@pytest.fixture
def frame(tmp_path):
    """A record of a frame with an image and trainIds of random pixels."""

    def made(name="a_000000_000001", seed=0):
        generator = np.random.default_rng(seed)
        image, label = tmp_path / f"{name}_image.png", tmp_path / f"{name}_gtFine_labelTrainIds.png"
        cv2.imwrite(str(image), generator.integers(0, 256, (*SIZE, 3), np.uint8))
        cv2.imwrite(str(label), generator.integers(0, 19, SIZE, np.uint8))
        record = {"frame_id": name, "img_path": str(image), "label_path": str(label)}
        return record | {"height": SIZE[0], "width": SIZE[1]}

    return made


@pytest.fixture
def decoded(monkeypatch):
    """The paths of images that were decoded."""
    paths = []

    def counted(path, size=None):
        paths.append(str(path))
        return read_image(path, size)

    monkeypatch.setattr(reader, "read_image", counted)
    return paths


def of(record):
    """What is expected of a frame: its central crop."""
    inside = np.s_[2:14, 6:18]
    image = cv2.imread(record["img_path"])[inside]
    return image, cv2.imread(record["label_path"], cv2.IMREAD_UNCHANGED)[inside]


def loaded(load, record):
    results = load.transform(dict(record))
    return results["img"], results["gt_seg_map"]


def test_the_central_crop_is_loaded(frame):
    record = frame()
    results = LoadCrop(CROP).transform(dict(record))
    image, labels = of(record)
    assert np.array_equal(results["img"], image)
    assert np.array_equal(results["gt_seg_map"], labels)
    assert results["img"].flags.c_contiguous
    assert results["img_shape"] == results["ori_shape"] == CROP


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_crops_are_decoded_once_within_the_budget_and_right_beyond_it(
    frame, decoded, monkeypatch, kept
):
    monkeypatch.setattr(images, "MOST_KEPT", kept * 12 * 12 * 4)
    records = [frame(f"a_000000_00000{k}", k) for k in range(3)]
    load = LoadCrop(CROP)
    for _ in range(3):
        for record in records:
            for found, wanted in zip(loaded(load, record), of(record), strict=True):
                assert np.array_equal(found, wanted)
    assert len(decoded) == kept + 3 * (3 - kept)


def test_what_is_kept_is_not_what_is_handed_out(frame):
    load, record = LoadCrop(CROP), frame()
    for _ in range(2):
        image, labels = loaded(load, record)
        image[:], labels[:] = 0, 0
    for found, wanted in zip(loaded(load, record), of(record), strict=True):
        assert np.array_equal(found, wanted)


def test_augmentation_leaves_the_kept_crops_as_they_are(city):
    enter_scope(city)
    plain, moved = (
        DATASETS.build(listing_config(city, "mini_train", flip=flip, photometric=bool(flip)))
        for flip in (0.0, 1.0)
    )
    load = moved.pipeline.transforms[0]
    first = [moved[k]["inputs"] for k in range(4)]
    assert len(load._kept) == 4
    for k in range(4):
        image, labels = load._kept[moved.get_data_info(k)["img_path"]]
        data = plain[k]
        assert np.array_equal(image.transpose(2, 0, 1), data["inputs"].numpy())
        assert np.array_equal(labels, data["data_samples"].gt_sem_seg.data[0].numpy())
        assert not np.array_equal(first[k], data["inputs"])


def test_two_cities_with_equal_frame_numbers_are_two_images(frame, city):
    first, second = frame("a_000000_000001", 1), frame("b_000000_000001", 2)
    load = LoadCrop(CROP)
    for record in (first, second, first):
        assert np.array_equal(loaded(load, record)[0], of(record)[0])
    # and in a listing they are two, by name and path
    ids = [
        image["id"] for image in json.loads(city.paths.annotations("train").read_text())["images"]
    ]
    assert len(set(ids)) == len(ids)


def cut(path):
    path.write_bytes(path.read_bytes()[:60])


def other_size(path):
    cv2.imwrite(str(path), np.zeros((16, 23, *([] if "label" in path.name else [3])), np.uint8))


def coloured(path):
    cv2.imwrite(str(path), np.zeros((*SIZE, 3), np.uint8))


def other_values(path):
    cv2.imwrite(str(path), np.full(SIZE, 77, np.uint8))


@pytest.mark.parametrize(
    ("key", "damage", "said"),
    [
        ("img_path", cut, "cannot be read"),
        ("img_path", other_size, "23 x 16 pixels"),
        ("img_path", lambda path: path.unlink(), "missing"),
        ("label_path", cut, "cannot be read"),
        ("label_path", other_size, "23 x 16 pixels, but the image 24 x 16"),
        ("label_path", coloured, "no labels"),
        ("label_path", other_values, r"values \(77\)"),
        ("label_path", lambda path: path.unlink(), "missing"),
    ],
)
def test_what_cannot_be_used_is_one_message_with_the_file(frame, tmp_path, key, damage, said):
    record = frame()
    path = tmp_path / record[key].rpartition("/")[2]
    damage(path)
    with pytest.raises(UserError, match=said) as caught:
        LoadCrop(CROP).transform(record)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_crop_larger_than_the_image_is_one_message_with_the_file(frame):
    record = frame()
    with pytest.raises(UserError, match=r"image\.png: a crop of 25 x 12 does not fit .* 24 x 16"):
        LoadCrop((12, 25)).transform(record)


DAMAGES = {
    "half-written": lambda image, label: image.write_bytes(image.read_bytes()[:200]),
    "missing pair": lambda image, label: label.unlink(),
    "colours": lambda image, label: cv2.imwrite(str(label), np.zeros((128, 256, 3), np.uint8)),
    "size": lambda image, label: cv2.imwrite(str(label), np.zeros((128, 250), np.uint8)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_check_finds_it_before_training(city, tmp_path, damage):
    """And names it: the same file that a training would stumble over."""
    dataset = city.settings.dataset
    root = tmp_path / "data"
    shutil.copytree(dataset.root, root)
    listing = json.loads(city.paths.annotations("val").read_text())["images"][0]
    image, label = root / listing["image"], root / listing["label"]
    for other in label.parent.glob(f"{listing['id']}_gtFine_*"):
        if other != label and damage == "missing pair":
            other.unlink()
    DAMAGES[damage](image, label)
    moved = dataset.model_copy(update={"root": str(root)})
    own = replace(changed(city, dataset=moved), results=tmp_path / "results")
    with pytest.raises(UserError) as caught:
        own.task.step("check")(own, "val", 1)
    assert listing["id"] in str(caught.value)


def test_validation_is_whole_and_unchanged(city):
    """The same images and labels for every method, by the shared reader."""
    dataset = listed(city, "val")
    listing = json.loads(city.paths.annotations("val").read_text())["images"]
    assert len(dataset) == len(listing) > 1
    for k, image in enumerate(listing):
        data = dataset[k]
        assert data["data_samples"].frame_id == image["id"]
        labels = read_train_ids(f"{city.settings.dataset.root}/{image['label']}")[:, 64:192]
        assert np.array_equal(data["data_samples"].gt_sem_seg.data[0].numpy(), labels)


def test_training_is_augmented_as_the_schedule_says_and_validation_never(city):
    run = Run("smoke", "segmentation", "uniform", 1.0, 0.25, 0)
    names = [step["type"] for step in dataset_config(city, run, "train", 0.5)["pipeline"]]
    assert "RandomFlip" in names
    assert any("hoto" in name for name in names)
    plain = [step["type"] for step in dataset_config(city, run, "val", 0.0)["pipeline"]]
    assert not {"RandomFlip"} & set(plain)
    assert not any("hoto" in name for name in plain)
