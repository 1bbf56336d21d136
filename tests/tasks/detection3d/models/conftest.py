"""Narrow FCOS3D and PGD detectors, plain and with our adapter around them."""

import copy

import numpy as np
import pytest
import torch

pytest.importorskip("nuscenes")
pytest.importorskip("mmdet")

from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

import lzu.models.images
import lzu.tasks.detection3d.model
import lzu.tasks.detection3d.transforms  # noqa: F401
from lzu.models.frames import Frames
from lzu.results.prior import Prior, save_prior
from lzu.tasks.detection3d.bridge import MODELS
from lzu.tasks.detection3d.dataset import Mono3DDataset
from tests.tasks.detection3d import scenes

NATIVE = (96, 160)
CLASSES = ("car", "pedestrian", "barrier")
KEYS = ("gt_bboxes", "gt_bboxes_labels", "attr_labels", "gt_bboxes_3d", "gt_labels_3d")
META = (
    "img_path",
    "img_shape",
    "scale_factor",
    "cam2img",
    "cam2ego",
    "ego2global",
    "timestamp",
    "box_type_3d",
    "box_mode_3d",
    "sample_token",
    "camera",
    "camera_index",
    "sample_idx",
)


@pytest.fixture(autouse=True)
def mmdet3d_scope():
    init_default_scope("mmdet3d")


def head(kind):
    block = {
        "type": kind,
        "num_classes": len(CLASSES),
        "in_channels": 16,
        "feat_channels": 16,
        "stacked_convs": 1,
        "strides": [8, 16, 32],
        "regress_ranges": ((-1, 24), (24, 48), (48, 1e8)),
        "group_reg_dims": (2, 1, 3, 1, 2),
        "cls_branch": (16,),
        "reg_branch": ((16,), (16,), (16,), (16,), ()),
        "dir_branch": (16,),
        "attr_branch": (16,),
        "centerness_branch": (16,),
        "pred_attrs": True,
        "pred_velo": True,
        "dir_offset": 0.7854,
        "norm_cfg": {"type": "GN", "num_groups": 4},
        "bbox_coder": {"type": "FCOS3DBBoxCoder", "code_size": 9},
    }
    if kind == "PGDHead":
        block.update(
            group_reg_dims=(2, 1, 3, 1, 2, 4),
            reg_branch=((16,), (16,), (16,), (16,), (), (16,)),
            pred_bbox2d=True,
            depth_branch=(16,),
            depth_range=(0, 50),
            depth_bins=6,
            bbox_coder={
                "type": "PGDBBoxCoder",
                "base_depths": ((15.0, 8.0),),
                "base_dims": ((4.0, 1.6, 1.8), (0.7, 1.8, 0.7), (0.5, 1.0, 2.5)),
                "code_size": 9,
            },
        )
    return block


def plain_block(kind):
    return {
        "type": "FCOSMono3D",
        "data_preprocessor": {
            "type": "Det3DDataPreprocessor",
            "mean": [123.675, 116.28, 103.53],
            "std": [58.395, 57.12, 57.375],
            "bgr_to_rgb": True,
            "pad_size_divisor": 32,
        },
        "backbone": {
            "type": "mmdet.ResNet",
            "depth": 18,
            "base_channels": 8,
            "norm_cfg": {"type": "BN", "requires_grad": True},
        },
        "neck": {
            "type": "mmdet.FPN",
            "in_channels": [8, 16, 32, 64],
            "out_channels": 16,
            "start_level": 1,
            "num_outs": 3,
        },
        "bbox_head": head(kind),
        "train_cfg": {"code_weight": [1.0] * (13 if kind == "PGDHead" else 9)},
        "test_cfg": {
            "use_rotate_nms": True,
            "nms_pre": 100,
            "nms_thr": 0.5,
            "score_thr": 0.001,
            "max_per_img": 20,
        },
    }


def adapted_block(kind, resampler=None, native=NATIVE, given=None, network=None):
    given, network = given or native, network or native
    block = plain_block(kind)
    block.update(
        type="LZUMono3DDetector",
        resampler=resampler or {"kind": "uniform"},
        native_size=native,
        given_size=given,
        network_size=network,
    )
    block["data_preprocessor"].update(
        type="LZUMono3DPreprocessor", padded_size=Frames(native, given, network).padded
    )
    return block


def built(block):
    """With the same weights for every adapter, and a head that finds something."""
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(copy.deepcopy(block)))
    with torch.no_grad():
        model.bbox_head.conv_cls.weight.normal_(std=0.3)
    return model.eval()


def pipeline(native=NATIVE, given=None, network=None, flip=0.0, labels=True):
    steps = [{"type": "LZULoadImage"}]
    if flip:
        steps.append({"type": "RandomFlip3D", "flip_ratio_bev_horizontal": flip})
    steps.append(
        {
            "type": "LZUMonoToNetworkFrame",
            "native_size": native,
            "given_size": given or native,
            "network_size": network or native,
        }
    )
    keys = ["img", *(KEYS if labels else ()), *(("centers_2d", "depths") if labels else ())]
    return [*steps, {"type": "Pack3DDetInputs", "keys": keys, "meta_keys": META}]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A prepared file of three samples of images of the native size, and its folder."""
    folder = tmp_path_factory.mktemp("nuscenes")
    rng = np.random.default_rng(4)
    samples = [scenes.sample(rng, k, objects=40, size=NATIVE) for k in range(3)]
    return scenes.write_prepared(folder, samples)


@pytest.fixture
def dataset(prepared):
    """Make a dataset of the prepared file; the arguments are those of `pipeline`."""

    def make(classes=CLASSES, cameras=("CAM_FRONT", "CAM_BACK"), test_mode=False, **frames):
        steps = pipeline(labels=not test_mode, **frames)
        return Mono3DDataset(prepared, prepared.parent, cameras, classes, steps, test_mode)

    return make


@pytest.fixture
def prior(tmp_path):
    """Write a prior of saliency (h, w); returns the resampler's settings."""

    def write(saliency, native=NATIVE):
        saliency = np.asarray(saliency, dtype=np.float32)[None, None]
        path = tmp_path / "prior.npz"
        save_prior(path, Prior(saliency / saliency.sum(), {"native_size": list(native)}, {}))
        return {"kind": "warp", "prior": str(path), "fwhm": 10}

    return write


def peaked():
    rows, columns = np.mgrid[0:27, 0:48]
    return 0.2 + np.exp(-((rows - 13) ** 2) / 20 - ((columns - 24) ** 2) / 200)
