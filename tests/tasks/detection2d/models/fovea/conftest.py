"""The FOVEA detector of two suites: the L1 loss on deltas, and the GIoU loss on boxes."""

import pytest
import torch
from mmdet.registry import MODELS

from lzu.engine.build import enter_scope
from lzu.experiments.run import Run
from lzu.experiments.suite import load_suite
from lzu.tasks import TASKS
from lzu.tasks.detection2d.build import model_config
from lzu.tasks.detection2d.fovea.detector import as_fovea

# The L1 loss on deltas of the shipped config, and the demo's GIoU loss on boxes.
SUITES = {"config/smoke.yaml": 0.5, "config/demo.yaml": 0.25}


@pytest.fixture(params=SUITES, ids=["L1", "GIoU"])
def suite(request):
    """In place of the smoke suite alone."""
    return load_suite(request.config.rootpath / request.param, TASKS)


@pytest.fixture
def scale(suite):
    return SUITES[f"config/{suite.suite}.yaml"]


@pytest.fixture
def build_fovea(context, write_prior, scale):
    """Build the FOVEA detector, with the weights of `build` and the saliency given."""

    def built(saliency):
        write_prior(saliency)
        enter_scope(context)
        torch.manual_seed(0)
        run = Run(context.suite.suite, "detection2d", "lzu_fixed", 1.0, scale, 0)
        return MODELS.build(as_fovea(model_config(context, run))).eval()

    return built
