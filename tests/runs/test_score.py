"""Scores against cases whose answer is known."""

import json

import pytest

from lzu.errors import UserError
from lzu.runs.detection2d.score import average_precision


@pytest.fixture
def annotations(tmp_path):
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
    path = tmp_path / "val.json"
    path.write_text(json.dumps(content))
    return path


def detections(annotations):
    return [
        {k: a[k] for k in ("image_id", "category_id", "bbox")} | {"score": 0.9}
        for a in json.loads(annotations.read_text())["annotations"]
    ]


def test_perfect_detections_score_100(annotations):
    found = average_precision(annotations, detections(annotations))
    assert found == dict.fromkeys(("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L"), 100.0)


def test_no_detections_score_zero_and_do_not_fail(annotations):
    found = average_precision(annotations, [])
    assert found == dict.fromkeys(("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L"), 0.0)


def test_a_size_without_ground_truth_is_undefined(annotations):
    content = json.loads(annotations.read_text())
    content["annotations"] = content["annotations"][:2]
    annotations.write_text(json.dumps(content))
    assert average_precision(annotations, detections(annotations))["AP_S"] is None


def test_a_shifted_box_passes_the_thresholds_below_its_overlap(annotations):
    """A 200x100 box shifted by 40: IoU = 160/240 = 2/3, so 4 of 10 thresholds pass (.5 to .65)."""
    boxes = detections(annotations)[:1]
    boxes[0]["bbox"] = [50, 10, 200, 100]
    content = json.loads(annotations.read_text())
    content["annotations"] = content["annotations"][:1]
    annotations.write_text(json.dumps(content))
    found = average_precision(annotations, boxes)
    assert found["AP"] == pytest.approx(40.0)
    assert (found["AP50"], found["AP75"]) == (100.0, 0.0)


def test_an_unknown_image_is_an_error(annotations):
    boxes = detections(annotations)
    boxes[0]["image_id"] = 7
    with pytest.raises(UserError, match="image 7"):
        average_precision(annotations, boxes)
