"""Figure 6 from runs' files: the extreme images, the run's own points, and clear errors."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

import lzu
from lzu.engine.trained import load_trained
from lzu.errors import UserError
from lzu.results.prior import load_prior
from lzu.tasks.segmentation.build import listed
from lzu.tasks.segmentation.drawing import cases
from lzu.tasks.segmentation.drawing.cases import draw_cases
from lzu.tasks.segmentation.drawing.views import view
from tests.tasks.segmentation.drawing.conftest import (
    METHODS,
    RUN,
    SHARES,
    VAL,
    guess,
    run_of,
    truth_of,
)


def miou_by_hand(truth, predicted):
    """Percent, class by class, of the classes that the labels have."""
    counts = truth != 255
    found = []
    for k in set(truth[counts].tolist()):
        hit = ((truth == k) & (predicted == k)).sum()
        either = (((truth == k) | (predicted == k)) & counts).sum()
        found.append(hit / either)
    return 100 * sum(found) / len(found)


def test_the_picked_images_are_those_of_the_largest_differences(prepared):
    draw_cases(prepared, RUN)
    picture = prepared.paths.cases_picture(RUN)
    rows = {row["image_id"]: row for row in csv.DictReader(picture.with_suffix(".csv").open())}
    assert list(rows) == VAL
    gains = {}
    for n, name in enumerate(VAL):
        uniform = miou_by_hand(truth_of(n), guess(run_of("uniform"), n, 0.6))
        own = miou_by_hand(truth_of(n), guess(RUN, n, SHARES["lzu_fixed"][n]))
        gains[name] = own - uniform
        assert float(rows[name]["mIoU_uniform"]) == pytest.approx(uniform, abs=1e-4)
        assert float(rows[name]["mIoU_lzu_fixed"]) == pytest.approx(own, abs=1e-4)
        assert float(rows[name]["gain"]) == pytest.approx(gains[name], abs=1e-4)
        assert int(rows[name]["classes"]) == len(set(np.unique(truth_of(n))) - {255})
    # the second has the largest gain, but two classes
    assert max(gains, key=gains.get) == VAL[1]
    assert rows[VAL[1]]["takes_part"] == "0"
    order = sorted((name for name in VAL if name != VAL[1]), key=gains.get)
    picked = {row["picked"]: name for name, row in rows.items() if row["picked"]}
    assert [picked["gain 1"], picked["gain 2"]] == order[:-3:-1]
    assert [picked["loss 1"], picked["loss 2"]] == order[:2]
    for form, signature in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        assert picture.with_suffix(f".{form}").read_bytes().startswith(signature)


def test_with_fewer_classes_asked_for_the_second_image_is_picked(prepared, monkeypatch):
    monkeypatch.setattr(cases, "write_map_cases", lambda *arguments: None)
    draw_cases(prepared, RUN, count=1, least=1)
    table = prepared.paths.cases_picture(RUN).with_suffix(".csv")
    picked = {row["picked"]: row["image_id"] for row in csv.DictReader(table.open())}
    assert picked["gain 1"] == VAL[1]


def test_the_shown_grid_is_that_of_the_prior(prepared):
    image, points = view(load_trained(prepared, RUN), listed(prepared, "val")[2])
    saliency = load_prior(prepared.paths.prior(prepared.main_prior)).saliency
    warp = lzu.Warp.from_saliency(torch.from_numpy(saliency), fwhm=prepared.settings.prior.fwhm)
    torch.testing.assert_close(points, (warp.zoom_grid((32, 32))[0] + 1) / 2)
    pixels = np.random.default_rng(2).integers(0, 256, (128, 256, 3), np.uint8)
    assert np.array_equal(image, pixels[:, 64:192, ::-1])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_says_where_it_samples(prepared, method):
    _, points = view(load_trained(prepared, run_of(method)), listed(prepared, "val")[0])
    assert points.shape == (32, 32, 2)
    assert 0 <= points.min() < 0.2
    assert 0.8 < points.max() <= 1


def test_what_cannot_be_compared_is_refused(prepared):
    with pytest.raises(UserError, match="--score: class maps have no scores"):
        draw_cases(prepared, RUN, score=0.5)
    with pytest.raises(UserError, match="cases compare a method with uniform"):
        draw_cases(prepared, run_of("uniform"))
    with pytest.raises(UserError, match=r"does not plan .*uniform/1-0.75"):
        draw_cases(prepared, replace(RUN, to_scale=0.75))
    with pytest.raises(UserError, match="at least 1"):
        draw_cases(prepared, RUN, least=0)
    with pytest.raises(UserError, match="no validation image has 20 classes"):
        draw_cases(prepared, RUN, least=20)
    with pytest.raises(UserError, match=r"lzu_fixed/1-0.5/seed0/predictions\.json|uniform/1-0.5"):
        draw_cases(prepared, replace(RUN, to_scale=0.5))
