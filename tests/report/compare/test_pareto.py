"""The Pareto front, against brute force."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzu.report.compare.pareto import pareto_front

# Few distinct values, so that ties and equal points are common.
POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=15)


def dominates(p, q):
    return p[0] <= q[0] and p[1] >= q[1] and p != q


@given(POINTS)
def test_front_is_what_no_point_dominates(points):
    front = pareto_front([p[0] for p in points], [p[1] for p in points])
    brute = {i for i, q in enumerate(points) if not any(dominates(p, q) for p in points)}
    assert set(front) == brute
    assert len(front) == len(brute)
    costs = [points[i][0] for i in front]
    assert costs == sorted(costs)


def test_table_1s_fixed_zoom_is_on_the_front_at_every_scale():
    costs, qualities = [36.0, 36.4, 37.9, 39.3], [22.6, 25.2, 24.9, 22.8]
    assert pareto_front(costs, qualities) == [0, 1]


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 costs for 1 qualities"):
        pareto_front([1, 2], [1])
