"""The prior on disk: made from training boxes, with its source, and refused where it is wrong."""

import json
import pickle

import numpy as np
import pytest
import torch

import lzu
from lzu.engine.build import resampler_config
from lzu.engine.prior import draw_prior, make_prior
from lzu.errors import UserError
from lzu.results.prior import Prior, load_prior, save_prior
from lzu.tasks.detection2d.plan import spec
from tests.engine.planted import Touch
from tests.prepared import changed, copied
from tests.prepared import lzu as lzu_verb

METHODS = ("lzu_fixed", "lzu_adaptive")


def learned_boxes(content):
    """Corners of the boxes that training learns from: none under a pixel (the world has no
    crowds)."""
    boxes = torch.tensor([a["bbox"] for a in content["annotations"]])
    learned = boxes[boxes[:, 2:].min(dim=1).values >= 1]
    assert 0 < len(learned) < len(boxes)
    return torch.cat([learned[:, :2], learned[:, :2] + learned[:, 2:]], dim=1)


def test_prior_is_the_saliency_of_the_training_boxes(context):
    content = json.loads(context.paths.annotations("train").read_text())
    prior = load_prior(context.paths.prior(context.main_prior))
    boxes = learned_boxes(content)
    expected = lzu.saliency.from_boxes(boxes, context.settings.dataset.native_size)
    np.testing.assert_allclose(prior.saliency, expected.numpy(), rtol=1e-5)
    assert prior.saliency.sum() == pytest.approx(1, abs=1e-5)
    assert prior.source["split"] == "train"
    assert prior.source["boxes"] == len(boxes)
    assert prior.source["fingerprint"] == content["info"]["fingerprint"]


def test_validation_boxes_are_refused(context):
    wanted = spec(context.settings.prior, "val")
    with pytest.raises(UserError, match="of the val split"):
        make_prior(context, wanted)
    assert not context.paths.prior(wanted).exists()


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b"not a zip"),
        lambda path: path.write_bytes(b""),
        lambda path: np.savez(path, saliency=np.ones(3)),
        lambda path: np.savez(path, saliency=np.ones(3), about=np.array("[1]")),
        lambda path: np.savez(path, saliency=np.ones(3), about=np.array("{")),
    ],
)
def test_a_damaged_prior_is_named(tmp_path, write):
    path = tmp_path / "p.npz"
    write(path)
    with pytest.raises(UserError, match=r"p\.npz: not a prior"):
        load_prior(path)


@pytest.mark.parametrize("array", ["saliency", "about", "all"])
def test_a_prior_runs_no_code(tmp_path, array):
    path, proof = tmp_path / "p.npz", tmp_path / "proof"
    about = json.dumps({"parameters": {"native_size": [2, 2]}, "source": {}})
    arrays = {"saliency": np.ones(3), "about": np.array(about)}
    planted = np.array(Touch(proof), dtype=object)
    if array == "all":
        path.write_bytes(pickle.dumps(planted))
    else:
        np.savez(path, **arrays | {array: planted})
    with pytest.raises(UserError, match=r"p\.npz: not a prior"):
        load_prior(path)
    assert not proof.exists()


def test_the_picture_and_what_it_shows_are_written(context):
    picture = context.paths.prior_picture(context.main_prior)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    about = json.loads(picture.with_suffix(".json").read_text())
    assert 0 < about["magnification"]["min"] < 1 < about["magnification"]["max"]


def test_a_prior_is_made_with_its_own_amplitude_and_bandwidth(context, tmp_path):
    context = copied(context, tmp_path)
    content = json.loads(context.paths.annotations("train").read_text())
    boxes = learned_boxes(content)
    native = context.settings.dataset.native_size
    own = ({"amplitude": 1.0}, {"amplitude": 100.0}, {"amplitude": 1.0, "bandwidth": 32.0})
    found = []
    for update in own:
        wanted = spec(context.settings.prior.model_copy(update=update))
        made = make_prior(context, wanted)
        found.append(load_prior(context.paths.prior(wanted), native))
        expected = lzu.saliency.from_boxes(boxes, native, **update)
        np.testing.assert_allclose(found[-1].saliency, expected.numpy(), rtol=1e-5)
        np.testing.assert_array_equal(found[-1].saliency, made.saliency)
        assert found[-1].parameters == made.parameters
        assert found[-1].parameters["amplitude"] == update["amplitude"]
        assert "fwhm" not in found[-1].parameters
        assert found[-1].source == found[0].source
    weak, strong, narrow = (prior.saliency.max() for prior in found)
    assert strong > weak
    assert narrow != weak


def test_the_search_s_priors_are_of_its_training_part_alone(context, config, tmp_path):
    context = copied(context, tmp_path)
    paths = context.paths
    given = ("--config", config, "--results", context.results)
    lzu_verb("split", *given)
    part = json.loads(paths.annotations("search_train").read_text())
    boxes = learned_boxes(part)
    native = context.settings.dataset.native_size
    searched = [wanted for wanted in context.priors if wanted.split == "search_train"]
    assert {wanted.settings.amplitude for wanted in searched} == {1, 100}
    for wanted in searched:
        lzu_verb("prior", "--split", "search_train", "--name", wanted.name, *given)
        prior = load_prior(paths.prior(wanted), native)
        expected = lzu.saliency.from_boxes(boxes, native, amplitude=wanted.settings.amplitude)
        np.testing.assert_allclose(prior.saliency, expected.numpy(), rtol=1e-5)
        assert prior.source["split"] == "search_train"
        assert prior.source["fingerprint"] == part["info"]["fingerprint"]
    whole = load_prior(paths.prior(context.main_prior))
    assert len(boxes) < whole.source["boxes"]
    with pytest.raises(UserError, match="of the search_val split"):
        make_prior(context, spec(context.settings.prior, "search_val"))


def test_a_suite_without_a_search_says_so(config, results):
    text = config.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("  search:")]
    path = config.with_name("no_search.yaml")
    path.write_text("\n".join(lines))
    name = "31x51-a1-b64"
    for verb, said in (
        (["split"], "detection2d.search is not set"),
        (
            ["prior", "--split", "search_train", "--name", name],
            f"by the prior search_train/{name}; there are: train/{name}",
        ),
    ):
        done = lzu_verb(*verb, "--config", path, "--results", results, check=False)
        assert done.returncode == 2
        assert said in done.stderr


def test_a_point_of_the_search_has_its_own_warp(context):
    search = context.settings.search
    both = changed(context, search=search.model_copy(update={"methods": METHODS}))
    point = {"amplitude": "100", "fwhm": "4", "split": "search"}
    points = [run for run in both.runs if dict(run.options) == point]
    assert tuple(run.method for run in points) == METHODS
    fixed, adaptive = (resampler_config(both, run) for run in points)
    assert fixed["fwhm"] == 4
    assert (adaptive["fwhm"], adaptive["amplitude"]) == (4, 100)
    assert adaptive["bandwidth"] == context.settings.adaptive.bandwidth
    own = spec(context.settings.prior.model_copy(update={"amplitude": 100.0}), "search_train")
    assert fixed["prior"] == str(context.paths.prior(own))


def of_two(tmp_path, **source):
    values = np.stack([np.full((4, 6), 1 / 24), np.linspace(0.5, 1.5, 24).reshape(4, 6) / 24])
    prior = Prior(values[:, None].astype(np.float32), {"native_size": [40, 60]}, source)
    save_prior(tmp_path / "p.npz", prior)
    return tmp_path / "p.npz"


def test_a_prior_of_several_cameras_has_a_map_of_each(tmp_path):
    prior = load_prior(of_two(tmp_path, maps=["left", "right"]))
    assert prior.names == ("left", "right")
    np.testing.assert_array_equal(prior.map_of("right"), prior.saliency[1:])
    with pytest.raises(UserError, match="no map of ahead, but of left, right"):
        prior.map_of("ahead")
    whole = Prior(prior.saliency[:1], prior.parameters, {})
    assert whole.map_of("ahead") is whole.saliency


def test_several_maps_without_names_are_no_prior(tmp_path):
    with pytest.raises(UserError, match=r"not a prior \(2 maps, 0 names\)"):
        load_prior(of_two(tmp_path))


def test_all_maps_of_a_prior_are_drawn(tmp_path):
    prior = load_prior(of_two(tmp_path, maps=["left", "right"], boxes=3))
    draw_prior(prior, 2.0, tmp_path / "prior.png")
    drawn = json.loads((tmp_path / "prior.json").read_text())
    warp = lzu.Warp.from_saliency(torch.from_numpy(prior.saliency), fwhm=2.0)
    expected = warp.magnification((40, 60))
    assert drawn["magnification"]["max"] == pytest.approx(expected.max().item())
    assert (tmp_path / "prior.png").stat().st_size > 10_000
