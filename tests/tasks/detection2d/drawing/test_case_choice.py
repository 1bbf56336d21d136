"""Which images are picked, what is written of all of them, and what Figure 6 shows."""

import csv

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PatchCollection

from lzu.errors import UserError
from lzu.report.pictures.cases import BOX_STYLE, Case, cases_figure, write_cases
from lzu.report.pictures.warps import uniform_nodes
from lzu.tasks.detection2d.drawing.case_choice import (
    ImageScore,
    pick_cases,
    score_images,
    write_scores,
)
from lzu.tasks.detection2d.scoring.image_scores import Found, Truth, outcome


def scored(*gains, boxes=5):
    return [ImageScore(n, f"{n}.jpg", boxes, 50.0, 50.0 + gain) for n, gain in enumerate(gains)]


def ids(scores):
    return [score.image for score in scores]


def test_the_largest_gains_and_losses_are_picked():
    cases = pick_cases(scored(1, -5, 7, 0, -9, 3), 2)
    assert ids(cases.gains) == [2, 5]
    assert ids(cases.losses) == [4, 1]


def test_of_equal_ones_the_lower_id_is_picked_whatever_the_order():
    scores = scored(3, -2, 3, -2, 3, -2)
    for order in (scores, scores[::-1]):
        cases = pick_cases(order, 2)
        assert ids(cases.gains) == [0, 2]
        assert ids(cases.losses) == [1, 3]


def test_images_with_few_boxes_or_none_take_no_part():
    few = ImageScore(10, "x", 2, 0.0, 100.0)
    none = ImageScore(11, "y", 0, None, None)
    cases = pick_cases([few, none, *scored(1, -1)], 1)
    assert ids(cases.gains) == [0]
    assert ids(cases.losses) == [1]
    assert ids(pick_cases([few, *scored(1)], 1, least_boxes=1).gains) == [10]
    with pytest.raises(UserError, match="no validation image has 3 boxes"):
        pick_cases([few, none], 1)


@pytest.mark.parametrize(("images", "gains", "losses"), [(1, 1, 0), (2, 1, 1), (3, 2, 1)])
def test_no_image_is_picked_twice(images, gains, losses):
    cases = pick_cases(scored(*range(images)), 2)
    assert (len(cases.gains), len(cases.losses)) == (gains, losses)
    assert not set(ids(cases.gains)) & set(ids(cases.losses))


def test_the_written_scores_tell_why(tmp_path):
    scores = [*scored(4, -4), ImageScore(2, "z", 0, None, None), ImageScore(3, "f", 1, 0.0, 100.0)]
    write_scores(tmp_path / "a.csv", scores, pick_cases(scores, 1), "lzu_fixed")
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [row["picked"] for row in rows] == ["gain 1", "loss 1", "", ""]
    assert [row["takes_part"] for row in rows] == ["1", "1", "0", "0"]
    assert [row["gain"] for row in rows] == ["4.0000", "-4.0000", "", "100.0000"]
    assert rows[0]["AP_uniform"] == "50.0000"
    assert rows[0]["AP_lzu_fixed"] == "54.0000"


@pytest.fixture
def truth():
    return Truth(
        np.array([[10, 10, 20, 10], [40, 20, 10, 10], [60, 5, 8, 8]], float),
        np.zeros(3, int),
        np.zeros(3, bool),
    )


@pytest.fixture
def found():
    """The first box; a mistake; and one that is too unsure to be shown."""
    boxes = np.array([[10, 10, 20, 10], [80, 40, 9, 9], [60, 5, 8, 8]], float)
    return Found(boxes, np.zeros(3, int), np.array([0.9, 0.5, 0.1]))


def test_images_are_scored_by_id(truth, found):
    nothing = Found(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
    empty = Truth(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool))
    first, second = score_images(
        {7: "b", 2: "a"}, {7: truth, 2: empty}, {7: nothing, 2: found}, {7: found, 2: found}
    )
    assert (first.image, first.boxes, first.gain) == (2, 0, None)
    assert (second.image, second.boxes, second.uniform) == (7, 3, 0)
    assert second.gain == second.method > 30
    assert score_images({}, {}, {}, {}) == []


@pytest.fixture
def case(truth, found):
    none = Found(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
    image = np.zeros((60, 100, 3), np.uint8)
    return Case(
        title="success",
        native=(60, 100),
        image=image,
        zoomed=np.zeros((30, 50, 3), np.uint8),
        inverse=uniform_nodes((9, 13)),
        saliency=np.ones((5, 7)),
        magnification=np.linspace(0.4, 2.2, 35).reshape(5, 7),
        truth=truth,
        uniform=outcome(none, truth, score=0.3),
        method=outcome(found, truth, score=0.3),
    )


def drawn(axes):
    """Kind -> number of boxes drawn."""
    colours = {colour: kind for kind, (colour, _) in BOX_STYLE.items()}
    counts = {}
    for patches in axes.collections:
        if isinstance(patches, PatchCollection):
            red, green, blue, _ = patches.get_edgecolor()[0]
            code = "#" + "".join(f"{round(255 * v):02x}" for v in (red, green, blue))
            if code in colours:
                counts[colours[code]] = len(patches.get_paths())
    return {kind: n for kind, n in counts.items() if n}


def test_boxes_are_drawn_by_what_they_are(case):
    shown, zoomed, uniform, method, saliency = cases_figure([case], "LZU", 0.3).axes
    assert drawn(shown) == {"ground truth": 3}
    assert drawn(uniform) == {"missed": 3}
    assert drawn(method) == {"found": 1, "false": 1, "missed": 2}
    assert [c for c in zoomed.collections if isinstance(c, LineCollection)]
    levels = {text.get_text() for text in saliency.texts}
    assert levels
    assert levels <= {"0.5×", "1×", "1.5×", "2×"}
    assert saliency.get_xlabel() == "areas 0.40× to 2.20×"
    styles = [dashes for _, dashes in BOX_STYLE.values()]
    assert len(set(map(str, styles[1:]))) == 3


def test_the_figure_is_written_alike_twice(tmp_path, case):
    first, second = (write_cases(tmp_path / f, "six", [case, case], "LZU", 0.3) for f in "ab")
    for form, signature in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        assert first[form].read_bytes().startswith(signature)
        assert first[form].read_bytes() == second[form].read_bytes()
