"""Average precision with whole sequences left out; see `lzu.results.jackknife`.

An image's matches do not depend on other images, so they are made once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.results.jackknife import leave_out
from lzu.tasks.detection2d.scoring.evaluation import Evaluation, precision

Metric = tuple[int, int | None]
"""Index of a range of sizes, and of an IoU threshold (None: the mean over all)."""


def leave_sequences_out(
    evaluation: Evaluation, sequence: Sequence[int], metrics: Mapping[str, Metric]
) -> dict[str, Any] | None:
    """Every metric without the images of each group of sequences, as `leave_out` gives them.

    Args:
        sequence: (I,) of each of the evaluation's images.
    """
    ranges = sorted({a for a, _ in metrics.values()})
    thresholds = {t for _, t in metrics.values() if t is not None}

    def scores(kept: NDArray[np.bool_]) -> dict[str, float]:
        rest = precision(evaluation, kept=kept, ranges=ranges)
        means = {threshold: rest.mean(threshold) for threshold in (None, *thresholds)}
        return {name: means[threshold][a] for name, (a, threshold) in metrics.items()}

    return leave_out("sequence", sequence, scores)
