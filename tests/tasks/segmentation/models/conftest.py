"""A narrow PSPNet of the smoke suite, by every method, without any data."""

import numpy as np
import pytest
import torch

pytest.importorskip("mmseg")

from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from lzu.engine.build import enter_scope
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.suite import load_suite
from lzu.results.prior import Prior, save_prior
from lzu.tasks import TASKS
from lzu.tasks.segmentation.build import model_config
from lzu.tasks.segmentation.es.predictor import LocationPredictor
from lzu.tasks.segmentation.plan import spec
from lzu.tasks.segmentation.task import SEGMENTATION
from tests.prepared import changed

SMOKE = "config/smoke.yaml"
PEAKED = 1 + 8 * np.exp(-(((np.mgrid[:9, :9] - np.array([[[5]], [[3]]])) / 2) ** 2).sum(0))


@pytest.fixture
def context(request, tmp_path):
    """The smoke suite's segmentation, without any file."""
    return Context(load_suite(request.config.rootpath / SMOKE, TASKS), SEGMENTATION, tmp_path)


@pytest.fixture
def write_prior(context):
    """Write a prior with the given saliency (h, w) where the suite expects it."""

    def write(saliency):
        saliency = np.asarray(saliency, dtype=np.float32)[None, None]
        parameters = {"native_size": list(context.settings.dataset.frame)}
        path = context.paths.prior(spec(context.settings.prior))
        save_prior(path, Prior(saliency / saliency.sum(), parameters, {}))
        return path

    return write


@pytest.fixture
def stage(context):
    """ES's sampler where the suite expects it, untrained but for a node that is drawn aside."""
    path = context.paths.stage(context.stage_of(run("es")))
    path.parent.mkdir(parents=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        predictor = LocationPredictor(8, context.settings.es.widen_factor)
    with torch.no_grad():
        predictor.means[3, 3] += 0.05
    torch.save({"state_dict": predictor.state_dict()}, path)
    return path


def run(method, scale=0.5, **options):
    """A run of the smoke suite."""
    return Run("smoke", "segmentation", method, 1.0, scale, 0, tuple(options.items()))


@pytest.fixture
def block(context):
    """The `model` block of a method; `base` and `overrides` in place of the suite's, `own` in the
    method's own settings."""

    def made(method, scale=0.5, base=None, overrides=None, **own):
        enter_scope(context)
        settings = context.settings
        blocks = {}
        if own:
            name = run(method).about.block
            blocks[name] = getattr(settings, name).model_copy(update=own)
        if base is not None:
            told = {"base": base, "overrides": overrides}
            blocks["model"] = settings.model.model_copy(update=told)
        return model_config(changed(context, **blocks), run(method, scale))

    return made


@pytest.fixture
def build(block):
    """Build the segmenter of a method at a scale, with the same weights for every method."""

    def built(method, scale=0.5, **own):
        torch.manual_seed(0)
        return MODELS.build(block(method, scale, **own)).eval()

    return built


@pytest.fixture
def batch(context):
    """Two random images and blocks of labels, 255 among them, as mmseg batches them."""
    height, width = context.settings.dataset.crop
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 255, (2, 3, height, width), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 20, (2, 1, height // 8, width // 8), generator=generator)
    labels[labels == 19] = 255
    labels = labels.repeat_interleave(8, 2).repeat_interleave(8, 3)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=one)) for one in labels]
    return {"inputs": list(images), "data_samples": samples}
