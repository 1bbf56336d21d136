"""How densely places are sampled: the identity, a known stretch, the warp's own magnification."""

import numpy as np
import pytest
import torch

import lzu
from lzu.tasks.segmentation.drawing.density import sample_density
from lzu.tasks.segmentation.sampling import uniform_points


def test_uniform_sampling_has_density_one_everywhere():
    for size in ((16, 16), (24, 48)):
        assert sample_density(uniform_points(size)[0]) == pytest.approx(np.ones((33, 33)), abs=1e-5)


def test_a_crop_samples_its_part_more_densely_and_the_rest_not_at_all():
    points = uniform_points((32, 32))[0] * torch.tensor([0.5, 1.0])
    found = sample_density(points, (5, 9))
    assert found[:, 1:4] == pytest.approx(np.full((5, 3), 2.0), rel=1e-3)
    assert found[:, 5:] == pytest.approx(np.zeros((5, 4)))


def test_the_density_is_the_warp_s_mean_magnification_around_a_node():
    saliency = lzu.saliency.uniform((21, 21)).double()
    saliency[..., 8:12, 3:9] *= 20
    warp = lzu.Warp.from_saliency(saliency, fwhm=8)
    points = (warp.zoom_grid((64, 64))[0] + 1) / 2
    # constant within a tile, so seen finely, and weighted by how near to the node
    fine = warp.magnification((16 * 32 + 1,) * 2)[0].numpy()
    node, place = np.arange(33)[:, None] * 16, np.arange(16 * 32 + 1)
    weight = np.clip(1 - np.abs(place - node) / 16, 0, None)
    weight /= weight.sum(1, keepdims=True)
    expected = weight @ fine @ weight.T
    assert expected.max() > 1.8
    assert sample_density(points) == pytest.approx(expected, rel=0.05)


def test_x_is_first():
    points = uniform_points((20, 20))[0]
    points[..., 0] = points[..., 0] ** 2
    found = sample_density(points)
    assert (found[:, 2] > 1.5 * found[:, 30]).all()
    assert np.ptp(found, axis=0).max() < 1e-4
