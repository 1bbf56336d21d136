"""Checkpoints and predictions of runs that nobody trained, for tests that need only some."""

import json
from datetime import UTC, datetime

import numpy as np
import torch
from mmdet.registry import MODELS

from lzu.engine.build import enter_scope
from lzu.engine.trained import save_trained
from lzu.files import write_json
from lzu.results.provenance import collect_provenance
from lzu.results.stamps import RECORD, stamp
from lzu.tasks.detection2d.build import model_config


def save_untrained(context, run):
    """Write a checkpoint of the run with weights that find different things in different images."""
    enter_scope(context)
    torch.manual_seed(0)
    model = MODELS.build(model_config(context, run))
    with torch.no_grad():
        model.bbox_head.retina_cls.weight.mul_(100)
        # learned saliency begins as a constant
        for weight in model.resampler.parameters():
            weight.add_(torch.randn_like(weight) / 4)
    save_trained(context, run, model.state_dict(), stamp(context, run))


def save_record(context, run):
    """Write what is known of the run's training, which there was none of."""
    training = {
        "initial_weights": "scratch",
        "iterations": 3,
        "epochs": 1,
        "duration_s": 1.0,
        "images_per_s": None,
    }
    record = {
        "stamp": stamp(context, run),
        "training": training,
        "provenance": collect_provenance(datetime.now(UTC), None),
    }
    write_json(context.paths.run(run.trained, RECORD), record)


def save_predictions(context, run, share, seed=0):
    """Write predictions that have this share of each image's boxes, and some mistakes."""
    rng = np.random.default_rng(seed)
    truth = json.loads(context.paths.annotations("val").read_text())
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
        "stamp": stamp(context, run),
        "fingerprint": truth["info"]["fingerprint"],
        "provenance": collect_provenance(datetime.now(UTC), None),
        "detections": found,
    }
    write_json(context.paths.run(run, "predictions.json"), content)
