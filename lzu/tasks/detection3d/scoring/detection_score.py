"""nuScenes' detection score of predictions, its recalls, and both with scenes left out."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from nuscenes.eval.detection.data_classes import DetectionConfig

from lzu.results.jackknife import leave_out
from lzu.results.percent import percent
from lzu.results.predictions import PREDICTIONS
from lzu.tasks.detection3d.scoring.evaluation import (
    Outcome,
    evaluate,
    metrics,
    nd_score,
    tp_errors,
)
from lzu.tasks.detection3d.scoring.predictions import Results, read_found
from lzu.tasks.detection3d.scoring.recall import (
    Objects,
    objects_of,
    recall_by_bin,
    recall_by_name,
    recall_scores,
)
from lzu.tasks.detection3d.scoring.rules import ERROR_METRICS, rules
from lzu.tasks.detection3d.scoring.truth import read_truth
from lzu.tasks.detection3d.tables import AP


def detection_score(
    samples: Iterable[dict[str, Any]],
    results: Results,
    classes: Sequence[str],
    cameras: Sequence[str],
    source: Path | str = PREDICTIONS,
) -> dict[str, Any]:
    """Score predictions against the samples of a prepared file.

    Args:
        samples: as `lzu.datasets.nuscenes.infos` has them; each is read once.
        results: a sample's token -> its rows of nuScenes' submission format.
        classes: that count, and that may be predicted.
        cameras: that are looked at; with fewer than six, what is to be found is what they see.
        source: the predictions' file, for messages.

    Returns:
        What a metrics file has of this task's own: `metrics`, recalls and, with two scenes or more,
        `jackknife`.

    Raises:
        UserError: if predictions are not of these samples, or cannot be scored.
    """
    config = rules(classes)
    truth = read_truth(samples, classes, cameras)
    found = read_found(results, truth.samples.tokens, classes, config.max_boxes_per_sample, source)
    outcomes = evaluate(truth, found, config)
    objects = objects_of(truth, outcomes, cameras)
    values = _scores(outcomes, config, None)
    left_out = _jackknife(truth.samples.scenes, outcomes, config, objects)
    undefined = {name: None for name in AP.values() if name not in values}
    return {
        "metrics": {name: percent(value) for name, value in values.items()} | undefined,
        **recall_by_bin(objects),
        **recall_by_name(objects),
        **({} if left_out is None else {"jackknife": left_out}),
    }


def _scores(
    outcomes: dict[str, Outcome], config: DetectionConfig, kept: NDArray[np.bool_] | None
) -> dict[str, float]:
    """Every metric, as a share of 1 (errors: in the devkit's units), of all samples or those kept;
    NaN where it is undefined."""
    result = metrics(outcomes, config, kept)
    errors = tp_errors(result)
    return {
        "NDS": nd_score(result),
        "mAP": result.mean_ap,
        **{name: errors[devkit] for devkit, name in ERROR_METRICS.items()},
        **{AP[name]: float(value) for name, value in result.mean_dist_aps.items()},
    }


def _jackknife(
    scenes: Sequence[str],
    outcomes: dict[str, Outcome],
    config: DetectionConfig,
    objects: Objects,
) -> dict[str, Any] | None:
    """The metrics and the recalls by bin with groups of whole scenes left out."""

    def scores(kept: NDArray[np.bool_]) -> dict[str, float]:
        return {**_scores(outcomes, config, kept), **recall_scores(objects, kept)}

    return leave_out("scene", scenes, scores)
