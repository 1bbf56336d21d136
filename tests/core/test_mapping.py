import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu.core.mapping import forward_axis, forward_axis_grid, separable_nodes

from . import oracles
from .oracles import random_saliency

lattices = st.tuples(st.integers(2, 12), st.integers(2, 12))
seeds = st.integers(0, 10_000)
widths = st.floats(0.3, 40)
quick = settings(deadline=None, max_examples=50)


@quick
@given(seed=seeds, lattice=lattices, fwhm=widths, anti_crop=st.booleans())
def test_nodes_are_equations_3_and_4(seed, lattice, fwhm, anti_crop):
    s = random_saliency(seed, lattice, contrast=1e3, dtype=torch.float64)
    x, y = separable_nodes(s, fwhm=fwhm, anti_crop=anti_crop)
    expected_x, expected_y = oracles.nodes(s[0, 0].numpy(), fwhm, anti_crop)
    np.testing.assert_allclose(x[0].numpy(), expected_x, atol=1e-12)
    np.testing.assert_allclose(y[0].numpy(), expected_y, atol=1e-12)


@quick
@given(seed=seeds, lattice=lattices, fwhm=widths, contrast=st.floats(1, 1e4))
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_anti_cropping_pins_the_ends_exactly(dtype, seed, lattice, fwhm, contrast):
    for nodes in separable_nodes(
        random_saliency(seed, lattice, contrast=contrast, dtype=dtype), fwhm=fwhm
    ):
        assert nodes.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert (nodes[:, 0] == 0).all()
        assert (nodes[:, -1] == 1).all()


@quick
@given(seed=seeds, lattice=lattices, fwhm=widths, anti_crop=st.booleans())
def test_nodes_strictly_increase(seed, lattice, fwhm, anti_crop):
    s = random_saliency(seed, lattice, contrast=100)
    for nodes in separable_nodes(s, fwhm=fwhm, anti_crop=anti_crop):
        assert (nodes.diff() > 0).all()


@pytest.mark.parametrize("lattice", [(2, 2), (3, 9), (31, 51), (45, 45)])
@pytest.mark.parametrize("value", [1e-6, 1.0, 1e6])
def test_constant_saliency_is_the_identity(lattice, value):
    for nodes in separable_nodes(torch.full((1, 1, *lattice), value)):
        torch.testing.assert_close(
            nodes[0], torch.linspace(0, 1, nodes.shape[1]), atol=1e-6, rtol=0
        )


@quick
@given(seed=seeds, lattice=lattices, fwhm=widths, anti_crop=st.booleans())
def test_symmetries(seed, lattice, fwhm, anti_crop):
    s = random_saliency(seed, lattice, dtype=torch.float64)
    x, y = separable_nodes(s, fwhm=fwhm, anti_crop=anti_crop)
    scaled = separable_nodes(s * 37, fwhm=fwhm, anti_crop=anti_crop)
    mirrored = separable_nodes(s.flip(3), fwhm=fwhm, anti_crop=anti_crop)
    transposed = separable_nodes(s.mT, fwhm=fwhm, anti_crop=anti_crop)
    for got, expected in zip(
        (*scaled, *mirrored, *transposed), (x, y, 1 - x.flip(1), y, y, x), strict=True
    ):
        torch.testing.assert_close(got, expected)


def test_saliency_attracts():
    s = torch.ones(1, 1, 31, 51)
    s[0, 0, 10, 30] = 200
    x, y = separable_nodes(s, fwhm=10)
    # Around the peak the nodes are denser than uniform, at the far border sparser.
    assert x[0, 31] - x[0, 29] < 0.8 * 2 / 50
    assert y[0, 11] - y[0, 9] < 0.8 * 2 / 30
    assert x[0, 15] - x[0, 13] > 2 / 50
    assert y[0, 25] - y[0, 23] > 2 / 30


def test_without_anti_cropping_the_warp_crops_what_is_not_salient():
    s = torch.ones(1, 1, 21, 21)
    s[0, 0, 8:13, 8:13] = 50
    x, y = separable_nodes(s, fwhm=8, anti_crop=False)
    assert x[0, 0] > 0.02
    assert x[0, -1] < 0.98
    assert y[0, 0] > 0.02
    assert y[0, -1] < 0.98


@pytest.mark.parametrize("anti_crop", [True, False])
def test_gradient_with_respect_to_saliency(anti_crop):
    s = random_saliency(1, (4, 6), batch=2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: separable_nodes(s, fwhm=3, anti_crop=anti_crop), s)
    assert torch.autograd.gradgradcheck(
        lambda s: separable_nodes(s, fwhm=3, anti_crop=anti_crop), s
    )


def test_autocast_and_batch_change_nothing():
    s = random_saliency(2, (31, 51), batch=4)
    together = separable_nodes(s)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for got, expected in zip(separable_nodes(s), together, strict=True):
            assert torch.equal(got, expected)
    alone = [separable_nodes(item) for item in s.split(1)]
    for axis in (0, 1):
        torch.testing.assert_close(
            together[axis], torch.cat([nodes[axis] for nodes in alone]), atol=2e-7, rtol=0
        )


@pytest.mark.parametrize("fwhm", [0, -1, float("nan"), float("inf")])
def test_a_width_that_is_not_positive(fwhm):
    with pytest.raises(ValueError, match="fwhm must be positive and finite"):
        separable_nodes(torch.ones(1, 1, 3, 3), fwhm=fwhm)


@quick
@given(seed=seeds, n=st.integers(2, 12), size=st.integers(2, 70))
def test_the_grid_is_the_forward_map_at_uniform_points(seed, n, size):
    nodes = separable_nodes(random_saliency(seed, (n, n), dtype=torch.float64), fwhm=3)[0]
    points = torch.linspace(0, 1, size, dtype=torch.float64)[None]
    grid = forward_axis_grid(nodes, size)
    torch.testing.assert_close(grid, forward_axis(nodes, points))
    expected = np.interp(points[0], np.linspace(0, 1, n), nodes[0])
    np.testing.assert_allclose(grid[0].numpy(), expected, atol=1e-13)
    assert grid[0, 0] == 0
    assert grid[0, -1] == 1


def test_forward_goes_on_with_slope_one_and_keeps_nan_to_itself():
    nodes = torch.tensor([[0.1, 0.2, 0.9]])
    points = torch.tensor([[-0.5, 0.0, 0.5, 1.0, 1.5, float("nan")]])
    got = forward_axis(nodes, points)
    torch.testing.assert_close(got[0, :5], torch.tensor([-0.4, 0.1, 0.2, 0.9, 1.4]))
    assert got[0, 5].isnan()
