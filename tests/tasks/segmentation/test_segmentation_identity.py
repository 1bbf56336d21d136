"""What makes a segmenter's trained weights stale: every key of the block, and nothing beside."""

from typing import Any

import pytest

from lzu.tasks.segmentation.settings import Segmentation
from tests.experiments.keys import WHY, defaults_of, keys_of, stale_between
from tests.experiments.suites import changed, segmentation, settings_of

ALL = set(Segmentation.offered)
LDS, ES, PRIOR, LEARNED = {"lds"}, {"es"}, {"lzu_fixed"}, {"lzu_learned"}
NONE: set[str] = set()

# Key of the block -> another value, and the methods whose weights it makes stale.
STALE: dict[str, tuple[Any, set[str]]] = {
    "dataset.root": ("elsewhere", NONE),
    "dataset.native_size": ([160, 256], ALL),
    "dataset.crop": ([96, 96], ALL),
    "dataset.synthetic": (None, ALL),
    "dataset.image_check": ("header", NONE),
    "mini_validation.images": (3, ALL),
    "mini_validation.split_seed": (3, ALL),
    "mini_validation.evaluations": (3, ALL),
    "model.base": ("mmseg::fcn/fcn_r50-d8_4xb2-80k_cityscapes-512x1024.py", ALL),
    "model.overrides": ({}, ALL),
    "model.initial_weights": (None, ALL),
    "model.initial_weights.source": ("elsewhere.pth", NONE),
    "model.initial_weights.sha256": ("0" * 64, ALL),
    "schedule.epochs": (9, ALL),
    "schedule.iterations": ({0.25: 5, 0.5: 4}, ALL),
    "schedule.power": (1, ALL),
    "schedule.final_rate": (0, ALL),
    "schedule.milestones": ([1], ALL),
    "schedule.bias_rate": (2, ALL),
    "schedule.bias_decay": (0, ALL),
    "schedule.warmup_start": (0.5, ALL),
    "schedule.batch": (2, ALL),
    "schedule.optimizer": ({"type": "AdamW"}, ALL),
    "schedule.warmup_iterations": (1, ALL),
    "schedule.clip_norm": (1, ALL),
    "schedule.flip": (0.5, ALL),
    "schedule.photometric": (False, ALL),
    "schedule.class_weighting": (0.5, ALL),
    "schedule.checkpoint_every": (77, NONE),
    "prior.lattice": ([20, 30], PRIOR | LEARNED),
    "prior.fwhm": (5, PRIOR),
    "prior.boundary": (5, PRIOR),
    "prior.background": (5, PRIOR),
    "prior.label_size": ([64, 64], PRIOR),
    "fixed.unzoom_at": ("context", PRIOR),
    "learned.fwhm": (5, LEARNED),
    "learned.floor": (0.75, LEARNED),
    "learned.input_size": ([37, 37], LEARNED),
    "learned.channels": (32, LEARNED),
    "learned.unzoom_at": ("logits", LEARNED),
    "lds.fwhm": (5, LDS),
    "lds.input_size": ([48, 48], LDS),
    "lds.channels": (16, LDS),
    "lds.edge_weight": (5, LDS),
    # on the mini-validation, by which weights are chosen, it bears
    "lds.back_projection": ("linear", LDS),
    "lds.slips": (["labels"], LDS),
    "es.lattice": (6, ES),
    "es.alpha": (0.25, ES),
    "es.slips": (["nodes"], ES),
    "es.widen_factor": (0.5, ES),
    "es.learning_rate": (0.5, ES),
    "es.batch": (5, ES),
    "es.iterations": (5, ES),
    "es.back_projection": ("nearest", ES),
    "methods": ({}, NONE),
    "methods.lzu_fixed.scales": ([0.25], NONE),
    "methods.lzu_fixed.learning_rate": (0.5, PRIOR),
    "methods.lzu_fixed.seeds": ({0.5: [0, 5]}, NONE),
    "methods.lzu_fixed.variants": ([{"fwhm": 5}], NONE),
    "seeds": ([0, 1, 2], NONE),
    "timing.warmup": (7, NONE),
    "timing.rounds": (7, NONE),
}
DEFAULTS = {
    "dataset.native_size": (1024, 2048),
    "dataset.crop": (1024, 1024),
    "dataset.synthetic": None,
    "dataset.image_check": "decode",
    "mini_validation.images": 500,
    "mini_validation.split_seed": 0,
    "mini_validation.evaluations": 10,
    "model.base": "mmseg::pspnet/pspnet_r50-d8_4xb2-80k_cityscapes-512x1024.py",
    "model.overrides": {},
    "model.initial_weights": None,
    "schedule.epochs": 3,
    "schedule.iterations": {},
    "schedule.power": 0.9,
    "schedule.final_rate": 1e-4,
    "schedule.milestones": (),
    "schedule.bias_rate": 1.0,
    "schedule.bias_decay": 1.0,
    "schedule.warmup_start": 0.001,
    "schedule.batch": 16,
    "schedule.optimizer": {"type": "SGD", "momentum": 0.9, "weight_decay": 5e-4},
    "schedule.warmup_iterations": 0,
    "schedule.clip_norm": None,
    "schedule.flip": 0,
    "schedule.photometric": True,
    "schedule.class_weighting": 0,
    "schedule.checkpoint_every": 1000,
    "prior.lattice": (45, 45),
    "prior.fwhm": 15,
    "prior.boundary": 200,
    "prior.background": 1,
    "prior.label_size": (256, 256),
    "fixed.unzoom_at": "backbone",
    "learned.fwhm": 10,
    "learned.floor": 0.3,
    "learned.input_size": (65, 65),
    "learned.channels": 32,
    "learned.unzoom_at": "backbone",
    "lds.fwhm": 15,
    "lds.input_size": (64, 64),
    "lds.channels": 192,
    "lds.edge_weight": 100,
    "lds.back_projection": "nearest",
    "lds.slips": (),
    "es.lattice": 8,
    "es.alpha": 0.5,
    "es.slips": (),
    "es.widen_factor": 0.25,
    "es.learning_rate": 0.007,
    "es.batch": 32,
    "es.iterations": 30000,
    "es.back_projection": "linear",
    "methods.lzu_fixed.seeds": {},
    "methods.lzu_fixed.variants": (),
    "seeds": (0,),
    "timing.warmup": 20,
    "timing.rounds": 100,
}


@pytest.fixture
def base():
    """The smoke suite with initial weights, so that it has every key."""
    weights = {"source": "here.pth", "sha256": "f" * 64}
    return changed(settings_of("smoke"), "segmentation.model.initial_weights", weights)


def test_every_key_is_in_the_table():
    """A new key must say here what it makes stale."""
    assert set(keys_of(Segmentation)) == set(STALE)


@pytest.mark.parametrize("path", STALE)
def test_what_makes_weights_stale(base, path):
    value, methods = STALE[path]
    after = changed(base, f"segmentation.{path}", value)
    if path == "methods":
        after = changed(after, f"segmentation.{path}", base["segmentation"]["methods"])
    assert stale_between(segmentation(base), segmentation(after)) == methods


def test_the_iterations_of_one_scale_leave_the_others_alone(base):
    after = changed(base, "segmentation.schedule.iterations", {0.25: 4, 0.5: 5})
    # of the two methods that are trained at that scale alone
    assert stale_between(segmentation(base), segmentation(after)) == {"uniform", "lzu_fixed"}


def test_defaults_never_change():
    assert defaults_of(Segmentation, STALE) == DEFAULTS, WHY
