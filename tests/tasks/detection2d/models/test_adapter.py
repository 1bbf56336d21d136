"""The mmdet adapter under mmdet's own tools and options: what works, and what is refused."""

import copy
import functools

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.analysis import get_model_complexity_info

from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.models.adaptive import no_detections
from lzu.tasks.detection2d.build import model_config

METHODS = ["uniform", "lzu_fixed", "lzu_adaptive", "lzu_learned", "fovea"]


@pytest.fixture
def block(context, build):
    """The `model` block of the uniform detector at 0.5x, to change."""
    build("uniform")  # enters mmdet's scope
    return copy.deepcopy(model_config(context, Run("smoke", "detection2d", "uniform", 1, 0.5, 0)))


@pytest.fixture
def detector(build, write_prior):
    write_prior([[1.0, 2.0, 1.0], [1.0, 4.0, 1.0], [1.0, 2.0, 1.0]])
    return build


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_mode_tensor_gives_the_head_s_maps(detector, batch, method, sampled):
    model = detector(method)
    data = model.data_preprocessor(batch())
    with torch.no_grad():
        found = model(data["inputs"], data["data_samples"] if sampled else None, mode="tensor")
    scores, boxes = found
    assert len(scores) == len(boxes) == len(model.strides)
    assert all(len(level) == 2 for level in (*scores, *boxes))


def test_mode_tensor_zooms_by_the_previous_detections_where_they_are_given(detector, batch):
    model = detector("lzu_adaptive")
    data = model.data_preprocessor(batch())
    images, samples = data["inputs"], data["data_samples"]
    with torch.no_grad():
        first = model(images, samples)[0][0]
        samples[1].previous_instances = no_detections()
        torch.testing.assert_close(model(images, samples)[0][0], first)
        samples[1].previous_instances.bboxes = torch.tensor([[60.0, 60.0, 90.0, 90.0]])
        samples[1].previous_instances.scores = torch.ones(1)
        zoomed = model(images, samples)[0][0]
    torch.testing.assert_close(zoomed[0], first[0])
    assert not torch.allclose(zoomed[1], first[1])


@pytest.mark.parametrize("method", METHODS)
def test_flops_are_counted_as_mmdet_s_tool_does(detector, batch, method):
    model = detector(method)
    data = model.data_preprocessor(batch())
    model.forward = functools.partial(model.forward, data_samples=data["data_samples"])
    counted = get_model_complexity_info(
        model, None, inputs=data["inputs"], show_table=False, show_arch=False
    )
    assert counted["flops"] > 1e6


def test_a_head_that_does_not_tell_its_strides_is_refused(block):
    block["bbox_head"] = {
        "type": "CenterNetHead",
        "in_channels": 8,
        "feat_channels": 8,
        "num_classes": 8,
    }
    with pytest.raises(UserError, match=r"bbox_head\.type: CenterNetHead has no prior_generator"):
        MODELS.build(block)


def test_strides_that_differ_by_axis_are_refused(block):
    block["bbox_head"]["anchor_generator"]["strides"] = [(8, 8), (16, 8), (32, 32)]
    with pytest.raises(UserError, match="strides differ along x and y"):
        MODELS.build(block)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (
            "batch_augments",
            [{"type": "BatchSyncRandomResize", "random_size_range": (64, 128), "interval": 1}],
        ),
        ("pad_mask", True),
        ("pad_seg", True),
        ("boxtype2tensor", False),
        ("pad_size_divisor", 64),
    ],
)
def test_options_of_the_preprocessor_that_would_be_lost_are_refused(block, name, value):
    block["data_preprocessor"][name] = value
    with pytest.raises(UserError, match=rf"data_preprocessor\.{name}: "):
        MODELS.build(block)


def test_harmless_options_of_the_preprocessor_are_taken(block):
    block["data_preprocessor"].update(
        batch_augments=None, pad_mask=False, pad_size_divisor=32, non_blocking=True
    )
    MODELS.build(block)


def test_padding_has_the_preprocessor_s_value(block):
    block["data_preprocessor"]["pad_value"] = 7
    model = MODELS.build(block)
    height, width = model.frames.network
    padded, _ = model.zoom(torch.zeros(1, 3, *model.frames.given))
    assert padded.shape[2] > height
    assert (padded[:, :, height:] == 7).all()
    assert (padded[:, :, :height, :width] != 7).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["loss", "predict", "tensor"])
def test_images_of_another_size_are_refused_in_every_mode(detector, batch, method, mode):
    model = detector(method)
    given = batch()
    given["inputs"] = [image[:, :-8] for image in given["inputs"]]
    data = model.data_preprocessor(given)
    for seed, sample in enumerate(data["data_samples"]):
        sample.set_metainfo({"jitter_seed": seed})
        sample.previous_instances = no_detections()
    with pytest.raises(ValueError, match=r"images are \d+x\d+ pixels, expected"):
        model(data["inputs"], data["data_samples"], mode=mode)


def test_a_batch_of_two_sizes_is_refused(detector, batch):
    given = batch()
    given["inputs"][1] = given["inputs"][1][:, :-8]
    with pytest.raises(ValueError, match="differ in size"):
        detector("uniform").data_preprocessor(given)


def test_the_detector_s_offsets_reach_the_unzoom(context, detector):
    given = detector("lzu_fixed")
    levels = given.pyramid(torch.rand(1, 3, *given.frames.padded))
    block = model_config(context, Run("smoke", "detection2d", "lzu_fixed", 1, 0.5, 0))
    block["offsets"] = [(s - 1) / 2 for s in given.strides]
    moved = MODELS.build(block)
    images = torch.zeros(1, 3, *given.frames.given)
    lens = given.resampler.lens
    for model, offsets in ((given, 0.0), (moved, block["offsets"])):
        _, unzoom = model.zoom(images)
        found = unzoom(levels, model.strides)
        expected = lens.unzoom(list(levels), lens.warp(), strides=model.strides, offsets=offsets)
        for a, b in zip(found, expected, strict=True):
            assert torch.equal(a, b)
    assert (moved.resampler.offsets, given.resampler.offsets) == (block["offsets"], 0)


@pytest.mark.parametrize("method", METHODS)
def test_only_what_unzooms_asks_where_the_cells_sit(context, detector, method):
    detector("uniform")
    block = model_config(context, Run("smoke", "detection2d", method, 1, 0.5, 0))
    block["backbone"]["avg_down"] = True
    if method in ("uniform", "fovea"):
        MODELS.build(block)
        return
    with pytest.raises(UserError, match=r"backbone\.avg_down.*overrides\.offsets"):
        MODELS.build(block)
    block["offsets"] = 0
    MODELS.build(block)
