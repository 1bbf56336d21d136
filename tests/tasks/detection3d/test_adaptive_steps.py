"""Adaptive 3-D detection in the task's steps: training's check, prediction and timing."""

import shutil

import numpy as np
import pytest
import torch

pytest.importorskip("nuscenes")
pytest.importorskip("mmdet")

from lzu.engine.build import enter_scope
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.results.schema import SAMPLES
from lzu.tasks.detection3d.bridge import MODELS
from lzu.tasks.detection3d.build import dataset_config, model_config, validation_set
from lzu.tasks.detection3d.online import camera_sequences, detect_online
from lzu.tasks.detection3d.operations import operations
from lzu.tasks.detection3d.predict import predict
from lzu.tasks.detection3d.rows import rows_of_sample
from lzu.tasks.detection3d.training import check_trainable
from tests.experiments.suites import changed, detection3d, settings_of
from tests.tasks.detection3d import scenes

RUN = Run("smoke", "detection3d", "lzu_adaptive_no_cascade", 1.0, 0.5, 0)
FRAMES = [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2)]


@pytest.fixture
def context(tmp_path):
    """The smoke suite with a validation set of two scenes, whose samples are mixed."""
    settings = changed(settings_of("smoke"), "detection3d.dataset.root", str(tmp_path / "data"))
    context = detection3d(settings, tmp_path / "results")
    folder = tmp_path / "data" / "val"
    folder.mkdir(parents=True)
    size = context.settings.dataset.native_size
    samples = []
    for number, (scene, frame) in enumerate(FRAMES):
        # the car stands, and looks to where it did
        one = scenes.sample(np.random.default_rng(ord(scene)), number, 20, size)
        samples.append({**one, "scene": scene, "frame": frame, "token": f"{scene}{frame}"})
    path = context.paths.annotations("val")
    path.parent.mkdir(parents=True)
    shutil.copy(scenes.write_prepared(folder, samples), path)
    return context


@pytest.fixture
def model(context):
    enter_scope(context)
    torch.manual_seed(0)
    model = MODELS.build(model_config(context, RUN)).eval()
    with torch.no_grad():
        model.bbox_head.conv_cls.weight.normal_(std=0.3)
    return model


def test_predictions_are_of_the_frames_in_their_order_all_cameras_of_a_sample_together(
    context, model
):
    dataset = validation_set(context, RUN)
    with torch.inference_mode():
        found = predict(context, RUN, model, batch=3)["results"]
        samples = list(detect_online(model, dataset, camera_sequences(dataset), lanes=3))
    assert list(found) == ["a0", "a1", "a2", "b0", "b1"]
    assert any(len(sample.previous_instances) for sample in samples)
    for token, rows in found.items():
        own = [sample for sample in samples if sample.sample_token == token]
        own.sort(key=lambda sample: sample.camera_index)
        assert len(own) == 6
        assert rows == rows_of_sample(own, context.settings.dataset.classes)


def test_making_saliency_is_timed_with_what_is_added(context, model, monkeypatch):
    calls = []
    own = model.resampler_inputs
    monkeypatch.setattr(model, "resampler_inputs", lambda s: (calls.append(len(s)), own(s))[1])
    with torch.inference_mode():
        timed = operations(context, RUN, model)
        resampler = model.resampler
        assert set(timed.operations) == set(SAMPLES)
        calls.clear()
        timed.operations["added"]()
        assert calls == [1]
        timed.operations["baseline"]()
        assert calls == [1]
        for operation in timed.operations.values():
            operation()
    assert model.resampler is resampler
    assert timed.shapes["previous_boxes"] > 0
    with torch.inference_mode():
        uniform = Run("smoke", "detection3d", "uniform", 1.0, 0.5, 0)
        plain = MODELS.build(model_config(context, uniform)).eval()
        assert "previous_boxes" not in operations(context, uniform, plain).shapes


def test_training_samples_have_a_seed_and_others_have_none(context):
    steps = {
        split: dataset_config(context, RUN, split, 0.5)["pipeline"] for split in ("train", "val")
    }
    assert [step["type"] for step in steps["train"]][-2:] == ["LZUJitterSeed", "Pack3DDetInputs"]
    assert "jitter_seed" in steps["train"][-1]["meta_keys"]
    assert "jitter_seed" not in steps["val"][-1]["meta_keys"]
    uniform = Run("smoke", "detection3d", "uniform", 1.0, 0.5, 0)
    plain = dataset_config(context, uniform, "train", 0.5)["pipeline"]
    assert all(step["type"] != "LZUJitterSeed" for step in plain)


def test_a_missing_frame_stops_training_before_it_begins(context):
    path = context.paths.annotations("val")
    shutil.copy(path, context.paths.annotations("train"))
    check_trainable(context, RUN)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"a1"' not in line))
    with pytest.raises(UserError, match=r"val\.json: sequence a CAM_BACK lacks fid 1"):
        check_trainable(context, RUN)
