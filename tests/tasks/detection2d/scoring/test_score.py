"""Scores against cases whose answer is known."""

import copy

import numpy as np
import pytest

from lzu.engine.score import score
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.files import read_json, write_json
from lzu.results.schema import read_metrics
from lzu.tasks.detection2d.metrics import COCO
from lzu.tasks.detection2d.scoring.evaluation import evaluate, precision
from lzu.tasks.detection2d.scoring.score import average_precision
from lzu.tasks.detection2d.scoring.sizes import COCO_RANGES, size_ranges
from tests.prepared import copied
from tests.tasks.detection2d.scoring.reference import evaluated, precision_of
from tests.tasks.detection2d.untrained import save_predictions, save_record

RUN = Run("smoke", "detection2d", "uniform", 1.0, 0.5, 0)


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


def test_it_is_pycocotools_average_precision(busy):
    truth, found = busy
    ranges = [*COCO_RANGES.values(), *size_ranges()]
    ours = precision(evaluate(truth, found, np.array(ranges))).values
    theirs = precision_of(evaluated(truth, found, ranges))
    assert np.isfinite(theirs).sum() > 300
    assert len(np.unique(theirs[np.isfinite(theirs)])) > 150
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)

    scores = average_precision(truth, found)
    coco = np.nanmean(theirs[:, :, :4], axis=1)
    halves = {"AP50": coco[0, 0], "AP75": coco[5, 0]}
    expected = dict(zip(COCO_RANGES, coco.mean(axis=0), strict=True)) | halves
    assert set(expected) == set(COCO)
    assert scores.metrics == pytest.approx({k: 100 * v for k, v in expected.items()}, abs=1e-4)
    whole, bins = sum(1 for r in truth["annotations"] if not r["iscrowd"]), scores.size_bins
    assert sum(bins["boxes"]) == whole == sum(scores.size_bins_relative["boxes"])


def resized(truth, found, height):
    """Boxes and images of another size, height 400 to `height`."""
    truth, found = copy.deepcopy((truth, found))
    for one in (*truth["annotations"], *found):
        one["bbox"] = [v * height / 400 for v in one["bbox"]]
    for one in truth["annotations"]:
        one["area"] *= (height / 400) ** 2
    for one in truth["images"]:
        one["height"] = height
    return truth, found


def test_relative_sizes_do_not_depend_on_the_resolution(busy):
    small = average_precision(*busy)
    large = average_precision(*resized(*busy, 1200))
    names = ("AP_S", "AP_M", "AP_L")
    assert list(small.relative) == [f"{name}_rel" for name in names]
    assert small.relative == large.relative
    assert small.size_bins_relative == large.size_bins_relative
    assert small.size_bins != large.size_bins
    assert list(large.relative.values()) == [large.metrics[name] for name in names]
    for key in ("AP", "boxes"):
        assert large.size_bins[key] == large.size_bins_relative[key]
    assert small.size_bins_relative["lower"][:3] == [0, 8 / 1200, 16 / 1200]
    assert len(small.size_bins_relative["AP"]) == 10


def test_images_of_several_heights_are_an_error(busy):
    busy[0]["images"][3]["height"] = 401
    with pytest.raises(UserError, match=r"\[400, 401\] px"):
        average_precision(*busy)


def test_sequences_are_left_out_in_turn(busy):
    truth, found = busy
    assert average_precision(truth, found).jackknife is None
    for image in truth["images"]:
        image["sid"] = image["id"] % 3 + 5
    scores = average_precision(truth, found)
    assert scores.jackknife["groups"] == [[5], [6], [7]]
    whole = scores.metrics | scores.relative
    assert set(scores.jackknife["metrics"]) == set(whole)
    for n, sid in enumerate((5, 6, 7)):
        images = [image for image in truth["images"] if image["sid"] != sid]
        ids = {image["id"] for image in images}
        rest, left = (
            [one for one in records if one["image_id"] in ids]
            for records in (truth["annotations"], found)
        )
        alone = average_precision({**truth, "images": images, "annotations": rest}, left)
        values = {name: value[n] for name, value in scores.jackknife["metrics"].items()}
        assert values == pytest.approx(alone.metrics | alone.relative, abs=1e-4)
        assert values != pytest.approx(whole, abs=1e-4)
    for image in truth["images"]:
        image["sid"] = 5
    assert average_precision(truth, found).jackknife is None


@pytest.fixture
def predicted(context, tmp_path):
    """With predictions of `RUN`, as if it had been trained."""
    context = copied(context, tmp_path)
    save_record(context, RUN)
    save_predictions(context, RUN, (0.9, 0.3))
    return context


def test_what_is_written_is_the_score_with_its_provenance(predicted):
    score(predicted, RUN)
    path = predicted.paths.run(RUN, "metrics.json")
    written = read_metrics(path, predicted.task)
    assert len(written["size_bins_relative"]["AP"]) == 10
    assert set(written["relative"]) == {"AP_S_rel", "AP_M_rel", "AP_L_rel"}
    assert written["jackknife"]["groups"] == [[0], [1]]
    made = {
        "train": read_json(predicted.paths.run(RUN, "train.json"))["provenance"],
        "predict": read_json(predicted.paths.run(RUN, "predictions.json"))["provenance"],
    }
    assert {name: written["provenance"][name] for name in made} == made
    assert set(written["provenance"]) == {*made, "score"}


@pytest.mark.parametrize(
    ("key", "said"),
    [("stamp", "weights of other settings or data than"), ("fingerprint", "other data than")],
)
def test_predictions_of_something_else_are_not_scored(predicted, key, said):
    path = predicted.paths.run(RUN, "predictions.json")
    content = read_json(path)
    for value in ("other", None):
        write_json(path, {**content, key: value})
        with pytest.raises(UserError, match=said):
            score(predicted, RUN)
    # written before predictions told of their data
    del content["fingerprint"]
    write_json(path, content)
    with pytest.raises(UserError, match="other data than"):
        score(predicted, RUN)
    assert not predicted.paths.run(RUN, "metrics.json").exists()


def test_a_training_of_something_else_is_not_told_of(predicted):
    """The weights were trained anew after they were predicted with, for other settings."""
    path = predicted.paths.run(RUN, "train.json")
    write_json(path, {**read_json(path), "stamp": "other"})
    with pytest.raises(UserError, match=r"train\.json: trained with other settings or data"):
        score(predicted, RUN)
