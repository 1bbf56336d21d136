"""COCO average precision of a run's predictions (no torch, no mm*)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from lzu.errors import UserError
from lzu.experiments.paths import Paths
from lzu.experiments.run import Run
from lzu.files import read_json, write_json
from lzu.results.provenance import collect_provenance
from lzu.results.schema import METRICS_SCHEMA_NAME, validate_metrics
from lzu.tasks.detection2d.coco import percent
from lzu.tasks.detection2d.evaluation import Evaluation, Precision, evaluate, precision
from lzu.tasks.detection2d.jackknife import Metric, leave_one_out, sequence_groups
from lzu.tasks.detection2d.sizes import (
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
        jackknife: these nine metrics with groups of sequences left out (`leave_one_out`); None
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
    groups = sequence_groups(list(sequence.values()))
    if groups is None:
        return None
    of_image = np.array([sequence[image] for image in evaluation.images.tolist()])
    return leave_one_out(evaluation, of_image, groups, metrics)


def score(run: Run, paths: Paths) -> None:
    """Write the run's `metrics.json` from its predictions and the validated annotations.

    Raises UserError if the predictions are of other weights than those that were trained last, or
    of other validation data.
    """
    started = datetime.now(UTC)
    predictions = read_json(paths.run(run, "predictions.json"))
    record = paths.run(run.trained, "train.json")
    training = read_json(record)
    if predictions["config_hash"] != training["config_hash"]:
        raise UserError(
            f"{paths.run(run, 'predictions.json')}: made with other weights than "
            f"{record} tells of; predict again"
        )
    split = run.split("val")
    truth = read_json(paths.annotations(split))
    if predictions.get("fingerprint") != truth["info"]["fingerprint"]:
        raise UserError(
            f"{paths.run(run, 'predictions.json')}: made on other data than "
            f"{paths.annotations(split)} has now; predict again"
        )
    found = average_precision(truth, predictions["detections"])
    metrics = {
        "schema": METRICS_SCHEMA_NAME,
        "run": run.as_dict(),
        "dataset": {
            "name": "argoverse_hd",
            "source": truth["info"]["source"],
            "fingerprint": truth["info"]["fingerprint"],
            "split": split,
            "images": len(truth["images"]),
        },
        "metrics": found.metrics,
        "size_bins": found.size_bins,
        "size_bins_relative": found.size_bins_relative,
        "relative": found.relative,
        **({} if found.jackknife is None else {"jackknife": found.jackknife}),
        "config_hash": training["config_hash"],
        "training": training["training"],
        "provenance": collect_provenance(started),
    }
    path = paths.run(run, "metrics.json")
    validate_metrics(metrics, path)
    write_json(path, metrics)
