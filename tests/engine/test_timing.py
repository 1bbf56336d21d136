"""What is timed as an operation that a method adds."""

import json
from collections import Counter

import pytest
import torch
from mmdet.registry import MODELS

from lzu.engine.time import detector_operations, typical_detections
from lzu.experiments.run import Run
from lzu.tasks.detection2d.build import enter_mmdet, model_config
from lzu.tasks.detection2d.predict import validation_set


def test_typical_detections_are_those_of_a_median_frame(paths):
    content = json.loads(paths.annotations("val").read_text())
    counts = Counter(annotation["image_id"] for annotation in content["annotations"])
    per_frame = sorted(counts.get(image["id"], 0) for image in content["images"])
    found = typical_detections(paths)
    assert len(found) == per_frame[(len(per_frame) - 1) // 2] > 1
    assert (found.bboxes[:, 2:] > found.bboxes[:, :2]).all()
    assert (found.bboxes[:, 2:] <= torch.tensor([256.01, 160.01])).all()
    assert found.scores.min() == 1


@pytest.fixture
def operations(suite, paths):
    def make(method):
        enter_mmdet()
        run = Run("smoke", "detection2d", method, 1.0, 0.5, 0)
        model = MODELS.build(model_config(suite, run, paths)).eval()
        return model, detector_operations(
            model, validation_set(suite, run, paths), typical_detections(paths)
        )

    return make


def counted(monkeypatch, owner, name):
    """Count the calls of a method."""
    calls = []
    original = getattr(owner, name)

    def call(*args, **kwargs):
        calls.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)
    return calls


def test_adaptive_adds_the_choice_of_boxes_and_their_warp(operations, monkeypatch, paths):
    with torch.inference_mode():
        model, parts = operations("lzu_adaptive")
        chosen = counted(monkeypatch, model, "resampler_inputs")
        warps = counted(monkeypatch, model.resampler.lens, "warp")
        unzoomed = counted(monkeypatch, model.resampler.lens, "unzoom")
        parts["added"]()
    assert len(chosen) == len(warps) == len(unzoomed) == 1
    assert len(warps[0][0][0]) == len(typical_detections(paths))


def test_learned_adds_its_network(operations, monkeypatch):
    with torch.inference_mode():
        model, parts = operations("lzu_learned")
        networks = counted(monkeypatch, model.resampler.lens.saliency, "forward")
        parts["added"]()
        assert len(networks) == 1
        parts["baseline"]()
        assert len(networks) == 1


def test_fovea_adds_the_unwarping_of_boxes_and_no_unzoom(operations, monkeypatch):
    from lzu.tasks.detection2d.fovea.frame import ZoomedFrame

    with torch.inference_mode():
        model, parts = operations("fovea")
        unwarped = counted(monkeypatch, ZoomedFrame, "unwarp")
        unzoomed = counted(monkeypatch, model.resampler.lens, "unzoom")
        parts["added"]()
    assert len(unwarped) == 1
    assert unwarped[0][1].shape[1] > 100
    assert not unzoomed
