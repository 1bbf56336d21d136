"""COCO average precision of a run's predictions (pycocotools; no torch, no mm*)."""

import contextlib
import io
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lzu.errors import UserError
from lzu.experiments.paths import Paths
from lzu.experiments.run import Run
from lzu.files import read_json, write_json
from lzu.report.provenance import collect_provenance
from lzu.report.schema import METRICS_SCHEMA_NAME, validate_metrics

NAMES = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L")


def average_precision(annotations: Path, predictions: list[dict[str, Any]]) -> dict[str, Any]:
    """COCO's six figures in percent: AP, AP50, AP75, AP_S, AP_M, AP_L; None where undefined.

    A metric is undefined where there is no ground truth of its size. No detections at all score
    zero wherever there is something to detect.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        known = set(truth.getImgIds())
        unknown = {p["image_id"] for p in predictions} - known
        if unknown:
            raise UserError(
                f"predictions name image {min(unknown)}, which {annotations} does not have; "
                "predict again from this dataset"
            )
        # loadRes refuses an empty list, so an empty result is made by hand.
        found = truth.loadRes(predictions) if predictions else COCO()
        if not predictions:
            found.dataset = {"images": truth.dataset["images"], "annotations": []}
            found.dataset["categories"] = truth.dataset["categories"]
            found.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = np.asarray(evaluation.stats[:6], dtype=float)
    # pycocotools marks an undefined figure with -1.
    return {
        name: None if value < 0 or math.isnan(value) else round(100 * float(value), 4)
        for name, value in zip(NAMES, values, strict=True)
    }


def score(run: Run, paths: Paths) -> None:
    """Write the run's `metrics.json` from its predictions and the validated annotations."""
    started = datetime.now(UTC)
    predictions = read_json(paths.run(run, "predictions.json"))
    training = read_json(paths.run(run, "train.json"))
    if predictions["config_hash"] != training["config_hash"]:
        raise UserError(
            f"{paths.run(run, 'predictions.json')}: made with other weights than "
            f"{paths.run(run, 'train.json')} tells of; predict again"
        )
    annotations = paths.annotations("val")
    about = read_json(annotations)
    metrics = {
        "schema": METRICS_SCHEMA_NAME,
        "run": run.as_dict(),
        "dataset": {
            "name": "argoverse_hd",
            "source": about["info"]["source"],
            "fingerprint": about["info"]["fingerprint"],
            "split": "val",
            "images": len(about["images"]),
        },
        "metrics": average_precision(annotations, predictions["detections"]),
        "config_hash": training["config_hash"],
        "training": training["training"],
        "provenance": collect_provenance(started),
    }
    path = paths.run(run, "metrics.json")
    validate_metrics(metrics, path)
    write_json(path, metrics)
