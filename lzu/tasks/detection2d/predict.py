"""Detecting on the validation images with a trained run."""

import sys
from typing import Any

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from torch.utils.data import DataLoader

from lzu.engine.weights import read_checkpoint
from lzu.errors import UserError
from lzu.experiments.config import Suite
from lzu.experiments.paths import Paths
from lzu.experiments.run import ADAPTIVE, Run
from lzu.files import write_json
from lzu.tasks.detection2d.build import (
    annotation_info,
    dataset_config,
    enter_mmdet,
    model_config,
    run_stamp,
)
from lzu.tasks.detection2d.online import detect_online, validation_sequences


def load_trained(suite: Suite, run: Run, paths: Paths) -> Any:
    """The detector of `run` with trained weights, in evaluation mode, on the device that is there.

    Raises UserError if the checkpoint is of another run, of other settings or of another model.
    """
    path = paths.run(run.trained, "checkpoint.pth")
    content = read_checkpoint(path)
    about, wanted = content.get("about", {}), run.trained.as_dict()
    if about.get("run") != wanted:
        raise UserError(f"{path}: a checkpoint of {about.get('run')}, not of {wanted}")
    if about.get("config_hash") != run_stamp(suite, run, paths):
        raise UserError(
            f"{path}: trained with other settings or data than the suite has now; train it again"
        )
    enter_mmdet()
    settings = model_config(suite, run, paths)
    settings["backbone"]["init_cfg"] = None
    model = MODELS.build(settings)
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: does not fit the run's model, perhaps another number of classes ({reason}); "
            "delete it and train again"
        ) from None
    return model.to(get_device()).eval()


def validation_set(suite: Suite, run: Run, paths: Paths) -> Any:
    """The validation images as the run's detector takes them."""
    enter_mmdet()
    return DATASETS.build(dataset_config(suite, run, paths, "val", flip=0.0))


def predict(suite: Suite, run: Run, paths: Paths, *, workers: int = 0, batch: int = 4) -> None:
    """Write the run's `predictions.json`: COCO results, boxes in native pixels.

    It tells of what weights and of which validation data they are (`config_hash`, `fingerprint`).
    An adaptive method sees the frames of `batch` sequences side by side, each in its order.
    """
    sequences = validation_sequences(paths, run.split("val")) if run.method in ADAPTIVE else None
    model = load_trained(suite, run, paths)
    dataset = validation_set(suite, run, paths)
    if sequences is None:
        batches = DataLoader(dataset, batch, num_workers=workers, collate_fn=pseudo_collate)
        detected = (sample for data in batches for sample in model.test_step(data))
    else:
        detected = detect_online(model, dataset, sequences, lanes=batch, workers=workers)
    found: dict[int, list[dict[str, Any]]] = {}
    step = max(batch, len(dataset) // 4)
    with torch.inference_mode():
        for count, sample in enumerate(detected, start=1):
            found[sample.img_id] = _as_coco(sample, dataset.cat_ids)
            if len(dataset) >= 400 * batch and count % step == 0:
                print(f"predict: {100 * count // len(dataset)} %", file=sys.stderr, flush=True)
    stamp = run_stamp(suite, run, paths)
    # By image, in whatever order they were detected.
    order = sorted(found)
    write_json(
        paths.run(run, "predictions.json"),
        {
            "config_hash": stamp,
            "fingerprint": annotation_info(paths.annotations(run.split("val")))["fingerprint"],
            "detections": [one for image in order for one in found[image]],
        },
        indent=None,
    )


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
