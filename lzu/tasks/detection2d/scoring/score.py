"""COCO average precision of a run's predictions (no torch, no mm*)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.results.percent import percent
from lzu.tasks.detection2d.scoring.evaluation import Evaluation, Precision, evaluate, precision
from lzu.tasks.detection2d.scoring.jackknife import Metric, leave_sequences_out
from lzu.tasks.detection2d.scoring.sizes import (
    COCO_RANGES,
    RELATIVE_EDGES,
    SIZE_EDGES,
    image_height,
    relative_ranges,
    size_ranges,
)

# Indices of COCO's thresholds 0.5 and 0.75.
AT_ONE_THRESHOLD = {"AP50": 0, "AP75": 5}


@dataclass(frozen=True)
class Scores:
    """What a prediction file scores; None where there is nothing of that size to detect.

    Attributes:
        metrics: COCO's six figures, in percent.
        size_bins: the AP of each bin of `SIZE_EDGES`, and the number of annotated boxes.
        relative: COCO's three sizes relative to the image's height (`relative_ranges`), in percent.
        size_bins_relative: like `size_bins`, of `RELATIVE_EDGES`.
        jackknife: these nine metrics with groups of sequences left out (`leave_out`); None
            with fewer than two sequences, or if the images do not tell theirs.
    """

    metrics: dict[str, float | None]
    size_bins: dict[str, list[Any]]
    relative: dict[str, float | None]
    size_bins_relative: dict[str, list[Any]]
    jackknife: dict[str, Any] | None


def average_precision(truth: dict[str, Any], predictions: list[dict[str, Any]]) -> Scores:
    """Score COCO results against the content of a COCO annotation file.

    No detections at all score zero wherever there is something to detect.

    Raises UserError if a prediction names an image or a category that `truth` does not have, or if
    the images have several heights.
    """
    height = image_height(truth)
    named = COCO_RANGES | relative_ranges(height)
    bins, relative_bins = size_ranges(), size_ranges(height=height)
    # at the paper's height most are there twice
    ranges, place = np.unique(
        np.array([*named.values(), *bins, *relative_bins]), axis=0, return_inverse=True
    )
    where = place.reshape(-1).tolist()
    evaluation = evaluate(truth, predictions, ranges)
    whole = precision(evaluation)
    mean = whole.mean()
    metrics: dict[str, Metric] = {name: (a, None) for name, a in zip(named, where, strict=False)}
    metrics |= {name: (metrics["AP"][0], t) for name, t in AT_ONE_THRESHOLD.items()}
    values = {
        name: percent((mean if t is None else whole.mean(t))[a]) for name, (a, t) in metrics.items()
    }
    relative = {name: values.pop(name) for name in relative_ranges(height)}
    finer = where[len(named) :]
    return Scores(
        values,
        {"lower_px": list(SIZE_EDGES), **_bins(whole, finer[: len(bins)])},
        relative,
        {"lower": list(RELATIVE_EDGES), **_bins(whole, finer[len(bins) :])},
        _jackknife(truth, evaluation, metrics),
    )


def _bins(whole: Precision, ranges: list[int]) -> dict[str, list[Any]]:
    boxes = whole.objects.sum(axis=0)
    mean = whole.mean()
    return {"AP": [percent(mean[a]) for a in ranges], "boxes": [int(boxes[a]) for a in ranges]}


def _jackknife(
    truth: dict[str, Any], evaluation: Evaluation, metrics: dict[str, Metric]
) -> dict[str, Any] | None:
    sequence = {image["id"]: image.get("sid") for image in truth["images"]}
    if None in sequence.values():
        return None
    of_image = [sequence[image] for image in evaluation.images.tolist()]
    return leave_sequences_out(evaluation, of_image, metrics)


def score(context: Context, run: Run, predictions: dict[str, Any]) -> dict[str, Any]:
    """Score the content of the run's predictions: what its metrics file has of this task's own.

    Raises UserError if a prediction names an image or a category that the annotations do not have.
    """
    truth = read_json(context.paths.annotations(run.split("val")))
    found = average_precision(truth, predictions["detections"])
    jackknife = {} if found.jackknife is None else {"jackknife": found.jackknife}
    return {
        "metrics": found.metrics,
        "relative": found.relative,
        "size_bins": found.size_bins,
        "size_bins_relative": found.size_bins_relative,
        **jackknife,
    }
