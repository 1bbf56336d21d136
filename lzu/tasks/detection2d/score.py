"""COCO average precision of a run's predictions (no torch, no mm*)."""

import math
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
from lzu.tasks.detection2d.evaluation import average_precision_by_size

# COCO's ranges of area in square pixels, both ends included.
COCO_RANGES = {
    "AP": (0.0, 1e10),
    "AP_S": (0.0, 32.0**2),
    "AP_M": (32.0**2, 96.0**2),
    "AP_L": (96.0**2, 1e10),
}
SIZE_EDGES = (0, 8, 16, 24, 32, 48, 64, 96, 128, 192)
"""Lower edges of the finer bins of object size, the square root of the box's area in native pixels;
the last bin is open."""


@dataclass(frozen=True)
class Scores:
    """What a prediction file scores; None where there is nothing of that size to detect.

    Attributes:
        metrics: COCO's six figures, in percent.
        size_bins: the AP of each of `SIZE_EDGES`, and the number of annotated boxes.
    """

    metrics: dict[str, float | None]
    size_bins: dict[str, list[Any]]


def size_ranges(edges: tuple[int, ...] = SIZE_EDGES) -> list[tuple[float, float]]:
    """The ranges of area of bins with these lower edges; a box on an edge is in the upper bin."""
    uppers = [*(float(np.nextafter(edge**2, 0)) for edge in edges[1:]), 1e10]
    return list(zip((float(edge**2) for edge in edges), uppers, strict=True))


def average_precision(truth: dict[str, Any], predictions: list[dict[str, Any]]) -> Scores:
    """Score COCO results against the content of a COCO annotation file.

    No detections at all score zero wherever there is something to detect.

    Raises UserError if a prediction names an image or a category that `truth` does not have.
    """
    ranges = np.array([*COCO_RANGES.values(), *size_ranges()])
    precision = average_precision_by_size(truth, predictions, ranges)
    means = [_percent(value) for value in precision.mean()]
    coco = len(COCO_RANGES)
    halves = {name: precision.mean(threshold)[0] for name, threshold in (("AP50", 0), ("AP75", 5))}
    metrics = dict(zip(COCO_RANGES, means[:coco], strict=True))
    metrics |= {name: _percent(value) for name, value in halves.items()}
    boxes = precision.objects.sum(axis=0)[coco:]
    bins = {"lower_px": list(SIZE_EDGES), "AP": means[coco:], "boxes": boxes.tolist()}
    return Scores(metrics, bins)


def _percent(value: float) -> float | None:
    return None if math.isnan(value) else round(100 * float(value), 4)


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
        "config_hash": training["config_hash"],
        "training": training["training"],
        "provenance": collect_provenance(started),
    }
    path = paths.run(run, "metrics.json")
    validate_metrics(metrics, path)
    write_json(path, metrics)
