"""Scoring predictions of the size of nuScenes' validation set, the whole verb with its files.

`pytest -m slow tests/tasks/detection3d/scoring/test_score_speed.py -s` prints how long it took.
"""

import time

import numpy as np
import pytest

from lzu.datasets.nuscenes.classes import ATTRIBUTES, CAMERAS, CLASSES, NO_ATTRIBUTE
from lzu.engine.score import score
from lzu.results.schema import read_metrics
from tests.tasks.detection3d.scoring.files import context_of, write_run

SAMPLES, SCENES, OBJECTS = 6019, 150, 31
FOUND = (300, 500)
LIMIT_S = 300
# Shares of the classes in nuScenes' annotations.
SHARES = (0.42, 0.08, 0.02, 0.015, 0.015, 0.01, 0.01, 0.19, 0.09, 0.15)
SIZES = ((2, 4.6, 1.7), (2.5, 7, 2.8), (3, 12, 4), (3, 11, 3.5), (3, 6, 3))
SIZES += ((0.6, 1.7, 1.3), (0.8, 2.1, 1.5), (0.7, 0.7, 1.8), (0.4, 0.4, 1.1), (2.5, 0.5, 1))
# The share of predictions that lie about an object, and how far from it, in metres.
NEAR, SPREAD = 0.4, 1.5
GRAVITY = 1.0


def places(draw, ego):
    """Centres (n, 3) up to 60 m round a vehicle at each of (n, 3), nearer ones denser."""
    angle, distance = draw.uniform(-np.pi, np.pi, len(ego)), 60 * draw.random(len(ego))
    offset = np.stack((distance * np.cos(angle), distance * np.sin(angle)), axis=1)
    return ego + np.column_stack((offset, np.full(len(ego), GRAVITY)))


def turned(yaw):
    zero = np.zeros(len(yaw))
    return np.stack((np.cos(yaw / 2), zero, zero, np.sin(yaw / 2)), axis=1)


def attributes_of(draw, label):
    low = np.array([5, 5, 5, 5, 5, 0, 0, 2, NO_ATTRIBUTE, NO_ATTRIBUTE])[label]
    many = np.array([3, 3, 3, 3, 3, 2, 2, 3, 1, 1])[label]
    return low + (draw.random(len(label)) * many).astype(int)


def columns(keys, *values):
    """A record for each row of columns."""
    rows = zip(*(value.tolist() for value in values), strict=True)
    return [dict(zip(keys, row, strict=True)) for row in rows]


def validation_set(samples=SAMPLES):
    """Samples of a prepared file, one after another, and the rows of predictions, of random
    boxes."""
    draw = np.random.default_rng(0)
    sample = np.repeat(np.arange(samples), draw.poisson(OBJECTS, samples))
    n = len(sample)
    ego = np.column_stack((draw.uniform(300, 2000, (samples, 2)), np.zeros(samples)))
    label = draw.choice(len(CLASSES), n, p=SHARES)
    place, yaw = places(draw, ego[sample]), draw.uniform(-np.pi, np.pi, n)
    size = np.array(SIZES)[label] * draw.uniform(0.8, 1.25, (n, 3))
    velocity, attribute = draw.normal(0, 3, (n, 2)), attributes_of(draw, label)
    points = draw.poisson(3, n)
    names = np.array([*ATTRIBUTES, ""], dtype=object)
    keys = ("token", "bbox_label_3d", "translation", "size", "rotation", "velocity", "attribute")
    truth = columns(
        (*keys, "num_lidar_pts", "num_radar_pts"),
        np.array([f"{k:032x}" for k in range(n)], dtype=object),
        *(label, place, size, turned(yaw), velocity, names[attribute], points, 0 * points),
    )
    per_sample = draw.integers(*FOUND, samples, endpoint=True)
    of = np.repeat(np.arange(samples), per_sample)
    first = np.searchsorted(sample, of)
    own = np.searchsorted(sample, of, side="right") - first
    near = (draw.random(len(of)) < NEAR) & (own > 0)
    source = np.minimum(first + (draw.random(len(of)) * own).astype(int), n - 1)
    about = place[source] + draw.normal(0, SPREAD, (len(of), 3))
    other = draw.choice(len(CLASSES), len(of), p=SHARES)
    kind = np.where(near, label[source], other)
    sure = np.where(near, draw.beta(2, 3, len(of)), draw.beta(1, 8, len(of)))
    keys = ("translation", "size", "rotation", "velocity", "detection_name", "detection_score")
    found = columns(
        (*keys, "attribute_name"),
        np.where(near[:, None], about, places(draw, ego[of])).round(4),
        (np.array(SIZES)[kind] * draw.uniform(0.7, 1.4, (len(of), 3))).round(4),
        turned(yaw[source] + draw.normal(0, 0.4, len(of))).round(6),
        (velocity[source] + draw.normal(0, 1, (len(of), 2))).round(4),
        np.array(CLASSES, dtype=object)[kind],
        sure.round(5),
        names[attributes_of(draw, kind)],
    )
    ends, found_ends = np.searchsorted(sample, np.arange(samples + 1)), [0, *per_sample.cumsum()]
    made = (prepared(draw, k, ego[k], truth[ends[k] : ends[k + 1]]) for k in range(samples))
    return made, {f"{k:032x}": found[found_ends[k] : found_ends[k + 1]] for k in range(samples)}


def prepared(draw, place, ego, instances):
    """A sample as a prepared file has it; an object is in one camera, or two."""
    pose = np.eye(4)
    pose[:3, 3] = ego
    seen = {name: [] for name in CAMERAS}
    for one in instances:
        for name in draw.choice(CAMERAS, 1 + (draw.random() < 0.2), replace=False):
            left, top = draw.uniform(0, (1500, 700))
            box = [left, top, left + draw.uniform(5, 100), top + draw.exponential(70) + 4]
            filler = {key: [0.123456] * 7 for key in ("bbox_3d", "center_2d", "depth")}
            seen[name].append({"token": one["token"], "bbox": box, **filler})
    matrices = {key: np.eye(4).tolist() for key in ("cam2img", "cam2ego", "lidar2cam")}
    return {
        "token": f"{place:032x}",
        "scene": f"scene-{place * SCENES // SAMPLES:04d}",
        "ego2global": pose.tolist(),
        "images": {name: {"height": 900, "width": 1600, **matrices} for name in CAMERAS},
        "cam_instances": seen,
        "instances": instances,
        "bicycle_racks": [
            {
                "translation": (ego + np.append(draw.uniform(-30, 30, 2), 1)).tolist(),
                "size": [2.0, 6.0, 2.0],
                "rotation": [1.0, 0.0, 0.0, 0.0],
            }
            for _ in range(draw.poisson(0.3))
        ],
    }


@pytest.mark.slow
def test_nuscenes_validation_set_is_scored_in_five_minutes(request, tmp_path):
    context = context_of(request.config.rootpath / "config" / "smoke.yaml", tmp_path)
    run = context.runs[0]
    samples, results = validation_set()
    boxes = sum(map(len, results.values()))
    write_run(context, run, samples, results)
    del samples, results
    begin = time.perf_counter()
    score(context, run)
    took = time.perf_counter() - begin
    content = read_metrics(context.paths.run(run, "metrics.json"), context.task)
    objects = sum(content["distance_bins"]["objects"])
    assert len(content["jackknife"]["metrics"]["NDS"]) == 24
    assert 5 < content["metrics"]["mAP"] < 95
    peak = content["provenance"]["score"]["peak_memory_mib"]
    print(
        f"\nscored {SAMPLES} samples with {objects} objects and {boxes} predictions in {took:.1f} "
        f"s, {peak:.0f} MiB at most"
    )
    assert took < LIMIT_S
