"""Checkpoints and predictions of runs that nobody trained, for tests that need only some."""

import json

import numpy as np
import torch
from mmdet.registry import MODELS

from lzu.files import write_json
from lzu.tasks.detection2d.build import enter_mmdet, model_config, run_stamp


def save_untrained(suite, run, paths):
    """Write a checkpoint of the run with weights that find different things in different images."""
    enter_mmdet()
    torch.manual_seed(0)
    model = MODELS.build(model_config(suite, run, paths))
    with torch.no_grad():
        model.bbox_head.retina_cls.weight.mul_(100)
        # learned saliency begins as a constant
        for weight in model.resampler.parameters():
            weight.add_(torch.randn_like(weight) / 4)
    path = paths.run(run, "checkpoint.pth")
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"run": run.as_dict(), "config_hash": run_stamp(suite, run, paths)}
    torch.save({"state_dict": model.state_dict(), "about": about}, path)


def save_predictions(suite, run, paths, share, seed=0):
    """Write predictions that have this share of each image's boxes, and some mistakes."""
    rng = np.random.default_rng(seed)
    truth = json.loads(paths.annotations("val").read_text())
    found = []
    for record in truth["annotations"]:
        if rng.random() < share[record["image_id"] % len(share)]:
            jitter = rng.normal(0, 0.03, 4) * [*record["bbox"][2:], *record["bbox"][2:]]
            box = np.add(record["bbox"], jitter)
        elif rng.random() < 0.3:
            box = np.add(record["bbox"], (rng.normal(0, 20), 10, 0, 0))
        else:
            continue
        found.append(
            {
                "image_id": record["image_id"],
                "category_id": record["category_id"],
                "bbox": box.round(3).tolist(),
                "score": round(float(rng.uniform(0.2, 1)), 5),
            }
        )
    content = {
        "config_hash": run_stamp(suite, run, paths),
        "fingerprint": truth["info"]["fingerprint"],
        "detections": found,
    }
    write_json(paths.run(run, "predictions.json"), content)
