"""Listing and reading Cityscapes' files."""

import cv2
import numpy as np
import pytest
import torch

from lzu.datasets.cityscapes import reader
from lzu.datasets.cityscapes.classes import LABELS
from lzu.datasets.cityscapes.crop import central_crop
from lzu.datasets.cityscapes.layout import FrameName, parse, raw_state
from lzu.datasets.cityscapes.reader import load, read_train_ids, stream_train_ids
from lzu.datasets.images import ImageError
from lzu.errors import UserError
from lzu.saliency import BoundaryDensity, semantic_boundaries
from tests.datasets.cityscapes.conftest import FRAMES, SIZE, add_train_ids, files, label_ids


def train_ids(seed):
    """By the definition: pixel by pixel, from the table of classes."""
    meaning = {label.id % 256: label.train_id for label in LABELS}
    return np.vectorize(meaning.get)(label_ids(seed)).astype(np.uint8)


def test_all_frames_are_listed_and_cities_tell_them_apart(root):
    dataset = load(root, "train")
    assert [str(frame.name) for frame in dataset.frames] == list(FRAMES["train"])
    assert (
        dataset.frames[0].image == "leftImg8bit/train/ashton/ashton_000000_000019_leftImg8bit.png"
    )
    assert dataset.frames[0].label == "gtFine/train/ashton/ashton_000000_000019_gtFine_labelIds.png"
    assert len({(f.name.sequence, f.name.frame) for f in dataset.frames}) < len(dataset.frames)
    assert (dataset.strays, dataset.source) == ((), "real")
    add_train_ids(root)
    assert all(f.label.endswith("_labelTrainIds.png") for f in load(root, "train").frames)


def test_ids_are_turned_into_train_ids_as_they_are_read(root):
    state = sorted(root.rglob("*"))
    frames = load(root, "train").frames
    from_ids = [read_train_ids(root / frame.label) for frame in frames]
    for number, found in enumerate(from_ids):
        assert (found.dtype, found.shape) == (np.uint8, SIZE)
        np.testing.assert_array_equal(found, train_ids(number))
    assert sorted(root.rglob("*")) == state
    add_train_ids(root)
    for frame, expected in zip(load(root, "train").frames, from_ids, strict=True):
        np.testing.assert_array_equal(read_train_ids(root / frame.label), expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ulm_000003_000019", ("ulm", "000003", "000019")),
        ("bad_homburg_01_2", ("bad_homburg", "01", "2")),
        ("ulm_000003", None),
        ("ulm_000003_x", None),
        ("_000003_000019", None),
    ],
)
def test_names_of_frames(name, expected):
    assert parse(name) == (FrameName(*expected) if expected else None)


def test_files_of_other_systems_and_of_no_use_are_not_seen(root):
    (root / "gtFine/train/ashton/._ashton_000000_000019_gtFine_labelIds.png").touch()
    (root / "leftImg8bit/train/.DS_Store").touch()
    (root / "leftImg8bit/train/ashton/Thumbs.db").touch()
    assert len(load(root, "train").frames) == len(FRAMES["train"])
    assert load(root, "train").strays == ()


@pytest.mark.parametrize("exists", [False, True])
def test_no_dataset_says_where_to_get_it(tmp_path, exists):
    root = tmp_path / "cityscapes"
    if exists:
        root.mkdir()
    with pytest.raises(UserError) as caught:
        load(root, "train")
    message = str(caught.value)
    assert f"{root}/{{leftImg8bit,gtFine}}/train" in message
    assert "is empty" in message if exists else "does not exist" in message
    assert "cityscapes-dataset.com" in message


def test_a_split_that_is_missing_or_has_no_labels(root):
    for folder in ("leftImg8bit", "gtFine"):
        (root / folder / "val").rename(root / folder / "elsewhere")
    with pytest.raises(UserError, match="Cityscapes' val split is missing"):
        load(root, "val")
    with pytest.raises(UserError, match=r"'test' cannot be used.*public labels are train and val"):
        load(root, "test")


def put(path, values):
    cv2.imwrite(str(path), np.asarray(values, np.uint8))
    return path


def test_values_that_are_no_ids_are_named(tmp_path):
    values = np.full((4, 4), 7)
    values[0, :3] = (34, 200, 200)
    path = put(tmp_path / "a_gtFine_labelIds.png", values)
    said = r"labelIds\.png: 3 of 16 pixels have values \(34, 200\) that are no ids \(0 to 33"
    with pytest.raises(UserError, match=said):
        read_train_ids(path)
    path = put(tmp_path / "a_gtFine_labelTrainIds.png", values)
    with pytest.raises(UserError, match=r"\(34, 200\) that are no trainIds \(0 to 18, and 255\)$"):
        read_train_ids(path)
    values[0, :3] = (19, 33, 255)
    path = put(tmp_path / "b_gtFine_labelTrainIds.png", values)
    with pytest.raises(UserError, match=r"\(19, 33\) that are no trainIds .* they are ids"):
        read_train_ids(path)
    assert read_train_ids(put(tmp_path / "b_gtFine_labelIds.png", values))[0, 2] == 255


def test_a_label_image_that_is_missing_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"no_gtFine_labelIds\.png: the image is missing"):
        read_train_ids(tmp_path / "no_gtFine_labelIds.png")


@pytest.mark.parametrize(
    ("size", "crop", "corner"),
    [((1024, 2048), (1024, 1024), (0, 512)), ((5, 8), (2, 3), (1, 2)), ((4, 4), (4, 4), (0, 0))],
)
def test_the_central_crop(size, crop, corner):
    rows, columns = central_crop(size, crop)
    assert (rows.start, columns.start) == corner
    assert (rows.stop - rows.start, columns.stop - columns.start) == crop


@pytest.mark.parametrize("crop", [(1025, 1024), (1024, 2049)])
def test_a_crop_larger_than_the_image(crop):
    with pytest.raises(UserError, match=r"does not fit an image of 2048 x 1024"):
        central_crop((1024, 2048), crop)


@pytest.mark.parametrize("jobs", [1, 2])
def test_labels_are_streamed_in_order_cropped_and_reduced(root, monkeypatch, jobs):
    monkeypatch.setattr(reader, "CHUNK", 1)
    labels = [frame.label for frame in load(root, "train").frames]
    found = list(stream_train_ids(root, labels, crop=(32, 32), size=(8, 8), jobs=jobs))
    assert len(found) == len(labels)
    for number, values in enumerate(found):
        # Four pixels a pixel: the one after the middle is the nearest to the centre.
        np.testing.assert_array_equal(values, train_ids(number)[:, 16:48][2::4, 2::4])
    whole = list(stream_train_ids(root, labels[:2], jobs=jobs))
    np.testing.assert_array_equal(whole[1], train_ids(1))


def test_the_prior_of_a_streamed_training_set_is_the_mean_of_its_images(root):
    labels = [frame.label for frame in load(root, "train").frames]
    density = BoundaryDensity((5, 4), ignore=255)
    for values in stream_train_ids(root, labels, crop=(32, 32), size=(16, 16)):
        density.add(torch.from_numpy(values))
    assert density.count == len(labels)
    reduced = np.stack([train_ids(k)[:, 16:48][1::2, 1::2] for k in range(len(labels))])
    edges = semantic_boundaries(torch.from_numpy(reduced), ignore=255)
    mean = torch.where(edges, 200.0, 1.0).mean(0)
    pooled = torch.nn.functional.adaptive_avg_pool2d(mean[None, None], (5, 4))
    torch.testing.assert_close(density.saliency(boundary=200), pooled / pooled.sum())


def test_a_stream_keeps_few_labels_in_memory(root, monkeypatch):
    """Labels that nobody has taken yet are not read without end."""
    submitted = []

    class Pool:
        def __init__(self, *_, **__): ...
        def __enter__(self):
            return self

        def __exit__(self, *_): ...
        def shutdown(self, **_): ...
        def submit(self, work, chunk):
            submitted.append(chunk)
            done = reader.Future()
            done.set_result([np.zeros((1, 1), np.uint8)] * len(chunk))
            return done

    monkeypatch.setattr(reader, "ProcessPoolExecutor", Pool)
    labels = [f"{k}.png" for k in range(1000)]
    stream = stream_train_ids(root, labels, jobs=2)
    taken = 0
    for _ in range(100):
        next(stream)
        taken += 1
        assert sum(map(len, submitted)) - taken <= (2 * 2 + 1) * reader.CHUNK
    assert taken + len(list(stream)) == 1000
    assert [label for chunk in submitted for label in chunk] == labels


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_broken_label_in_a_stream_is_named(root, monkeypatch, jobs):
    monkeypatch.setattr(reader, "CHUNK", 1)
    labels = [frame.label for frame in load(root, "train").frames]
    (root / labels[3]).write_bytes(b"")
    with pytest.raises(UserError, match=f"{labels[3]}: the image cannot be read"):
        list(stream_train_ids(root, labels, jobs=jobs))
    with pytest.raises(UserError, match=f"{labels[0]}: a crop of 64 x 64 does not fit"):
        list(stream_train_ids(root, labels, crop=(64, 64), jobs=jobs))


def test_the_state_of_raw_files_changes_when_they_do(root):
    first = raw_state(root, "train")
    assert raw_state(root, "train") == first
    other = raw_state(root, "val")
    paths = files(root, "train", "berg_000000_000019")
    paths["image"].rename(root / "x.png")
    second = raw_state(root, "train")
    assert second["images"] != first["images"]
    assert second["labels"] == first["labels"]
    paths["ids"].unlink()
    third = raw_state(root, "train")
    assert third["labels"] != first["labels"]
    # overwritten in its place
    [left, *_] = sorted((root / "gtFine" / "train").rglob("*_gtFine_label*Ids.png"))
    left.write_bytes(left.read_bytes() + b"x")
    assert raw_state(root, "train")["labels"] != third["labels"]
    assert raw_state(root, "val") == other
