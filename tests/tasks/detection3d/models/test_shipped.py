"""mmdet3d's own configs: the official one, a clean variant and another detector, by overrides."""

import copy

import pytest
import torch
from mmengine.config import Config
from torch import nn

from lzu.engine.build import shipped_config
from lzu.models.frames import Frames
from lzu.tasks.detection3d.bridge import MODELS

FCOS3D = "mmdet3d::fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py"
PGD = "mmdet3d::pgd/pgd_r101-caffe_fpn_head-gn_16xb2-1x_nus-mono3d.py"
OFFICIAL = {"backbone": {"depth": 50, "init_cfg": None}}
CLEAN = {
    "data_preprocessor": {
        "mean": [123.675, 116.28, 103.53],
        "std": [58.395, 57.12, 57.375],
        "bgr_to_rgb": True,
    },
    "backbone": {
        "depth": 50,
        "style": "pytorch",
        "frozen_stages": -1,
        "norm_cfg": {"type": "BN", "requires_grad": True},
        "norm_eval": False,
        "dcn": None,
        "stage_with_dcn": [False] * 4,
        "init_cfg": None,
    },
    "bbox_head": {"dcn_on_last_conv": False},
}


def adapted(base, overrides, native=(64, 96), network=(32, 64)):
    model = Config({"model": shipped_config(base, "mmdet3d").model})
    model.merge_from_dict({"model": copy.deepcopy(overrides)})
    block = model.model
    block.update(
        type="LZUMono3DDetector",
        resampler={"kind": "uniform"},
        native_size=native,
        given_size=native,
        network_size=network,
    )
    padded = Frames(native, native, network).padded
    block["data_preprocessor"].update(type="LZUMono3DPreprocessor", padded_size=padded)
    return MODELS.build(block)


def kinds_of(model):
    return {type(module).__name__ for module in model.modules()}


def test_the_official_configuration_is_built_with_a_resnet_50():
    model = adapted(FCOS3D, OFFICIAL)
    assert "ModulatedDeformConv2dPack" in kinds_of(model)
    assert model.strides == [8, 16, 32, 64, 128]
    assert len(model.backbone.layer3) == 6
    # caffe's: the stride is that of the first convolution; its batch statistics are frozen
    assert model.backbone.layer2[0].conv1.stride == (2, 2)
    model.train()
    assert not model.backbone.layer2[0].bn1.training
    pixel = model.data_preprocessor.normalise(torch.zeros(1, 3, 2, 2))
    torch.testing.assert_close(pixel[0, :, 0, 0], torch.tensor([-103.53, -116.28, -123.675]))


def test_a_clean_variant_has_no_deformable_convolutions_and_learns_its_statistics():
    model = adapted(FCOS3D, CLEAN)
    assert not any("Deform" in kind for kind in kinds_of(model))
    assert model.backbone.layer2[0].conv2.stride == (2, 2)
    model.train()
    norms = [module for module in model.backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(norm.training and norm.weight.requires_grad for norm in norms)
    pixel = model.data_preprocessor.normalise(torch.zeros(1, 3, 2, 2))[0, :, 0, 0]
    torch.testing.assert_close(pixel[0], torch.tensor(-123.675 / 58.395))


@pytest.mark.parametrize("overrides", [OFFICIAL, CLEAN], ids=["official", "clean"])
def test_pgd_is_another_base(overrides):
    model = adapted(PGD, overrides)
    assert type(model.bbox_head).__name__ == "PGDHead"
    assert model.strides == [8, 16, 32, 64, 128]
