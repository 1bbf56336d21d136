"""Our scores against nuscenes-devkit's own DetectionEval, bit by bit."""

import json

import numpy as np
import pytest
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.detection.data_classes import DetectionMetrics
from nuscenes.eval.detection.evaluate import DetectionEval

from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES
from lzu.tasks.detection3d.scoring.boxes import counted
from lzu.tasks.detection3d.scoring.evaluation import evaluate, metrics, nd_score, tp_errors
from lzu.tasks.detection3d.scoring.predictions import read_found
from lzu.tasks.detection3d.scoring.rules import RULES, rules
from lzu.tasks.detection3d.scoring.truth import read_truth
from tests.tasks.detection3d.scoring.world import disturbed, world


def devkit(nusc, results, folder, split="mini_val"):
    """The devkit's evaluation of a submission's rows, ready to run."""
    rows = {
        token: [{"sample_token": token, **row} for row in own] for token, own in results.items()
    }
    path = folder / "results.json"
    path.write_text(json.dumps({"meta": {}, "results": rows}))
    return DetectionEval(nusc, config_factory(RULES), str(path), split, str(folder), verbose=False)


def outcomes_of(samples, results, classes=CLASSES):
    config = rules(classes)
    truth = read_truth(samples, classes, CAMERAS)
    found = read_found(results, truth.samples.tokens, classes, config.max_boxes_per_sample, "file")
    return config, truth, found, evaluate(truth, found, config)


def as_plain(result):
    """All numbers of the devkit's metrics."""
    aps = {name: dict(own) for name, own in result._label_aps.items()}
    errors = {name: dict(own) for name, own in result._label_tp_errors.items()}
    return {
        "aps": aps,
        "errors": errors,
        "mean_ap": result.mean_ap,
        "tp_errors": tp_errors(result),
        "nd_score": nd_score(result),
    }


def assert_same(ours, theirs):
    """Equal to the last bit; NaN equals NaN."""
    np.testing.assert_equal(as_plain(ours), as_plain(theirs))


@pytest.mark.parametrize("seed", range(4))
def test_every_number_is_the_devkits(tmp_path, seed):
    made = world(tmp_path, seed)
    results = disturbed(made.samples, seed)
    oracle = devkit(made.nusc, results, tmp_path)
    theirs, _ = oracle.evaluate()
    config, truth, found, outcomes = outcomes_of(made.samples, results)
    ours = metrics(outcomes, config)
    assert_same(ours, theirs)
    assert 0.02 < ours.mean_ap < 0.9
    # each rule that leaves boxes out has left out some
    kept = counted(truth.boxes, truth.samples, config.class_range)
    assert kept.sum() == len(oracle.gt_boxes.all)
    assert counted(found.boxes, truth.samples, config.class_range).sum() == len(
        oracle.pred_boxes.all
    )
    assert kept.sum() < len(truth.boxes) < sum(len(one["instances"]) for one in made.samples)
    assert np.isnan(truth.boxes.velocity).any()


def test_bicycles_in_racks_are_left_out(tmp_path):
    made = world(tmp_path, seed=1)
    config, truth, found, _ = outcomes_of(made.samples, disturbed(made.samples, 1))
    for sample in made.samples:
        sample["bicycle_racks"] = []
    _, free, _, _ = outcomes_of(made.samples, disturbed(made.samples, 1))
    for boxes in (truth.boxes, found.boxes):
        with_racks = counted(boxes, truth.samples, config.class_range)
        without = counted(boxes, free.samples, config.class_range)
        assert with_racks.sum() < without.sum()
        assert set(boxes.label[with_racks != without]) <= {5, 6}


def test_samples_left_out_are_as_if_the_devkit_had_never_seen_them(tmp_path):
    made = world(tmp_path, seed=5)
    results = disturbed(made.samples, 5)
    oracle = devkit(made.nusc, results, tmp_path)
    config, truth, _, outcomes = outcomes_of(made.samples, results)
    kept = np.random.default_rng(0).random(len(made.samples)) < 0.5
    tokens = {token for token, is_kept in zip(truth.samples.tokens, kept, strict=True) if is_kept}
    for boxes in (oracle.gt_boxes, oracle.pred_boxes):
        for token in set(boxes.boxes) - tokens:
            del boxes.boxes[token]
    theirs, _ = oracle.evaluate()
    assert_same(metrics(outcomes, config, kept), theirs)


def test_a_subset_of_classes_is_the_devkits_mean_over_them(tmp_path):
    made = world(tmp_path, seed=2)
    classes = ("pedestrian", "car", "traffic_cone", "bicycle")
    results = disturbed(made.samples, 2, classes=classes)
    whole, _ = devkit(made.nusc, results, tmp_path).evaluate()
    config, _, _, outcomes = outcomes_of(made.samples, results, classes)
    theirs = DetectionMetrics(config)
    for name in config.class_names:
        for threshold in config.dist_ths:
            theirs.add_label_ap(name, threshold, whole.get_label_ap(name, threshold))
        for error, value in whole._label_tp_errors[name].items():
            theirs.add_label_tp(name, error, value)
    assert config.class_names == ["car", "pedestrian", "bicycle", "traffic_cone"]
    assert_same(metrics(outcomes, config), theirs)


def test_nothing_found_scores_zero_as_in_the_devkit(tmp_path):
    made = world(tmp_path, seed=4)
    results = {sample["token"]: [] for sample in made.samples}
    config, _, _, outcomes = outcomes_of(made.samples, results)
    result = metrics(outcomes, config)
    assert (result.mean_ap, nd_score(result)) == (0, 0)
    assert set(tp_errors(result).values()) == {1.0}
