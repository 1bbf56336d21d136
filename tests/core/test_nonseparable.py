"""Nonseparable warps against brute force: loops over cells, Newton's method in all tiles."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lzu import Warp
from lzu.core.bilinear import Tiles, corner_determinants, ring
from lzu.core.lattice import Region
from lzu.core.mapping import nonseparable_nodes
from lzu.core.polylines import tiles_of_map, tiles_of_points

from .oracles import random_saliency

seeds = st.integers(0, 10_000)
sides = st.integers(2, 12)
quick = settings(deadline=None, max_examples=40)


def mapped_nodes(s: np.ndarray, fwhm: float, anti_crop: bool) -> np.ndarray:
    """Eqs. 1-2 at one lattice point after another, summed over padded cells one by one."""
    h, w = s.shape
    radius = min(h, w) - 1

    def source(cell: int, n: int) -> int:
        if not anti_crop:
            return min(max(cell, 0), n - 1)
        while not 0 <= cell < n:
            cell = -cell if cell < 0 else 2 * (n - 1) - cell
        return cell

    nodes = np.zeros((h, w, 2))
    for i in range(h):
        for j in range(w):
            total = np.zeros(3)
            for m in range(i - radius, i + radius + 1):
                for n in range(j - radius, j + radius + 1):
                    kernel = math.exp(-4 * math.log(2) * ((m - i) ** 2 + (n - j) ** 2) / fwhm**2)
                    weight = s[source(m, h), source(n, w)] * kernel
                    total += weight * np.array([1, n / (w - 1), m / (h - 1)])
            nodes[i, j] = total[1:] / total[0]
    return nodes


def inverse_by_newton(grid: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """T^-1 (N, 2) of points (N, 2) and the number of tiles (N,) that they lie in.

    Every point is tried in every tile; NaN where no tile has it.
    """
    h, w = grid.shape[:2]
    found, hits = np.full(points.shape, np.nan), np.zeros(len(points), dtype=int)
    for i in range(h - 1):
        for j in range(w - 1):
            p0, p1, p2 = grid[i, j], grid[i, j + 1] - grid[i, j], grid[i + 1, j] - grid[i, j]
            p3 = grid[i + 1, j + 1] - grid[i + 1, j] - p1
            place = np.full(points.shape, 0.5)
            with np.errstate(all="ignore"):
                for _ in range(60):
                    u, v = place[:, :1], place[:, 1:]
                    error = p0 + p1 * u + p2 * v + p3 * u * v - points
                    du, dv = p1 + p3 * v, p2 + p3 * u
                    determinant = du[:, 0] * dv[:, 1] - du[:, 1] * dv[:, 0]
                    step_u = (error[:, 0] * dv[:, 1] - error[:, 1] * dv[:, 0]) / determinant
                    step_v = (du[:, 0] * error[:, 1] - du[:, 1] * error[:, 0]) / determinant
                    place = place - np.clip(np.stack((step_u, step_v), -1), -0.5, 0.5)
                solved = np.abs(error).max(-1) < 1e-12
                inside = solved & (place > -1e-9).all(-1) & (place < 1 + 1e-9).all(-1)
            hits += inside
            found[inside] = (place[inside] + [j, i]) / [w - 1, h - 1]
    return found, hits


def jittered(seed: int, h: int, w: int, amount: float) -> torch.Tensor:
    """A regular lattice with its nodes moved at random, the border along itself: (1, h, w, 2)."""
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.linspace(0, 1, n, dtype=torch.float64) for n in (w, h))
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    shift = (torch.rand(h, w, 2, generator=generator, dtype=torch.float64) * 2 - 1) * amount
    shift = shift / torch.tensor([w - 1, h - 1])
    shift[:, [0, -1], 0] = 0
    shift[[0, -1], :, 1] = 0
    return (grid + shift).unsqueeze(0)


def uniform_points(h: int, w: int) -> torch.Tensor:
    """(h * w, 2) from 0 to 1, borders included."""
    x, y = (torch.linspace(0, 1, n, dtype=torch.float64) for n in (w, h))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).flatten(0, 1)


@settings(deadline=None, max_examples=15)
@given(
    seed=seeds,
    h=st.integers(2, 6),
    w=st.integers(2, 6),
    fwhm=st.floats(1, 15),
    anti_crop=st.booleans(),
)
def test_the_nodes_are_the_sums_over_padded_cells(seed, h, w, fwhm, anti_crop):
    s = random_saliency(seed, (h, w), batch=2, dtype=torch.float64)
    got = nonseparable_nodes(s, fwhm=fwhm, anti_crop=anti_crop)
    for item in range(2):
        expected = mapped_nodes(s[item, 0].numpy(), fwhm, anti_crop)
        np.testing.assert_allclose(got[item], expected, atol=1e-12)


@quick
@given(seed=seeds, h=sides, w=sides, fwhm=st.floats(2, 20), contrast=st.floats(1, 1e3))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_with_anti_cropping_borders_stay_exactly_where_they_are(dtype, seed, h, w, fwhm, contrast):
    s = random_saliency(seed, (h, w), contrast=contrast, dtype=dtype)
    warp = Warp.from_saliency(s, fwhm=fwhm, separable=False)
    x, y = warp.nodes.dense().unbind(-1)
    assert (x[..., 0] == 0).all()
    assert (x[..., -1] == 1).all()
    assert (y[:, 0] == 0).all()
    assert (y[:, -1] == 1).all()
    for grid in (warp.zoom_grid((17, 23)), warp.unzoom_grid((17, 23))):
        assert (grid[:, :, 0, 0] == -1).all()
        assert (grid[:, :, -1, 0] == 1).all()
        assert (grid[:, 0, :, 1] == -1).all()
        assert (grid[:, -1, :, 1] == 1).all()


def test_constant_saliency_is_the_identity():
    warp = Warp.from_saliency(torch.ones(1, 1, 7, 9), separable=False)
    points = uniform_points(13, 17).float()[None]
    torch.testing.assert_close(warp.forward(points), points, atol=1e-7, rtol=0)
    torch.testing.assert_close(warp.inverse(points), points, atol=1e-7, rtol=0)
    assert (warp.magnification((5, 6)) - 1).abs().max() < 1e-5


@quick
@given(seed=seeds, h=sides, w=sides, fwhm=st.floats(2, 20))
def test_saliency_that_is_a_product_gives_the_separable_warp(seed, h, w, fwhm):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.rand(1, 1, h, 1, generator=generator).double() + 0.1
    columns = torch.rand(1, 1, 1, w, generator=generator).double() + 0.1
    product = rows * columns
    for anti_crop in (True, False):
        separable, plane = (
            Warp.from_saliency(product, fwhm=fwhm, separable=separable, anti_crop=anti_crop)
            for separable in (True, False)
        )
        torch.testing.assert_close(plane.nodes.dense(), separable.nodes.dense(), atol=1e-12, rtol=0)
        points = torch.rand(1, 50, 2, generator=generator).double() * 1.6 - 0.3
        for name in ("forward", "inverse"):
            torch.testing.assert_close(
                getattr(plane, name)(points), getattr(separable, name)(points), atol=1e-9, rtol=0
            )
        for frame in ("source", "zoomed"):
            # With 13 and 17 steps no cell but the last lies on a node, where the latter jumps.
            torch.testing.assert_close(
                plane.magnification((14, 18), frame=frame),
                separable.magnification((14, 18), frame=frame),
            )
        extent = (7.3, 9.1)
        torch.testing.assert_close(
            plane.unzoom_grid((10, 13), extent), separable.unzoom_grid((10, 13), extent)
        )


@quick
@given(seed=seeds, h=st.integers(2, 7), w=st.integers(2, 7), amount=st.floats(0, 0.45))
def test_the_inverse_of_random_lattices_is_newtons(seed, h, w, amount):
    grid = jittered(seed, h, w, amount)
    assume((corner_determinants(grid) > 1e-3 / (h * w)).all())
    warp = Warp.from_node_grid(grid)
    points = torch.cat((uniform_points(16, 18), grid.flatten(1, 2)[0]))
    expected, hits = inverse_by_newton(grid[0].numpy(), points.numpy())
    assert (hits > 0).all()
    np.testing.assert_allclose(warp.inverse(points[None])[0], expected, atol=1e-9)
    half = warp.to(dtype=torch.float32).inverse(points.float()[None])[0]
    smallest = corner_determinants(grid).min().item() * (h - 1) * (w - 1)
    np.testing.assert_allclose(half, expected, atol=2e-6 / smallest)


@quick
@given(
    seed=seeds,
    h=st.integers(2, 7),
    w=st.integers(2, 7),
    fwhm=st.floats(2, 12),
    contrast=st.floats(1, 100),
)
def test_cropping_warps_are_inverted_where_they_show_the_image(seed, h, w, fwhm, contrast):
    s = random_saliency(seed, (h, w), contrast=contrast, dtype=torch.float64)
    warp = Warp.from_saliency(s, fwhm=fwhm, separable=False, anti_crop=False)
    size = (14, 15)
    expected, hits = inverse_by_newton(warp.nodes.grid[0].numpy(), uniform_points(*size).numpy())
    inverse = (warp.unzoom_grid(size)[0].flatten(0, 1) + 1) / 2
    shown = hits > 0
    np.testing.assert_allclose(inverse[shown], expected[shown], atol=1e-9)
    mask = warp.valid_mask(size).flatten().numpy()
    edge = ((inverse.abs() < 1e-9) | ((inverse - 1).abs() < 1e-9)).any(-1).numpy()
    assert (mask == shown)[~edge].all()


@quick
@given(
    seed=seeds, h=sides, w=sides, fwhm=st.floats(3, 20), contrast=st.floats(1, 30),
    anti_crop=st.booleans(),
)  # fmt: skip
def test_inverse_of_forward_is_the_identity_in_float32(seed, h, w, fwhm, contrast, anti_crop):
    s = random_saliency(seed, (h, w), batch=2, contrast=contrast)
    warp = Warp.from_saliency(s, fwhm=fwhm, separable=False, anti_crop=anti_crop)
    # All nodes and edge centres, and points around, outside the square too.
    points = torch.cat(
        (uniform_points(2 * h - 1, 2 * w - 1), uniform_points(31, 29) * 1.4 - 0.2)
    ).float()
    points = points.expand(2, -1, -1)
    assert (warp.inverse(warp.forward(points)) - points).abs().max() < 1e-5
    assert (warp.forward(warp.inverse(points)) - points).abs().max() < 1e-5


def test_every_cell_of_a_map_is_filled_however_the_lattice_falls_on_it():
    # Lattice points on cells, between cells, tiles smaller than cells.
    for seed, size in enumerate([(31, 51), (61, 101), (2, 2), (7, 300), (60, 96)]):
        s = random_saliency(seed, (31, 51), contrast=50)
        warp = Warp.from_saliency(s, fwhm=8, separable=False)
        back = warp.forward(((warp.unzoom_grid(size) + 1) / 2).flatten(1, 2))
        expected = uniform_points(*size).float()
        assert (back[0] - expected).abs().max() < 2e-6


def test_thin_tiles_and_parallelograms_and_steep_edges():
    x = torch.tensor([0, 1e-3, 0.5, 0.999, 1]).double()
    grid = torch.stack(torch.meshgrid(x, x, indexing="xy"), dim=-1)
    shear = torch.tensor([[1.0, 0.9], [0.9, 1.0]], dtype=torch.float64)
    steep = torch.tensor([[0.03, 0.0], [0.9, 1.0]], dtype=torch.float64)
    narrow = grid.clone()
    # The middle node close to a corner of its tile: one determinant nearly vanishes.
    narrow[2, 2] = torch.tensor([0.999 - 1e-4, 0.5])
    for case in (grid, grid @ shear.T, grid @ steep.T, narrow):
        assert (corner_determinants(case[None]) > 0).all()
        warp = Warp.from_node_grid(case[None], anti_crop=False)
        # Within tiles, and on their edges.
        places = uniform_points(29, 29)
        points = warp.forward(places[None])
        np.testing.assert_allclose(warp.inverse(points)[0], places, atol=1e-9)
        expected, hits = inverse_by_newton(case.numpy(), points[0].numpy())
        assert (hits > 0).all()
        np.testing.assert_allclose(expected, places, atol=1e-6)


@quick
@given(seed=seeds, h=sides, w=sides, anti_crop=st.booleans())
def test_maps_and_points_are_located_alike(seed, h, w, anti_crop):
    s = random_saliency(seed, (h, w), batch=3, dtype=torch.float64)
    grid = nonseparable_nodes(s, fwhm=4, anti_crop=anti_crop)
    size, extent = (11, 13), (8.7, 10.2)
    y, x = (torch.arange(n).double() / side for n, side in zip(size, extent, strict=True))
    of_map = tiles_of_map(grid, size, Region(extent), x, y).flatten(1)
    cells = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).flatten(0, 1)
    of_points = tiles_of_points(grid, cells.expand(3, -1, -1))
    # A cell that lies on an edge to the last digit may go either way; both tiles map it alike.
    tiles = Tiles.of(ring(grid))
    places = [
        torch.stack(tiles.invert(index + tiles.offsets().unsqueeze(1), *cells.unbind(-1)), dim=-1)
        for index in (of_map, of_points)
    ]
    torch.testing.assert_close(*places, atol=1e-9, rtol=0)
    assert (of_map != of_points).float().mean() < 0.1


def test_padding_stays_in_its_place():
    s = random_saliency(3, (5, 6), dtype=torch.float64)
    for anti_crop in (True, False):
        warp = Warp.from_saliency(s, fwhm=3, separable=False, anti_crop=anti_crop)
        features = torch.rand(1, 2, 12, 14, dtype=torch.float64)
        unzoomed = warp.unzoom(features, extent=(8.5, 10.0))
        torch.testing.assert_close(unzoomed[..., 9:, 11:], features[..., 9:, 11:])
        assert warp.valid_mask((12, 14), (8.5, 10.0))[..., 9:, 11:].all()


def test_batch_items_are_independent():
    s = random_saliency(4, (6, 8), batch=3)
    warp = Warp.from_saliency(s, separable=False, fwhm=4)
    alone = [warp[i] for i in range(3)]
    assert torch.equal(
        warp.unzoom_grid((20, 30)), torch.cat([one.unzoom_grid((20, 30)) for one in alone])
    )
    points = torch.rand(3, 20, 2)
    assert torch.equal(
        warp.inverse(points),
        torch.cat([one.inverse(p) for one, p in zip(alone, points.split(1), strict=True)]),
    )


def test_magnification_is_that_of_small_areas():
    s = random_saliency(7, (6, 7), dtype=torch.float64)
    warp = Warp.from_saliency(s, fwhm=3, separable=False)
    places = torch.rand(1, 200, 2, dtype=torch.float64) * 0.9 + 0.05
    step = 1e-6
    ahead = [
        (warp.inverse(places + torch.tensor(d).double() * step) - warp.inverse(places)) / step
        for d in ([1.0, 0.0], [0.0, 1.0])
    ]
    by_differences = ahead[0][..., 0] * ahead[1][..., 1] - ahead[0][..., 1] * ahead[1][..., 0]
    # Bilinear interpolation of a fine map; the magnification bends at edges.
    fine = warp.magnification((900, 900)).unsqueeze(1)
    got = torch.nn.functional.grid_sample(fine, (2 * places - 1)[:, None], align_corners=True)
    error = (got.flatten() / by_differences.flatten() - 1).abs()
    assert error.median() < 1e-3
    assert error.quantile(0.95) < 0.05
    zoomed = warp.magnification((400, 400), frame="zoomed")
    # The zoom maps the square onto itself: its areas add up to one.
    assert abs((1 / zoomed[:, 1:-1, 1:-1]).mean().item() - 1) < 0.02


@pytest.mark.parametrize("anti_crop", [True, False])
def test_gradients_with_respect_to_nodes_points_and_saliency(anti_crop):
    s = random_saliency(5, (4, 5), batch=2, dtype=torch.float64).requires_grad_()
    points = (torch.rand(2, 9, 2, dtype=torch.float64) * 1.2 - 0.1).requires_grad_()
    grid = nonseparable_nodes(s.detach(), fwhm=3, anti_crop=anti_crop).requires_grad_()

    def of_saliency(name):
        def run(s, points):
            warp = Warp.from_saliency(s, fwhm=3, separable=False, anti_crop=anti_crop)
            return getattr(warp, name)(points)

        return run

    def of_nodes(grid):
        warp = Warp.from_node_grid(grid, anti_crop=anti_crop, check=False)
        return warp.inverse(points.detach()), warp.unzoom_grid((7, 6), (4.6, 4.3))

    for name in ("forward", "inverse"):
        assert torch.autograd.gradcheck(of_saliency(name), (s, points))
    if not anti_crop:
        # With it, border nodes cannot move.
        assert torch.autograd.gradcheck(of_nodes, (grid,))
    features = torch.rand(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)

    def both(features, s):
        warp = Warp.from_saliency(s, fwhm=3, separable=False, anti_crop=anti_crop)
        return warp.unzoom(warp.zoom(features, (6, 6)) ** 2, size=(4, 5), extent=(5.2, 4.7))

    assert torch.autograd.gradcheck(both, (features, s))


def test_gradients_are_finite_on_nodes_and_edges():
    grid = jittered(2, 5, 6, 0.3).requires_grad_()
    warp = Warp.from_node_grid(grid, anti_crop=False)
    on_edges = warp.detach().forward(uniform_points(9, 11)[None])
    warp.inverse(on_edges).square().sum().backward()
    assert torch.isfinite(grid.grad).all()
    # A parallelogram, whose c2 vanishes.
    grid = jittered(2, 2, 2, 0).requires_grad_()
    Warp.from_node_grid(grid, anti_crop=False).inverse(on_edges).sum().backward()
    assert torch.isfinite(grid.grad).all()


def test_folds_are_named():
    grid = jittered(0, 5, 6, 0.1)
    along = grid.clone()
    along[0, 2, 3, 0] = 0.9
    with pytest.raises(ValueError, match=r"item 0, from node \(2, 3\) to node \(2, 4\)"):
        Warp.from_node_grid(along)
    down = grid.clone()
    down[0, 2, 3, 1] = float("nan")
    with pytest.raises(ValueError, match=r"to node \(2, 3\).*, y does not increase"):
        Warp.from_node_grid(down)
    # Both coordinates still increase, but the lines cross.
    crossed = jittered(0, 3, 3, 0)
    crossed[0, 1, 1] = torch.tensor([0.9, 0.9])
    crossed[0, 1, 2, 1] = 0.2
    crossed[0, 2, 1, 0] = 0.2
    with pytest.raises(ValueError, match=r"from node \(1, 1\) to node \(2, 2\).*the tile folds"):
        Warp.from_node_grid(crossed)
    assert len(Warp.from_node_grid(crossed, check=False)) == 1
    peak = torch.full((2, 1, 40, 40), 1e-38)
    peak[1, 0, 20, 20] = 1e38
    with pytest.raises(ValueError, match=r"the warp folds: batch item 1.*widen the kernel"):
        Warp.from_saliency(peak, fwhm=4, separable=False)


def test_other_bad_node_grids():
    grid = jittered(0, 4, 5, 0.1)
    for bad in (grid[0], grid[..., :1], grid[:0], grid.unsqueeze(0)):
        with pytest.raises(ValueError, match=r"grid must be \(B, h, w, 2\)"):
            Warp.from_node_grid(bad)
    with pytest.raises(ValueError, match="lattice must be at least 2"):
        Warp.from_node_grid(grid[:, :1])
    with pytest.raises(TypeError, match="float32 or float64"):
        Warp.from_node_grid(grid.half())
    with pytest.raises(TypeError, match="got list"):
        Warp.from_node_grid(grid.tolist())
    with pytest.raises(ValueError, match="border nodes must lie on the border"):
        Warp.from_node_grid(grid * 0.9)
    with pytest.raises(ValueError, match="per_axis=True needs a separable warp"):
        Warp.from_node_grid(grid).magnification((4, 4), per_axis=True)


def test_moving_indexing_and_remembering():
    s = random_saliency(1, (5, 6), batch=2)
    warp = Warp.from_saliency(s, separable=False, fwhm=3)
    assert warp.lattice == (5, 6)
    assert len(warp) == 2
    assert torch.equal(warp[1].x, warp.x[1:])
    assert warp.to(dtype=torch.float64).dtype == torch.float64
    fixed = warp.fixed()
    assert torch.equal(fixed.unzoom_grid((9, 9)), warp.unzoom_grid((9, 9)))
    image = torch.rand(2, 3, 8, 9)
    torch.testing.assert_close(fixed.zoom(image, (7, 7)), warp.zoom(image, (7, 7)))
