"""Which images are picked for Figure 6, and what is written of all of them."""

import csv

import pytest

from lzu.errors import UserError
from lzu.report.pictures.case_choice import (
    ImageScore,
    Measure,
    pick_cases,
    title_of,
    write_scores,
)

AP = Measure("AP", "boxes")


def scored(*gains):
    return [ImageScore(n, f"{n}.jpg", 5, 50.0, 50.0 + gain) for n, gain in enumerate(gains)]


def ids(scores):
    return [score.image for score in scores]


def test_the_largest_gains_and_losses_are_picked():
    cases = pick_cases(scored(1, -5, 7, 0, -9, 3), 2, AP)
    assert ids(cases.gains) == [2, 5]
    assert ids(cases.losses) == [4, 1]


def test_of_equal_ones_the_lower_id_is_picked_whatever_the_order():
    scores = scored(3, -2, 3, -2, 3, -2)
    for order in (scores, scores[::-1]):
        cases = pick_cases(order, 2, AP)
        assert ids(cases.gains) == [0, 2]
        assert ids(cases.losses) == [1, 3]


def test_images_with_few_things_to_find_or_none_take_no_part():
    few = ImageScore(10, "x", 2, 0.0, 100.0)
    none = ImageScore(11, "y", 0, None, None)
    cases = pick_cases([few, none, *scored(1, -1)], 1, AP)
    assert ids(cases.gains) == [0]
    assert ids(cases.losses) == [1]
    assert ids(pick_cases([few, *scored(1)], 1, AP, least=1).gains) == [10]
    with pytest.raises(UserError, match="no validation image has 3 boxes"):
        pick_cases([few, none], 1, AP)


@pytest.mark.parametrize(("images", "gains", "losses"), [(1, 1, 0), (2, 1, 1), (3, 2, 1)])
def test_no_image_is_picked_twice(images, gains, losses):
    cases = pick_cases(scored(*range(images)), 2, AP)
    assert (len(cases.gains), len(cases.losses)) == (gains, losses)
    assert not set(ids(cases.gains)) & set(ids(cases.losses))


def test_the_written_scores_tell_why(tmp_path):
    scores = [*scored(4, -4), ImageScore(2, "z", 0, None, None), ImageScore(3, "f", 1, 0.0, 100.0)]
    write_scores(tmp_path / "a.csv", scores, pick_cases(scores, 1, AP), "lzu_fixed", AP)
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [row["picked"] for row in rows] == ["gain 1", "loss 1", "", ""]
    assert [row["takes_part"] for row in rows] == ["1", "1", "0", "0"]
    assert [row["gain"] for row in rows] == ["4.0000", "-4.0000", "", "100.0000"]
    assert rows[0]["AP_uniform"] == "50.0000"
    assert rows[0]["AP_lzu_fixed"] == "54.0000"


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (2.5, "success: image 0\nAP 50.0 to 52.5 (+2.5)"),
        (-2.5, "failure: image 0\nAP 50.0 to 47.5 (-2.5)"),
        (0, "no difference: image 0\nAP 50.0 to 50.0 (+0.0)"),
    ],
)
def test_a_title_says_what_was_gained(gain, said):
    assert title_of(scored(gain)[0], AP) == said


def test_ids_may_be_texts():
    scores = [ImageScore(name, f"{name}.png", 4, 30.0, 31.0) for name in "cab"]
    cases = pick_cases(scores, 1, Measure("mIoU", "classes"))
    assert (ids(cases.gains), ids(cases.losses)) == (["a"], ["b"])
