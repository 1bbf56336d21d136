"""How scores change if whole parts of the validation data are left out: the delete-a-group
jackknife's values, as metrics files hold them.

Frames of a video, or images of a city, are alike, so the uncertainty that comes from the validation
data is that over such units. They are dealt to groups, and each group is left out in turn.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lzu.results.percent import percent

MOST_GROUPS = 24

Unit = TypeVar("Unit", int, str)


def deal(units: Iterable[Unit], most: int = MOST_GROUPS) -> list[list[Unit]] | None:
    """Deal units to at most `most` groups, in turn and in ascending order.

    None if there are fewer than two, so that nothing can be left out.
    """
    ordered = sorted(set(units))
    number = min(most, len(ordered))
    return [ordered[n::number] for n in range(number)] if number > 1 else None


def leave_out(
    unit: str,
    of_image: Sequence[Unit],
    scores: Callable[[NDArray[np.bool_]], Mapping[str, float]],
) -> dict[str, Any] | None:
    """Every score without the images of each group of units.

    Args:
        unit: what a unit is: "sequence", for instance.
        of_image: (I,) the unit that each image belongs to.
        scores: of the images kept (I,) alone, as shares of 1 by name; NaN where there are none.

    Returns:
        {"unit": ..., "groups": units by group, "metrics": {name: a value for each group}}, in
        percent to six decimals, None for NaN. Or None for fewer than two units.
    """
    groups = deal(of_image)
    if groups is None:
        return None
    images = np.array(of_image)
    values: dict[str, list[float | None]] = {}
    for group in groups:
        for name, value in scores(~np.isin(images, group)).items():
            values.setdefault(name, []).append(percent(value, digits=6))
    return {"unit": unit, "groups": groups, "metrics": values}
