"""The bridges between versions of the OpenMMLab packages."""

import pickle

import numpy as np
import pytest
import torch

pytest.importorskip("mmengine")

from mmengine.logging import MessageHub

from lzu.models.compat import import_mmdet3d, safe_resume


def test_mmengine_s_checkpoints_load_safely_within_the_block_only(tmp_path):
    hub = MessageHub("test")
    hub.update_scalar("train/loss", np.float32(0.25))
    path = tmp_path / "iter_1.pth"
    torch.save({"message_hub": hub.state_dict()}, path)
    with safe_resume():
        found = torch.load(path, weights_only=True)["message_hub"]
    assert found["log_scalars"]["train/loss"].current() == 0.25
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def test_mmdet3d_imports_beside_the_fork_and_versions_are_put_back():
    mmcv, mmdet = pytest.importorskip("mmcv"), pytest.importorskip("mmdet")
    pytest.importorskip("nuscenes")
    before = mmcv.__version__, mmdet.__version__
    assert import_mmdet3d().__version__.startswith("1.4")
    assert (mmcv.__version__, mmdet.__version__) == before
