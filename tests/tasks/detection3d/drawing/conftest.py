"""A tiny prepared nuScenes of the smoke suite, made once, with two runs that nobody trained."""

from datetime import UTC, datetime

import numpy as np
import pytest
import torch
import yaml

from lzu.experiments.run import Run

RUN = Run("smoke", "detection3d", "lzu_fixed", 1.0, 0.5, 0)


@pytest.fixture(scope="module")
def nuscenes(request, tmp_path_factory):
    """The smoke suite's 3-D detection, with its data, listings and a prior."""
    pytest.importorskip("mmdet")
    pytest.importorskip("nuscenes")
    from lzu.engine.prior import make_prior
    from lzu.experiments.context import Context
    from lzu.experiments.suite import load_suite
    from lzu.tasks import TASKS
    from lzu.tasks.detection3d.task import DETECTION3D

    folder = tmp_path_factory.mktemp("nuscenes")
    suite = yaml.safe_load((request.config.rootpath / "config" / "smoke.yaml").read_text())
    suite = {"suite": "smoke", "detection3d": suite["detection3d"]}
    suite["detection3d"]["dataset"]["root"] = str(folder / "data")
    suite["detection3d"]["dataset"]["cameras"] = ["CAM_FRONT", "CAM_BACK_LEFT"]
    path = folder / "smoke.yaml"
    path.write_text(yaml.safe_dump(suite))
    context = Context(load_suite(path, TASKS), DETECTION3D, folder / "results")
    for split in ("train", "val"):
        context.task.step("write_world")(context, split, 1)
        context.task.step("prepare")(context, split)
    make_prior(context, context.main_prior)
    return context


@pytest.fixture(scope="module")
def predicted(nuscenes):
    """With a checkpoint, and predictions: fixed finds more in the first camera, uniform in the
    second."""
    from lzu.engine.build import enter_scope
    from lzu.engine.trained import save_trained
    from lzu.results.stamps import stamp
    from lzu.tasks.detection3d.bridge import MODELS
    from lzu.tasks.detection3d.build import model_config

    enter_scope(nuscenes)
    torch.manual_seed(0)
    model = MODELS.build(model_config(nuscenes, RUN))
    save_trained(nuscenes, RUN, model.state_dict(), stamp(nuscenes, RUN))
    save_predictions(nuscenes, RUN.baseline, (0.2, 1.0), seed=0)
    save_predictions(nuscenes, RUN, (1.0, 0.2), seed=1)
    return nuscenes


def save_predictions(context, run, share, seed):
    """Write predictions that have this share of what each camera sees, and some mistakes."""
    from lzu.datasets.nuscenes.classes import CLASSES
    from lzu.datasets.nuscenes.infos import read_head, stream_samples
    from lzu.files import write_json
    from lzu.results.provenance import collect_provenance
    from lzu.results.stamps import stamp

    rng = np.random.default_rng(seed)
    listing = context.paths.annotations("val")
    results = {}
    for sample in stream_samples(listing):
        true = {one["token"]: one for one in sample["instances"]}
        rows = results[sample["token"]] = []
        for camera, part in zip(context.settings.dataset.cameras, share, strict=True):
            for seen in sample["cam_instances"][camera]:
                one = true[seen["token"]]
                off = rng.normal(0, 0.3, 3) if rng.random() < part else rng.normal(0, 6, 3)
                rows.append(
                    {
                        "translation": np.add(one["translation"], off).tolist(),
                        "size": one["size"],
                        "rotation": one["rotation"],
                        "velocity": [0.0, 0.0],
                        "detection_name": CLASSES[one["bbox_label_3d"]],
                        "detection_score": float(rng.uniform(0.1, 1)),
                        "attribute_name": "",
                        "camera": camera,
                    }
                )
    content = {
        "stamp": stamp(context, run),
        "fingerprint": read_head(listing)["info"]["fingerprint"],
        "provenance": collect_provenance(datetime.now(UTC), None),
        "results": results,
    }
    write_json(context.paths.run(run, "predictions.json"), content)
