"""Figures 2, 3, 5 and 10: what they show, not how they look."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.quiver import Quiver

from lzu.report.figures.axis import AxisInverse, axis_figure, write_axis
from lzu.report.figures.lattices import (
    LatticePicture,
    LatticeQuality,
    lattices_figure,
    write_lattices,
)
from lzu.report.figures.warps import (
    Variant,
    attraction_figure,
    variants_figure,
    write_attraction,
    write_variants,
)
from lzu.report.pictures.warps import grid_nodes, uniform_nodes

FORMS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
PICTURE = np.zeros((41, 61, 3), np.uint8)


@pytest.fixture
def nodes():
    """A constructed warp on a 5 x 7 lattice: x as x^2, y as y^0.5."""
    return grid_nodes(np.linspace(0, 1, 7) ** 2, np.linspace(0, 1, 5) ** 0.5)


@pytest.fixture
def attraction(nodes):
    saliency = np.random.default_rng(0).random((5, 7)) + 0.1
    upsampled = grid_nodes(np.linspace(0, 1, 12), np.linspace(0, 1, 9))
    return PICTURE, saliency, nodes, upsampled, PICTURE


@pytest.fixture
def variants(nodes):
    return [
        Variant("one", nodes, uniform_nodes((9, 13)), PICTURE),
        Variant("two", nodes, nodes, PICTURE),
    ]


@pytest.fixture
def axis():
    targets = np.linspace(0, 1, 5)
    sources, queries = targets**2, np.array([0.2, 0.4, 0.6, 0.8])
    return AxisInverse(targets, sources, queries, np.interp(queries, sources, targets))


@pytest.fixture
def lattices(nodes):
    qualities = [
        LatticeQuality((2, 2), 9.0, 20.0, 1.0),
        LatticeQuality((4, 6), 2.5, 7.0, 1.8),
        LatticeQuality((31, 51), 0.0, 0.0, 2.0),
    ]
    return qualities, [LatticePicture(quality, nodes, PICTURE) for quality in qualities[1:]]


def dots(axes):
    """The points that are drawn, (n, 2)."""
    return np.concatenate([line.get_xydata() for line in axes.lines])


def test_points_move_from_the_grid_to_the_warp(attraction, nodes):
    one, two, three, four, *_ = attraction_figure(*attraction).axes
    pixels = [60, 40]
    assert dots(one) == pytest.approx((uniform_nodes((5, 7)) * pixels).reshape(-1, 2))
    assert dots(three) == pytest.approx((nodes * pixels).reshape(-1, 2))
    assert dots(four) == pytest.approx((attraction[3] * pixels).reshape(-1, 2))
    [arrows] = [c for c in two.collections if isinstance(c, Quiver)]
    tips = np.stack([arrows.X + arrows.U, arrows.Y + arrows.V], axis=-1)
    assert tips == pytest.approx(dots(three))


def test_lines_show_the_warp_on_the_frame_and_its_inverse_on_the_zoomed(variants, nodes):
    axes = variants_figure(PICTURE, variants).axes
    assert [a.get_title(loc="left") for a in axes] == ["one", "two", "", ""]

    def ends(axes):
        [lines] = [c for c in axes.collections if isinstance(c, LineCollection)]
        return {tuple(np.round(p, 6)) for line in lines.get_segments() for p in (line[0], line[-1])}

    assert tuple(np.round(nodes[0, 3] * [60, 40], 6)) in ends(axes[0])
    assert (0.0, 10.0) in ends(axes[2])
    assert (0.0, 10.0) not in ends(axes[3])


def test_the_axis_shows_sources_and_inverse(axis):
    whole, tile = axis_figure(axis).axes
    drawn = {line.get_label(): line.get_xydata() for line in whole.lines}
    assert drawn["uniform targets"][:, 0] == pytest.approx(axis.targets)
    assert drawn["their sources, $T$"][:, 1] == pytest.approx(axis.sources)
    assert drawn["uniform queries"][:, 1] == pytest.approx(axis.queries)
    assert drawn[r"their inverse, $\tilde{T}^{-1}$"][:, 0] == pytest.approx(axis.inverse)
    # 0.4 lies nearest to the middle of its tile, from 0.25 to 0.5625.
    assert axis.example() == (2, 1)
    assert list(tile.get_yticks()) == pytest.approx([0.25, 0.4, 0.5625])
    assert list(tile.get_xticks()) == pytest.approx([0.5, axis.inverse[1], 0.75])


def test_an_example_off_the_border_is_preferred():
    targets = np.linspace(0, 1, 4)
    axis = AxisInverse(targets, targets, np.array([1 / 6, 0.4]), np.array([1 / 6, 0.4]))
    assert axis.example() == (1, 1)
    one = AxisInverse(targets, targets, np.array([1 / 6]), np.array([1 / 6]))
    assert one.example() == (0, 0)


def test_errors_and_peaks_are_the_qualities(lattices):
    figure = lattices_figure(*lattices)
    *frames, errors, peak = figure.axes
    assert [a.get_title(loc="left") for a in frames] == [
        "4×6: off by 2.5 px",
        "31×51: the reference",
    ]
    drawn = {line.get_label(): line.get_xydata().tolist() for line in errors.lines}
    assert drawn == {"largest": [[2, 20], [4, 7]], "mean": [[2, 9], [4, 2.5]]}
    assert peak.lines[-1].get_xydata().tolist() == [[2, 1], [4, 1.8], [31, 2]]
    assert [label.get_text() for label in peak.get_xticklabels()] == ["2×2", "4×6", "31×51"]


def test_files_are_written_alike_twice(tmp_path, axis):
    first, second = (write_axis(tmp_path / folder, "five", axis) for folder in "ab")
    assert set(first) == set(FORMS)
    for form, signature in FORMS.items():
        assert first[form].read_bytes().startswith(signature)
        assert first[form].read_bytes() == second[form].read_bytes()


def test_every_figure_is_written(tmp_path, attraction, variants, lattices):
    for paths in (
        write_attraction(tmp_path, "two", *attraction),
        write_variants(tmp_path, "three", PICTURE, variants),
        write_lattices(tmp_path, "ten", *lattices),
    ):
        for form, signature in FORMS.items():
            assert paths[form].read_bytes().startswith(signature)


def test_wrong_arrays_are_refused(attraction, variants, axis, lattices, nodes):
    image, saliency, _, upsampled, zoomed = attraction
    with pytest.raises(ValueError, match=r"nodes \(5, 6, 2\)"):
        attraction_figure(image, saliency, nodes[:, :-1], upsampled, zoomed)
    with pytest.raises(ValueError, match="zoomed must be"):
        attraction_figure(image, saliency, nodes, upsampled, zoomed.astype(float))
    with pytest.raises(ValueError, match="image must be"):
        variants_figure(PICTURE[..., 0], variants)
    with pytest.raises(ValueError, match="sources must increase"):
        AxisInverse(axis.targets, axis.sources[::-1], axis.queries, axis.inverse)
    with pytest.raises(ValueError, match="must be alike"):
        AxisInverse(axis.targets, axis.sources, axis.queries, axis.inverse[1:])
    with pytest.raises(ValueError, match="targets must be"):
        AxisInverse(axis.targets[:1], axis.sources[:1], axis.queries, axis.inverse)
    qualities, pictures = lattices
    with pytest.raises(ValueError, match="the finest lattice, 4×6, must have no error"):
        lattices_figure(qualities[:2], pictures[:1])
