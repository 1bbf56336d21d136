"""The Pareto front of cost against quality."""

from collections.abc import Sequence


def pareto_front(costs: Sequence[float], qualities: Sequence[float]) -> list[int]:
    """Indices of the points that no other point dominates, by rising cost.

    A point dominates another if it costs no more, is no worse, and is strictly better in one of
    the two. Equal points do not dominate each other: all are kept, in their given order.

    Raises:
        ValueError: if the two sequences differ in length.
    """
    if len(costs) != len(qualities):
        raise ValueError(f"{len(costs)} costs for {len(qualities)} qualities")
    points = list(zip(costs, qualities, strict=True))
    front: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        last = points[front[-1]] if front else None
        if last is None or points[i][1] > last[1] or points[i] == last:
            front.append(i)
    return front
