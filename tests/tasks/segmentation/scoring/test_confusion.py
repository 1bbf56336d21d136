"""Intersection over union against cityscapesscripts and against a loop over pixels."""

import cv2
import numpy as np
import pytest
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as evaluation  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lzu.datasets.cityscapes.classes import CLASS_IDS, CLASSES, IDS, IGNORE, TO_TRAIN_ID
from lzu.tasks.segmentation.scoring.confusion import confusion, confusions_by, iou, mean_iou
from tests.datasets.cityscapes.official import silent_arguments

SIZE = (24, 40)
ALL_IDS = np.array(sorted(i for i in IDS.values() if i >= 0), np.uint8)
"""Without the license plates' -1, which its evaluation refuses."""


def labels(rng, classes):
    """(H, W) ids in blocks of four pixels."""
    return rng.choice(classes, (6, 10)).astype(np.uint8).repeat(4, 0).repeat(4, 1)


def mixed(rng, truth, classes):
    """(H, W) predicted trainIds, two thirds of them right."""
    random = rng.choice(classes, SIZE).astype(np.uint8)
    right = (rng.random(SIZE) < 0.66) & (truth != IGNORE)
    return np.where(right, truth, random)


@pytest.fixture
def official(monkeypatch, tmp_path):
    """Scores by cityscapesscripts of pairs of ids (truth) and trainIds (predicted)."""

    def score(pairs):
        arguments = silent_arguments(monkeypatch, tmp_path)
        names = ([], [])
        for n, (ids, predicted) in enumerate(pairs):
            images = (ids, np.array(CLASS_IDS, np.uint8)[predicted])
            for files, image, ending in zip(
                names, images, ("gtFine_labelIds", "pred"), strict=True
            ):
                files.append(str(tmp_path / f"ulm_{n:06}_000019_{ending}.png"))
                cv2.imwrite(files[-1], image)
        found = evaluation.evaluateImgLists(names[1], names[0], arguments)
        values = [found["classScores"][name] for name in CLASSES]
        return np.array(values), found["averageScoreClasses"]

    return score


def pooled(pairs):
    return sum(confusion(TO_TRAIN_ID[ids], predicted) for ids, predicted in pairs)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_cityscapesscripts_evaluation_to_the_last_bit(official, seed):
    """All classes and all kinds of ignored pixels occur, over several images."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(6):
        ids = labels(rng, ALL_IDS)
        pairs.append((ids, mixed(rng, TO_TRAIN_ID[ids], np.arange(19))))
    theirs, mean = official(pairs)
    found = pooled(pairs)
    assert (found.sum(1) > 0).all()
    assert len(set(theirs)) > 15
    assert theirs.min() > 0.1
    np.testing.assert_array_equal(iou(found), theirs)
    assert mean_iou(found) == mean


def test_a_class_that_never_occurs_is_undefined_and_in_no_mean(official):
    """Neither in the truth nor predicted: cityscapesscripts and we agree."""
    rng = np.random.default_rng(1)
    ids = labels(rng, np.array(CLASS_IDS)[:12])
    pairs = [(ids, mixed(rng, TO_TRAIN_ID[ids], np.arange(12)))]
    theirs, mean = official(pairs)
    found = pooled(pairs)
    assert np.isnan(theirs[12:]).all()
    np.testing.assert_array_equal(iou(found), theirs)
    assert mean_iou(found) == mean == pytest.approx(np.nanmean(theirs))


def test_a_class_that_is_predicted_but_never_true_is_where_we_differ(official):
    """Bicycles, class 18, are predicted in a tenth of the road, class 0."""
    ids = np.full(SIZE, IDS["road"], np.uint8)
    ids[:12] = IDS["sky"]
    predicted = TO_TRAIN_ID[ids]
    predicted[12:, :4] = 18
    theirs, mean = official([(ids, predicted)])
    found = confusion(TO_TRAIN_ID[ids], predicted)
    assert (theirs[0], theirs[10], theirs[18]) == (0.9, 1, 0)
    assert mean == pytest.approx(1.9 / 3)
    assert np.isnan(iou(found)[18])
    np.testing.assert_array_equal(iou(found)[:18], theirs[:18])
    assert mean_iou(found) == pytest.approx(1.9 / 2)


train_ids = arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 2, 11, 18, IGNORE]))


@settings(max_examples=60, deadline=None)
@given(train_ids, train_ids, arrays(np.uint8, (5, 7), elements=st.integers(0, 2)))
def test_every_pixel_is_counted_once(truth, predicted, part):
    expected = np.zeros((3, 19, 19), np.int64)
    for place in np.ndindex(5, 7):
        if IGNORE not in (truth[place], predicted[place]):
            expected[part[place], truth[place], predicted[place]] += 1
    np.testing.assert_array_equal(confusions_by(truth, predicted, part, 3), expected)
    found = confusion(truth, predicted)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected.sum(0))
    for k in range(19):
        true, own = truth == k, predicted == k
        counted = (truth != IGNORE) & (predicted != IGNORE)
        union = ((true | own) & counted).sum()
        occurs = (true & counted).any()
        np.testing.assert_equal(iou(found)[k], (true & own).sum() / union if occurs else np.nan)


def test_nothing_that_counts_is_undefined():
    nothing = confusion(np.full((4, 4), IGNORE, np.uint8), np.zeros((4, 4), np.uint8))
    assert nothing.sum() == 0
    assert np.isnan(iou(nothing)).all()
    assert np.isnan(mean_iou(nothing))


def test_many_confusions_are_scored_at_once():
    tables = np.random.default_rng(3).integers(0, 9, (2, 3, 19, 19))
    assert iou(tables).shape == (2, 3, 19)
    assert mean_iou(tables)[1, 2] == mean_iou(tables[1, 2])


def test_rows_of_a_larger_map_are_counted_alike():
    """A crop is a view, whose rows do not follow each other in memory."""
    rng = np.random.default_rng(4)
    truth, predicted = rng.integers(0, 19, (2, 8, 16), np.uint8)
    crop = np.s_[2:6, 4:12]
    found = confusion(truth[crop], predicted[crop])
    np.testing.assert_array_equal(found, confusion(truth[crop].copy(), predicted[crop].copy()))


@pytest.mark.parametrize(
    ("truth", "predicted", "said"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8), "but the prediction"),
        (np.zeros((4, 4), np.uint8), np.full((4, 4), 19, np.uint8), "prediction has values"),
        (np.full((4, 4), 254, np.uint8), np.zeros((4, 4), np.uint8), "truth has values"),
        (np.zeros((4, 4), np.int64), np.zeros((4, 4), np.uint8), "truth must be uint8"),
        (np.zeros((0, 4), np.uint8), np.zeros((0, 4), np.uint8), "truth must be uint8 pixels"),
    ],
)
def test_what_is_no_map_of_train_ids_is_an_error(truth, predicted, said):
    with pytest.raises(ValueError, match=said):
        confusion(truth, predicted)
