"""Boundaries, their F-score and distances from them against loops over pixels in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lzu.datasets.cityscapes.classes import IGNORE
from lzu.saliency import semantic_boundaries
from lzu.tasks.segmentation.scoring.boundary import (
    LOWER_EDGES,
    boundaries,
    boundary_f,
    confusions_by_distance,
    distance_bins,
)
from lzu.tasks.segmentation.scoring.confusion import confusion

VALUES = st.sampled_from([0, 0, 0, 5, 18, IGNORE])
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def nearest(those, mask):
    """Distance of each of `those` pixels, in their order, to the nearest of a mask; infinite
    without any."""
    if not mask.any():
        return np.full(those.sum(), np.inf)
    y, x = np.moveaxis(np.argwhere(those)[:, None] - np.argwhere(mask).astype(float), -1, 0)
    return np.hypot(y, x).min(1)


def brute_boundaries(labels):
    found = np.zeros(labels.shape, bool)
    for y, x in np.ndindex(labels.shape):
        around = labels[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].ravel()
        others = set(around.tolist()) - {int(labels[y, x]), IGNORE}
        found[y, x] = labels[y, x] != IGNORE and len(others) > 0
    return found


def brute_f(truth, predicted):
    predicted = np.where(truth == IGNORE, IGNORE, predicted)
    tolerance = max(1.0, 0.0075 * math.hypot(*truth.shape))
    of_truth, of_prediction = brute_boundaries(truth), brute_boundaries(predicted)
    of_classes = []
    for k in range(19):
        true, own = of_truth & (truth == k), of_prediction & (predicted == k)
        if true.any():
            precision = (nearest(own, true) <= tolerance).mean() if own.any() else 0
            recall = (nearest(true, own) <= tolerance).mean()
            both = precision + recall
            of_classes.append(2 * precision * recall / both if both else 0)
    return np.mean(of_classes) if of_classes else np.nan


def brute_bins(truth):
    side = min(truth.shape)
    everywhere = np.ones(truth.shape, bool)
    distance = nearest(everywhere, brute_boundaries(truth)).reshape(truth.shape)
    return np.sum([distance >= edge * side for edge in LOWER_EDGES[1:]], axis=0)


@settings(max_examples=150, deadline=None)
@given(arrays(np.uint8, SHAPES, elements=VALUES))
def test_boundaries_are_those_of_the_saliency(labels):
    found = boundaries(labels)
    np.testing.assert_array_equal(found, brute_boundaries(labels))
    theirs = semantic_boundaries(torch.from_numpy(labels), ignore=IGNORE)
    np.testing.assert_array_equal(found, theirs.numpy())


@settings(max_examples=100, deadline=None)
@given(SHAPES.flatmap(lambda shape: st.tuples(*[arrays(np.uint8, shape, elements=VALUES)] * 2)))
def test_the_f_score_is_that_of_a_loop(maps):
    truth, predicted = maps
    predicted[predicted == IGNORE] = 7
    np.testing.assert_allclose(
        boundary_f(truth, predicted), brute_f(truth, predicted), rtol=0, atol=1e-12
    )


def blocks(rng, shape, block, values):
    """A map of blocks; shapes are no multiples of them."""
    height, width = shape
    coarse = rng.choice(values, (-(-height // block), -(-width // block))).astype(np.uint8)
    return coarse.repeat(block, 0).repeat(block, 1)[:height, :width]


@pytest.mark.parametrize("shape", [(60, 300), (3, 500)])
def test_the_f_score_is_that_of_a_loop_where_the_tolerance_is_wide(shape):
    """2.29 and 3.75 px; in the second the map ends sooner than the tolerance."""
    rng = np.random.default_rng(0)
    truth = blocks(rng, shape, 40, [0, 4, 4, IGNORE])
    scores = []
    for shift in (1, 2, 3, 4):
        moved = np.roll(np.where(truth == IGNORE, 3, truth), shift, 1)
        predicted = np.where(rng.random(shape) < 0.003, 5, moved).astype(np.uint8)
        scores.append(boundary_f(truth, predicted))
        assert scores[-1] == pytest.approx(brute_f(truth, predicted), abs=1e-12)
    assert len(set(scores)) > 2
    assert 0.1 < max(scores) < 1


def halves(at, side=1024):
    labels = np.zeros((side, side), np.uint8)
    labels[:, at:] = 5
    return labels


def test_a_shift_counts_from_the_tolerance_on():
    """At 1024 x 1024 it is 10.86 px."""
    assert boundary_f(halves(500), halves(500)) == 1
    assert boundary_f(halves(500), halves(510)) == 1
    assert boundary_f(halves(500), halves(511)) == 0


def test_a_boundary_that_is_not_there_costs_precision():
    """A spot of a class that is nowhere in the truth: its outline is the surrounding class's too.

    The road's true boundary is 64 px; the spot of 4 x 4 adds 20 px around itself.
    """
    truth, predicted = halves(32, 64), halves(32, 64)
    predicted[30:34, 10:14] = 18
    precision = 64 / 84
    assert boundary_f(truth, predicted) == pytest.approx((2 * precision / (1 + precision) + 1) / 2)


def test_ignored_pixels_hide_what_is_predicted_there():
    truth, predicted = halves(32, 64), halves(32, 64)
    truth[20:44, 4:24] = IGNORE
    predicted[21:43, 5:23] = 18
    assert boundary_f(truth, predicted) == 1
    assert not boundaries(truth)[20:44, 4:24].any()


def test_without_any_boundary_nothing_is_defined_and_all_is_far():
    for truth in (np.full((8, 8), 3, np.uint8), np.full((8, 8), IGNORE, np.uint8)):
        assert math.isnan(boundary_f(truth, halves(4, 8)))
        assert (distance_bins(truth) == len(LOWER_EDGES) - 1).all()
    assert boundary_f(halves(4, 8), np.full((8, 8), 3, np.uint8)) == 0


@settings(max_examples=100, deadline=None)
@given(arrays(np.uint8, SHAPES, elements=VALUES))
def test_bins_of_distance_are_those_of_a_loop(truth):
    np.testing.assert_array_equal(distance_bins(truth), brute_bins(truth))


@pytest.mark.parametrize("shape", [(256, 128), (96, 200), (100, 100)])
def test_bins_of_distance_are_those_of_a_loop_in_larger_maps(shape):
    """Edges of whole pixels, which distances meet, and of parts of one."""
    truth = blocks(np.random.default_rng(1), shape, 60, [0, 4, 9, IGNORE])
    expected = brute_bins(truth)
    assert len(np.unique(expected)) >= 5
    np.testing.assert_array_equal(distance_bins(truth), expected)


def test_bins_are_alike_in_maps_of_other_sizes():
    """Columns from the boundary between 511 and 512 on; on a side of 256, between 127 and 128."""
    large, small = distance_bins(halves(512))[0], distance_bins(halves(128, 256))[0]
    np.testing.assert_array_equal(np.unique(large), np.arange(7))
    first = [int(np.argmax(large[512:] == n)) for n in range(7)]
    assert first == [0, 4, 8, 16, 32, 64, 128]
    assert [int(np.argmax(small[128:] == n)) for n in range(7)] == [0, 1, 2, 4, 8, 16, 32]


def test_every_pixel_that_counts_is_in_one_bin():
    rng = np.random.default_rng(2)
    truth = blocks(rng, (90, 120), 40, [0, 4, 9, IGNORE])
    predicted = rng.integers(0, 19, truth.shape, np.uint8)
    found = confusions_by_distance(truth, predicted)
    assert found.shape == (7, 19, 19)
    np.testing.assert_array_equal(found.sum(0), confusion(truth, predicted))
    bins = brute_bins(truth)
    for n in range(7):
        alone = np.where(bins == n, truth, IGNORE).astype(np.uint8)
        np.testing.assert_array_equal(found[n], confusion(alone, predicted))
