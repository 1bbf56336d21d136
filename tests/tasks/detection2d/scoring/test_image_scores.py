"""The AP of an image, against pycocotools on images of one class in which classes lie apart."""

import numpy as np
import pytest
from hypothesis import given, settings

from lzu.tasks.detection2d.scoring.image_scores import Found, Truth, find, image_aps, outcome
from tests.tasks.detection2d.scoring.reference import CATEGORIES, evaluated, image_ap, scenes

APART = 10_000
"""Pixels between the classes, so that no box of one meets any of another."""


def coco_ap(found, truth):
    """The image's AP in percent by pycocotools: one class, each label moved to its own place."""

    def records(boxes, labels, **fields):
        moved = np.array(boxes, float)
        moved[:, 0] += APART * labels
        return [
            {
                "id": n + 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": list(box),
                "area": box[2] * box[3],
                **{key: values[n].item() for key, values in fields.items()},
            }
            for n, box in enumerate(moved.tolist())
        ]

    truths = {
        "images": [{"id": 1, "width": 100, "height": 100}],
        "categories": [{"id": 1, "name": "any"}],
        "annotations": records(truth.boxes, truth.labels, iscrowd=truth.crowd.astype(int)),
    }
    detections = records(found.boxes, found.labels, score=found.scores)
    return 100 * evaluated(truths, detections, [(0, 1e10)]).eval["precision"].mean()


def scene(seed, crowds=False):
    """True boxes of two classes, most of them found, some twice or as the wrong class."""
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 15)
    boxes = np.hstack([rng.integers(0, 60, (n, 2)), rng.integers(4, 30, (n, 2))]).astype(float)
    truth = Truth(boxes, rng.integers(0, 2, n), rng.random(n) < (0.3 if crowds else 0))
    picked = rng.integers(0, n, rng.integers(1, 40))
    moved = boxes[picked] + rng.normal(0, rng.choice([0.3, 2, 5]), (len(picked), 4)).round(1)
    moved[:, 2:] = np.maximum(moved[:, 2:], 1)
    labels = np.where(rng.random(len(picked)) < 0.85, truth.labels[picked], 0)
    # few different scores, so that there are ties
    return Found(moved, labels, rng.integers(1, 12, len(picked)) / 12), truth


@pytest.mark.parametrize("crowds", [False, True])
def test_ap_is_that_of_pycocotools(crowds):
    values = []
    for seed in range(60):
        found, truth = scene(seed, crowds)
        if truth.count:
            values.append(image_ap(found, truth))
            assert values[-1] == pytest.approx(coco_ap(found, truth), abs=1e-9), seed
    assert np.ptp(values) > 50


def test_more_than_a_hundred_detections_are_cut_as_by_pycocotools():
    found, truth = scene(3)
    rng = np.random.default_rng(0)
    many = np.hstack([rng.integers(0, 60, (150, 2)), np.full((150, 2), 20)]).astype(float)
    found = Found(
        np.vstack([many, found.boxes]),
        np.append(np.zeros(150, int), found.labels),
        np.append(rng.random(150), found.scores),
    )
    assert image_ap(found, truth) == pytest.approx(coco_ap(found, truth), abs=1e-9)


def boxes(*rows):
    return np.array(rows, float).reshape(-1, 4)


def found(*rows):
    """Detections of (left, top, width, height, label, score)."""
    rows = np.array(rows, float).reshape(-1, 6)
    return Found(rows[:, :4], rows[:, 4].astype(int), rows[:, 5])


def truth(*rows):
    """True boxes of (left, top, width, height, label)."""
    rows = np.array(rows, float).reshape(-1, 5)
    return Truth(rows[:, :4], rows[:, 4].astype(int), np.zeros(len(rows), bool))


def test_known_values():
    two = truth((0, 0, 10, 10, 0), (50, 50, 10, 10, 1))
    assert image_ap(found((0, 0, 10, 10, 0, 0.9), (50, 50, 10, 10, 1, 0.8)), two) == pytest.approx(
        100
    )
    # recall 0.5 at precision 1: 51 of 101 points
    assert image_ap(found((0, 0, 10, 10, 0, 0.9)), two) == pytest.approx(5100 / 101)
    # classes rank in one list: a mistake in the one that is surer than what the other has right
    half = found((0, 0, 10, 10, 1, 0.9), (50, 50, 10, 10, 1, 0.8))
    assert image_ap(half, two) == pytest.approx(5100 / 101 / 2)
    assert image_ap(found(), two) == 0
    assert image_ap(found((0, 0, 10, 10, 0, 0.9)), truth()) is None


def test_an_image_of_crowds_alone_has_no_score():
    crowd = Truth(boxes((0, 0, 10, 10)), np.array([0]), np.array([True]))
    assert image_ap(found((0, 0, 10, 10, 0, 0.9)), crowd) is None


def test_the_surer_detection_takes_the_box():
    pair = found((0, 0, 10, 10, 0, 0.5), (1, 0, 10, 10, 0, 0.9)).best(10)
    [matches] = find([pair], [truth((0, 0, 10, 10, 0))], np.array([0.5, 0.95]))
    assert matches.tolist() == [[0, -1], [-1, 0]]


def test_images_are_scored_together_as_alone():
    pairs = [scene(seed, crowds=True) for seed in range(30)]
    pairs[3:3] = [(found(), truth()), (found((0, 0, 1, 1, 0, 1)), truth()), (found(), pairs[0][1])]
    founds, truths = zip(*pairs, strict=True)
    alone = [image_ap(*pair) for pair in pairs]
    assert image_aps(founds, truths) == alone
    assert (alone[3], alone[4], alone[5]) == (None, None, 0)
    assert image_aps([], []) == []


def of_image(records, image, scores):
    own = [one for one in records if one["image_id"] == image]
    boxes = np.array([one["bbox"] for one in own], float).reshape(-1, 4)
    labels = np.array([one["category_id"] for one in own], int)
    last = [one["score" if scores else "iscrowd"] for one in own]
    if scores:
        return Found(boxes, labels, np.array(last, float))
    return Truth(boxes, labels, np.array(last, bool))


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_who_is_matched_is_pycocotools_matching(scene):
    """At an IoU of 0.5: every detection's state, and every true box's."""
    coco, detections = scene
    theirs = evaluated(coco, detections, [(0, 1e10)], thresholds=[0.5])
    images = sorted(image["id"] for image in coco["images"])
    for place, one in enumerate(theirs.evalImgs):
        category, image = CATEGORIES[place // len(images)], images[place % len(images)]
        given_truth = of_image(coco["annotations"], image, scores=False)
        result = outcome(of_image(detections, image, scores=True), given_truth, score=0.0)
        own, true = result.found.labels == category, given_truth.labels == category
        if one is None:
            assert not own.any()
            assert not true.any()
            continue
        matched, ignored = one["dtMatches"][0] > 0, one["dtIgnore"][0].astype(bool)
        assert result.right[own].tolist() == (matched & ~ignored).tolist()
        assert result.wrong[own].tolist() == (~matched).tolist()
        missed = [
            number
            for number, state, crowd in zip(
                one["gtIds"], one["gtMatches"][0], one["gtIgnore"], strict=True
            )
            if state == 0 and not crowd
        ]
        numbers = [r["id"] for r in coco["annotations"] if r["image_id"] == image]
        assert [numbers[n] for n in np.flatnonzero(result.missed & true)] == sorted(missed)


def test_what_is_shown_is_right_wrong_or_missed():
    result = outcome(
        found((0, 0, 10, 10, 0, 0.9), (80, 0, 5, 5, 0, 0.4), (50, 50, 10, 10, 1, 0.29)),
        truth((0, 0, 10, 10, 0), (50, 50, 10, 10, 1)),
        score=0.3,
    )
    assert result.found.scores.tolist() == [0.9, 0.4]
    assert result.right.tolist() == [True, False]
    assert result.wrong.tolist() == [False, True]
    assert result.missed.tolist() == [False, True]


def test_a_detection_in_a_crowd_is_neither_right_nor_wrong():
    crowd = Truth(boxes((0, 0, 50, 50)), np.array([0]), np.array([True]))
    result = outcome(found((0, 0, 10, 10, 0, 0.9)), crowd, score=0.3)
    assert not result.right.any()
    assert not result.wrong.any()
    assert not result.missed.any()
