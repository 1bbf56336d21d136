"""How images are scored by their boxes, and what Figure 6 shows of them."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PatchCollection

from lzu.report.pictures.cases import BOX_STYLE, Case, cases_figure, write_cases
from lzu.report.pictures.warps import uniform_nodes
from lzu.tasks.detection2d.drawing.cases import score_images
from lzu.tasks.detection2d.scoring.image_scores import Found, Truth, outcome


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
    assert (first.image, first.count, first.gain) == (2, 0, None)
    assert (second.image, second.count, second.uniform) == (7, 3, 0)
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
