"""The prior on disk: made from training boxes, with its source, and refused where it is wrong."""

import json

import numpy as np
import pytest
import torch

import lzu
from lzu.errors import UserError
from lzu.prior import load_prior
from lzu.runs.prior import make_prior


def test_prior_is_the_saliency_of_the_training_boxes(suite, paths):
    settings = suite.detection2d.prior
    content = json.loads(paths.annotations("train").read_text())
    prior = load_prior(paths.prior(settings))
    boxes = torch.tensor([a["bbox"] for a in content["annotations"]])
    boxes[:, 2:] += boxes[:, :2]
    expected = lzu.saliency.from_boxes(boxes, suite.detection2d.dataset.native_size)
    np.testing.assert_allclose(prior.saliency, expected.numpy(), rtol=1e-5)
    assert prior.saliency.sum() == pytest.approx(1, abs=1e-5)
    assert prior.source["split"] == "train"
    assert prior.source["boxes"] == len(boxes)
    assert prior.source["fingerprint"] == content["info"]["fingerprint"]


def test_validation_boxes_are_refused(suite, paths, tmp_path):
    with pytest.raises(UserError, match="of the val split"):
        make_prior(paths.annotations("val"), suite.detection2d.prior, tmp_path / "p.npz")
    assert not (tmp_path / "p.npz").exists()


def test_a_damaged_prior_is_named(tmp_path):
    path = tmp_path / "p.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(UserError, match=r"p\.npz: not a prior"):
        load_prior(path)


def test_the_picture_and_what_it_shows_are_written(suite, paths):
    picture = paths.prior_picture(suite.detection2d.prior)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    about = json.loads(picture.with_suffix(".json").read_text())
    assert 0 < about["magnification"]["min"] < 1 < about["magnification"]["max"]
