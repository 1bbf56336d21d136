"""What is known of the score beforehand: predictions made from the ground truth, disturbed by known
amounts.

The limits of a perfect score, all by the devkit's own rules: a class without objects has an AP of 0
and errors of 1; unknown velocities and missing attributes are in no error, so predictions may say
anything there; cones have no yaw, velocity or attribute, barriers no velocity or attribute.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES
from lzu.tasks.detection3d.scoring.detection_score import detection_score
from lzu.tasks.detection3d.tables import AP
from tests.tasks.detection3d.scoring.world import ATTRIBUTES_OF, perfect, yaw_rotation

ERRORS = {"mATE": 0, "mASE": 0, "mAOE": 0, "mAVE": 0, "mAAE": 0}


def orderly(classes=CLASSES):
    """Four samples of two scenes; of each class five objects each, 8 m and more from each other
    and at most 27 m from the vehicle."""
    samples = []
    for place in range(4):
        instances = []
        for label, name in enumerate(CLASSES):
            for n in range(5 if name in classes else 0):
                angle, distance = 2 * np.pi * (n / 5 + label / 50), 8 + 4 * n
                attributes = ATTRIBUTES_OF.get(name, ("",))
                instances.append(
                    {
                        "token": f"{place}-{name}-{n}",
                        "bbox_label_3d": label,
                        "translation": [
                            100 + distance * np.cos(angle),
                            50 + distance * np.sin(angle),
                            1.0,
                        ],
                        "size": [1.0 + 0.1 * label, 2.0, 1.5 + n / 10],
                        "rotation": yaw_rotation(n + label / 3),
                        "velocity": [n - 2.0, 0.5 * label],
                        "attribute": attributes[n % len(attributes)],
                        "num_lidar_pts": n,
                        "num_radar_pts": 1,
                    }
                )
        pose = np.eye(4)
        pose[:3, 3] = 100, 50, 0
        samples.append(
            {
                "token": f"sample{place}",
                "scene": f"scene-{place // 2}",
                "ego2global": pose.tolist(),
                "images": {name: {"height": 900, "width": 1600} for name in CAMERAS},
                "cam_instances": {},
                "instances": instances,
                "bicycle_racks": [],
            }
        )
    return samples


SAMPLES = orderly()


def scores(change=lambda row: {}, samples=SAMPLES):
    """The metrics of perfect predictions of which `change` gives other values of some keys."""
    results = {
        token: [{**row, **change(row)} for row in rows] for token, rows in perfect(samples).items()
    }
    return detection_score(samples, results, CLASSES, CAMERAS)["metrics"]


def assert_scores(found, ap=100, **errors):
    """mAP and the AP of every class as given, the five errors as given or none."""
    expected = ERRORS | errors
    assert {name: found[name] for name in ERRORS} == pytest.approx(expected, abs=2e-4)
    assert [found[name] for name in ("mAP", *AP.values())] == pytest.approx([ap] * 11, abs=2e-4)
    lost = sum(min(error, 100) for error in expected.values())
    assert found["NDS"] == pytest.approx((5 * ap + 500 - lost) / 10, abs=2e-4)


def test_perfect_predictions_score_100():
    assert_scores(scores(), ap=100)
    assert scores()["NDS"] == 100


def test_a_class_without_objects_counts_as_one_that_is_never_found():
    """As in the devkit; so 7 classes of 10 score 70 at most. Cones and barriers, which have fewer
    errors, are among those that are there."""
    found = scores(samples=orderly(CLASSES[3:]))
    assert (found["mAP"], found["AP_car"], found["AP_bus"]) == (pytest.approx(70), 0, 100)
    of_classes = {"mATE": 10, "mASE": 10, "mAOE": 9, "mAVE": 8, "mAAE": 8}
    errors = {name: 100 * 3 / count for name, count in of_classes.items()}
    assert {name: found[name] for name in ERRORS} == pytest.approx(errors, abs=2e-4)
    assert found["NDS"] == pytest.approx((5 * 70 + 500 - sum(errors.values())) / 10, abs=2e-4)


@given(st.floats(0, 1.99), st.floats(-np.pi, np.pi))
@settings(max_examples=15, deadline=None)
def test_a_shift_is_the_error_of_translation(distance, angle):
    """What is shifted is found at the distance thresholds beyond the shift."""
    offset = np.array([distance * np.cos(angle), distance * np.sin(angle), 0.3])
    found = scores(lambda row: {"translation": (row["translation"] + offset).tolist()})
    if all(abs(distance - threshold) > 1e-9 for threshold in (0.5, 1)):
        ap = 25 * sum(distance < threshold for threshold in (0.5, 1, 2, 4))
        assert_scores(found, ap=ap, mATE=100 * distance)


@given(st.floats(0.5, 2))
@settings(max_examples=10, deadline=None)
def test_a_scale_is_the_error_of_size(scale):
    found = scores(lambda row: {"size": [scale * side for side in row["size"]]})
    overlap = min(scale, 1 / scale) ** 3
    assert_scores(found, mASE=100 * (1 - overlap))


@given(st.floats(-3, 3))
@settings(max_examples=10, deadline=None)
def test_a_turn_is_the_error_of_orientation(angle):
    """Cones have no yaw, and a barrier's front is as good as its back."""

    def turned(row):
        w, _, _, z = row["rotation"]
        return {"rotation": yaw_rotation(2 * np.arctan2(z, w) + angle)}

    turn = abs(angle)
    assert_scores(scores(turned), mAOE=100 * (8 * turn + min(turn, np.pi - turn)) / 9)


@given(st.floats(-5, 5), st.floats(-5, 5))
@settings(max_examples=10, deadline=None)
def test_an_offset_of_velocity_is_its_error(east, north):
    offset = np.array([east, north])
    found = scores(lambda row: {"velocity": (row["velocity"] + offset).tolist()})
    assert_scores(found, mAVE=100 * np.hypot(east, north))


def test_unknown_velocities_are_in_no_error():
    samples = orderly()
    for sample in samples:
        for one in sample["instances"][::2]:
            one["velocity"] = None
    assert_scores(scores(samples=samples))


def test_flipped_attributes_are_the_error_of_attribute():
    def flipped(row):
        own = ATTRIBUTES_OF.get(row["detection_name"], ("",))
        return {"attribute_name": own[(own.index(row["attribute_name"]) + 1) % len(own)]}

    assert_scores(scores(flipped), mAAE=100)
    of_cars = scores(lambda row: flipped(row) if row["detection_name"] == "car" else {})
    assert_scores(of_cars, mAAE=100 / 8)


def test_the_attribute_of_cones_and_barriers_does_not_count():
    def with_attribute(row):
        fixed = row["detection_name"] in ("traffic_cone", "barrier")
        return {"attribute_name": "vehicle.moving"} if fixed else {}

    assert_scores(scores(with_attribute))


def test_doubles_of_lower_score_cost_precision_at_full_recall_alone():
    """Of points of equal recall the devkit's curve takes the last: at recall 1, that behind all
    the doubles, of precision 1/2. It is one of 90 points."""
    results = perfect(SAMPLES)
    for rows in results.values():
        rows += [{**row, "detection_score": row["detection_score"] / 2} for row in rows]
    found = detection_score(SAMPLES, results, CLASSES, CAMERAS)["metrics"]
    assert_scores(found, ap=100 * (1 - (1 - 0.5) / 0.9 / 90))


def test_false_positives_that_are_surer_lower_the_precision():
    """At recall r of n objects, r n of n + r n boxes are right; precision below 0.1, and recall up
    to 0.1, do not count."""
    results = perfect(SAMPLES)
    for rows in results.values():
        rows += [{**row, "translation": [100, 50, 0], "detection_score": 2} for row in rows]
    found = detection_score(SAMPLES, results, CLASSES, CAMERAS)["metrics"]
    right = np.arange(1, 21)
    precision = np.interp(np.arange(11, 101) / 100, right / 20, right / (20 + right))
    expected = 100 * np.clip(precision - 0.1, 0, None).mean() / 0.9
    assert [found[name] for name in AP.values()] == pytest.approx([expected] * 10, abs=2e-4)
    assert {name: found[name] for name in ERRORS} == pytest.approx(ERRORS, abs=2e-4)


def test_cones_alone_have_errors_of_place_and_size_only():
    """As in the devkit, what no class has adds nothing to the NDS."""
    results = perfect(orderly(("traffic_cone",)))
    found = detection_score(SAMPLES, results, ("traffic_cone",), CAMERAS)["metrics"]
    given = {"NDS": 70, "mAP": 100, "mATE": 0, "mASE": 0, "AP_traffic_cone": 100}
    assert {name: value for name, value in found.items() if value is not None} == given
    assert set(found) == {"NDS", "mAP", *ERRORS, *AP.values()}
