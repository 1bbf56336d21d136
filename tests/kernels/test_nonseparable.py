"""`nonseparable_inverse` against `lzu.Warp`, and against T itself."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu import Warp, kernels
from lzu.core.nonseparable import NonseparableNodes
from tests.core import oracles


def random_warp(lattice, batch=1, *, anti_crop=True, device="cpu", seed=0, fwhm=4.0, contrast=20.0):
    saliency = oracles.random_saliency(seed, lattice, batch=batch, contrast=contrast)
    warp = Warp.from_saliency(saliency, fwhm=fwhm, separable=False, anti_crop=anti_crop)
    return warp.to(device)


def assert_inverts(warp, size, extent=None, tolerance=2e-6):
    nodes = warp.nodes.dense()
    inverse = kernels.nonseparable_inverse(nodes, size, extent, crops=warp.crops)
    reference = warp.unzoom_grid(size, extent)
    assert inverse.dtype == torch.float32
    assert inverse.shape == reference.shape
    torch.testing.assert_close(inverse, reference, rtol=0, atol=10 * tolerance)

    # Where nothing is kept in place, T leads back, in float64.
    ey, ex = extent or (size[0] - 1, size[1] - 1)
    to_content = torch.tensor([(size[1] - 1) / (2 * ex), (size[0] - 1) / (2 * ey)])
    places = (inverse.double() + 1) * to_content.to(inverse.device).double()
    x = torch.arange(size[1], device=inverse.device) / ex
    y = torch.arange(size[0], device=inverse.device) / ey
    cells = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).expand_as(places).double()
    back = warp.to(dtype=torch.float64).forward(places.flatten(1, 2)).view_as(places)
    content = (cells <= 1).all(-1, keepdim=True)
    off = torch.where(content, back - cells, 0).abs().max()
    assert off < tolerance


@pytest.mark.parametrize("lattice", [(2, 2), (2, 5), (7, 9), (16, 17), (31, 51)])
@pytest.mark.parametrize("anti_crop", [True, False])
def test_inverse(anti_crop, lattice, device):
    assert_inverts(random_warp(lattice, anti_crop=anti_crop, device=device), (23, 31))


@pytest.mark.parametrize("size", [(2, 2), (2, 90), (90, 2), (33, 49), (17, 25)])
def test_inverse_by_size(size, device):
    assert_inverts(random_warp((5, 7), device=device), size)


@pytest.mark.parametrize("extent", [(17.3, 29.75), (8.0, 40.0), (21.0, 15.0), (0.4, 0.6)])
@pytest.mark.parametrize("anti_crop", [True, False])
def test_inverse_with_padding(anti_crop, extent, device):
    warp = random_warp((6, 8), anti_crop=anti_crop, device=device)
    assert_inverts(warp, (22, 33), extent)


def test_inverse_of_one_row(device):
    warp = random_warp((5, 7), device=device)
    for size, extent in (((1, 30), (0.5, 29.0)), ((1, 1), (0.3, 0.3))):
        inverse = kernels.nonseparable_inverse(warp.nodes.dense(), size, extent)
        torch.testing.assert_close(inverse, warp.unzoom_grid(size, extent), rtol=0, atol=1e-6)


def test_inverse_of_a_batch(device):
    warp = random_warp((6, 8), 3, device=device)
    assert_inverts(warp, (13, 17))
    inverse = kernels.nonseparable_inverse(warp.nodes.dense(), (13, 17))
    for i in range(3):
        alone = kernels.nonseparable_inverse(warp[i].nodes.dense(), (13, 17))
        assert torch.equal(inverse[i : i + 1], alone)


def test_inverse_of_strong_zoom(device):
    saliency = torch.ones(1, 1, 31, 51)
    saliency[..., 12:19, 20:31] = 200
    warp = Warp.from_saliency(saliency, fwhm=10, separable=False).to(device)
    assert_inverts(warp, (40, 64))


def test_inverse_of_the_identity(device):
    grid = Warp.identity((7, 5)).nodes.dense().to(device)
    inverse = kernels.nonseparable_inverse(grid, (9, 11))
    expected = Warp.identity(device=device).unzoom_grid((9, 11))
    torch.testing.assert_close(inverse, expected, rtol=0, atol=5e-7)


def test_the_border_stays_exactly(device):
    inverse = kernels.nonseparable_inverse(
        random_warp((7, 9), device=device).nodes.dense(), (19, 23)
    )
    for side, value in ((inverse[:, :, 0, 0], -1), (inverse[:, :, -1, 0], 1)):
        assert (side == value).all()
    for side, value in ((inverse[:, 0, :, 1], -1), (inverse[:, -1, :, 1], 1)):
        assert (side == value).all()


@pytest.mark.parametrize("lean", [0.0, 0.3, -0.3])
def test_inverse_of_tiles_that_are_parallelograms_or_nearly(lean, device):
    grid = Warp.identity((4, 5), dtype=torch.float64).nodes.dense()
    x, y = grid.unbind(-1)
    for bend in (0.0, 1e-7, 1e-3, -1e-3):
        sheared = torch.stack((x + lean * y + bend * x * y, y + lean / 2 * x), dim=-1).float()
        warp = Warp(NonseparableNodes(sheared.to(device), crops=True))
        assert_inverts(warp, (15, 18))


@pytest.mark.parametrize("narrow", [0.1, 1e-2])
@pytest.mark.parametrize("turn", range(4))
def test_inverse_of_tiles_that_narrow(turn, narrow, device):
    x, y = Warp.identity((3, 3), dtype=torch.float64).nodes.dense().unbind(-1)
    width = narrow + (1 - narrow) * (y if turn < 2 else 1 - y)
    if turn % 2:
        y = y + (x - 0.5) * 0.3
    grid = torch.stack((0.5 + (x - 0.5) * width, y), dim=-1).float().to(device)
    size = (41, 47)
    inverse = kernels.nonseparable_inverse(grid, size, crops=True).double()
    nodes = NonseparableNodes(grid.double(), crops=True)
    exact = Warp(nodes).unzoom_grid(size)
    inside = ((exact >= -1) & (exact <= 1)).all(-1, keepdim=True)
    # Rounding of a cell's place, enlarged as much as the tile narrows there.
    off = torch.where(inside, inverse - exact, 0).abs().max()
    assert off < 1e-6 / narrow


@given(
    seed=st.integers(0, 1000),
    lattice=st.tuples(st.integers(2, 8), st.integers(2, 8)),
    size=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    contrast=st.floats(1, 1000),
    anti_crop=st.booleans(),
)
@settings(max_examples=12, deadline=None)
def check_inverse(device, seed, lattice, size, contrast, anti_crop):
    warp = random_warp(
        lattice, anti_crop=anti_crop, device=device, seed=seed, fwhm=5, contrast=contrast
    )
    assert_inverts(warp, size, tolerance=1e-5)


def test_inverse_of_any_warp(device):
    check_inverse(device)


def test_nodes_that_are_nan_read_nothing_out_of_bounds(device):
    bad = torch.full((1, 4, 5, 2), torch.nan, device=device)
    assert kernels.nonseparable_inverse(bad, (6, 7)).shape == (1, 6, 7, 2)


def test_no_items(device):
    empty = torch.zeros(0, 4, 5, 2, device=device)
    assert kernels.nonseparable_inverse(empty, (6, 7)).shape == (0, 6, 7, 2)
