"""Pictures of class maps: colours, what is left out, and what the panels show."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lzu.report.pictures.accuracy_map import MethodMap, accuracy_figure
from lzu.report.pictures.class_balance import class_balance_figure
from lzu.report.pictures.map_cases import MapCase, differences, map_cases_figure, shown_map
from lzu.report.pictures.warps import MOST_SHOWN, uniform_nodes
from lzu.report.style import BLUE, ORANGE

COLOURS = np.zeros((256, 3), np.uint8)
COLOURS[:3] = [[128, 64, 128], [244, 35, 232], [70, 70, 70]]
NAMES = ("road", "sidewalk", "building")


@pytest.fixture
def case():
    truth = np.array([[0, 1, 2, 255], [0, 1, 2, 255]], np.uint8)
    uniform = np.array([[0, 0, 2, 1], [0, 0, 1, 1]], np.uint8)
    method = np.array([[0, 1, 1, 2], [0, 0, 2, 255]], np.uint8)
    return MapCase(
        title="success",
        image=np.full((2, 4, 3), 100, np.uint8),
        grid=uniform_nodes((5, 9)),
        magnification=np.linspace(0.5, 2, 15).reshape(3, 5),
        truth=truth,
        uniform=uniform,
        method=method,
        ignored=255,
    )


def rgb(colour):
    return [round(255 * value) for value in to_rgb(colour)]


def test_pixels_that_one_alone_has_right_are_marked(case):
    found = differences(case)
    assert found[0, 1].tolist() == rgb(BLUE)
    assert found[0, 2].tolist() == rgb(ORANGE)
    assert found[1, 2].tolist() == rgb(BLUE)
    marked = {tuple(rgb(BLUE)), tuple(rgb(ORANGE))}
    others = [(0, 0), (1, 0), (1, 1), (0, 3), (1, 3)]
    assert not {tuple(found[place].tolist()) for place in others} & marked


def test_what_does_not_count_is_as_in_the_truth(case):
    assert shown_map(case, case.uniform)[:, 3].tolist() == [255, 255]
    assert np.array_equal(shown_map(case, case.uniform)[:, :3], case.uniform[:, :3])


def test_a_row_shows_the_maps_in_their_colours(case):
    figure = map_cases_figure([case, case], "LZU", NAMES, COLOURS)
    image, magnified, truth, uniform, own, alone = figure.axes[:6]
    assert [axes.get_title(loc="left") for axes in (truth, uniform, own)] == [
        "Ground truth",
        "Uniform",
        "LZU",
    ]
    assert image.get_ylabel() == "success"
    assert np.array_equal(truth.images[0].get_array(), COLOURS[case.truth])
    assert np.array_equal(uniform.images[0].get_array(), COLOURS[shown_map(case, case.uniform)])
    assert np.array_equal(alone.images[0].get_array(), differences(case))
    assert magnified.get_xlabel() == "areas 0.50× to 2.00×"
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == [*NAMES, "ignored", "right: LZU alone", "right: Uniform alone"]


def test_the_legend_has_the_classes_that_are_seen(case):
    road = np.where(case.truth == 255, 255, 0).astype(np.uint8)
    # what is predicted where nothing counts is not shown
    plain = replace(case, truth=road, uniform=road * 0, method=case.method // 2)
    figure = map_cases_figure([plain], "LZU", NAMES, COLOURS)
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said[:3] == ["road", "sidewalk", "ignored"]


def method_map(**values):
    given = {
        "label": "LZU",
        "accuracy": np.array([[0.5, np.nan], [1.0, 0.0]]),
        "gain": np.array([[0.1, np.nan], [-0.02, 0.0]]),
        "magnification": np.array([[0.0, 1.0], [2.0, 9.0]]),
        "gain_enlarged": 0.0123,
        "gain_reduced": -0.004,
    }
    return MethodMap(**{**given, **values})


def test_a_column_shows_accuracy_gain_and_magnification():
    uniform = np.array([[0.4, np.nan], [1.0, 0.0]])
    figure = accuracy_figure(uniform, [method_map(), method_map(label="LDS")], (8, 8), "title")
    grid = np.array(figure.axes[:9]).reshape(3, 3)
    assert [axes.get_title(loc="left") for axes in grid[0]] == ["Uniform", "LZU", "LDS"]
    assert np.allclose(grid[0, 0].images[0].get_array().filled(9), np.nan_to_num(uniform, nan=9))
    gains = grid[1, 1].images[0]
    assert gains.get_array().mask.tolist() == [[False, True], [False, False]]
    assert gains.norm.vmax == -gains.norm.vmin == pytest.approx(0.1, abs=0.01)
    assert grid[1, 1].get_xlabel() == "where enlarged +1.23, reduced −0.40"
    assert grid[2, 2].images[0].norm.vmax == MOST_SHOWN
    assert grid[2, 2].images[0].get_array().mask.tolist() == [[True, False], [False, False]]
    assert not grid[1, 0].images
    assert not grid[2, 0].images


def test_without_pixels_of_a_kind_nothing_is_said_of_them():
    figure = accuracy_figure(
        np.ones((2, 2)), [method_map(gain_reduced=None, gain=np.zeros((2, 2)))], (4, 4), "t"
    )
    said = [axes.get_xlabel() for axes in figure.axes]
    assert "where enlarged +1.23" in said


def test_bars_are_the_shares_in_the_colours_of_the_labels():
    shares = {"road": 0.6, "sidewalk": 0.0, "building": 0.4}
    figure = class_balance_figure(
        shares=shares,
        ignored=0.1,
        reference={"road": 0.5, "sidewalk": 0.02},
        reference_label="elsewhere",
        colours=COLOURS,
        image=np.zeros((4, 6, 3), np.uint8),
        labels=np.array([[0, 1, 2, 255, 0, 0]] * 4, np.uint8),
        title="t",
    )
    bars, image, labels = figure.axes
    rows = [text.get_text() for text in bars.get_yticklabels()]
    assert rows == ["road", "building", "sidewalk", "ignored (of all)"]
    # a class without a pixel has a bar of no length
    left = bars.get_xlim()[0]
    widths = [patch.get_width() for patch in bars.patches]
    assert widths == pytest.approx([0.6, 0.4, left, 0.1])
    assert [text.get_text() for text in bars.texts] == ["60 %", "40 %", "none", "10 %"]
    faces = [list(patch.get_facecolor()[:3]) for patch in bars.patches]
    assert np.allclose(faces[:3], COLOURS[[0, 2, 1]] / 255)
    marks = bars.collections[0].get_offsets()
    assert marks.tolist() == [[0.5, 0], [0.02, 2]]
    assert bars.get_xscale() == "log"
    assert np.array_equal(labels.images[0].get_array()[0, 3], [0, 0, 0])
    assert image.get_title(loc="left")
