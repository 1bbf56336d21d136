"""How scores change if whole sequences are left out: the delete-a-group jackknife's values.

Frames of a video are alike, so the uncertainty that comes from the validation data is that over
sequences. Each group of sequences is left out in turn. An image's matches do not depend on other
images, so they are made once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.tasks.detection2d.scoring.coco import percent
from lzu.tasks.detection2d.scoring.evaluation import Evaluation, precision

MOST_GROUPS = 24

Metric = tuple[int, int | None]
"""Index of a range of sizes, and of an IoU threshold (None: the mean over all)."""


def sequence_groups(sequences: Sequence[int], most: int = MOST_GROUPS) -> list[list[int]] | None:
    """Deal sequences to at most `most` groups, in turn and in ascending order.

    None if there are fewer than two, so that nothing can be left out.
    """
    ordered = sorted(set(sequences))
    number = min(most, len(ordered))
    return [ordered[n::number] for n in range(number)] if number > 1 else None


def leave_one_out(
    evaluation: Evaluation,
    sequence: NDArray[np.integer],
    groups: list[list[int]],
    metrics: Mapping[str, Metric],
) -> dict[str, Any]:
    """Every metric without the images of each group's sequences.

    Args:
        sequence: (I,) of each of the evaluation's images.
        groups: of sequences; see `sequence_groups`.

    Returns:
        {"unit": "sequence", "groups": ..., "metrics": {name: a value for each group}}, in percent
        to six decimals; None where nothing of that size is left.
    """
    ranges = sorted({a for a, _ in metrics.values()})
    values: dict[str, list[float | None]] = {name: [] for name in metrics}
    for group in groups:
        rest = precision(evaluation, kept=~np.isin(sequence, group), ranges=ranges)
        means = {threshold: rest.mean(threshold) for threshold in (None, *_thresholds(metrics))}
        for name, (a, threshold) in metrics.items():
            values[name].append(percent(means[threshold][a], digits=6))
    return {"unit": "sequence", "groups": groups, "metrics": values}


def _thresholds(metrics: Mapping[str, Metric]) -> set[int]:
    return {threshold for _, threshold in metrics.values() if threshold is not None}
