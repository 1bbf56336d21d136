"""An image's own score and the score to show detections from, against plain loops in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu.datasets.nuscenes.classes import CLASSES
from lzu.tasks.detection3d.scoring.boxes import Boxes, Samples
from lzu.tasks.detection3d.scoring.image_scores import (
    CameraScores,
    average_precision,
    best_threshold,
    camera_scores,
    in_camera,
    in_image,
    outcome,
)
from lzu.tasks.detection3d.scoring.predictions import Found
from lzu.tasks.detection3d.scoring.rules import rules
from lzu.tasks.detection3d.scoring.truth import Truth

NAMES = ("car", "pedestrian")
CONFIG = rules(NAMES)
IMAGES = 5


def boxes(rng, n, around=None):
    label = rng.choice([CLASSES.index(name) for name in NAMES], n)
    place = np.concatenate([rng.uniform(-25, 25, (n, 2)), np.zeros((n, 1))], axis=1)
    sample = rng.integers(0, IMAGES - 1, n)  # the last image has nothing
    if around is not None and len(around):
        of = rng.integers(0, len(around), n)
        sample, label = around.sample[of], around.label[of]
        place = around.translation[of] + rng.normal(size=(n, 3)) * [1.5, 1.5, 0]
    turned = np.tile([1.0, 0, 0, 0], (n, 1))
    zeros = np.zeros(n, int)
    return Boxes(sample, label, place, np.ones((n, 3)), turned, np.zeros((n, 2)), zeros)


def world(seed=0, objects=20, detections=60):
    rng = np.random.default_rng(seed)
    true = boxes(rng, objects)
    tokens = [f"t{k}" for k in range(IMAGES)]
    samples = Samples(tokens, ["s"] * IMAGES, np.zeros((IMAGES, 3)), {})
    truth = Truth(samples, true, np.zeros(objects, int), np.ones(objects))
    own = boxes(rng, detections, true)
    return truth, Found(own, rng.permutation(detections) / detections + 0.01)


def chosen(truth, found, distance, image):
    """The detections of an image by falling score, and whether each is right; which are found."""
    reach = {CLASSES.index(name): CONFIG.class_range[name] for name in NAMES}

    def near(one, k):
        return np.hypot(*one.translation[k, :2]) < reach[one.label[k]] and one.sample[k] == image

    objects = [k for k in range(len(truth.boxes)) if near(truth.boxes, k)]
    own = [k for k in np.argsort(-found.score) if near(found.boxes, k)]
    taken, right = set(), []
    for k in own:
        gaps = {
            j: np.linalg.norm(truth.boxes.translation[j, :2] - found.boxes.translation[k, :2])
            for j in objects
            if j not in taken and truth.boxes.label[j] == found.boxes.label[k]
        }
        best = min(gaps, key=gaps.get, default=None)
        right.append(best is not None and gaps[best] < distance)
        if right[-1]:
            taken.add(best)
    return own, right, objects, taken


def area(right, objects):
    """Of the best precision at each recall or a higher one, step by step."""
    precision = [sum(right[: k + 1]) / (k + 1) for k in range(len(right))]
    steps = [max(precision[k:]) for k in range(len(right)) if right[k]]
    return sum(steps) / objects


@pytest.mark.parametrize("seed", range(5))
def test_an_image_s_score_is_the_mean_area_over_the_distances(seed):
    truth, found = world(seed)
    scores = camera_scores(truth, found, CONFIG)
    for image in range(IMAGES):
        parts = [chosen(truth, found, d, image) for d in (0.5, 1.0, 2.0, 4.0)]
        objects = len(parts[0][2])
        assert scores.objects[image] == objects
        if objects:
            expected = 100 * np.mean([area(right, objects) for _, right, _, _ in parts])
            assert scores.average[image] == pytest.approx(expected)
        else:
            assert np.isnan(scores.average[image])
    assert np.isnan(scores.average[-1])


@given(st.lists(st.booleans(), max_size=12), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_the_area_is_that_below_the_best_precision(right, more):
    objects = sum(right) + more
    if objects:
        found = average_precision(np.array(right, bool), objects)
        assert found == pytest.approx(area(right, objects))


@pytest.mark.parametrize("limit", [0.0, 0.4, 2.0])
def test_an_image_s_outcome_is_that_at_two_metres(limit):
    truth, found = world(3)
    for image in range(IMAGES):
        shown = Found(found.boxes.take(found.score >= limit), found.score[found.score >= limit])
        own, right, objects, taken = chosen(truth, shown, 2.0, image)
        result = outcome(*in_image(truth, found, image, CONFIG), limit, CONFIG)
        np.testing.assert_array_equal(result.found.translation, shown.boxes.translation[own])
        assert result.right.tolist() == right
        assert result.missed.tolist() == [k not in taken for k in objects]


def test_detections_are_those_of_their_camera():
    _, found = world()
    rows = [{"camera": "CAM_FRONT" if k % 3 else "CAM_BACK"} for k in range(len(found.score))]
    own = in_camera(found, rows, "CAM_BACK")
    np.testing.assert_array_equal(own.score, found.score[::3])
    np.testing.assert_array_equal(own.boxes.translation, found.boxes.translation[::3])


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_shown_score_has_the_best_f1(seed):
    rng = np.random.default_rng(seed)
    # few different scores, so that many are equal
    parts = [(rng.integers(1, 6, 9) / 10, rng.random(9) < 0.4) for _ in range(2)]
    scores = [CameraScores(np.zeros(1), np.array([7]), *one) for one in parts]
    score, right = (np.concatenate(columns) for columns in zip(*parts, strict=True))

    def f1(limit):
        shown = score >= limit
        return 2 * (right & shown).sum() / (shown.sum() + 14)

    found = best_threshold(scores)
    if right.any():
        assert f1(found) == pytest.approx(max(map(f1, score)))
    else:
        assert found == 0


def test_without_detections_there_is_a_score_all_the_same():
    truth, found = world()
    nothing = Found(found.boxes.take(np.zeros(60, bool)), np.zeros(0))
    scores = camera_scores(truth, nothing, CONFIG)
    assert np.nanmax(scores.average) == 0
    assert best_threshold([scores]) == 0
