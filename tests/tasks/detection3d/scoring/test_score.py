"""What a metrics file has beside the devkit's numbers, and predictions that cannot be scored."""

import copy

import jsonschema
import numpy as np
import pytest

from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES
from lzu.engine.score import score
from lzu.errors import UserError
from lzu.experiments.task import Bins
from lzu.results.bins import bin_names
from lzu.results.collect import bin_metrics
from lzu.results.schema import JACKKNIFE, closed, read_metrics
from lzu.tasks.detection3d.metrics import BINS, EXTRAS, METRICS, check_extras
from lzu.tasks.detection3d.scoring.detection_score import detection_score
from lzu.tasks.detection3d.tables import AP
from tests.tasks.detection3d.scoring.files import context_of, write_run
from tests.tasks.detection3d.scoring.test_oracle import orderly
from tests.tasks.detection3d.scoring.world import disturbed, perfect, world

FRONT = ("CAM_FRONT",)


def test_the_verb_scores_a_run_by_its_files(request, tmp_path):
    context = context_of(request.config.rootpath / "config" / "smoke.yaml", tmp_path)
    run, samples = context.runs[0], orderly()
    write_run(context, run, samples, perfect(samples))
    score(context, run)
    path = context.paths.run(run, "metrics.json")
    content = read_metrics(path, context.task)
    assert content["metrics"]["NDS"] == 100
    assert content["dataset"]["images"] == 24
    whole = detection_score(samples, perfect(samples), CLASSES, CAMERAS)
    assert {key: content[key] for key in whole} == whole
    write_run(context, run, samples, None)
    with pytest.raises(UserError, match="results: no rows by sample"):
        score(context, run)


def car(token, x, height=0.0, camera=None, y=0.0, points=1):
    """A car at x, y from the vehicle, and what a camera sees of it."""
    one = {
        "token": token,
        "bbox_label_3d": 0,
        "translation": [x, y, 0.0],
        "size": [2.0, 4.0, 1.5],
        "rotation": [1.0, 0.0, 0.0, 0.0],
        "velocity": None,
        "attribute": "",
        "num_lidar_pts": points,
        "num_radar_pts": 0,
    }
    return one, [(camera, [0.0, 0.0, 10.0, height])] if camera else []


def sample(token, cars, scene="scene-0"):
    seen = {name: [] for name in CAMERAS}
    for one, views in cars:
        for camera, box in views:
            seen[camera].append({"token": one["token"], "bbox": box})
    return {
        "token": token,
        "scene": scene,
        "ego2global": np.eye(4).tolist(),
        "images": {name: {"height": 100, "width": 200} for name in CAMERAS},
        "cam_instances": seen,
        "instances": [one for one, _ in cars],
        "bicycle_racks": [],
    }


def as_bins(bins, content):
    unit = bins.units[0]
    return [content[unit.key][key] for key in (unit.lower, bins.metric, bins.count)]


def test_recall_by_distance_height_class_and_camera():
    both = car("c", 22.0, 7.0, "CAM_BACK")
    both[1].append(("CAM_FRONT", [0, 0, 20, 5]))
    cars = [
        car("a", 3.0, 50.0, "CAM_FRONT"),
        car("b", 5.0, 48.0, "CAM_FRONT"),
        # larger in CAM_FRONT, where it is less high
        both,
        car("d", -30.0),
        car("none", 10.0, 9.0, "CAM_FRONT", points=0),
        car("far", 51.0, 1.0, "CAM_FRONT"),
    ]
    samples = [sample("s", cars)]
    results = perfect(samples)
    results["s"] = [results["s"][n] for n in (0, 2, 3)]
    found = detection_score(samples, results, CLASSES, CAMERAS)
    edges, recall, objects = as_bins(BINS[0], found)
    assert edges == list(range(0, 50, 5))
    assert objects == [1, 1, 0, 0, 1, 0, 1, 0, 0, 0]
    assert recall == [100, 0, None, None, 100, None, 100, None, None, None]
    edges, recall, objects = as_bins(BINS[1], found)
    assert edges == [0, 0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24, 0.32, 0.48]
    assert objects == [0, 0, 1, 0, 0, 0, 0, 0, 0, 2]
    assert recall == [None, None, 100, *[None] * 6, 50]
    assert found["recall_by_class"]["car"] == {"recall": 75, "objects": 4}
    assert found["recall_by_class"]["bus"] == {"recall": None, "objects": 0}
    cameras = found["recall_by_camera"]
    assert cameras["CAM_FRONT"] == {"recall": pytest.approx(200 / 3, abs=1e-4), "objects": 3}
    assert cameras["CAM_BACK"] == {"recall": None, "objects": 0}
    assert "jackknife" not in found


def test_an_object_is_found_within_two_metres_by_the_surest_prediction():
    samples = [sample("s", [car("a", 10.0), car("b", 13.0)])]
    row = perfect(samples)["s"][0]
    near = {**row, "translation": [11.4, 0, 0], "detection_score": 0.2}
    surer = {**row, "translation": [11.6, 0, 0], "detection_score": 0.9}
    recall = {
        n: detection_score(samples, {"s": rows}, CLASSES, CAMERAS)["recall_by_class"]["car"]
        for n, rows in enumerate(([near], [near, surer], [{**row, "translation": [8, 0, 0]}]))
    }
    assert [one["recall"] for one in recall.values()] == [50, 100, 0]


def test_with_fewer_cameras_what_they_see_is_to_be_found(tmp_path):
    made = world(tmp_path, seed=8)
    results = disturbed(made.samples, 8)
    whole = detection_score(made.samples, results, CLASSES, CAMERAS)
    front = detection_score(made.samples, results, CLASSES, FRONT)
    for one in made.samples:
        seen = {box["token"] for box in one["cam_instances"]["CAM_FRONT"]}
        one["instances"] = [box for box in one["instances"] if box["token"] in seen]
        for name in CAMERAS[1:]:
            one["cam_instances"][name] = []
    assert detection_score(made.samples, results, CLASSES, CAMERAS) == front
    assert front["metrics"] != whole["metrics"]


def test_scenes_are_left_out_of_metrics_and_of_recall_by_bin(tmp_path):
    made = world(tmp_path, seed=9)
    results = disturbed(made.samples, 9)
    whole = detection_score(made.samples, results, CLASSES, CAMERAS)
    left_out = whole["jackknife"]
    scenes = sorted({one["scene"] for one in made.samples})
    assert (left_out["unit"], left_out["groups"]) == ("scene", [[name] for name in scenes])
    for place, scene in enumerate(scenes):
        rest = [one for one in made.samples if one["scene"] != scene]
        tokens = {one["token"] for one in rest}
        own = {token: rows for token, rows in results.items() if token in tokens}
        found = detection_score(rest, own, CLASSES, CAMERAS)
        expected = dict(found["metrics"])
        for bins in BINS:
            unit = bins.units[0]
            expected |= bin_metrics(found[unit.key], bins, unit)
        values = {name: each[place] for name, each in left_out["metrics"].items()}
        assert set(values) == {name for name in expected if not name.startswith("objects")}
        shared = {name: expected[name] for name in values}
        assert values == {
            name: value if value is None else pytest.approx(value, abs=1e-4)
            for name, value in shared.items()
        }


def test_what_is_found_fits_the_schemas(tmp_path):
    made = world(tmp_path, seed=10)
    schema = closed({"metrics": METRICS, "jackknife": JACKKNIFE, **EXTRAS})
    for classes in (CLASSES, ("car", "traffic_cone"), ("barrier",)):
        results = disturbed(made.samples, 10, classes=classes)
        found = detection_score(made.samples, results, classes, CAMERAS)
        jsonschema.validate(found, schema)
        assert check_extras(found) is None
        missing = {name for name, metric in AP.items() if found["metrics"][metric] is None}
        assert missing == set(CLASSES) - set(classes)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("distance_bins", "recall", 9), 3.0, "distance_bins: from 45: recall 3.0 with 0 objects"),
        (("height_bins", "lower", 0), 0.5, "height_bins.lower: .* do not rise"),
        (("recall_by_class", "bus", "recall"), 1.0, "recall_by_class.bus: recall 1.0 with 0"),
        (("recall_by_camera", "CAM_FRONT", "objects"), 7, "height_bins.objects: 1 in all, but"),
    ],
)
def test_recalls_that_do_not_fit_together_are_found(path, value, problem):
    samples = [sample("s", [car("a", 3.0, 50.0, "CAM_FRONT")])]
    found = detection_score(samples, perfect(samples), CLASSES, CAMERAS)
    assert check_extras(found) is None
    *keys, last = path
    place = found
    for key in keys:
        place = place[key]
    place[last] = value
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(check_extras(found))


def test_bins_of_both_kinds_have_names_of_their_own():
    names = [
        name
        for bins in BINS
        if isinstance(bins, Bins)
        for name in bin_names((0, 10), bins.metric, bins.units[0].sign)
    ]
    assert names == ["recall[0,10)/m", "recall[10,inf)/m", "recall[0,10)/H", "recall[10,inf)/H"]


def broken(change):
    """An error for the perfect predictions of a few samples of which `change` breaks something."""
    samples = orderly()
    results = copy.deepcopy(perfect(samples))
    change(results)
    with pytest.raises(UserError) as caught:
        detection_score(samples, results, CLASSES, CAMERAS, "runs/predictions.json")
    message = str(caught.value)
    assert message.startswith("runs/predictions.json: results: ")
    return message


def test_more_than_500_boxes_of_a_sample_are_an_error():
    message = broken(lambda results: results["sample2"].extend(results["sample2"][:1] * 500))
    assert "sample sample2 has 550 boxes, but nuScenes allows 500" in message


def test_samples_that_are_unknown_or_missing_are_an_error():
    assert "1 samples are not in the validation data, the first x" in broken(
        lambda results: results.update(x=[])
    )
    assert "1 samples are without predictions, the first sample1" in broken(
        lambda results: results.pop("sample1")
    )


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("detection_name", "animal", "'animal' is none of: car, truck"),
        ("attribute_name", "vehicle.flying", "'vehicle.flying' is neither empty nor one of"),
        ("attribute_name", None, "None is neither"),
        ("translation", [1.0, float("nan"), 0.0], "are not all finite numbers"),
        ("translation", [1.0, 2.0], "are no 3 numbers"),
        ("velocity", [None, None], "are not all finite numbers"),
        ("size", [1.0, 0.0, 1.0], "are not all positive"),
        ("rotation", [0.0, 0.0, 0.0, 0.0], "a quaternion of length 0"),
        ("detection_score", float("inf"), "inf is no finite number"),
        ("detection_score", "high", "'high' is no finite number"),
    ],
)
def test_a_row_that_cannot_be_scored_is_named(key, value, problem):
    message = broken(lambda results: results["sample3"][7].update({key: value}))
    assert message.startswith(f"runs/predictions.json: results: sample sample3: row 7: {key}: ")
    assert problem in message
    assert message.endswith("; predict again")


def test_a_row_that_lacks_a_key_is_named():
    message = broken(lambda results: results["sample0"][1].pop("size"))
    assert "sample sample0: row 1: no size" in message


def test_a_class_that_is_not_among_the_suites_is_an_error():
    samples = orderly()
    with pytest.raises(UserError, match="detection_name: 'truck' is none of: car; predict again"):
        detection_score(samples, perfect(samples), ("car",), CAMERAS)
