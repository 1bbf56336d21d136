"""A narrow RetinaNet at two sizes, uniform and with a warp."""

import numpy as np
import pytest
import torch

pytest.importorskip("mmdet")

from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from lzu.engine.build import enter_scope
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.suite import load_suite
from lzu.results.prior import Prior, save_prior
from lzu.tasks import TASKS
from lzu.tasks.detection2d.build import model_config
from lzu.tasks.detection2d.plan import spec
from lzu.tasks.detection2d.task import DETECTION2D

SMOKE = "config/smoke.yaml"


@pytest.fixture
def suite(request):
    return load_suite(request.config.rootpath / SMOKE, TASKS)


@pytest.fixture
def context(suite, tmp_path):
    """The suite's detection, without any file."""
    return Context(suite, DETECTION2D, tmp_path)


@pytest.fixture
def write_prior(context):
    """Write a prior with the given saliency (h, w) where the suite expects it."""

    def write(saliency, native_size=None):
        saliency = np.asarray(saliency, dtype=np.float32)[None, None]
        parameters = {"native_size": list(native_size or context.settings.dataset.native_size)}
        path = context.paths.prior(spec(context.settings.prior))
        save_prior(path, Prior(saliency / saliency.sum(), parameters, {}))
        return path

    return write


@pytest.fixture
def build(context):
    """Build the detector of a method at a scale, with the same weights for every method."""

    def built(method, scale=0.5):
        enter_scope(context)
        torch.manual_seed(0)
        run = Run(context.suite.suite, "detection2d", method, 1.0, scale, 0)
        return MODELS.build(model_config(context, run)).eval()

    return built


@pytest.fixture
def batch(suite):
    """Two random images with two boxes each (network frame of scale 0.5), as mmdet batches them."""
    height, width = suite.detection2d.dataset.native_size
    generator = torch.Generator().manual_seed(3)

    def make(scale=0.5):
        images = [
            torch.randint(0, 255, (3, height, width), dtype=torch.uint8, generator=generator)
            for _ in range(2)
        ]
        samples = []
        for _ in images:
            sample = DetDataSample(
                metainfo={
                    "img_shape": (round(height * scale), round(width * scale)),
                    "ori_shape": (height, width),
                    "scale_factor": (scale, scale),
                }
            )
            boxes = torch.tensor([[20.0, 30.0, 50.0, 60.0], [80.0, 40.0, 110.0, 60.0]])
            sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([2, 0]))
            samples.append(sample)
        return {"inputs": images, "data_samples": samples}

    return make
