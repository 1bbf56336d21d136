"""The crop that pictures show, its saliency, and the picture of the training data."""

import json

import numpy as np
import torch

import lzu
from lzu.tasks.segmentation.drawing.frame import busy_frame, draw_data, most_varied, pictured_crop
from tests.tasks.segmentation.drawing.conftest import VAL, truth_of


def record(name, *pixels):
    return {"id": name, "pixels": [*pixels, *[0] * (20 - len(pixels))]}


def test_the_crop_has_the_most_classes_that_can_be_seen_and_of_several_is_the_first():
    two = record("a", 600, 400)
    three, other = record("b", 500, 499, 1), record("c", 10, 10, 980)
    hardly = record("d", 5000, 5000, 1, 1, 1, 1)
    assert most_varied([two, three, other, hardly])["id"] == "b"
    ignored = record("e", 400, 300) | {"pixels": [400, 300, *[0] * 17, 300]}
    assert most_varied([ignored, two])["id"] == "e"


def test_the_pictured_crop_comes_from_its_files(prepared):
    images = json.loads(prepared.paths.annotations("val").read_text())["images"]
    chosen = most_varied(images)
    number = VAL.index(chosen["id"])
    image, labels = pictured_crop(prepared, chosen)
    assert np.array_equal(labels, truth_of(number))
    counts = [len(set(np.unique(truth_of(n))) - {255}) for n in range(len(VAL))]
    assert counts[number] == max(counts)
    # written blue, green, red
    pixels = np.random.default_rng(number).integers(0, 256, (128, 256, 3), np.uint8)
    assert np.array_equal(image, pixels[:, 64:192, ::-1])


def test_its_saliency_is_that_of_its_own_boundaries(prepared):
    images = json.loads(prepared.paths.annotations("val").read_text())["images"]
    truth = truth_of(VAL.index(most_varied(images)["id"]))
    settings = prepared.settings.prior
    frame = busy_frame(prepared)
    assert frame.size == (128, 128)
    # reduced to (or blown up to) the prior's size by the label at each pixel's centre
    side = settings.label_size[0]
    at = [int((k + 0.5) * 128 / side) for k in range(side)]
    reduced = torch.from_numpy(truth[np.ix_(at, at)])
    expected = lzu.saliency.from_boundaries(
        reduced, (11, 11), boundary=200, background=1, ignore=255
    )
    torch.testing.assert_close(frame.saliency((11, 11)), expected.double())
    assert expected.max() > 1.2 * expected.min()


def test_the_training_data_are_drawn(prepared, tmp_path):
    draw_data(prepared, tmp_path / "data.png")
    assert (tmp_path / "data.png").read_bytes().startswith(b"\x89PNG")
