"""What is timed of a detector, and as an operation that a method adds."""

import json
from collections import Counter

import pytest
import torch
from mmdet.registry import MODELS

from lzu.engine.build import enter_scope
from lzu.experiments.run import Run
from lzu.results.schema import SAMPLES
from lzu.tasks.detection2d.build import model_config
from lzu.tasks.detection2d.operations import operations, typical_detections


def test_typical_detections_are_those_of_a_median_frame(context):
    content = json.loads(context.paths.annotations("val").read_text())
    counts = Counter(
        annotation["image_id"]
        for annotation in content["annotations"]
        if min(annotation["bbox"][2:]) >= 1
    )
    per_frame = sorted(counts.get(image["id"], 0) for image in content["images"])
    found = typical_detections(context)
    assert len(found) == per_frame[(len(per_frame) - 1) // 2] > 1
    assert (found.bboxes[:, 2:] > found.bboxes[:, :2]).all()
    assert (found.bboxes[:, 2:] <= torch.tensor([256.01, 160.01])).all()
    assert found.scores.min() == 1


@pytest.fixture
def timed(context):
    """Make the detector of a method, and what is timed of it."""

    def make(method):
        enter_scope(context)
        run = Run("smoke", "detection2d", method, 1.0, 0.5, 0)
        model = MODELS.build(model_config(context, run)).eval()
        return model, operations(context, run, model)

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


def test_adaptive_adds_the_choice_of_boxes_and_their_warp(timed, monkeypatch, context):
    with torch.inference_mode():
        model, own = timed("lzu_adaptive")
        chosen = counted(monkeypatch, model, "resampler_inputs")
        warps = counted(monkeypatch, model.resampler.lens, "warp")
        unzoomed = counted(monkeypatch, model.resampler.lens, "unzoom")
        own.operations["added"]()
    assert len(chosen) == len(warps) == len(unzoomed) == 1
    assert len(warps[0][0][0]) == own.shapes["previous_boxes"] == len(typical_detections(context))


def test_learned_adds_its_network(timed, monkeypatch):
    with torch.inference_mode():
        model, own = timed("lzu_learned")
        networks = counted(monkeypatch, model.resampler.lens.saliency, "forward")
        own.operations["added"]()
        assert len(networks) == 1
        own.operations["baseline"]()
        assert len(networks) == 1


def test_fovea_adds_the_unwarping_of_boxes_and_no_unzoom(timed, monkeypatch):
    from lzu.tasks.detection2d.fovea.frame import ZoomedFrame

    with torch.inference_mode():
        model, own = timed("fovea")
        unwarped = counted(monkeypatch, ZoomedFrame, "unwarp")
        unzoomed = counted(monkeypatch, model.resampler.lens, "unzoom")
        own.operations["added"]()
    assert len(unwarped) == 1
    assert unwarped[0][1].shape[1] > 100
    assert not unzoomed


@pytest.mark.parametrize("method", ["uniform", "lzu_fixed", "lzu_learned", "fovea"])
def test_all_is_timed_and_the_model_is_as_it_was(timed, method):
    with torch.inference_mode():
        model, own = timed(method)
        lens = model.resampler
        assert set(own.operations) == set(SAMPLES)
        for name, operation in own.operations.items():
            # FOVEA's head knows no uniform frame: its baseline is always uniform's own
            if (method, name) != ("fovea", "end_to_end_baseline"):
                operation()
            assert model.resampler is lens
    assert own.shapes["image"] == [1, 3, 160, 256]
    assert own.shapes["network_input"] == [1, 3, 96, 128]
    assert "previous_boxes" not in own.shapes
