"""Detecting in the validation images with a trained run."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from lzu.engine.progress import say
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.tasks.detection3d.build import validation_set
from lzu.tasks.detection3d.rows import rows_of_sample


def predict(
    context: Context, run: Run, model: Any, *, workers: int = 0, batch: int = 4
) -> dict[str, Any]:
    """The run's `results`: sample token -> rows of nuScenes' submission format, in the global
    frame, of all cameras together (see `lzu.tasks.detection3d.rows`)."""
    dataset = validation_set(context, run)
    classes = context.settings.dataset.classes
    found: dict[str, Any] = {}
    images = _detected(model, dataset, batch, workers)
    # the images of a sample follow each other
    for token, samples in groupby(images, key=lambda sample: sample.sample_token):
        found[token] = rows_of_sample(list(samples), classes)
    return {"results": dict(sorted(found.items()))}


def _detected(model: Any, dataset: Any, batch: int, workers: int) -> Iterator[Any]:
    batches = DataLoader(dataset, batch, num_workers=workers, collate_fn=pseudo_collate)
    step = max(1, len(batches) // 4)
    for number, data in enumerate(batches, start=1):
        yield from model.test_step(data)
        if len(batches) >= 400 and number % step == 0:
            say(f"predict: {100 * number // len(batches)} %")
