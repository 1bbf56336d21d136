"""The inverse of pyramid levels by downsampling: its definition, its bound, where it is exact."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu import Warp, ZoomUnzoom, saliency
from lzu.core import pyramid
from lzu.core.lattice import content_extent
from lzu.core.pyramid import downsampled_grid, unzoom_levels

from .oracles import random_saliency

quick = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 10_000)
sizes = st.tuples(st.integers(2, 14), st.integers(2, 14))


def warp_of(seed: int, lattice=(7, 9), **options) -> Warp:
    s = random_saliency(seed, lattice, batch=2, dtype=torch.float64)
    return Warp.from_saliency(s, **{"fwhm": 3, **options})


def by_definition(warp: Warp, size, extent, finest) -> np.ndarray:
    """Bilinear interpolation of T^-1 on Grid(finest) at the cells' content coordinates."""
    rows, columns = finest
    full = warp.inverse(
        torch.tensor(
            [[i / (columns - 1), j / (rows - 1)] for j in range(rows) for i in range(columns)],
            dtype=torch.float64,
        ).expand(warp.batch, -1, -1)
    ).reshape(warp.batch, rows, columns, 2)
    grid = np.empty((warp.batch, *size, 2))
    for b in range(warp.batch):
        for i in range(size[0]):
            for j in range(size[1]):
                y, x = i / extent[0], j / extent[1]
                v, u = min(y, 1) * (rows - 1), min(x, 1) * (columns - 1)
                top, left = min(int(v), rows - 2), min(int(u), columns - 2)
                value = sum(
                    (1 - abs(v - r)) * (1 - abs(u - c)) * full[b, r, c].numpy()
                    for r in (top, top + 1)
                    for c in (left, left + 1)
                )
                place = (x if x > 1 else value[0], y if y > 1 else value[1])
                for axis, (reach, n) in enumerate(zip(extent[::-1], size[::-1], strict=True)):
                    grid[b, i, j, axis] = 2 * place[axis] * reach / max(n - 1, 1) - 1
    return grid


@quick
@given(
    seed=seeds,
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    extent=st.tuples(st.floats(0.4, 11), st.floats(0.4, 11)),
    finest=sizes,
    anti_crop=st.booleans(),
)
def test_it_is_bilinear_interpolation_at_the_cells(seed, size, extent, finest, anti_crop):
    warp = warp_of(seed, anti_crop=anti_crop)
    got = downsampled_grid(warp, size, extent, finest=finest)
    np.testing.assert_allclose(got.numpy(), by_definition(warp, size, extent, finest), atol=1e-12)


@pytest.mark.parametrize("separable", [True, False])
def test_with_aligned_corners_it_is_f_interpolate(separable):
    warp = warp_of(1, separable=separable)
    full = warp.unzoom_grid((60, 96)).permute(0, 3, 1, 2)
    for d in (2, 4, 8):
        size = (60 // d, 96 // d)
        expected = F.interpolate(full, size, mode="bilinear", align_corners=True)
        got = downsampled_grid(warp, size, finest=(60, 96))
        torch.testing.assert_close(got, expected.permute(0, 2, 3, 1), atol=1e-13, rtol=0)


@quick
@given(seed=seeds, size=sizes, finest=sizes)
def test_its_error_is_bounded_by_the_change_of_slope(seed, size, finest):
    """On an axis: at most a quarter of the points' distance times the slopes' total variation."""
    warp = warp_of(seed)
    exact = (warp.unzoom_grid(size) + 1) / 2
    error = (exact - (downsampled_grid(warp, size, finest=finest) + 1) / 2).abs()
    for axis, nodes in enumerate((warp.x, warp.y)):
        n, points = size[1 - axis], finest[1 - axis]
        for b in range(warp.batch):
            own = nodes[b].numpy()
            slopes = np.diff(np.linspace(0, 1, len(own))) / np.diff(own)
            jumps = np.abs(np.diff(slopes))
            along = error[b].amax(dim=axis)[:, axis].numpy()
            for i in range(n):
                tile = min(int(i / (n - 1) * (points - 1)), points - 2)
                low, high = tile / (points - 1), (tile + 1) / (points - 1)
                varies = jumps[(own[1:-1] > low) & (own[1:-1] < high)].sum()
                assert along[i] <= varies * (high - low) / 4 + 1e-12


def test_a_coarse_grid_does_err():
    """The bound's test would pass with the exact inverse, too."""
    warp = warp_of(3)
    exact = warp.unzoom_grid((30, 48))
    assert (downsampled_grid(warp, (30, 48), finest=(12, 20)) - exact).abs().max() > 1e-3


@pytest.mark.parametrize("separable", [True, False])
def test_it_is_exact_on_the_grids_own_points(separable):
    """On cells of a whole stride, that is: they need no interpolation."""
    warp = warp_of(5, separable=separable)
    for stride in (1, 2, 8, 16):
        extent = content_extent((75, 97), stride)
        size = (-(-75 // stride) + 1, -(-97 // stride) + 1)
        got = downsampled_grid(warp, size, extent, finest=(75, 97))
        torch.testing.assert_close(got, warp.unzoom_grid(size, extent), atol=1e-12, rtol=0)


@quick
@given(size=sizes, extent=st.tuples(st.floats(0.4, 15), st.floats(0.4, 15)), finest=sizes)
def test_the_identity_is_kept(size, extent, finest):
    warp = Warp.from_saliency(saliency.uniform((5, 6)))
    features = torch.rand(1, 2, *size)
    [got] = unzoom_levels([features], warp, finest=finest, extents=[extent])
    torch.testing.assert_close(got, features, atol=1e-5, rtol=0)


def test_padding_stays_in_its_place():
    warp = warp_of(7)
    features, extent = torch.rand(2, 3, 10, 14, dtype=torch.float64), (6.5, 9.3)
    [got] = unzoom_levels([features], warp, finest=(53, 75), extents=[extent])
    torch.testing.assert_close(got[:, :, 7:, 10:], features[:, :, 7:, 10:], atol=1e-12, rtol=0)
    assert not torch.allclose(got[:, :, :7, :10], features[:, :, :7, :10], atol=1e-3)


def test_what_a_cropping_warp_hides_is_zero():
    s = torch.ones(1, 1, 9, 9, dtype=torch.float64)
    s[..., 3:6, 3:6] = 30
    warp = Warp.from_saliency(s, fwhm=4, anti_crop=False)
    features = torch.rand(1, 2, 12, 16, dtype=torch.float64) + 1
    [got] = unzoom_levels([features], warp, finest=(48, 64), extents=[None])
    shown = warp.valid_mask((12, 16)).expand_as(got)
    assert 0 < shown.double().mean() < 1
    assert torch.equal(got == 0, ~shown)


@pytest.mark.parametrize("separable", [True, False])
def test_gradients_reach_saliency_and_features(separable):
    s = random_saliency(8, (4, 5), dtype=torch.float64).requires_grad_()
    features = torch.rand(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)

    def unzoomed(s, features):
        warp = Warp.from_saliency(s, fwhm=3, separable=separable)
        return unzoom_levels([features], warp, finest=(12, 16), extents=[(3.4, 4.6)])[0]

    assert torch.autograd.gradcheck(unzoomed, (s, features))


# The exact inverse, of all levels together


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("anti_crop", [True, False])
@pytest.mark.parametrize("separable", [True, False])
def test_levels_together_are_what_they_are_alone(separable, anti_crop, fixed):
    s = random_saliency(9, (5, 7), batch=2)
    warp = Warp.from_saliency(s, fwhm=3, separable=separable, anti_crop=anti_crop)
    warp = warp.fixed() if fixed else warp
    levels = [torch.rand(2, 3, *size) for size in ((12, 20), (7, 10), (1, 3))]
    extents = [None, content_extent((48, 75), 8), (0.7, 1.9)]
    together = unzoom_levels(levels, warp, extents=extents)
    for level, extent, got in zip(levels, extents, together, strict=True):
        assert torch.equal(got, warp.unzoom(level, extent=extent))
    assert unzoom_levels([], warp, extents=[]) == []
    assert warp.unzoom_grids([]) == []


# As an option of the module


@pytest.fixture
def prior():
    s = saliency.uniform((11, 15))
    s[..., 3:6, 6:10] *= 20
    return s


def test_the_module_offers_it(prior):
    levels = [torch.rand(2, 4, 7, 11), torch.rand(2, 4, 4, 6)]
    lens = ZoomUnzoom(prior, (50, 82), fwhm=6, levels="downsampled")
    exact = ZoomUnzoom(prior, (50, 82), fwhm=6)
    expected = unzoom_levels(levels, lens.warp(), finest=(50, 82), extents=[None, None])
    for got, wanted, other in zip(
        lens.unzoom(levels, lens.warp()), expected, exact.unzoom(levels, exact.warp()), strict=True
    ):
        assert torch.equal(got, wanted)
        assert not torch.equal(got, other)
    for got, wanted in zip(
        lens.unzoom(levels, lens.warp(), strides=(8, 16)),
        exact.unzoom(levels, exact.warp(), strides=(8, 16)),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, atol=2e-5, rtol=0)


def test_a_fixed_warp_downsamples_once(prior, monkeypatch):
    lens, features = ZoomUnzoom(prior, (50, 82), levels="downsampled"), torch.rand(2, 4, 7, 11)
    first = downsampled_grid(lens.warp(), (7, 11), finest=lens.size)

    def forbidden(*args: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(pyramid, "downsample_inverse", forbidden)
    lens.unzoom(features, lens.warp())
    assert torch.equal(downsampled_grid(lens.warp(), (7, 11), finest=lens.size), first)


def test_half_precision_and_memory_format_are_kept(prior):
    lens = ZoomUnzoom(prior, (48, 80), levels="downsampled")
    features = torch.rand(2, 4, 6, 10).half().to(memory_format=torch.channels_last)
    got = lens.unzoom(features, lens.warp())
    assert got.dtype == torch.float16
    assert got.is_contiguous(memory_format=torch.channels_last)


def test_bad_arguments(prior):
    with pytest.raises(ValueError, match='levels must be "exact" or "downsampled", got \'half\''):
        ZoomUnzoom(prior, (24, 40), levels="half")
    warp = Warp.from_saliency(prior)
    with pytest.raises(ValueError, match="finest must be at least 2"):
        downsampled_grid(warp, (7, 11), finest=(1, 40))
    with pytest.raises(ValueError, match="1 feature maps, but 2 extents"):
        unzoom_levels([torch.rand(1, 2, 6, 10)], warp, finest=(24, 40), extents=[None] * 2)
    with pytest.raises(ValueError, match="extent must be given"):
        unzoom_levels([torch.rand(1, 2, 1, 1)], warp, finest=(24, 40), extents=[None])
    with pytest.raises(TypeError, match=r"features\[0\] must be floating point"):
        unzoom_levels([torch.zeros(1, 2, 6, 10).long()], warp, finest=(24, 40), extents=[None])
