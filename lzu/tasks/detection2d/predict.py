"""Detecting on the validation images with a trained run."""

import sys
from typing import Any

from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.tasks.detection2d.build import validation_set
from lzu.tasks.detection2d.online import detect_online, validation_sequences


def predict(
    context: Context, run: Run, model: Any, *, workers: int = 0, batch: int = 4
) -> dict[str, Any]:
    """The run's `detections`: COCO results, boxes in native pixels.

    An adaptive method sees the frames of `batch` sequences side by side, each in its order.
    """
    dataset = validation_set(context, run)
    if run.about.follows_frames:
        sequences = validation_sequences(context, run)
        detected = detect_online(model, dataset, sequences, lanes=batch, workers=workers)
    else:
        batches = DataLoader(dataset, batch, num_workers=workers, collate_fn=pseudo_collate)
        detected = (sample for data in batches for sample in model.test_step(data))
    found: dict[int, list[dict[str, Any]]] = {}
    step = max(batch, len(dataset) // 4)
    for count, sample in enumerate(detected, start=1):
        found[sample.img_id] = _as_coco(sample, dataset.cat_ids)
        if len(dataset) >= 400 * batch and count % step == 0:
            print(f"predict: {100 * count // len(dataset)} %", file=sys.stderr, flush=True)
    # By image, in whatever order they were detected.
    return {"detections": [one for image in sorted(found) for one in found[image]]}


def _as_coco(sample: Any, category_ids: list[int]) -> list[dict[str, Any]]:
    found = sample.pred_instances.cpu()
    boxes = found.bboxes.clone()
    boxes[:, 2:] -= boxes[:, :2]
    return [
        {
            "image_id": sample.img_id,
            "category_id": category_ids[label],
            "bbox": [round(v, 3) for v in box],
            "score": round(score, 5),
        }
        for box, score, label in zip(
            boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
        )
    ]
