"""Accuracy by place, against a count pixel by pixel."""

import numpy as np
import pytest

from lzu.tasks.segmentation.scoring.accuracy import PixelAccuracy, pixel_accuracy


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    truths = rng.choice([0, 1, 2, 255], (5, 7, 10)).astype(np.uint8)
    truths[:, 3, 4] = 255
    predicted = rng.integers(0, 3, truths.shape, np.uint8)
    # no model predicts it, and it is right nowhere
    predicted[0, 0] = 255
    return list(zip(truths, predicted, strict=True))


def by_hand(pairs, rows, columns):
    right = counted = 0
    for truth, predicted in pairs:
        for y in rows:
            for x in columns:
                if truth[y, x] != 255:
                    counted += 1
                    right += int(truth[y, x] == predicted[y, x])
    return right, counted


def test_counts_are_those_of_a_loop_over_pixels(pairs):
    found = pixel_accuracy(pairs)
    for y in range(7):
        for x in range(10):
            assert (found.right[y, x], found.counted[y, x]) == by_hand(pairs, [y], [x])
    values = found.values()
    assert np.isnan(values[3, 4])
    assert np.isfinite(np.delete(values.ravel(), 34)).all() or (found.counted == 0).sum() > 1
    assert np.array_equal(np.isnan(values), found.counted == 0)


@pytest.mark.parametrize("most", [1, 3, 4, 10])
def test_blocks_add_their_pixels_up(pairs, most):
    found = pixel_accuracy(pairs).pooled(most)
    side = -(-10 // most)
    assert max(found.right.shape) <= most
    for i in range(found.right.shape[0]):
        for j in range(found.right.shape[1]):
            rows = range(i * side, min((i + 1) * side, 7))
            columns = range(j * side, min((j + 1) * side, 10))
            assert (found.right[i, j], found.counted[i, j]) == by_hand(pairs, rows, columns)


def test_nothing_and_maps_of_two_sizes_are_refused(pairs):
    with pytest.raises(ValueError, match="no image"):
        pixel_accuracy([])
    with pytest.raises(ValueError, match="maps of"):
        pixel_accuracy([pairs[0], (pairs[0][0], pairs[0][1][:, :5])])
    with pytest.raises(ValueError, match="maps of"):
        pixel_accuracy([pairs[0], tuple(one[:, :5] for one in pairs[0])])


def test_where_nothing_counts_there_is_no_share():
    nothing = PixelAccuracy(np.zeros((2, 2), int), np.zeros((2, 2), int))
    assert np.isnan(nothing.values()).all()
