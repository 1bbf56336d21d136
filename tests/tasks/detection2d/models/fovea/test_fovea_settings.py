"""Other heads, and settings that do not fit."""

import numpy as np
import pytest
import torch
from mmdet.models.dense_heads import AnchorHead, ATSSHead
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

import lzu
from lzu.engine.build import enter_scope
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.tasks.detection2d.build import model_config
from lzu.tasks.detection2d.fovea.detector import as_fovea
from lzu.tasks.detection2d.fovea.frame import ZoomedFeatures, ZoomedFrame
from lzu.tasks.detection2d.fovea.head import FOVEAHeadMixin, FOVEARetinaHead
from tests.tasks.detection2d.models.fovea.fovea_oracles import (
    BOXES,
    frame,
    peaked,
    samples_with,
    sizes_of,
    total,
)


def test_any_plain_anchor_head_can_be_one(context):
    """Softmax, Smooth L1 and a random sampler: nothing of RetinaNet is taken for granted."""

    class FOVEAAnchorHead(FOVEAHeadMixin, AnchorHead):
        pass

    enter_scope(context)
    settings = {
        "num_classes": 3,
        "in_channels": 4,
        "feat_channels": 4,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "scales": [3],
            "ratios": [0.5, 1.0, 2.0],
            "strides": [8, 16],
        },
        "loss_cls": {"type": "CrossEntropyLoss"},
        "train_cfg": {
            "assigner": {
                "type": "MaxIoUAssigner",
                "pos_iou_thr": 0.5,
                "neg_iou_thr": 0.4,
                "min_pos_iou": 0.3,
            },
            "sampler": {
                "type": "RandomSampler",
                "num": 64,
                "pos_fraction": 0.5,
                "add_gt_as_proposals": False,
            },
            "allowed_border": 4,
            "pos_weight": -1,
        },
    }
    heads = []
    for kind in (AnchorHead, FOVEAAnchorHead):
        torch.manual_seed(0)
        heads.append(kind(**settings))
        assert not heads[-1].use_sigmoid_cls
    features = [torch.randn(2, 4, 12, 16), torch.randn(2, 4, 6, 8)]
    samples = []
    for boxes in BOXES:
        sample = DetDataSample(metainfo={"img_shape": (80, 128), "pad_shape": (96, 128)})
        boxes = torch.tensor(boxes)
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.arange(len(boxes)))
        samples.append(sample)
    identity = ZoomedFeatures(features, ZoomedFrame(lzu.Warp.identity(), (80, 128)))
    strong = ZoomedFeatures(features, frame(peaked()))
    losses = []
    for head, x in ((heads[0], features), (heads[1], identity), (heads[1], strong)):
        torch.manual_seed(0)
        losses.append(total(head.loss(x, samples)))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2] != pytest.approx(losses[0], rel=1e-2)
    assert all(np.isfinite(v) for v in losses[2].values())


def test_a_head_with_losses_of_its_own_is_refused():
    with pytest.raises(TypeError, match="FOVEA needs the"):

        class FOVEAATSSHead(FOVEAHeadMixin, ATSSHead):
            pass


def test_features_that_do_not_say_their_frame_are_refused(build_fovea):
    model = build_fovea(peaked())
    features = tuple(torch.zeros(1, model.bbox_head.in_channels, *s) for s in sizes_of(model))
    with pytest.raises(TypeError, match="ZoomedFeatures"):
        model.bbox_head.predict(features, samples_with(model, BOXES[0]))


@pytest.mark.parametrize("method", ["uniform", "lzu_fixed"])
def test_settings_that_do_not_fit_are_named(context, write_prior, scale, method):
    write_prior(peaked())
    enter_scope(context)
    run = Run(context.suite.suite, "detection2d", method, 1.0, scale, 0)
    block = model_config(context, run)
    if method == "uniform":
        with pytest.raises(UserError, match=r"resampler\.kind"):
            MODELS.build(as_fovea(block))
        return
    block["type"] = "LZUFOVEADetector"
    with pytest.raises(UserError, match=r"bbox_head.type: RetinaHead.*FOVEARetinaHead"):
        MODELS.build(block)
    block["bbox_head"]["type"] = "ATSSHead"
    with pytest.raises(UserError, match=r"bbox_head.type ATSSHead.*RetinaHead"):
        as_fovea(block)


def test_as_fovea_twice_is_as_once(context, write_prior, scale):
    write_prior(peaked())
    run = Run(context.suite.suite, "detection2d", "lzu_fixed", 1.0, scale, 0)
    block = as_fovea(as_fovea(model_config(context, run)))
    assert isinstance(MODELS.build(block).bbox_head, FOVEARetinaHead)
