"""Figure 7 and the pictures of warps: what they show, not how they look."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from lzu.experiments.methods import METHODS
from lzu.report.figures.tradeoff import (
    measured_points,
    published_points,
    tradeoff_figure,
    write_tradeoff,
)
from lzu.report.pictures.warps import (
    grid_nodes,
    prior_figure,
    uniform_nodes,
    write_prior_picture,
    write_zoom_picture,
    zoom_figure,
)

SIGNATURES = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.fixture
def report(suite_files, planned, constructed):
    return constructed.compare(constructed.collect(*suite_files), planned)


def test_points_are_the_tables_numbers(report):
    theirs = published_points(report)
    assert len(theirs) == 14
    assert (theirs[0].cost, theirs[0].accuracy) == (23.3, 10.5)
    ours = measured_points(report)
    assert {(p.method, p.scale) for p in ours} == {
        (method, scale) for method in ("uniform", "lzu_fixed") for scale in (0.25, 0.5, 0.75)
    }
    for point in ours:
        low, high = point.accuracy_span
        assert low < point.accuracy < high
        assert point.cost_span[0] <= point.cost <= point.cost_span[1]


def test_panels_show_every_point_and_the_front(report):
    left, right = tradeoff_figure(report).axes
    drawn = {
        (float(x), float(y))
        for line in right.lines
        if line.get_marker() not in ("None", None, "", "|", "_")
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    assert {(p.cost, p.accuracy) for p in measured_points(report)} <= drawn
    steps = [line for line in left.lines if line.get_drawstyle() == "steps-post"]
    assert len(steps) == 1
    # The paper's own claim about this plot: fixed LZU is Pareto optimal at every scale.
    front = set(zip(steps[0].get_xdata(), steps[0].get_ydata(), strict=True))
    fixed = {(p.cost, p.accuracy) for p in published_points(report) if p.method == "lzu_fixed"}
    assert fixed <= front
    texts = {text.get_text() for text in right.texts}
    assert texts == {"0.25x", "0.5x", "0.75x"}


def test_end_to_end_latency_has_its_own_axis(report):
    right = tradeoff_figure(report, "end_to_end_ms").axes[1]
    assert "end-to-end" in right.get_xlabel()
    with pytest.raises(ValueError, match="latency must be"):
        tradeoff_figure(report, "AP")


def test_figures_are_written_alike_twice(report, tmp_path):
    first, second = write_tradeoff(report, tmp_path / "a"), write_tradeoff(report, tmp_path / "b")
    assert set(first) == {*SIGNATURES, *(f"end_to_end_{form}" for form in SIGNATURES)}
    for form, path in first.items():
        content = path.read_bytes()
        assert content.startswith(SIGNATURES[path.suffix[1:]])
        assert content == second[form].read_bytes()


def test_nothing_measured_is_said_in_the_figure(planned, constructed):
    empty = constructed.compare(constructed.collect([], []), planned)
    right = tradeoff_figure(empty).axes[1]
    assert [text.get_text() for text in right.texts] == ["nothing measured yet"]


@pytest.fixture
def warp():
    """A constructed separable warp on a 31 x 51 lattice: x as x^2, y as y^0.5."""
    return np.linspace(0, 1, 51) ** 2, np.linspace(0, 1, 31) ** 0.5


def collected_lines(axes):
    return next(c for c in axes.collections if isinstance(c, LineCollection)).get_segments()


def test_nodes_from_vectors_and_from_maps(warp):
    x, y = warp
    nodes = grid_nodes(x, y)
    assert nodes.shape == (31, 51, 2)
    assert np.array_equal(nodes[3, 7], [x[7], y[3]])
    assert np.array_equal(grid_nodes(nodes[..., 0], nodes[..., 1]), nodes)
    for bad in ((x, nodes[..., 1]), (x[:1], y), (nodes[..., 0], nodes[:-1, :, 1])):
        with pytest.raises(ValueError, match="nodes must be"):
            grid_nodes(*bad)


def test_grid_is_drawn_through_the_warps_values(warp):
    x, y = warp
    saliency, magnification = np.ones((31, 51)), np.full((20, 30), 2.0)
    figure = prior_figure(saliency, x, y, magnification, (1200, 1920))
    lines = collected_lines(figure.axes[1])
    upright = [line for line in lines if np.ptp(line[:, 0]) < 1e-9]
    level = [line for line in lines if np.ptp(line[:, 1]) < 1e-9]
    assert len(upright) + len(level) == len(lines)
    places = np.array([line[0, 0] for line in upright]) / 1919
    position = np.linspace(0, 1, len(upright))
    assert places == pytest.approx(np.interp(position, np.linspace(0, 1, 51), x))
    assert (level[0][0, 1], level[-1][0, 1]) == (0, 1199)


def test_magnification_is_shown_around_one(warp):
    magnification = np.array([[0.5, 1.0], [4.0, 0.0]])
    figure = prior_figure(np.ones((31, 51)), *warp, magnification, (120, 192))
    image = figure.axes[2].images[0]
    assert (image.norm.vmin, image.norm.vmax) == pytest.approx((0.25, 4.0))
    assert image.norm(1.0) == pytest.approx(0.5)
    assert image.get_array().mask.tolist() == [[False, False], [False, True]]


def test_zoomed_panel_has_a_regular_grid(warp):
    picture = np.zeros((60, 90, 3), np.uint8)
    figure = zoom_figure(picture, picture[::2, ::2], picture, *warp)
    first, zoomed, last = (collected_lines(axes) for axes in figure.axes)
    assert np.array_equal(np.concatenate(first), np.concatenate(last))
    steps = np.diff(sorted({round(float(line[0, 0]), 6) for line in zoomed if line[0, 1] == 0}))
    assert steps == pytest.approx(np.full(len(steps), steps[0]), abs=1e-5)
    assert np.array_equal(uniform_nodes((2, 3))[1], [[0, 1], [0.5, 1], [1, 1]])


@pytest.mark.parametrize("suffix", SIGNATURES)
def test_pictures_are_written(warp, tmp_path, suffix):
    saliency, magnification = np.random.default_rng(0).random((31, 51)) + 0.1, np.full((9, 9), 1.5)
    path = tmp_path / f"prior.{suffix}"
    assert write_prior_picture(path, saliency, *warp, magnification, (60, 90), "title") == path
    assert path.read_bytes().startswith(SIGNATURES[suffix])
    picture = np.zeros((60, 90, 3), np.uint8)
    path = tmp_path / f"zoom.{suffix}"
    assert write_zoom_picture(path, picture, picture, picture, *warp) == path
    assert path.read_bytes().startswith(SIGNATURES[suffix])


def test_wrong_arrays_are_refused(warp, tmp_path):
    good, magnification = np.ones((31, 51)), np.ones((9, 9))
    with pytest.raises(ValueError, match="saliency must be"):
        prior_figure(good[None], *warp, magnification, (60, 90))
    with pytest.raises(ValueError, match="magnification must be"):
        prior_figure(good, *warp, magnification[0], (60, 90))
    with pytest.raises(ValueError, match="zero everywhere"):
        prior_figure(good, *warp, magnification * 0, (60, 90))
    picture = np.zeros((60, 90, 3), np.uint8)
    with pytest.raises(ValueError, match="zoomed must be"):
        zoom_figure(picture, picture.astype(float), picture, *warp)
    with pytest.raises(ValueError, match=r"\.png, \.pdf or \.svg"):
        write_zoom_picture(tmp_path / "zoom.jpg", picture, picture, picture, *warp)


def test_global_settings_are_left_alone(report):
    import matplotlib

    before = dict(matplotlib.rcParams)
    assert isinstance(tradeoff_figure(report), Figure)
    assert dict(matplotlib.rcParams) == before


def test_every_method_has_its_own_look():
    assert len({method.colour for method in METHODS.values()}) == len(METHODS)
    assert len({method.marker for method in METHODS.values()}) == len(METHODS)
