"""Average precision against pycocotools, on all images and with some left out."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings

from lzu.errors import UserError
from lzu.tasks.detection2d.scoring.evaluation import evaluate, precision
from lzu.tasks.detection2d.scoring.jackknife import leave_sequences_out
from lzu.tasks.detection2d.scoring.sizes import image_height, relative_ranges, size_ranges
from tests.tasks.detection2d.scoring.reference import evaluated, precision_of, scenes

RANGES = np.array([(0, 1e10), (0, 4), (4, 12), (12, 1e10), (2.5, 2.5)])


@settings(max_examples=300, deadline=None)
@given(scenes())
def test_it_is_pycocotools_average_precision(scene):
    truth, detections = scene
    before = copy.deepcopy(scene)
    ours = precision(evaluate(truth, detections, RANGES)).values
    assert scene == before
    theirs = precision_of(evaluated(truth, detections, RANGES))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("later", "found"), [([0, 0, 4, 2], 2), ([2, 0, 4, 2], 1)])
def test_of_equal_overlaps_the_last_object_is_taken(later, found):
    """The surer box overlaps both objects by 3/5 and takes the second; a later one finds the
    object that is left, or none."""
    boxes = [[0, 0, 4, 2], [2, 0, 4, 2]]
    common = {"image_id": 1, "category_id": 1}
    truth = {
        "images": [{"id": 1}],
        "categories": [{"id": 1}],
        "annotations": [
            {**common, "id": n, "bbox": box, "area": 8, "iscrowd": 0}
            for n, box in enumerate(boxes, start=1)
        ],
    }
    detections = [
        {**common, "bbox": box, "score": score}
        for box, score in (([1, 0, 4, 2], 0.9), (later, 0.8))
    ]
    ours = precision(evaluate(truth, detections, RANGES)).values
    theirs = precision_of(evaluated(truth, detections, RANGES))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert ours[0, 0, 0] == pytest.approx({2: 1, 1: 51 / 101}[found])


def without(truth, detections, gone):
    """The dataset without the images of some sequences."""
    images = [image for image in truth["images"] if image["sid"] not in gone]
    ids = {image["id"] for image in images}
    annotations = [one for one in truth["annotations"] if one["image_id"] in ids]
    left = [one for one in detections if one["image_id"] in ids]
    return {**truth, "images": images, "annotations": annotations}, left


@settings(max_examples=100, deadline=None)
@given(scenes())
def test_leaving_images_out_is_an_evaluation_of_the_rest(scene):
    truth, detections = scene
    whole = evaluate(truth, detections, RANGES)
    sids = {image["id"]: image["sid"] for image in truth["images"]}
    sequence = np.array([sids[image] for image in whole.images.tolist()])
    metrics = {"AP": (0, None), "AP50": (0, 0), "AP75": (0, 5), "AP_M": (2, None)}
    result = leave_sequences_out(whole, sequence.tolist(), metrics)
    assert result["unit"] == "sequence"
    assert result["groups"] == [[0], [1], [2]]
    for n, group in enumerate(result["groups"]):
        rest = without(truth, detections, group)
        kept = ~np.isin(sequence, group)
        alone = precision(evaluate(*rest, RANGES))
        left = precision(whole, kept)
        np.testing.assert_allclose(left.values, alone.values, rtol=0, atol=1e-9)
        theirs = precision_of(evaluated(*rest, RANGES))
        np.testing.assert_allclose(left.values, theirs, rtol=0, atol=1e-9)
        for name, (a, t) in metrics.items():
            expected = 100 * alone.mean(t)[a]
            value = np.nan if result["metrics"][name][n] is None else result["metrics"][name][n]
            assert value == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_relative_sizes_are_the_absolute_ones_at_the_papers_height():
    assert size_ranges(height=1200) == size_ranges()
    assert list(relative_ranges(1200).values()) == [(0, 32**2), (32**2, 96**2), (96**2, 1e10)]
    assert relative_ranges(600)["AP_M_rel"] == (16**2, 48**2)


@pytest.mark.parametrize("heights", [(400, 410), (400, None), ()])
def test_images_have_one_height(heights):
    with pytest.raises(UserError, match=r"images\.height: .* need one; prepare"):
        image_height({"images": [{"id": n, "height": h} for n, h in enumerate(heights)]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": []}, "predictions name image 1, .* predict again"),
        ({"categories": []}, "predictions name category 2, .* predict again"),
        ({"annotations": [{"image_id": 9, "category_id": 2}]}, "annotations name image 9, .* prep"),
    ],
)
def test_what_the_annotations_do_not_list_is_named(change, said):
    truth = {"images": [{"id": 1}], "categories": [{"id": 2}], "annotations": [], **change}
    detection = {"image_id": 1, "category_id": 2, "bbox": [0, 0, 1, 1], "score": 1}
    with pytest.raises(UserError, match=said):
        evaluate(truth, [detection], RANGES)
