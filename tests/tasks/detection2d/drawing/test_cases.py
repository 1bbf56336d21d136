"""Figure 6 from runs' files: the right images, the run's own warp, and clear errors."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import lzu
from lzu.engine.trained import load_trained
from lzu.errors import UserError
from lzu.experiments.pictured import pictured_case
from lzu.experiments.run import Run
from lzu.results.prior import load_prior
from lzu.tasks.detection2d.drawing.cases import draw_cases, read_found, read_truth, view_images
from lzu.tasks.detection2d.online import validation_sequences
from lzu.tasks.detection2d.pictures import USUAL_SCALE, pictured_stream
from tests.prepared import changed, copied
from tests.tasks.detection2d.scoring.reference import image_ap
from tests.tasks.detection2d.untrained import save_predictions, save_untrained

RUN = Run("smoke", "detection2d", "lzu_fixed", 1.0, 0.5, 0)
UNIFORM = replace(RUN, method="uniform")
ADAPTIVE = replace(RUN, method="lzu_adaptive")
CHOICE = {"count": 2, "least": 3}


@pytest.fixture(scope="module")
def cases(context, tmp_path_factory):
    """With predictions of three runs; fixed gains in even images and loses in odd ones."""
    context = copied(context, tmp_path_factory.mktemp("cases"))
    save_predictions(context, UNIFORM, (0.3, 0.9))
    for run in (RUN, ADAPTIVE):
        save_predictions(context, run, (0.9, 0.3), seed=1)
        save_untrained(context, run)
    return context


def test_the_picked_images_are_those_of_the_largest_differences(cases):
    draw_cases(cases, RUN, **CHOICE)
    picture = cases.paths.cases_picture(RUN)
    rows = list(csv.DictReader(picture.with_suffix(".csv").open()))
    annotations = json.loads(cases.paths.annotations("val").read_text())
    truths = read_truth(annotations)
    found = {run: read_found(cases, run, annotations) for run in (UNIFORM, RUN)}
    gains = {
        image: image_ap(found[RUN][image], truth) - image_ap(found[UNIFORM][image], truth)
        for image, truth in truths.items()
    }
    order = sorted(gains, key=gains.get)
    picked = {row["picked"]: int(row["image_id"]) for row in rows if row["picked"]}
    assert [picked["gain 1"], picked["gain 2"]] == order[:-3:-1]
    assert [picked["loss 1"], picked["loss 2"]] == order[:2]
    assert all(n % 2 == 0 for n in order[-2:])
    assert [float(row["gain"]) for row in rows] == pytest.approx(
        [gains[int(row["image_id"])] for row in rows], abs=1e-4
    )
    for form, signature in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        assert picture.with_suffix(f".{form}").read_bytes().startswith(signature)


def seen(cases, run, images):
    annotations = json.loads(cases.paths.annotations("val").read_text())
    found = read_found(cases, run, annotations)
    model = load_trained(cases, run)
    picked = [type("Picked", (), {"image": image}) for image in images]
    return found, view_images(cases, run, model, found, picked)


def test_the_shown_warp_is_that_of_the_prior(cases):
    _, views = seen(cases, RUN, [3])
    prior = load_prior(cases.paths.prior(cases.main_prior)).saliency
    assert np.array_equal(views[3].saliency, prior[0, 0])
    warp = lzu.Warp.from_saliency(torch.from_numpy(prior), fwhm=cases.settings.prior.fwhm)
    torch.testing.assert_close(views[3].warp.x, warp.x)
    assert views[3].image.shape == (160, 256, 3)
    assert views[3].zoomed.shape == (80, 128, 3)
    assert views[3].boxes is None


def test_an_adaptive_case_shows_what_was_detected_in_the_frame_before(cases):
    sequence, other = validation_sequences(cases, ADAPTIVE)
    found, views = seen(cases, ADAPTIVE, [*sequence[:3], other[0]])
    for first in (sequence[0], other[0]):
        assert len(views[first].boxes) == 0
        assert np.ptp(views[first].saliency) == pytest.approx(0, abs=1e-9)
    before = found[sequence[1]]
    expected = before.boxes[before.scores >= cases.settings.adaptive.score_threshold]
    expected[:, 2:] += expected[:, :2]
    boxes = views[sequence[2]].boxes
    assert boxes == pytest.approx(expected, abs=1e-3)
    saliency = lzu.saliency.from_boxes(
        torch.from_numpy(boxes), image_size=(160, 256), lattice=(31, 51), amplitude=1, bandwidth=64
    )
    assert views[sequence[2]].saliency == pytest.approx(saliency[0, 0].numpy(), rel=1e-5)


@pytest.fixture
def broken(cases, tmp_path):
    shutil.copytree(cases.results / "smoke", tmp_path / "smoke")
    return replace(cases, results=tmp_path)


def test_a_run_that_was_not_predicted_with_is_named(broken):
    broken.paths.run(UNIFORM, "predictions.json").unlink()
    with pytest.raises(UserError, match=r"uniform/1-0.5/seed0/predictions\.json: no such file"):
        draw_cases(broken, RUN, **CHOICE)


def test_a_run_without_weights_is_named(broken):
    broken.paths.run(RUN, "checkpoint.pth").unlink()
    with pytest.raises(UserError, match=r"lzu_fixed/1-0.5/seed0/checkpoint\.pth: no such"):
        draw_cases(broken, RUN, **CHOICE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stamp": "x"}, "other settings or data"),
        ({"fingerprint": "x"}, "other data than"),
        (None, "other data than"),
    ],
)
def test_predictions_of_something_else_are_refused(broken, change, said):
    path = broken.paths.run(RUN, "predictions.json")
    content = json.loads(path.read_text())
    if change is None:
        # written before predictions told of their data
        del content["fingerprint"]
    path.write_text(json.dumps({**content, **(change or {})}))
    with pytest.raises(UserError, match=said):
        draw_cases(broken, RUN, **CHOICE)


def test_uniform_has_no_cases_and_must_be_there_to_compare_with(cases):
    with pytest.raises(UserError, match="cases compare a method with uniform"):
        draw_cases(cases, UNIFORM, **CHOICE)
    with pytest.raises(UserError, match=r"does not plan .*uniform/1-0.75"):
        draw_cases(cases, replace(RUN, to_scale=0.75), **CHOICE)
    with pytest.raises(UserError, match="at least 1"):
        draw_cases(cases, RUN, count=0)


def test_a_suite_s_pictures_are_of_the_scale_nearest_to_a_half(context):
    assert pictured_case(context, USUAL_SCALE) == RUN
    assert pictured_stream(context) == ADAPTIVE
    methods = context.settings.methods

    def with_scales(**scales):
        given = {m: methods[m].model_copy(update={"scales": s}) for m, s in scales.items()}
        return changed(context, methods=given)

    apart = with_scales(uniform=(0.25, 1.0), lzu_fixed=(0.25, 0.5, 0.75))
    assert pictured_case(apart, USUAL_SCALE).to_scale == 0.25
    assert pictured_stream(apart) is None
    nowhere = with_scales(uniform=(0.25,), lzu_fixed=(0.5,))
    assert pictured_case(nowhere, USUAL_SCALE) is None
    assert RUN.baseline == UNIFORM
