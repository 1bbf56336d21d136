"""From nuScenes' tables to the score, through the prepared file and the writer of rows."""

import numpy as np
import pytest
from nuscenes import NuScenes

from lzu.datasets.nuscenes.classes import ATTRIBUTES, BICYCLE_RACK, CAMERAS, CLASSES
from lzu.datasets.nuscenes.infos import stream_samples
from lzu.datasets.nuscenes.prepare import prepare
from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.nuscenes_writer import write_nuscenes
from lzu.tasks.detection3d.scoring.detection_score import detection_score
from lzu.tasks.detection3d.scoring.evaluation import metrics
from lzu.tasks.detection3d.tables import AP, ERRORS
from tests.datasets.nuscenes import maker
from tests.tasks.detection3d.scoring.test_evaluation import assert_same, devkit, outcomes_of
from tests.tasks.detection3d.scoring.world import disturbed

WORLD = WorldConfig(
    width=114, height=64, horizontal_fov_deg=70, seed=3, min_box_fraction=0.03,
    train_sequences=1, val_sequences=2, frames_per_sequence=3, frame_interval_s=0.5,
)  # fmt: skip


def prepared(root, folder, split):
    path = folder / f"{split}.json"
    prepare(root, maker.VERSION, split, path, folder / "about.json")
    return list(stream_samples(path))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A synthetic world's validation data: its root and its prepared samples."""
    folder = tmp_path_factory.mktemp("world")
    root = write_nuscenes(folder / "world", WORLD, splits=("val",)) / "val"
    return root, prepared(root, folder, "val")


def into_racks(tables):
    """Put every cycle into a rack of its sample, where there is one."""
    category = {row["token"]: row["name"] for row in tables["category"]}
    of = {row["token"]: category[row["category_token"]] for row in tables["instance"]}
    racks = {
        row["sample_token"]: row["translation"]
        for row in tables["sample_annotation"]
        if of[row["instance_token"]] == BICYCLE_RACK
    }
    for row in tables["sample_annotation"][::2]:
        if "cycle" in of[row["instance_token"]] and row["sample_token"] in racks:
            row["translation"] = racks[row["sample_token"]]


@pytest.mark.parametrize("seed", range(2))
def test_the_prepared_file_scores_as_the_devkit_does_with_the_tables(tmp_path, seed):
    """Poses, sizes, velocities, attributes, points and racks: all are there to the last bit."""
    root = tmp_path / "nuscenes"
    tables = maker.tables(seed, maker.SCENES["train"], samples=6, objects=80, size=(90, 160))
    into_racks(tables)
    maker.write(root, tables)
    samples = prepared(root, tmp_path, "train")
    results = disturbed(samples, seed)
    nusc = NuScenes(maker.VERSION, str(root), verbose=False)
    theirs, _ = devkit(nusc, results, tmp_path, "train").evaluate()
    config, truth, _, outcomes = outcomes_of(samples, results)
    assert_same(metrics(outcomes, config), theirs)
    assert 0.02 < theirs.mean_ap < 0.9
    assert truth.samples.racks


def written(samples, change=lambda found: {}):
    """Rows of what the cameras see, through the writer of a run's predictions.

    An object is found in the first camera that sees it, and not without a lidar or radar point:
    the devkit would count it as a false positive. `change` gives other columns of an image's.
    """
    pytest.importorskip("mmcv")
    from lzu.tasks.detection3d.rows import Found, submission_rows
    from tests.tasks.detection3d.test_rows import found_in

    results = {}
    for sample in samples:
        told = set()
        images = []
        for camera in CAMERAS:
            own = [
                one
                for one in sample["cam_instances"][camera]
                if one["token"] not in told and one["num_lidar_pts"] + one["num_radar_pts"]
            ]
            told |= {one["token"] for one in own}
            image = found_in({**sample, "cam_instances": {camera: own}}, camera)
            images.append(Found(**{**vars(image), **change(image)}))
        results[sample["token"]] = submission_rows(images, CLASSES)
    return results


def test_perfect_predictions_through_the_writer_score_as_much_as_can_be(world, tmp_path):
    """All that is there is found without an error; a class that is not there counts as 0."""
    root, samples = world
    results = written(samples)
    found = detection_score(samples, results, CLASSES, CAMERAS)
    there = {name for name, one in found["recall_by_class"].items() if one["objects"]}
    assert {"car", "truck", "motorcycle", "pedestrian"} <= there
    of_classes = {name: found["metrics"][metric] for name, metric in AP.items()}
    assert of_classes == {name: 100 if name in there else 0 for name in CLASSES}
    of_error = dict(zip(ERRORS, (10, 10, 9, 8, 8), strict=True))
    fixed = {"mAVE": 2, "mAAE": 2, "mAOE": 1}
    missing = len(CLASSES) - len(there)
    assert not {"traffic_cone", "barrier"} & there
    expected = {name: 100 * (missing - fixed.get(name, 0)) / of_error[name] for name in ERRORS}
    assert {name: found["metrics"][name] for name in ERRORS} == pytest.approx(expected, abs=0.02)

    nusc = NuScenes(maker.VERSION, str(root), verbose=False)
    theirs, _ = devkit(nusc, results, tmp_path, "val").evaluate()
    assert found["metrics"]["NDS"] == round(100 * theirs.nd_score, 4)
    assert found["metrics"]["mAP"] == round(100 * theirs.mean_ap, 4)


def moved(column, by):
    """Another value in a column of the boxes in the camera's frame."""

    def change(found):
        boxes = found.boxes.copy()
        boxes[:, column] += by
        return {"boxes": boxes}

    return change


def grown(found):
    boxes = found.boxes.copy()
    boxes[:, 3:6] *= 1.2
    return {"boxes": boxes}


def other_attribute(found):
    """Vehicles that move are parked, and the others move."""
    moving, parked = ATTRIBUTES.index("vehicle.moving"), ATTRIBUTES.index("vehicle.parked")
    return {"attributes": np.where(found.attributes == moving, parked, moving)}


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        # columns: x (to the right), y, z, l, h, w, yaw, velocity along x and z
        (moved(0, 0.7), {"mATE": 70}),
        (grown, {"mASE": 100 * (1 - 1.2**-3)}),
        (moved(6, 0.3), {"mAOE": 30}),
        (moved(7, 1.5), {"mAVE": 150}),
        (other_attribute, {"mAAE": 100}),
    ],
)
def test_known_changes_in_the_camera_are_known_errors_of_vehicles(world, change, errors):
    """Of cars and trucks, which stand apart by more than is changed."""
    _, samples = world
    classes = ("car", "truck")
    results = {
        token: [row for row in rows if row["detection_name"] in classes]
        for token, rows in written(samples, change).items()
    }
    found = detection_score(samples, results, classes, CAMERAS)["metrics"]
    expected = {name: errors.get(name, 0) for name in ERRORS}
    assert {name: found[name] for name in ERRORS} == pytest.approx(expected, abs=0.05)
    # of a shift by 0.7 m, the threshold of 0.5 m finds nothing
    assert found["mAP"] == pytest.approx(75 if "mATE" in errors else 100, abs=1)
