"""The prior on disk: made from training boxes, with its source, and refused where it is wrong."""

import json

import numpy as np
import pytest
import torch

import lzu
from lzu.engine.prior import make_prior, make_priors
from lzu.errors import UserError
from lzu.experiments.plan import evaluated_runs, search_priors
from lzu.results.prior import load_prior
from lzu.tasks.detection2d.build import resampler_config
from tests.prepared import lzu as lzu_verb


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


def test_one_pass_makes_the_priors_of_all_amplitudes(suite, paths, tmp_path):
    settings = suite.detection2d.prior
    train = paths.annotations("train")
    wanted = {
        tmp_path / f"{a}.npz": settings.model_copy(update={"amplitude": a}) for a in (1.0, 100.0)
    }
    make_priors(train, wanted)
    for path, own in wanted.items():
        found, single = load_prior(path), make_prior(train, own, tmp_path / "single.npz")
        np.testing.assert_allclose(found.saliency, single.saliency, rtol=1e-6)
        assert found.parameters == single.parameters
        assert found.parameters["amplitude"] == own.amplitude
        assert found.source == single.source
    weak, strong = (load_prior(path).saliency for path in wanted)
    assert strong.max() > weak.max()


def test_one_pass_cannot_serve_two_bandwidths(suite, paths, tmp_path):
    settings = suite.detection2d.prior
    wanted = {
        tmp_path / f"{b}.npz": settings.model_copy(update={"bandwidth": b}) for b in (32.0, 64.0)
    }
    with pytest.raises(ValueError, match="amplitude alone"):
        make_priors(paths.annotations("train"), wanted)


def test_the_search_s_priors_are_of_its_training_part_alone(suite, paths, config):
    for verb in ("split", "search-priors"):
        lzu_verb(verb, "--config", config, "--results", paths.results)
    part = json.loads(paths.annotations("search_train").read_text())
    boxes = torch.tensor([a["bbox"] for a in part["annotations"]])
    boxes[:, 2:] += boxes[:, :2]
    native = suite.detection2d.dataset.native_size
    for settings in search_priors(suite):
        prior = load_prior(paths.prior(settings, "search_train"), native)
        expected = lzu.saliency.from_boxes(boxes, native, amplitude=settings.amplitude)
        np.testing.assert_allclose(prior.saliency, expected.numpy(), rtol=1e-5)
        assert prior.source["split"] == "search_train"
        assert prior.source["fingerprint"] == part["info"]["fingerprint"]
    whole = load_prior(paths.prior(suite.detection2d.prior))
    assert len(boxes) < whole.source["boxes"]
    with pytest.raises(UserError, match="of the search_val split"):
        make_prior(paths.annotations("search_val"), suite.detection2d.prior, paths.root / "p.npz")


def test_a_suite_without_a_search_says_so(config, results):
    text = config.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("  search:")]
    path = config.with_name("no_search.yaml")
    path.write_text("\n".join(lines))
    for verb in ("split", "search-priors"):
        done = lzu_verb(verb, "--config", path, "--results", results, check=False)
        assert done.returncode == 2
        assert "detection2d.search is not set" in done.stderr


def test_a_point_of_the_search_has_its_own_warp(suite, paths):
    search = suite.detection2d.search.model_copy(update={"methods": ("lzu_fixed", "lzu_adaptive")})
    task = suite.detection2d.model_copy(update={"search": search})
    both = suite.model_copy(update={"detection2d": task})
    point = {"amplitude": "100", "fwhm": "4", "split": "search"}
    fixed, adaptive = (
        resampler_config(both, run, paths)
        for run in evaluated_runs(both)
        if dict(run.options) == point
    )
    assert fixed["fwhm"] == 4
    assert (adaptive["fwhm"], adaptive["amplitude"]) == (4, 100)
    assert adaptive["bandwidth"] == suite.detection2d.adaptive.bandwidth
    own = suite.detection2d.prior.model_copy(update={"amplitude": 100.0})
    assert fixed["prior"] == str(paths.prior(own, "search_train"))
