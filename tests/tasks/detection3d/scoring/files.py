"""A run's files, as far as scoring it reads them."""

import json
from datetime import UTC, datetime

from lzu.datasets.nuscenes.infos import head_line
from lzu.experiments.context import Context
from lzu.experiments.suite import load_suite
from lzu.files import write_json
from lzu.results.provenance import collect_provenance
from lzu.results.stamps import stamp
from lzu.tasks import TASKS
from lzu.tasks.detection3d.task import DETECTION3D

TRAINING = {
    "initial_weights": "scratch",
    "iterations": 1,
    "epochs": 1,
    "duration_s": 1.0,
    "images_per_s": None,
}


def context_of(config, results):
    """3-D detection in the suite of a file, below a results folder."""
    return Context(load_suite(config, TASKS), DETECTION3D, results)


def write_run(context, run, samples, results):
    """Write the prepared file of `samples`, one after another, and a run's predictions."""
    paths, images = context.paths, 0
    path = paths.annotations("val")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(head_line({}, {}))
        for sample in samples:
            file.write((",\n" if images else "\n") + json.dumps(sample))
            images += len(sample["images"])
        file.write("\n]}\n")
    info = {"source": "synthetic", "fingerprint": "0" * 16, "images": images}
    for split in ("train", "val"):
        write_json(paths.about(split), info)
    made = {"stamp": stamp(context, run), "provenance": collect_provenance(datetime.now(UTC), None)}
    predicted = {**made, "fingerprint": info["fingerprint"], "results": results}
    write_json(paths.run(run, "predictions.json"), predicted, indent=None)
    write_json(paths.run(run, "train.json"), {**made, "training": TRAINING})
