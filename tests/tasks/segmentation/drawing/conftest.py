"""A few constructed images with labels, prepared, and predictions of runs that nobody trained."""

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

pytest.importorskip("mmseg")

import torch
from mmseg.registry import MODELS

from lzu.datasets.cityscapes.classes import CLASS_IDS
from lzu.datasets.cityscapes.layout import parse
from lzu.engine.build import enter_scope
from lzu.engine.prior import make_prior
from lzu.engine.trained import save_trained
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.suite import load_suite
from lzu.files import write_json
from lzu.results.provenance import collect_provenance
from lzu.results.stamps import fingerprint, stamp
from lzu.tasks import TASKS
from lzu.tasks.segmentation.build import model_config
from lzu.tasks.segmentation.data import prepare_data, split_data
from lzu.tasks.segmentation.es.predictor import LocationPredictor
from lzu.tasks.segmentation.scoring.maps import pack_map
from lzu.tasks.segmentation.task import SEGMENTATION
from tests.prepared import changed
from tests.tasks.segmentation.two_seeds import two_seeds

NAMES = {
    "train": [f"ashton_00000{n}_000019" for n in range(4)],
    "val": [f"dale_00000{n}_000019" for n in range(6)],
}
VAL = NAMES["val"]
SIZE = (128, 256)
METHODS = ("lzu_fixed", "lzu_learned", "lds", "es")
RUN = Run("smoke", "segmentation", "lzu_fixed", 1.0, 0.25, 0)


def labels_of(split, number):
    """(128, 256) ids in blocks of 16, of 3 + `number` classes and of none; the ego vehicle below.

    Of the second validation image, two classes alone.
    """
    rng = np.random.default_rng([split == "val", number])
    classes = CLASS_IDS[: 2 if (split, number) == ("val", 1) else 3 + number]
    ids = rng.choice([*classes, 0], (8, 16)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    ids[:16, 64:192] = np.resize(classes, 8).repeat(16)
    ids[-16:] = 1
    return ids


@pytest.fixture(scope="session")
def prepared(request, tmp_path_factory):
    """The smoke suite's segmentation with data, prior, untrained checkpoints and predictions.

    At the scale 0.25, of two seeds. A run of the k-th method is right at a random share of the
    pixels of image n, uniform at 0.6 of them.
    """
    folder = tmp_path_factory.mktemp("segmentation")
    for split, names in NAMES.items():
        for number, name in enumerate(names):
            frame = parse(name)
            rng = np.random.default_rng(number)
            image = rng.integers(0, 256, (*SIZE, 3), np.uint8)
            for path, values in (
                (frame.image(split), image),
                (frame.label(split, "_gtFine_labelIds.png"), labels_of(split, number)),
            ):
                (folder / "data" / path).parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / "data" / path), values)
    suite = load_suite(request.config.rootpath / "config" / "smoke.yaml", TASKS)
    context = Context(suite, SEGMENTATION, folder / "results")
    dataset = context.settings.dataset.model_copy(
        update={"root": str(folder / "data"), "synthetic": None}
    )
    context = changed(two_seeds(context), dataset=dataset)
    for split in ("train", "val"):
        prepare_data(context, split)
    split_data(context)
    make_prior(context, context.main_prior)
    for seed in (0, 1):
        save_predictions(context, run_of("uniform", seed), [0.6] * len(VAL))
        for method in METHODS:
            save_predictions(context, run_of(method, seed), SHARES[method])
    for method in METHODS:
        save_untrained(context, run_of(method))
    return context


SHARES = {
    "lzu_fixed": (0.9, 1.0, 0.3, 0.7, 0.5, 0.6),
    "lzu_learned": (0.6, 0.6, 0.6, 0.6, 0.6, 0.6),
    "lds": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "es": (0.9, 0.8, 0.7, 0.6, 0.5, 0.4),
}
"""Method -> the share of each validation image's pixels that it has right."""


def run_of(method, seed=0):
    """A run at the scale 0.25."""
    return Run("smoke", "segmentation", method, 1.0, 0.25, seed)


def truth_of(number):
    """(128, 128) trainIds of a validation image's crop, 255 for none."""
    ids = labels_of("val", number)[:, 64:192]
    found = np.full(ids.shape, 255, np.uint8)
    for train_id, own in enumerate(CLASS_IDS):
        found[ids == own] = train_id
    return found


def guess(run, number, share):
    """(128, 128) a prediction that has this share of the pixels right."""
    rng = np.random.default_rng([run.seed, number, len(run.method)])
    truth = truth_of(number)
    wrong = rng.integers(0, 19, truth.shape, np.uint8)
    return np.where((rng.random(truth.shape) < share) & (truth < 19), truth, wrong)


def save_predictions(context, run, shares):
    """Write predictions of these shares, images in another order than the listing's."""
    found = [
        {"id": name, "map": pack_map(guess(run, n, share)), "confusions": {}}
        for n, (name, share) in enumerate(zip(VAL, shares, strict=True))
    ]
    content = {
        "stamp": stamp(context, run),
        "fingerprint": fingerprint(context, "val"),
        "provenance": collect_provenance(datetime.now(UTC), None),
        "images": found[::-1],
    }
    write_json(context.paths.run(run, "predictions.json"), content)


def save_untrained(context, run):
    """Write a checkpoint of the run, and of ES's sampler."""
    enter_scope(context)
    torch.manual_seed(0)
    stage = context.stage_of(run)
    if stage is not None:
        path = context.paths.stage(stage)
        path.parent.mkdir(parents=True)
        predictor = LocationPredictor(8, context.settings.es.widen_factor)
        torch.save({"state_dict": predictor.state_dict()}, path)
    model = MODELS.build(model_config(context, run))
    save_trained(context, run, model.state_dict(), stamp(context, run))
