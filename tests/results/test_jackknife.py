"""Groups of units, and scores with each of them left out."""

import numpy as np

from lzu.results.jackknife import deal, leave_out
from lzu.results.percent import percent


def test_units_are_dealt_in_turn():
    assert deal([5, 3, 3, 9]) == [[3], [5], [9]]
    assert deal([4, 2, 8, 6, 0], most=2) == [[0, 4, 8], [2, 6]]
    assert deal(["ulm", "bonn", "ulm"]) == [["bonn"], ["ulm"]]
    assert [len(g) for g in deal(range(50))] == [3, 3, *[2] * 22]
    assert deal([7, 7]) is None
    assert deal([]) is None


def test_each_group_of_units_is_left_out_once():
    """The score is the mean of the images' own, which each lie in one group."""
    values = np.array([0.1, 0.2, 0.4, 0.8])

    def scores(kept):
        return {"mean": values[kept].mean(), "none": np.nan}

    found = leave_out("city", ["ulm", "bonn", "ulm", "trier"], scores)
    assert found == {
        "unit": "city",
        "groups": [["bonn"], ["trier"], ["ulm"]],
        "metrics": {"mean": [43.333333, 23.333333, 50.0], "none": [None] * 3},
    }
    assert leave_out("city", ["ulm", "ulm"], scores) is None


def test_shares_are_in_percent():
    assert percent(1 / 3) == 33.3333
    assert percent(np.float64(2 / 3), digits=6) == 66.666667
    assert percent(float("nan")) is None
