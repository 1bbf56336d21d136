"""Scores against cases whose answer is known."""

import copy

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lzu.errors import UserError
from lzu.experiments.paths import Paths
from lzu.experiments.run import Run
from lzu.files import read_json, write_json
from lzu.results.schema import DETECTION2D_METRICS
from lzu.tasks.detection2d.evaluation import average_precision_by_size
from lzu.tasks.detection2d.score import COCO_RANGES, average_precision, score, size_ranges
from tests.prepared import copy_of
from tests.tasks.detection2d.untrained import save_predictions


@pytest.fixture
def annotations():
    """Two images; a large, a medium and a small box of class 2 (32^2 and 96^2 are the limits)."""
    boxes = [(1, [10, 10, 200, 100]), (1, [300, 50, 60, 50]), (2, [20, 20, 10, 10])]
    content = {
        "info": {},
        "categories": [{"id": 2, "name": "car"}],
        "images": [{"id": i, "width": 640, "height": 400, "file_name": f"{i}"} for i in (1, 2)],
        "annotations": [
            {
                "id": k,
                "image_id": image,
                "category_id": 2,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
            for k, (image, box) in enumerate(boxes, start=1)
        ],
    }
    return content


def detections(annotations):
    return [
        {k: a[k] for k in ("image_id", "category_id", "bbox")} | {"score": 0.9}
        for a in annotations["annotations"]
    ]


def test_perfect_detections_score_100(annotations):
    found = average_precision(annotations, detections(annotations)).metrics
    assert found == dict.fromkeys(("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L"), 100.0)


def test_no_detections_score_zero_and_do_not_fail(annotations):
    found = average_precision(annotations, [])
    assert found.metrics == dict.fromkeys(("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L"), 0.0)


def test_a_size_without_ground_truth_is_undefined(annotations):
    annotations["annotations"] = annotations["annotations"][:2]
    assert average_precision(annotations, detections(annotations)).metrics["AP_S"] is None


def test_a_shifted_box_passes_the_thresholds_below_its_overlap(annotations):
    """A 200x100 box shifted by 40: IoU = 160/240 = 2/3, so 4 of 10 thresholds pass (.5 to .65)."""
    boxes = detections(annotations)[:1]
    boxes[0]["bbox"] = [50, 10, 200, 100]
    annotations["annotations"] = annotations["annotations"][:1]
    found = average_precision(annotations, boxes).metrics
    assert found["AP"] == pytest.approx(40.0)
    assert (found["AP50"], found["AP75"]) == (100.0, 0.0)


@pytest.mark.parametrize(("key", "name"), [("image_id", "image"), ("category_id", "category")])
def test_what_the_annotations_do_not_have_is_an_error(annotations, key, name):
    boxes = detections(annotations)
    boxes[0][key] = 7
    with pytest.raises(UserError, match=f"{name} 7"):
        average_precision(annotations, boxes)


def test_each_box_is_in_one_bin_of_its_size(annotations):
    """Square roots of areas: 141.4, 54.8 and 10; and 16, which is the edge of a bin."""
    edge = dict(annotations["annotations"][2], id=9, bbox=[100, 100, 16, 16], area=256)
    annotations["annotations"].append(edge)
    found = average_precision(annotations, detections(annotations)[:3]).size_bins
    assert found["lower_px"] == [0, 8, 16, 24, 32, 48, 64, 96, 128, 192]
    assert found["boxes"] == [0, 1, 1, 0, 0, 1, 0, 0, 1, 0]
    assert found["AP"] == [None, 100, 0, None, None, 100, None, None, 100, None]


@pytest.fixture
def busy():
    """Twenty crowded images with crowds, equal scores, repeated boxes and 150 detections."""
    draw = np.random.default_rng(5)
    objects, found = [], []
    for image in range(3, 23):
        for category in (1, 4, 6):
            boxes = np.round(draw.uniform((0, 0, 4, 4), (300, 200, 130, 130), (9, 4)))
            boxes[1], boxes[3, 2:] = boxes[0], (32, 32)
            boxes = boxes[: draw.integers(1 if category == 1 else 0, 10)]
            for box in boxes.tolist():
                record = {"id": len(objects) + 1, "image_id": image, "category_id": category}
                crowd = int(draw.random() < 0.15)
                area = box[2] * box[3] * draw.choice([1.0, 0.6])
                objects.append({**record, "bbox": box, "area": area, "iscrowd": crowd})
            for _ in range(150 if category == 1 and image % 2 else 12):
                near = boxes[draw.integers(len(boxes))] if len(boxes) else np.array([9, 9, 9, 9])
                box = np.maximum(np.round(near + draw.normal(0, 4, 4)), 1).tolist()
                record = {"image_id": image, "category_id": category, "bbox": box}
                found.append({**record, "score": round(float(draw.random()), 1)})
    draw.shuffle(found)
    draw.shuffle(objects)
    return {
        "info": {},
        "categories": [{"id": k, "name": str(k)} for k in (1, 4, 5, 6)],
        "images": [{"id": k, "width": 640, "height": 400} for k in range(22, 0, -1)],
        "annotations": objects,
    }, found


def test_it_is_pycocotools_average_precision(busy, capsys):
    truth, found = busy
    ranges = [*COCO_RANGES.values(), *size_ranges()]
    ours = average_precision_by_size(truth, found, np.array(ranges))
    coco = COCO()
    coco.dataset = copy.deepcopy(truth)
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes(copy.deepcopy(found)), "bbox")
    evaluation.params.areaRng, evaluation.params.areaRngLbl = ranges, [str(r) for r in ranges]
    evaluation.params.maxDets = [100]
    evaluation.evaluate()
    evaluation.accumulate()
    theirs = evaluation.eval["precision"][..., 0].mean(axis=1)
    theirs[theirs < 0] = np.nan
    assert np.isfinite(theirs).sum() > 300
    assert len(np.unique(theirs[np.isfinite(theirs)])) > 150
    np.testing.assert_allclose(ours.values, theirs, rtol=0, atol=1e-12)

    scores = average_precision(truth, found)
    evaluation = COCOeval(coco, coco.loadRes(copy.deepcopy(found)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    capsys.readouterr()
    expected = dict(zip(DETECTION2D_METRICS, 100 * evaluation.stats[:6], strict=True))
    assert scores.metrics == pytest.approx(expected, abs=1e-4)
    whole, bins = sum(1 for r in truth["annotations"] if not r["iscrowd"]), scores.size_bins
    assert sum(bins["boxes"]) == whole


@pytest.mark.parametrize(
    ("key", "said"), [("config_hash", "other weights than"), ("fingerprint", "other data than")]
)
def test_predictions_of_something_else_are_not_scored(suite, results, tmp_path, key, said):
    paths = Paths(suite, copy_of(results, tmp_path))
    run = Run("smoke", "detection2d", "uniform", 1.0, 0.5, 0)
    save_predictions(suite, run, paths, (0.9, 0.3))
    path = paths.run(run, "predictions.json")
    content = read_json(path)
    training = {"initial_weights": "scratch", "iterations": 3, "epochs": 1, "duration_s": 1.0}
    stamp = {"config_hash": content["config_hash"], "training": {**training, "images_per_s": None}}
    write_json(paths.run(run, "train.json"), stamp)
    score(run, paths)
    for value in ("other", None):
        write_json(path, {**content, key: value})
        with pytest.raises(UserError, match=said):
            score(run, paths)
    # written before predictions told of their data
    del content["fingerprint"]
    write_json(path, content)
    with pytest.raises(UserError, match="other data than"):
        score(run, paths)
