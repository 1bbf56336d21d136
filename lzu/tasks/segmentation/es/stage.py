"""The training of ES's network, before its segmenters': a step of its own."""

from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from torch import Tensor

from lzu.experiments.context import Context
from lzu.experiments.task import StageSpec
from lzu.tasks.segmentation.build import listed
from lzu.tasks.segmentation.es.fit import fit_predictor, from_arrays
from lzu.tasks.segmentation.es.predictor import STRIDE
from lzu.tasks.segmentation.es.targets import target_locations
from lzu.tasks.segmentation.sampling import resized

RELEASED_CLASSES = tuple(range(11, 19))
"""trainIds whose boundaries ES's scripts keep: people and vehicles."""
SHOWN = 20
"""Losses that the record has."""


def train_sampler(context: Context, spec: StageSpec) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Train ES's network on the images of `spec.split` and the locations that their labels ask for.

    Returns its parameters, and of its training some losses, each the mean of a part of it. Every
    image is decoded once.
    """
    settings = spec.settings
    side = settings.lattice * STRIDE
    dataset = listed(context, spec.split)
    images, targets = [], []
    for data in (dataset[k] for k in range(len(dataset))):
        images.append(resized(data["inputs"][None].float(), (side, side)).round().byte())
        targets.append(_target(settings, data["data_samples"].gt_sem_seg.data[0].byte().numpy()))
    state, losses = fit_predictor(
        from_arrays(torch.cat(images), torch.from_numpy(np.stack(targets))),
        settings.iterations,
        settings.learning_rate,
        settings.batch,
        spec.seed,
        get_device(),
        lattice=settings.lattice,
        widen_factor=settings.widen_factor,
    )
    parts = np.array_split(np.array(losses), min(SHOWN, len(losses)))
    return state, {"images": len(images), "losses": [float(part.mean()) for part in parts]}


def _target(settings: Any, labels: np.ndarray) -> np.ndarray:
    """The locations that a label image asks for."""
    return target_locations(
        labels,
        (settings.lattice, settings.lattice),
        settings.alpha,
        RELEASED_CLASSES if "classes" in settings.slips else None,
        weights="released" if "weights" in settings.slips else "correct",
        nodes="truncated" if "nodes" in settings.slips else "exact",
    )
