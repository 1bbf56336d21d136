"""A score by bins of some size or distance, as metrics files hold it.

Bins are given by their lower edges, the last is open. Each has a score in percent, null without
anything in it, and the number of things that it is of.
"""

import math
from collections.abc import Sequence
from typing import Any

from lzu.results.schema import COUNT, NON_NEGATIVE, PERCENT, closed

_LOWER = {"type": "array", "items": NON_NEGATIVE, "minItems": 1, "uniqueItems": True}


def bins_schema(lower: str, score: str, count: str) -> dict[str, Any]:
    """The JSON schema of bins that have their edges, scores and numbers under these keys."""
    return closed(
        {
            lower: _LOWER,
            score: {"type": "array", "items": PERCENT},
            count: {"type": "array", "items": COUNT},
        }
    )


def bins_problem(bins: dict[str, Any], lower: str, score: str, count: str) -> str | None:
    """What does not hold, as the end of a message that begins with the bins' key; None if all does:
    edges rise, each bin has a score and a number, and a score is null where the number is 0."""
    edges = bins[lower]
    if edges != sorted(edges):
        return f".{lower}: {edges} do not rise"
    for name in (score, count):
        if len(bins[name]) != len(edges):
            return f".{name}: {len(bins[name])} values for {len(edges)} bins"
    for edge, value, number in zip(edges, bins[score], bins[count], strict=True):
        if (value is None) != (number == 0):
            return f": from {edge:g}: {score} {value} with {number} {count}"
    return None


def bin_names(lower: Sequence[float], what: str, sign: str) -> list[str]:
    """The bins' names in collected results: "AP[8,16)", then the unit's sign."""
    uppers = [*lower[1:], math.inf]
    return [f"{what}[{low:g},{high:g}){sign}" for low, high in zip(lower, uppers, strict=True)]
