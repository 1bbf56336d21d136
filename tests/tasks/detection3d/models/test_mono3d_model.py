"""The mmdet3d adapter: what it changes in a monocular detector, and what it must not."""

import copy

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from lzu.errors import UserError
from lzu.models.draws import Draws
from lzu.tasks.detection3d.bridge import MODELS
from tests.tasks.detection3d.models.conftest import adapted_block, built, peaked, plain_block

KINDS = ["FCOSMono3DHead", "PGDHead"]


def batch_of(dataset, count=4):
    return pseudo_collate([dataset[k] for k in range(count)])


def losses_of(model, data):
    data = model.data_preprocessor(copy.deepcopy(data), True)
    model.train()
    with torch.no_grad():
        return model(**data, mode="loss")


def found_by(model, data, **kwargs):
    data = model.data_preprocessor(copy.deepcopy(data), False)
    model.eval()
    with torch.no_grad():
        return model.predict(data["inputs"], data["data_samples"], **kwargs)


def assert_same_detections(a, b, **tolerance):
    tolerance = tolerance or {"rtol": 0, "atol": 0}
    for one, other in zip(a, b, strict=True):
        one, other = one.pred_instances_3d, other.pred_instances_3d
        assert len(one.scores_3d) > 3
        torch.testing.assert_close(one.bboxes_3d.tensor, other.bboxes_3d.tensor, **tolerance)
        for name in ("scores_3d", "labels_3d", "attr_labels"):
            torch.testing.assert_close(one[name], other[name], **tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_uniform_at_native_size_is_mmdet3d_s_own_detector_bit_by_bit(dataset, kind):
    data = batch_of(dataset())
    plain, ours = built(plain_block(kind)), built(adapted_block(kind))
    assert losses_of(plain, data) == losses_of(ours, data)
    native = found_by(plain, data, rescale=False)
    assert_same_detections(native, found_by(ours, data))
    if kind == "PGDHead":
        for one, other in zip(native, found_by(ours, data, rescale=False), strict=True):
            assert torch.equal(one.pred_instances.bboxes, other.pred_instances.bboxes)


@pytest.mark.parametrize("kind", KINDS)
def test_an_identity_warp_gives_the_losses_of_uniform(dataset, prior, kind):
    data = batch_of(dataset(network=(48, 80)))
    blocks = [
        adapted_block(kind, resampler, network=(48, 80))
        for resampler in (None, prior(np.ones((27, 48))))
    ]
    uniform, warped = (losses_of(built(block), data) for block in blocks)
    for name in uniform:
        torch.testing.assert_close(uniform[name], warped[name], rtol=1e-3, atol=1e-3)


def test_parameter_names_are_those_of_the_plain_detector(prior):
    plain = set(built(plain_block("FCOSMono3DHead")).state_dict())
    warped = set(built(adapted_block("FCOSMono3DHead", prior(peaked()))).state_dict())
    assert plain == set(built(adapted_block("FCOSMono3DHead")).state_dict())
    assert warped - plain == {"resampler.lens.saliency"}
    assert plain <= warped


@pytest.mark.parametrize("kind", KINDS)
def test_samples_that_serve_twice_give_the_same_loss_twice(dataset, kind):
    """mmdet3d's heads turn the yaw of the ground truth in place."""
    model = built(adapted_block(kind)).train()
    data = model.data_preprocessor(batch_of(dataset()), True)
    boxes = [sample.gt_instances_3d.bboxes_3d.tensor.clone() for sample in data["data_samples"]]
    with torch.no_grad():
        model.eval()  # batch statistics stay
        losses = [model.loss(data["inputs"], data["data_samples"]) for _ in range(2)]
    assert losses[0] == losses[1]
    assert sum(map(len, boxes)) > 2
    for before, sample in zip(boxes, data["data_samples"], strict=True):
        assert torch.equal(before, sample.gt_instances_3d.bboxes_3d.tensor)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_rescaled_after_the_network_s_frame(dataset, kind):
    """By mmdet3d's default centres would be divided by the scale, whatever the intrinsics say."""
    data = batch_of(dataset(network=(48, 80)))
    model = built(adapted_block(kind, network=(48, 80)))
    assert_same_detections(found_by(model, data), found_by(model, data, rescale=False))
    other = copy.deepcopy(data)
    for sample in other["data_samples"]:
        assert sample.scale_factor == (0.5, 0.5)
        sample.set_metainfo({"scale_factor": (7.0, 7.0)})
    assert_same_detections(found_by(model, data), found_by(model, other))


def test_two_dimensional_boxes_of_a_head_that_has_them_are_in_the_native_frame(dataset):
    model = built(adapted_block("PGDHead", network=(48, 80)))
    data = batch_of(dataset(network=(48, 80)))
    native = found_by(model, data)[0].pred_instances.bboxes
    network = found_by(model, data, rescale=False)[0].pred_instances.bboxes
    assert len(native)
    limit = torch.tensor([160.0, 96] * 2)
    expected = model.frames.to_native(network).clamp(min=0).minimum(limit)
    torch.testing.assert_close(native, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_images_without_boxes_are_learned_from(dataset, kind):
    """They stay in the training set, and each iteration sees what its number says."""
    draws = Draws(dataset(classes=("trailer",), cameras=("CAM_BACK_LEFT",)), seed=3)
    items = [draws[k] for k in range(6)]
    counts = [len(item["data_samples"].gt_instances_3d.labels_3d) for item in items]
    assert 0 in counts
    again = [draws[k]["data_samples"].img_path for k in range(6)]
    assert again == [item["data_samples"].img_path for item in items]
    assert sorted(set(again)) == sorted(
        one["img_path"] for one in map(draws.dataset.get_data_info, range(3))
    )
    model = built(adapted_block(kind)).train()
    empty = pseudo_collate([item for item, n in zip(items, counts, strict=True) if n == 0][:2])
    losses = model(**model.data_preprocessor(empty, True), mode="loss")
    total = sum(losses.values())
    total.backward()
    assert torch.isfinite(total)


@pytest.mark.parametrize("kind", KINDS)
def test_mode_tensor_gives_the_head_s_maps(dataset, prior, kind):
    model = built(adapted_block(kind, prior(peaked()), network=(48, 80)))
    data = model.data_preprocessor(batch_of(dataset(network=(48, 80)), 2))
    with torch.no_grad():
        found = model(data["inputs"], data["data_samples"], mode="tensor")
    assert [tuple(level.shape[-2:]) for level in found[0]] == [(8, 12), (4, 6), (2, 3)]


@pytest.mark.parametrize("mode", ["loss", "predict", "tensor"])
def test_images_of_another_size_are_refused_in_every_mode(dataset, mode):
    model = built(adapted_block("FCOSMono3DHead", given=(48, 80)))
    data = model.data_preprocessor(batch_of(dataset(), 2))
    with pytest.raises(ValueError, match="images are 160x96 pixels, expected 80x48"):
        model(**data, mode=mode)


def test_a_head_that_decodes_in_another_way_is_refused():
    block = adapted_block("FCOSMono3DHead")
    block["bbox_head"] = {
        "type": "SMOKEMono3DHead",
        "num_classes": 3,
        "in_channels": 16,
        "dim_channel": [3, 4, 5],
        "ori_channel": [6, 7],
        "loss_cls": {"type": "mmdet.GaussianFocalLoss"},
        "loss_dir": {"type": "mmdet.CrossEntropyLoss"},
        "bbox_coder": {
            "type": "SMOKECoder",
            "base_depth": (28.01, 16.32),
            "base_dims": ((0.88, 1.73, 0.67), (1.78, 1.70, 0.58), (3.88, 1.63, 1.53)),
            "code_size": 7,
        },
    }
    with pytest.raises(UserError, match=r"bbox_head\.type: SMOKEMono3DHead decodes"):
        MODELS.build(block)


def test_options_of_the_preprocessor_that_would_be_lost_are_refused():
    block = adapted_block("FCOSMono3DHead")
    block["data_preprocessor"]["pad_size_divisor"] = 64
    with pytest.raises(UserError, match=r"data_preprocessor\.pad_size_divisor"):
        MODELS.build(block)


@pytest.mark.parametrize("key", ["pred_attrs", "pred_velo"])
def test_a_head_without_attributes_or_velocities_is_refused(key):
    block = adapted_block("FCOSMono3DHead")
    block["bbox_head"][key] = False
    with pytest.raises(UserError, match=rf"bbox_head\.{key}: nuScenes scores"):
        MODELS.build(block)
