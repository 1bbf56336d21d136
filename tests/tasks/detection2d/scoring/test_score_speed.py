"""Scoring predictions of the size of Argoverse-HD's validation set, the whole verb with its files.

`pytest -m slow tests/tasks/detection2d/scoring/test_score_speed.py -s` prints how long it took.
"""

import time
from datetime import UTC, datetime

import numpy as np
import pytest

from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.engine.score import score
from lzu.files import write_json
from lzu.results.provenance import collect_provenance
from lzu.results.schema import read_metrics
from lzu.results.stamps import stamp
from tests.prepared import context_of

IMAGES, DETECTIONS, BOXES = 15_062, 100, 16
LIMIT_S = 60
LIMIT_OF_IMAGES_S = 60
SEQUENCES = 24
# Shares of the classes, of which cars are half.
SHARES = (0.15, 0.02, 0.5, 0.02, 0.03, 0.08, 0.17, 0.03)


def records(image, category, boxes, **columns):
    """COCO records of boxes (n, 4) with further keys."""
    names = ("image_id", "category_id", "bbox", *columns)
    values = (image.tolist(), category.tolist(), boxes.round(3).tolist())
    rows = zip(*values, *(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def crowded_streets(height=1200):
    """Annotations and detections: 16 boxes an image on average, and 100 detections of which four
    of ten lie about a box of the image, the surer ones."""
    draw = np.random.default_rng(0)
    image = np.repeat(np.arange(IMAGES), draw.poisson(BOXES, IMAGES))
    size = np.exp(draw.normal(3.6, 0.9, (len(image), 2))).clip(3, 900)
    corner = draw.random((len(image), 2)) * (1700, 600) + (0, 300)
    boxes = np.concatenate((corner, size), axis=1)
    category = draw.choice(len(CLASSES), len(image), p=SHARES)
    area = boxes[:, 2] * boxes[:, 3]
    number = np.arange(1, len(image) + 1)
    truth = {
        "info": {"source": "synthetic", "fingerprint": "0" * 16, "images": IMAGES},
        "images": [
            {"id": k, "width": 1920, "height": height, "sid": k * SEQUENCES // IMAGES}
            for k in range(IMAGES)
        ],
        "categories": [{"id": k, "name": name} for k, name in enumerate(CLASSES)],
        "annotations": records(image, category, boxes, area=area, id=number, iscrowd=0 * number),
    }
    place = np.repeat(np.arange(IMAGES), DETECTIONS)
    first = np.searchsorted(image, place)
    own = np.searchsorted(image, place, side="right") - first
    near = (draw.random(len(place)) < 0.4) & (own > 0)
    source = np.minimum(first + (draw.random(len(place)) * own).astype(int), len(image) - 1)
    shift = draw.normal(0, 0.12, (len(place), 4)) * np.tile(boxes[source, 2:], 2)
    found = np.where(near[:, None], boxes[source] + shift, draw.permutation(boxes)[source])
    found[:, 2:] = np.maximum(found[:, 2:], 1)
    other = draw.choice(len(CLASSES), len(place), p=SHARES)
    sure = np.where(near, draw.beta(3, 2, len(place)), draw.beta(1, 6, len(place))).round(5)
    return truth, records(place, np.where(near, category[source], other), found, score=sure)


@pytest.mark.slow
def test_argoverse_hds_validation_set_is_scored_in_a_minute(request, tmp_path):
    context = context_of(request.config.rootpath / "config" / "smoke.yaml", tmp_path)
    run, paths = context.runs[0], context.paths
    # of a height at which relative sizes are not the absolute ones too: twice as many ranges
    truth, detections = crowded_streets(height=1080)
    write_json(paths.annotations("val"), truth, indent=None)
    for split in ("train", "val"):
        write_json(paths.about(split), truth["info"])
    made = {"stamp": stamp(context, run), "provenance": collect_provenance(datetime.now(UTC), None)}
    fingerprint = truth["info"]["fingerprint"]
    predicted = {**made, "fingerprint": fingerprint, "detections": detections}
    write_json(paths.run(run, "predictions.json"), predicted, indent=None)
    training = {
        "initial_weights": "scratch",
        "iterations": 1,
        "epochs": 1,
        "duration_s": 1.0,
        "images_per_s": None,
    }
    write_json(paths.run(run, "train.json"), {**made, "training": training})
    del truth, detections, predicted
    begin = time.perf_counter()
    score(context, run)
    took = time.perf_counter() - begin
    content = read_metrics(paths.run(run, "metrics.json"), context.task)
    assert content["dataset"]["images"] == IMAGES
    assert sum(content["size_bins"]["boxes"]) > 15 * IMAGES
    assert 5 < content["metrics"]["AP"] < 95
    assert len(content["jackknife"]["metrics"]["AP_S_rel"]) == SEQUENCES
    peak = content["provenance"]["score"]["peak_memory_mib"]
    print(f"\nscored {IMAGES} images in {took:.1f} s, {peak:.0f} MiB at most")
    assert took < LIMIT_S
