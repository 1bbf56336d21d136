"""Pictures of 3-D boxes: what is drawn in the image and from above, and the data's distances."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection

from lzu.errors import UserError
from lzu.report.pictures.far_boxes import far_boxes_figure, write_far_boxes
from lzu.report.pictures.warps import uniform_nodes
from lzu.report.pictures.wire_boxes import Ground, WireBoxes
from lzu.report.pictures.wire_cases import (
    WireCase,
    WireOutcome,
    wire_cases_figure,
    write_wire_cases,
)


def wires(n, seed=0):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 30, (n, 1, 2))
    square = np.array([[0, 2], [1, 2], [1, 0], [0, 0]])
    return WireBoxes(
        edges=rng.uniform(0, 60, (n, 12, 2, 2)),
        front=corner + square,
        footprint=corner - [15, 0] + square,
    )


@pytest.fixture
def case():
    truth = wires(3)
    truth.edges[0, :4] = np.nan
    truth.front[0] = np.nan
    found = wires(4, 1)
    right, missed = np.array([True, False, True, True]), np.array([False, False, True])
    return WireCase(
        title="success",
        native=(36, 64),
        image=np.full((36, 64, 3), 100, np.uint8),
        zoomed=np.full((18, 32, 3), 100, np.uint8),
        inverse=uniform_nodes((9, 17)),
        ground=Ground((-0.5, 0.6), 40.0, 16.0),
        truth=truth,
        uniform=WireOutcome(found, right, missed, 0.125),
        method=WireOutcome(wires(0), np.zeros(0, bool), np.ones(3, bool), 0.2),
    )


def lines(axes):
    """How many lines are in the collections of a panel, two of each edge for its halo."""
    return [len(one.get_segments()) for one in axes.collections if type(one) is LineCollection]


def test_a_case_is_four_images_and_two_views_from_above(case):
    figure = wire_cases_figure([case, case], "LZU", 2.0)
    assert len(figure.axes) == 12
    truth, zoomed, uniform, above, own, above_own = figure.axes[:6]
    titles = [axes.get_title(loc="left") for axes in figure.axes[:6]]
    assert titles == [
        "Image, ground truth",
        "Zoomed, with the warp grid",
        "Uniform, from score 0.12 on",
        "Uniform, from above",
        "LZU, from score 0.2 on",
        "LZU, from above",
    ]
    assert truth.get_ylabel() == "success"
    # edges behind the camera are not drawn: 4 of 36
    assert lines(truth) == [32, 32]
    assert len(zoomed.collections) == 1
    # missed, false, found
    assert lines(uniform) == [12, 12, 12, 12, 36, 36]
    assert lines(own) == [32, 32, 0, 0, 0, 0]
    # headings: of the truth, of what is false and of what is right
    assert lines(above) == [3, 1, 3]
    assert lines(above_own) == [3, 0, 0]
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "right: centre within 2 m, on the ground" in said


def test_the_front_is_shaded_where_it_is_seen(case):
    truth = wire_cases_figure([case], "LZU", 2.0).axes[0]
    [faces] = [one for one in truth.collections if type(one) is PolyCollection]
    assert len(faces.get_paths()) == 2


def test_from_above_the_view_is_true_to_scale_and_has_the_camera_in_it(case):
    above = wire_cases_figure([case], "LZU", 2.0).axes[3]
    assert above.get_aspect() == 1
    assert above.get_xlim() == (-19, 19)
    assert above.get_ylim() == (-3, 43)
    rings = [text.get_text() for text in above.texts]
    assert rings == ["10 m", "20 m", "30 m", "40 m"]
    field = above.patches[0].get_xy()
    assert field[1][0] / field[1][1] == pytest.approx(-0.5)
    assert field[2][0] / field[2][1] == pytest.approx(0.6)


def test_it_is_written_in_every_form(case, tmp_path):
    paths = write_wire_cases(tmp_path, "cases", [case], "LZU", 2.0)
    assert sorted(paths) == ["pdf", "png", "svg"]
    first = paths["png"].read_bytes()
    write_wire_cases(tmp_path, "cases", [case], "LZU", 2.0)
    assert paths["png"].read_bytes() == first


def test_the_data_s_picture_tells_shares(tmp_path):
    distance = np.array([5.0, 15, 25, 45, 80])
    height = np.array([0.5, 0.2, 0.1, 0.04, 0.02])
    label = np.array([0, 0, 2, 2, 2])
    figure = far_boxes_figure(distance, height, label, ("car", "truck", "bus"), "five boxes")
    distances, heights, classes = figure.axes[:3]
    assert distances.get_title(loc="left") == "40% farther than 30 m"
    assert heights.get_title(loc="left") == "40% lower than 5% of the image"
    # the most frequent class is the first; one without boxes is not there
    assert [text.get_text() for text in classes.get_yticklabels()] == ["bus", "car"]
    widths = [bar.get_width() for bar in classes.patches]
    assert sum(widths[::2]) == pytest.approx(1)
    assert sum(widths[1::2]) == pytest.approx(1)
    path = write_far_boxes(tmp_path / "d.png", distance, height, label, ("a", "b", "c"), "x")
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_data_without_boxes_is_refused():
    none = np.zeros(0)
    with pytest.raises(UserError, match="holds no box"):
        far_boxes_figure(none, none, none.astype(int), ("car",), "")
