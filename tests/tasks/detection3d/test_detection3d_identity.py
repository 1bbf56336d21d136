"""What makes a 3-D detector's trained weights stale: every key of the block, nothing beside."""

from typing import Any

import pytest

from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES
from lzu.tasks.detection3d.settings import Detection3d
from tests.experiments.keys import WHY, defaults_of, keys_of, stale_between
from tests.experiments.suites import changed, detection3d, settings_of

ALL = set(Detection3d.offered)
PRIOR = {"lzu_fixed"}
ADAPTIVE = {"lzu_adaptive_no_cascade"}
NONE: set[str] = set()

# Key of the block -> another value, and the methods whose weights it makes stale.
STALE: dict[str, tuple[Any, set[str]]] = {
    "dataset.root": ("elsewhere", NONE),
    "dataset.native_size": ([192, 320], ALL),
    "dataset.synthetic": (None, ALL),
    "dataset.image_check": ("header", NONE),
    "dataset.version": ("v1.0-mini", ALL),
    "dataset.cameras": (["CAM_BACK"], ALL),
    "dataset.classes": (["bus", "car"], ALL),
    "model.base": ("mmdet3d::pgd/pgd_r101-caffe_fpn_head-gn_16xb2-1x_nus-mono3d.py", ALL),
    "model.overrides": ({}, ALL),
    "model.initial_weights": (None, ALL),
    "model.initial_weights.source": ("elsewhere.pth", NONE),
    "model.initial_weights.sha256": ("0" * 64, ALL),
    "schedule.epochs": (9, ALL),
    "schedule.iterations": ({0.5: 5, 1: 4}, ALL),
    "schedule.power": (0.9, ALL),
    "schedule.final_rate": (0.0001, ALL),
    "schedule.milestones": ([1], ALL),
    "schedule.bias_rate": (2, ALL),
    "schedule.bias_decay": (0, ALL),
    "schedule.warmup_start": (0.5, ALL),
    "schedule.batch": (2, ALL),
    "schedule.optimizer": ({"type": "AdamW"}, ALL),
    "schedule.warmup_iterations": (1, ALL),
    "schedule.clip_norm": (1, ALL),
    "schedule.flip": (0.25, ALL),
    "schedule.checkpoint_every": (77, NONE),
    "prior.lattice": ([20, 30], PRIOR | ADAPTIVE),
    "prior.fwhm": (5, PRIOR),
    "prior.amplitude": (5, PRIOR),
    "prior.bandwidth": (5, PRIOR),
    "prior.cameras": ("each", PRIOR),
    "fixed.frame": ("padded", PRIOR),
    "adaptive.fwhm": (5, ADAPTIVE),
    "adaptive.amplitude": (5, ADAPTIVE),
    "adaptive.bandwidth": (5, ADAPTIVE),
    "adaptive.jitter_x": (5, ADAPTIVE),
    "adaptive.jitter_y": (5, ADAPTIVE),
    "adaptive.uniform_share": (0.5, ADAPTIVE),
    "adaptive.score_threshold": (0.5, ADAPTIVE),
    "adaptive.max_detections": (5, ADAPTIVE),
    "upsampling": (None, NONE),
    "upsampling.from_scales": ([1], NONE),
    "upsampling.to_scales": ([0.5], NONE),
    "upsampling.methods": (["uniform"], NONE),
    "upsampling.seeds": ([0], NONE),
    "methods": ({}, NONE),
    "methods.lzu_fixed.scales": ([0.5], NONE),
    "methods.lzu_fixed.learning_rate": (0.5, PRIOR),
    "methods.lzu_fixed.seeds": ({0.5: [0, 5]}, NONE),
    "methods.lzu_fixed.variants": ([{"fwhm": 5}], NONE),
    "seeds": ([0, 1, 2], NONE),
    "timing.warmup": (7, NONE),
    "timing.rounds": (7, NONE),
}
DEFAULTS = {
    "dataset.native_size": (900, 1600),
    "dataset.synthetic": None,
    "dataset.image_check": "decode",
    "dataset.version": "v1.0-trainval",
    "dataset.cameras": CAMERAS,
    "dataset.classes": CLASSES,
    "model.base": "mmdet3d::fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py",
    "model.overrides": {},
    "model.initial_weights": None,
    "schedule.epochs": 12,
    "schedule.iterations": {},
    "schedule.power": 1,
    "schedule.final_rate": 0,
    "schedule.milestones": (),
    "schedule.bias_rate": 1.0,
    "schedule.bias_decay": 1.0,
    "schedule.warmup_start": 0.001,
    "schedule.batch": 16,
    "schedule.optimizer": {"type": "SGD", "momentum": 0.9, "weight_decay": 1e-4},
    "schedule.warmup_iterations": 500,
    "schedule.clip_norm": None,
    "schedule.flip": 0.5,
    "schedule.checkpoint_every": 1000,
    "prior.lattice": (27, 48),
    "prior.fwhm": 10,
    "prior.amplitude": 1,
    "prior.bandwidth": 64,
    "prior.cameras": "together",
    "fixed.frame": "content",
    "adaptive.fwhm": 10,
    "adaptive.amplitude": 1,
    "adaptive.bandwidth": 64,
    "adaptive.jitter_x": 7.5,
    "adaptive.jitter_y": 3,
    "adaptive.uniform_share": 0,
    "adaptive.score_threshold": 0.2,
    "adaptive.max_detections": 100,
    "upsampling": None,
    "upsampling.methods": ("uniform", "lzu_fixed"),
    "upsampling.seeds": None,
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
    return changed(settings_of("smoke"), "detection3d.model.initial_weights", weights)


def test_every_key_is_in_the_table():
    """A new key must say here what it makes stale."""
    assert set(keys_of(Detection3d)) == set(STALE)


@pytest.mark.parametrize("path", STALE)
def test_what_makes_weights_stale(base, path):
    value, methods = STALE[path]
    after = changed(base, f"detection3d.{path}", value)
    if path == "methods":
        after = changed(after, f"detection3d.{path}", base["detection3d"]["methods"])
    assert stale_between(detection3d(base), detection3d(after)) == methods


def test_defaults_never_change():
    assert defaults_of(Detection3d, STALE) == DEFAULTS, WHY
