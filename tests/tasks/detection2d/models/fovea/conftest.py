"""The FOVEA detector of two suites: the L1 loss on deltas, and the GIoU loss on boxes."""

import pytest
import torch
from mmdet.registry import MODELS

from lzu.experiments.config import load_suite
from lzu.experiments.run import Run
from lzu.tasks.detection2d.build import enter_mmdet, model_config
from lzu.tasks.detection2d.fovea.detector import as_fovea

# The L1 loss on deltas of the shipped config, and the demo's GIoU loss on boxes.
SUITES = {"config/smoke.yaml": 0.5, "config/demo.yaml": 0.25}


@pytest.fixture(params=SUITES, ids=["L1", "GIoU"])
def suite(request):
    """In place of the smoke suite alone."""
    return load_suite(request.config.rootpath / request.param)


@pytest.fixture
def scale(suite):
    return SUITES[f"config/{suite.suite}.yaml"]


@pytest.fixture
def build_fovea(suite, paths, write_prior, scale):
    """Build the FOVEA detector, with the weights of `build` and the saliency given."""

    def built(saliency):
        write_prior(saliency)
        enter_mmdet()
        torch.manual_seed(0)
        run = Run(suite.suite, "detection2d", "lzu_fixed", 1.0, scale, 0)
        return MODELS.build(as_fovea(model_config(suite, run, paths))).eval()

    return built
