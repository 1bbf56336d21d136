"""What makes trained weights stale: every key of every block, and nothing beside."""

from typing import Any

import pytest
from pydantic import BaseModel

from lzu.datasets.synthetic import WorldConfig
from lzu.experiments.identity import digest, own_block, own_settings, training_identity
from lzu.experiments.run import Run
from lzu.experiments.settings import TaskSettings
from lzu.experiments.suite import suite_type
from lzu.tasks import TASKS
from lzu.tasks.detection2d.settings import Detection2d
from tests.experiments.keys import WHY, defaults_of, keys_of, stale_between
from tests.experiments.suites import changed, detection

ALL = set(Detection2d.offered)
PRIOR = {"lzu_fixed", "fovea"}
CASCADE = {"lzu_adaptive"}
FOLLOWING = {"lzu_adaptive", "lzu_adaptive_no_cascade"}
SEARCHED = {"uniform", "lzu_fixed", "lzu_adaptive"}
NONE: set[str] = set()

# Key of the block -> another value, the methods whose weights it makes stale, and those whose
# weights of the search it does (whose points set amplitude and fwhm themselves).
STALE: dict[str, tuple[Any, set[str], set[str]]] = {
    "dataset.root": ("elsewhere", NONE, NONE),
    "dataset.native_size": ([320, 512], ALL, SEARCHED),
    "dataset.synthetic": (None, ALL, SEARCHED),
    "dataset.image_check": ("header", NONE, NONE),
    "dataset.tolerate": (["box_size"], NONE, NONE),
    "model.base": ("mmdet::fcos/fcos.py", ALL, SEARCHED),
    "model.overrides": ({}, ALL, SEARCHED),
    "model.initial_weights": (None, ALL, SEARCHED),
    "model.initial_weights.source": ("elsewhere.pth", NONE, NONE),
    "model.initial_weights.sha256": ("0" * 64, ALL, SEARCHED),
    "schedule.epochs": (9, ALL, SEARCHED),
    "schedule.iterations": ({0.25: 7, 0.5: 7}, ALL, SEARCHED),
    "schedule.power": (0.9, ALL, SEARCHED),
    "schedule.final_rate": (0.001, ALL, SEARCHED),
    "schedule.milestones": ([1], ALL, SEARCHED),
    "schedule.bias_rate": (2, ALL, SEARCHED),
    "schedule.bias_decay": (0, ALL, SEARCHED),
    "schedule.warmup_start": (0.5, ALL, SEARCHED),
    "schedule.batch": (2, ALL, SEARCHED),
    "schedule.optimizer": ({"type": "AdamW"}, ALL, SEARCHED),
    "schedule.warmup_iterations": (1, ALL, SEARCHED),
    "schedule.clip_norm": (1, ALL, SEARCHED),
    "schedule.flip": (0, ALL, SEARCHED),
    "schedule.checkpoint_every": (77, NONE, NONE),
    "prior.lattice": ([20, 30], ALL - {"uniform"}, SEARCHED - {"uniform"}),
    "prior.fwhm": (5, {"lzu_fixed"}, NONE),
    "prior.amplitude": (5, PRIOR, NONE),
    "prior.bandwidth": (5, PRIOR, {"lzu_fixed"}),
    "methods": ({}, NONE, NONE),
    "methods.lzu_fixed.scales": ([0.25, 0.5, 0.75], NONE, NONE),
    "methods.lzu_fixed.learning_rate": (0.5, {"lzu_fixed"}, {"lzu_fixed"}),
    "methods.lzu_fixed.seeds": ({0.5: [0, 5]}, NONE, NONE),
    "methods.lzu_fixed.variants": ([{"fwhm": 5}], NONE, NONE),
    "seeds": ([0, 1, 2], NONE, NONE),
    "timing.warmup": (7, NONE, NONE),
    "timing.rounds": (7, NONE, NONE),
    "adaptive.fwhm": (5, FOLLOWING, NONE),
    "adaptive.amplitude": (5, FOLLOWING, NONE),
    "adaptive.bandwidth": (5, FOLLOWING, CASCADE),
    "adaptive.jitter_x": (5, FOLLOWING, CASCADE),
    "adaptive.jitter_y": (5, FOLLOWING, CASCADE),
    "adaptive.cascade_from_epoch": (0.75, CASCADE, CASCADE),
    "adaptive.uniform_share": (0.75, FOLLOWING, CASCADE),
    "adaptive.score_threshold": (0.75, FOLLOWING, CASCADE),
    "adaptive.max_detections": (5, FOLLOWING, CASCADE),
    "learned.fwhm": (5, {"lzu_learned"}, NONE),
    "learned.floor": (0.75, {"lzu_learned"}, NONE),
    "learned.input_size": ([69, 105], {"lzu_learned"}, NONE),
    "learned.channels": (16, {"lzu_learned"}, NONE),
    "fovea.fwhm": (5, {"fovea"}, NONE),
    "stream.sequence": (1, NONE, NONE),
    "stream.frames": (7, NONE, NONE),
    "upsampling": (None, NONE, NONE),
    "upsampling.from_scales": ([1], NONE, NONE),
    "upsampling.to_scales": ([0.5], NONE, NONE),
    "upsampling.methods": (["uniform"], NONE, NONE),
    "upsampling.seeds": (None, NONE, NONE),
    "search": (None, NONE, NONE),
    "search.amplitudes": ([1, 5, 100], NONE, NONE),
    "search.fwhms": ([4, 10, 22], NONE, NONE),
    "search.methods": (["lzu_fixed"], NONE, NONE),
    "search.seeds": ([0, 1], NONE, NONE),
    "search.validation_share": (0.3, NONE, SEARCHED),
    "search.split_seed": (1, NONE, SEARCHED),
}


@pytest.fixture
def base(smoke):
    """The smoke suite with initial weights, so that it has every key."""
    weights = {"source": "here.pth", "sha256": "f" * 64}
    return changed(smoke, "detection2d.model.initial_weights", weights)


def stale_in(before: dict[str, Any], after: dict[str, Any], searched: bool) -> set[str]:
    """The methods of runs planned before and after whose weights have to be made again."""
    return stale_between(detection(before), detection(after), searched)


def test_every_key_is_in_the_table():
    """A new key must say here what it makes stale."""
    assert set(keys_of(Detection2d)) == set(STALE)
    assert set(TASKS) == {"detection2d", "segmentation", "detection3d"}, (
        "a new task needs such a table too"
    )


@pytest.mark.parametrize("path", STALE)
def test_what_makes_weights_stale(base, path):
    value, methods, searched = STALE[path]
    after = changed(base, f"detection2d.{path}", value)
    if path == "methods":
        # needed by what follows from it
        after = changed(after, f"detection2d.{path}", base["detection2d"]["methods"])
    assert stale_in(base, after, searched=False) == methods
    assert stale_in(base, after, searched=True) == searched


def test_a_changed_value_is_another_one(base):
    """So that nothing in the table stays fresh because nothing has changed."""
    for path, (value, _, _) in STALE.items():
        block: Any = detection(base).settings
        for key in path.split("."):
            block = block[key] if isinstance(block, dict) else getattr(block, key)
        after: Any = detection(base).settings.model_dump(mode="json")
        for key in path.split("."):
            after = after[key]
        if path != "methods":
            assert value != after, path


WORLD_KEYS = set(WorldConfig().to_dict()) - {"width", "height"}  # these are native_size
WORLD_STALE = {name: not name.startswith("val_") for name in sorted(WORLD_KEYS)}
WORLD_OTHER = {
    "cameras": ["CAM_FRONT"],
    "classes": ["car"],
    "density": {"bus": 2},
    "scenery": "city",
    "min_box_fraction": 0.5,
    "min_visible_fraction": 0.5,
}


@pytest.mark.parametrize("name", WORLD_STALE)
def test_of_a_world_all_counts_but_the_validation_part(base, name):
    value = WORLD_OTHER.get(name, 99)
    after = changed(base, f"detection2d.dataset.synthetic.{name}", value)
    assert stale_in(base, after, searched=False) == (ALL if WORLD_STALE[name] else NONE)
    assert stale_in(base, after, searched=True) == (SEARCHED if WORLD_STALE[name] else NONE)


@pytest.mark.parametrize(
    ("path", "value"),
    [("mode", "cached"), ("machine", "h100"), ("machine_name", "h100"), ("reuse", True)],
)
def test_no_top_level_key_makes_weights_stale(base, path, value):
    after = changed(base, path, value)
    assert stale_in(base, after, searched=False) == stale_in(base, after, searched=True) == NONE
    keys = {"suite", "mode", "machine", "machine_name", "reuse"}
    assert set(suite_type(TASKS).model_fields) == {*keys, *TASKS}


def test_weights_are_of_one_suite(base):
    before, after = (detection(changed(base, "suite", name)) for name in ("one", "two"))
    for old, new in zip(before.runs, after.runs, strict=True):
        assert training_identity(before, old) != training_identity(after, new)


def test_seed_scale_and_options_tell_runs_apart(base):
    context = detection(base)
    trained = {run.trained for run in context.runs}
    assert len({digest(training_identity(context, run)) for run in trained}) == len(trained)


DEFAULTS: dict[str, Any] = {
    "dataset.native_size": (1200, 1920),
    "dataset.synthetic": None,
    "dataset.image_check": "decode",
    "dataset.tolerate": (),
    "model.base": "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py",
    "model.overrides": {},
    "model.initial_weights": None,
    "schedule.epochs": 3,
    "schedule.batch": 8,
    "schedule.optimizer": {"type": "SGD", "momentum": 0.9, "weight_decay": 1e-4},
    "schedule.warmup_iterations": 1000,
    "schedule.clip_norm": None,
    "schedule.flip": 0.5,
    "schedule.checkpoint_every": 1000,
    "schedule.iterations": {},
    "schedule.power": 1,
    "schedule.final_rate": 0,
    "schedule.milestones": (),
    "schedule.bias_rate": 1,
    "schedule.bias_decay": 1,
    "schedule.warmup_start": 0.001,
    "prior.lattice": (31, 51),
    "prior.fwhm": 22,
    "prior.amplitude": 1,
    "prior.bandwidth": 64,
    "methods.lzu_fixed.seeds": {},
    "methods.lzu_fixed.variants": (),
    "seeds": (0,),
    "timing.warmup": 20,
    "timing.rounds": 100,
    "adaptive.fwhm": 10,
    "adaptive.amplitude": 1,
    "adaptive.bandwidth": 64,
    "adaptive.jitter_x": 7.5,
    "adaptive.jitter_y": 3,
    "adaptive.cascade_from_epoch": 2,
    "adaptive.uniform_share": 0,
    "adaptive.score_threshold": 0.3,
    "adaptive.max_detections": 100,
    "learned.fwhm": 10,
    "learned.floor": 0.3,
    "learned.input_size": (65, 105),
    "learned.channels": 32,
    "fovea.fwhm": 4,
    "stream.sequence": 0,
    "stream.frames": 40,
    "upsampling": None,
    "upsampling.methods": ("uniform", "lzu_fixed"),
    "upsampling.seeds": None,
    "search": None,
    "search.amplitudes": (1, 5, 10, 50, 100),
    "search.fwhms": (4, 10, 16, 22),
    "search.methods": ("lzu_fixed", "lzu_adaptive"),
    "search.seeds": (0,),
    "search.validation_share": 0.2,
    "search.split_seed": 0,
}


def test_defaults_never_change():
    assert defaults_of(Detection2d, STALE) == DEFAULTS, WHY


def test_a_block_s_default_is_that_of_its_keys():
    """A block that is left out and an empty one are the same settings."""
    for kind in (TaskSettings, Detection2d):
        for name, field in kind.model_fields.items():
            if isinstance(field.default, BaseModel):
                assert field.default == type(field.default)(), name
                assert isinstance(field.default, field.annotation or type), name


def test_settings_at_their_default_are_left_out(base):
    """Said or not said, they are the same."""
    block = base["detection2d"]
    given = {"lattice": [31, 51], "fwhm": 22, "amplitude": 1, "bandwidth": 64.0}
    assert "prior" not in block
    assert stale_in(base, changed(base, "detection2d.prior", given), searched=False) == NONE
    for name in ("stream", "timing", "learned", "fovea"):
        default = Detection2d.model_fields[name].default.model_dump(mode="json")
        after = changed(base, f"detection2d.{name}", default)
        assert stale_in(base, after, searched=False) == NONE


def _plain(**block: Any) -> dict[str, Any]:
    methods = {name: {"scales": [0.5], "learning_rate": 0.01} for name in Detection2d.offered}
    settings = {"dataset": {"root": "x"}, "methods": methods, **block}
    return {"suite": "recorded", "detection2d": settings}


SET = _plain(
    dataset={"root": "x", "native_size": [400, 640], "synthetic": {"seed": 7}},
    model={
        "overrides": {"backbone": {"depth": 18}},
        "initial_weights": {"source": "x.pth", "sha256": "c2398f9e" * 8},
    },
    schedule={"epochs": 4, "batch": 4, "optimizer": {"type": "AdamW"}, "clip_norm": 10},
    prior={"lattice": [20, 30], "amplitude": 2, "bandwidth": 21.3, "fwhm": 16},
    adaptive={"bandwidth": 21.3, "uniform_share": 0.1, "max_detections": 50},
    learned={"floor": 0.5},
    fovea={"fwhm": 6},
    search={"amplitudes": [5], "fwhms": [10]},
)

PLAIN_HASHES = {
    "uniform 1-0.5": "bd87fc783be09fc5",
    "lzu_fixed 1-0.5": "444b24b0637dffa3",
    "lzu_adaptive 1-0.5": "b3e5094a99427ba1",
    "lzu_adaptive_no_cascade 1-0.5": "e87fb3a9d68aad2e",
    "lzu_learned 1-0.5": "708a2c1c5a951dda",
    "fovea 1-0.5": "befada0407f485f7",
}
SET_HASHES = {
    "uniform 1-0.5": "7f86406e8ffc854c",
    "lzu_fixed 1-0.5": "ad1d3195c0af99aa",
    "lzu_adaptive 1-0.5": "6f88e5ded546eb60",
    "lzu_adaptive_no_cascade 1-0.5": "41eb3d427909ff40",
    "lzu_learned 1-0.5": "7c7cba8c10b8d514",
    "fovea 1-0.5": "23fba7700660e336",
    "uniform 1-0.5/split=search": "59f04ecc050ce9df",
    "lzu_fixed 1-0.5/amplitude=5,fwhm=10,split=search": "04e285a8c3e21ad5",
    "lzu_adaptive 1-0.5/amplitude=5,fwhm=10,split=search": "4b47d7db3d23858d",
}


@pytest.mark.parametrize(
    ("settings", "hashes"), [(_plain(), PLAIN_HASHES), (SET, SET_HASHES)], ids=["defaults", "set"]
)
def test_identities_are_those_of_results_already_measured(settings, hashes):
    """Hashes as they were recorded when the study began: another one would train kept runs anew, or
    take weights of other settings for theirs."""
    context = detection(settings)
    found = {
        f"{run.method} {run.variant}": digest(training_identity(context, run))
        for run in context.runs
    }
    assert found == hashes


def test_digests_ignore_order_and_see_values():
    one = digest({"a": 1, "b": [1, 2.5, None]})
    assert one == digest({"b": (1, 2.5, None), "a": 1})
    assert one != digest({"a": 2, "b": [1, 2.5, None]})
    assert len(one) == 16
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": float("nan")})
    with pytest.raises(TypeError):
        digest({"a": object()})


def test_own_settings_have_a_run_s_options_in_their_place(base):
    context = detection(base)
    own = (("amplitude", "5"), ("fwhm", "4"))
    run = Run("smoke", "detection2d", "lzu_adaptive", 1.0, 0.5, 0, own)
    found = own_settings(context, run)
    assert found is not None
    assert (found.amplitude, found.fwhm) == (5, 4)  # type: ignore[attr-defined]
    assert found == context.settings.adaptive.model_copy(update={"amplitude": 5.0, "fwhm": 4.0})
    assert own_block(context, run)["cascade_from_epoch"] == 0.5
    no_cascade = Run("smoke", "detection2d", "lzu_adaptive_no_cascade", 1.0, 0.5, 0)
    assert "cascade_from_epoch" not in own_block(context, no_cascade)
    uniform = run.baseline
    assert own_settings(context, uniform) is None
    assert own_block(context, uniform) == {}
