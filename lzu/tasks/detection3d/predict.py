"""Detecting in the validation images with a trained run."""

from collections import defaultdict
from typing import Any

from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from lzu.engine.progress import say
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.tasks.detection3d.build import validation_set
from lzu.tasks.detection3d.online import camera_sequences, detect_online
from lzu.tasks.detection3d.rows import rows_of_sample


def predict(
    context: Context, run: Run, model: Any, *, workers: int = 0, batch: int = 4
) -> dict[str, Any]:
    """The run's `results`: sample token -> rows of nuScenes' submission format, in the global
    frame, of all cameras together (see `lzu.tasks.detection3d.rows`).

    An adaptive method sees the frames of `batch` cameras side by side, each in its order.
    """
    dataset = validation_set(context, run)
    classes, cameras = context.settings.dataset.classes, context.settings.dataset.cameras
    if run.about.follows_frames:
        sequences = camera_sequences(dataset)
        detected = detect_online(model, dataset, sequences, lanes=batch, workers=workers)
    else:
        batches = DataLoader(dataset, batch, num_workers=workers, collate_fn=pseudo_collate)
        detected = (sample for data in batches for sample in model.test_step(data))
    found: dict[str, Any] = {}
    waiting: dict[str, list[Any]] = defaultdict(list)
    step = max(batch, len(dataset) // 4)
    for count, sample in enumerate(detected, start=1):
        images = waiting[sample.sample_token]
        images.append(sample)
        if len(images) == len(cameras):
            images.sort(key=lambda image: image.camera_index)
            found[sample.sample_token] = rows_of_sample(images, classes)
            del waiting[sample.sample_token]
        if len(dataset) >= 400 * batch and count % step == 0:
            say(f"predict: {100 * count // len(dataset)} %")
    return {"results": dict(sorted(found.items()))}
