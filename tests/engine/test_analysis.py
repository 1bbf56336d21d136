"""Eq. 18 and the arrays of the figures, against their definitions; and the verb that makes all."""

import numpy as np
import pytest
import torch

import lzu
from lzu.cli import main
from lzu.engine.analysis import coarsened, grid, inverse_lines, invert_axis, shrink_lattice
from lzu.engine.level_error import DIVISORS, level
from lzu.engine.pictures import Frame
from lzu.results.schema import LEVEL_CELLS, read_level_error


@pytest.fixture(scope="module")
def warp():
    """A separable warp with a strong centre, on the paper's lattice."""
    s = lzu.saliency.uniform((31, 51)).double()
    s[..., 12:17, 20:30] *= 30
    return lzu.Warp.from_saliency(s, fwhm=10)


def axis_errors(nodes, finest, n, cells, divisor):
    """Estimate minus exact inverse (n,) on one axis, in unit coordinates, with numpy's interp."""
    zoomed = np.linspace(0, 1, len(nodes))
    points = np.arange(finest) / (finest - 1)
    places = np.arange(n) / (n - 1)
    if cells == "stride":
        places = np.arange(n) * divisor / (finest - 1)
    exact = np.where(places > 1, places, np.interp(places, nodes, zoomed))
    read = places * (finest - 1)
    if cells == "half_pixel":
        read = np.clip((np.arange(n) + 0.5) * finest / n - 0.5, 0, finest - 1)
    estimate = np.interp(read, np.arange(finest), np.interp(points, nodes, zoomed))
    return np.where(places > 1, places, estimate) - exact


@pytest.mark.parametrize("cells", LEVEL_CELLS)
@pytest.mark.parametrize("divisor", DIVISORS)
def test_level_errors_are_eq_18(warp, cells, divisor):
    image, finest = (120, 193), (30, 49)
    rows, columns = (-(-n // divisor) for n in finest)
    x = axis_errors(warp.x[0].numpy(), finest[1], columns, cells, divisor)
    y = axis_errors(warp.y[0].numpy(), finest[0], rows, cells, divisor)
    found = level(warp, image, finest, cells, divisor)
    assert found["divisor"] == divisor
    assert found["size"] == [rows, columns]
    level_px = (rows - 1, columns - 1)
    if cells == "stride":
        level_px = ((finest[0] - 1) / divisor, (finest[1] - 1) / divisor)
    for unit, (down, right) in (
        ("image", (image[0] - 1, image[1] - 1)),
        ("finest", (finest[0] - 1, finest[1] - 1)),
        ("level", level_px),
    ):
        distance = np.hypot(right * x[None, :], down * y[:, None])
        assert found["mean_px"][unit] == pytest.approx(distance.mean(), rel=1e-9, abs=1e-11)
        assert found["largest_px"][unit] == pytest.approx(distance.max(), rel=1e-9, abs=1e-11)
    assert (found["mean_px"]["image"] < 1e-9) == (cells == "stride")


def test_a_coarser_lattice_goes_through_the_same_nodes(warp):
    coarse = coarsened(warp, (4, 6))
    assert coarse.lattice == (4, 6)
    torch.testing.assert_close(coarse.x, warp.x[:, ::10])
    torch.testing.assert_close(coarse.y, warp.y[:, ::10])


@pytest.fixture(scope="module")
def frame():
    image = np.random.default_rng(0).integers(0, 256, (60, 96, 3), dtype=np.uint8)
    return Frame(image, lzu.saliency.uniform)


def test_lattices_are_compared_in_pixels_of_the_zoomed_map(warp, frame):
    qualities, pictures = shrink_lattice(warp, frame)
    assert [q.lattice for q in qualities[:3]] == [(2, 2), (3, 4), (4, 6)]
    assert qualities[-1].lattice == warp.lattice
    assert qualities[-1].largest_error == 0
    assert [p.quality.lattice for p in pictures] == [(3, 4), (4, 6), (7, 11), (31, 51)]
    errors = []
    for nodes, n in ((warp.x[0].numpy(), 48), (warp.y[0].numpy(), 30)):
        places = np.linspace(0, 1, n)
        # Through two nodes an axis is the identity, so the finest warp shows p where T^-1(p) is.
        shown = np.interp(places, nodes, np.linspace(0, 1, len(nodes)))
        errors.append((shown - places) * (n - 1))
    distance = np.hypot(errors[0][None, :], errors[1][:, None])
    assert qualities[0].mean_error == pytest.approx(distance.mean(), rel=1e-6)
    assert qualities[0].largest_error == pytest.approx(distance.max(), rel=1e-6)
    assert qualities[0].peak == pytest.approx(1)
    steepest = 1 / (30 * 50 * np.diff(warp.x[0]).min() * np.diff(warp.y[0]).min())
    assert qualities[-1].peak == pytest.approx(steepest, rel=1e-6)
    assert np.array_equal(pictures[-1].zoomed, frame.zoomed(warp))


def test_the_axis_is_the_vertical_one_inverted(warp):
    axis = invert_axis(warp)
    assert axis.sources == pytest.approx(warp.y[0, ::5].numpy())
    assert axis.inverse == pytest.approx(np.interp(axis.queries, axis.sources, axis.targets))
    assert axis.queries == pytest.approx(np.arange(1, 6) / 6)


def test_lines_are_the_inverse_of_a_uniform_grid(warp):
    lines = inverse_lines(warp)
    points = torch.from_numpy(lines).reshape(1, -1, 2)
    torch.testing.assert_close(
        warp.forward(points), grid(*lines.shape[:2]).flatten(1, 2), atol=1e-12, rtol=0
    )


def test_the_verb_writes_everything(config, context):
    assert main(["analysis", "--config", str(config), "--results", str(context.results)]) == 0
    paths = context.paths
    value = read_level_error(paths.level_error)
    assert value["suite"] == context.suite.suite
    assert value["warp"] == {"lattice": [31, 51], "fwhm": 22.0, "anti_crop": True}
    assert len(value["readings"]) == 12
    for reading in value["readings"]:
        assert [found["divisor"] for found in reading["levels"]] == [2, 4, 8]
    for path in paths.analysis_figures():
        for form, signature in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
            assert path.with_suffix(f".{form}").read_bytes().startswith(signature)
