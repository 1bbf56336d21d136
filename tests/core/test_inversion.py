import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import interp1d

from lzu.core.inversion import find_tiles, in_range, inverse_axis
from lzu.core.mapping import forward_axis, separable_nodes

from .oracles import random_saliency

seeds = st.integers(0, 10_000)
quick = settings(deadline=None, max_examples=50)


def axis(
    seed: int,
    n: int,
    *,
    fwhm: float = 6.0,
    anti_crop: bool = True,
    contrast: float = 20.0,
    batch: int = 1,
    dtype: torch.dtype = torch.float64,
) -> torch.Tensor:
    s = random_saliency(seed, (n, n), batch=batch, contrast=contrast, dtype=dtype)
    # A column stronger than the rest, so that the marginal is not flat.
    s[..., seed % n] *= contrast
    return separable_nodes(s, fwhm=fwhm, anti_crop=anti_crop)[0]


@quick
@given(seed=seeds, n=st.integers(2, 51), anti_crop=st.booleans(), fwhm=st.floats(2, 30))
def test_the_inverse_is_the_interpolation_of_swapped_nodes(seed, n, anti_crop, fwhm):
    nodes = axis(seed, n, anti_crop=anti_crop, fwhm=fwhm)
    low, high = nodes[0, 0].item(), nodes[0, -1].item()
    points = torch.cat((torch.linspace(low, high, 101, dtype=torch.float64), nodes[0]))
    got = inverse_axis(nodes, points[None])[0].numpy()
    np.testing.assert_allclose(got, np.interp(points, nodes[0], np.linspace(0, 1, n)), atol=1e-12)
    oracle = interp1d(nodes[0].numpy(), np.linspace(0, 1, n), fill_value="extrapolate")
    np.testing.assert_allclose(got, oracle(points.numpy()), atol=1e-12)


@quick
@given(
    seed=seeds,
    n=st.integers(2, 51),
    anti_crop=st.booleans(),
    fwhm=st.floats(4, 30),
    contrast=st.floats(1, 30),
)
def test_inverse_of_forward_is_the_identity_in_float32(seed, n, anti_crop, fwhm, contrast):
    nodes = axis(
        seed, n, anti_crop=anti_crop, fwhm=fwhm, contrast=contrast, batch=3, dtype=torch.float32
    )
    edges = torch.linspace(0, 1, n)
    beside = torch.cat((edges.nextafter(torch.tensor(2.0)), edges.nextafter(torch.tensor(-1.0))))
    points = torch.cat((edges, beside, torch.linspace(-0.2, 1.2, 777))).expand(3, -1)
    assert (inverse_axis(nodes, forward_axis(nodes, points)) - points).abs().max() < 1e-5
    assert (forward_axis(nodes, inverse_axis(nodes, points)) - points).abs().max() < 1e-5


@quick
@given(seed=seeds, n=st.integers(2, 51), contrast=st.floats(1, 1e4))
def test_in_extreme_warps_the_error_is_what_rounding_the_points_makes(seed, n, contrast):
    nodes = axis(seed, n, fwhm=3, contrast=contrast, dtype=torch.float32)
    if not (nodes.diff() > 0).all():
        return
    magnification = 1 / ((n - 1) * nodes.diff()).min().item()
    points = torch.linspace(0, 1, 999)[None]
    error = (inverse_axis(nodes, forward_axis(nodes, points)) - points).abs().max().item()
    assert error < 4 * torch.finfo(torch.float32).eps * max(1, magnification)


@quick
@given(seed=seeds, n=st.integers(2, 51))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ends_and_the_nodes_are_hit_exactly(dtype, seed, n):
    nodes = axis(seed, n, dtype=dtype)
    inverse = inverse_axis(nodes, nodes)
    expected = torch.arange(n, dtype=dtype) / (n - 1)
    assert inverse[0, 0] == 0
    assert inverse[0, -1] == 1
    assert torch.equal(inverse[0], expected)


@quick
@given(seed=seeds, n=st.integers(2, 51))
def test_the_inverse_strictly_increases(seed, n):
    points = torch.linspace(-0.3, 1.3, 500, dtype=torch.float64)[None]
    assert (inverse_axis(axis(seed, n), points).diff() > 0).all()


def test_batch_items_are_independent():
    nodes, points = axis(3, 20, batch=4), torch.rand(4, 30, dtype=torch.float64)
    alone = [inverse_axis(n, p) for n, p in zip(nodes.split(1), points.split(1), strict=True)]
    assert torch.equal(inverse_axis(nodes, points), torch.cat(alone))


@pytest.mark.parametrize("function", [forward_axis, inverse_axis])
def test_gradients_with_respect_to_nodes_and_points(function):
    nodes = axis(4, 6, batch=2, anti_crop=False).detach().requires_grad_()
    # Some points outside; none on a node, where the slope jumps.
    points = (torch.rand(2, 9, dtype=torch.float64) * 1.4 - 0.2).requires_grad_()
    assert torch.autograd.gradcheck(function, (nodes, points))
    assert torch.autograd.gradgradcheck(function, (nodes, points))


def test_the_gradient_on_a_node_is_finite():
    nodes = axis(5, 6).detach().requires_grad_()
    inverse_axis(nodes, nodes.detach()).sum().backward()
    assert torch.isfinite(nodes.grad).all()


def test_outside_of_the_range_it_goes_on_with_slope_one():
    nodes = torch.tensor([[0.25, 0.5, 0.75]])
    points = torch.tensor([[0.0, 0.25, 0.75, 1.0, float("nan")]])
    got = inverse_axis(nodes, points)
    torch.testing.assert_close(got[0, :4], torch.tensor([-0.25, 0.0, 1.0, 1.25]))
    assert got[0, 4].isnan()
    assert in_range(nodes, points).tolist() == [[False, True, True, False, False]]


def test_tiles_are_half_open_and_the_last_is_closed():
    nodes = torch.tensor([[0.0, 0.5, 1.0]])
    points = torch.tensor([[-1.0, 0.0, 0.49, 0.5, 0.99, 1.0, 2.0]])
    assert find_tiles(nodes, points).tolist() == [[0, 0, 0, 1, 1, 1, 1]]
