"""The blocks of settings: what is wrong is said, with its key."""

import copy

import pytest

from lzu.errors import UserError
from lzu.experiments.settings import frame_size
from tests.experiments.suites import changed, detection, parsed

WRONG = [
    ("dataset", ..., r"detection2d\.dataset: this key is required"),
    ("dataset.root", None, r"detection2d\.dataset\.root: "),
    ("dataset.native_size", [31, 256], r"detection2d\.dataset\.native_size\.0: "),
    ("dataset.tolerate", ["image_missing"], r"detection2d\.dataset\.tolerate\.0: "),
    ("dataset.image_check", "look", r"detection2d\.dataset\.image_check: .*'look'"),
    ("model.initial_weights", {"source": "x"}, r"initial_weights\.sha256: this key is required"),
    (
        "model.initial_weights",
        {"source": "x", "sha256": "ABC"},
        r"model\.initial_weights\.sha256: .*'ABC'",
    ),
    ("model.overrides", {"a": {"b": "1e-4"}}, r"model\.overrides\.a\.b is the text '1e-4'; write"),
    ("schedule.epoch", 3, r"detection2d\.schedule\.epoch: there is no such key"),
    ("schedule.epochs", "many", r"detection2d\.schedule\.epochs: .*'many'"),
    ("schedule.epochs", 0, r"detection2d\.schedule\.epochs: .*given: 0"),
    ("schedule.flip", 1.5, r"detection2d\.schedule\.flip: .*given: 1\.5"),
    ("schedule.clip_norm", 0, r"detection2d\.schedule\.clip_norm: .*given: 0"),
    ("prior.lattice", [1, 51], r"detection2d\.prior\.lattice\.0: "),
    ("methods.lds", {"scales": [1], "learning_rate": 1}, r"methods\.lds: no method of this task"),
    ("methods.zoom", {"scales": [1], "learning_rate": 1}, r"methods\.zoom: .*choose from uniform"),
    ("methods.uniform.learning_rate", ..., r"methods\.uniform\.learning_rate: this key is requ"),
    ("methods.uniform.scales", [0], r"methods\.uniform\.scales\.0: .*greater than 0.*given: 0"),
    ("methods.uniform.scales", [2.1], r"methods\.uniform\.scales\.0: .*equal to 2.*given: 2\.1"),
    ("methods.uniform.scales", [0.5, 0.5], r"methods\.uniform\.scales repeats a value"),
    ("methods.uniform.seeds", {0.75: [0]}, r"uniform\.seeds: 0\.75 is not .*scales has: 0\.25"),
    ("methods.uniform.seeds", {0.5: [1, 1]}, r"uniform\.seeds\.0\.5 repeats a value"),
    ("methods.uniform.seeds", {0.5: [-1]}, r"methods\.uniform\.seeds\.0\.5\.0: .*given: -1"),
    ("methods.uniform.seeds", {3: [0]}, r"methods\.uniform\.seeds\.3.*less than or equal to 2"),
    ("methods.fovea.scales", [0.5, 1], r"methods\.fovea\.scales: 1 is no scale of un"),
    ("adaptive.cascade_from_epoch", 1, r"cascade_from_epoch: 1 leaves nothing of 1"),
    ("adaptive.jitter_x", -1, r"detection2d\.adaptive\.jitter_x: "),
    ("adaptive.score_threshold", 30, r"detection2d\.adaptive\.score_threshold: "),
    ("adaptive.uniform_share", 1, r"detection2d\.adaptive\.uniform_share: .*given: 1"),
    ("adaptive.lattice", [31, 51], r"adaptive\.lattice: there is no such key"),
    ("learned.input_size", [64, 105], r"input_size\.0: .*the nearest is 65"),
    ("learned.channels", 40, r"detection2d\.learned\.channels: "),
    ("fovea.fwhm", 0, r"detection2d\.fovea\.fwhm: .*given: 0"),
    ("stream.frames", 0, r"detection2d\.stream\.frames: .*given: 0"),
    ("timing.rounds", 2, r"detection2d\.timing\.rounds: .*given: 2"),
    ("seeds", [0, 0], r"detection2d\.seeds repeats a value"),
    ("seeds", [], r"detection2d\.seeds: "),
    (
        "upsampling.from_scales",
        [0.3],
        r"upsampling\.from_scales: 0\.3 is not among those that Table 2 has: 0\.25, 0\.5",
    ),
    (
        "upsampling.to_scales",
        [0.5, 0.75],
        r"upsampling\.to_scales: 0\.75 is not .*methods\.uniform\.scales, .*: 0\.25, 0\.5$",
    ),
    ("upsampling.from_scales", [1, 1], r"from_scales repeats a value"),
    ("upsampling.from_scales", [], r"upsampling\.from_scales: "),
    ("upsampling.methods", ["fovea"], r"upsampling\.methods\.0: .*'fovea'"),
    ("upsampling.seeds", [5], r"upsampling\.seeds: 5 is not among"),
    ("search.amplitudes", [0], r"search\.amplitudes\.0: .*greater than 0.*given: 0"),
    ("search.amplitudes", [-1], r"search\.amplitudes\.0: .*given: -1"),
    ("search.amplitudes", [7], r"search\.amplitudes: 7 is not .*Table 6 has: 1, 5"),
    ("search.fwhms", [4, 5], r"search\.fwhms: 5 is not .*Table 6 has: 4, 10"),
    ("search.fwhms", [0], r"search\.fwhms\.0: .*given: 0"),
    ("search.validation_share", 1, r"search\.validation_share: .*given: 1"),
    ("search.validation_share", 0, r"search\.validation_share: .*given: 0"),
    ("search.seeds", [], r"search\.seeds: "),
    ("search.seeds", [1, 1], r"search\.seeds repeats a value"),
]


@pytest.mark.parametrize(("path", "value", "said"), WRONG)
def test_wrong_settings_are_named(smoke, path, value, said):
    with pytest.raises(UserError, match=said) as caught:
        parsed(changed(smoke, f"detection2d.{path}", value))
    assert str(caught.value).startswith("mine.yaml: ")


@pytest.mark.parametrize(
    ("method", "variants", "said"),
    [
        ("lzu_adaptive", [{"speed": 1}], r"'speed' is no setting of this method; choose from fwhm"),
        ("lzu_adaptive", [{}], r"'' is no setting of this method"),
        ("lzu_adaptive", [{"lattice": 9}], r"'lattice' is no setting"),
        (
            "lzu_adaptive_no_cascade",
            [{"cascade_from_epoch": 0.2}],
            r"'cascade_from_epoch' is no setting of this method; choose from fwhm, amplitude",
        ),
        ("lzu_fixed", [{"jitter_x": 1}], r"'jitter_x' is .*from fwhm, amplitude, bandwidth"),
        ("uniform", [{"fwhm": 1}], r"'fwhm' is no setting of this method; choose from none"),
        ("lzu_learned", [{"fwhm": 4}, {"fwhm": 4.0}], r"variants repeats a value"),
        ("lzu_adaptive", [{"fwhm": "wide"}], r"fwhm: .*valid number, .*\(given: wide\)"),
        ("lzu_adaptive", [{"uniform_share": 1}], r"uniform_share: .*less than 1 \(given: 1\)"),
        ("lzu_adaptive", [{"max_detections": 2.5}], r"max_detections: .*integer.* \(given: 2\.5\)"),
        ("lzu_learned", [{"input_size": 65}], r"input_size: .* \(given: 65\)"),
        ("lzu_fixed", [{"fwhm": 4}, {"amplitude": -1}], r"amplitude: .*greater than 0 \(given: -1"),
        ("fovea", [{"bandwidth": 0}], r"bandwidth: .*greater than 0 \(given: 0\)"),
    ],
)
def test_wrong_variants_are_named(smoke, method, variants, said):
    path = f"detection2d.methods.{method}.variants"
    with pytest.raises(UserError, match=rf"detection2d\.methods\.{method}\.?.*{said}"):
        parsed(changed(smoke, path, variants))


def test_variants_have_values_of_a_method_s_own_settings_and_prior(smoke):
    for method, key in [("lzu_fixed", "fwhm"), ("fovea", "amplitude"), ("fovea", "fwhm")]:
        settings = changed(smoke, f"detection2d.methods.{method}.variants", [{key: 7}])
        own = [run for run in detection(settings).main_runs if run.options]
        assert {(run.method, run.options) for run in own} == {(method, ((key, "7"),))}


@pytest.mark.parametrize("scale", [0.01, 0.3, 0.525, 2])
def test_any_scale_up_to_twice_may_be_trained(smoke, scale):
    settings = changed(smoke, "detection2d.methods.lzu_fixed.scales", [scale])
    settings["detection2d"].pop("upsampling")
    runs = [run for run in detection(settings).main_runs if run.method == "lzu_fixed"]
    assert {run.to_scale for run in runs} == {scale}


def test_the_search_needs_the_learning_rate_of_its_methods(smoke):
    for method in ("uniform", "lzu_adaptive"):
        settings = copy.deepcopy(smoke)
        del settings["detection2d"]["methods"][method]
        settings["detection2d"].pop("upsampling")
        settings["detection2d"]["methods"].pop("fovea")
        with pytest.raises(UserError, match=f"search: needs the learning rate of {method}"):
            parsed(settings)


def test_upsampling_needs_its_methods_and_seeds(smoke):
    settings = copy.deepcopy(smoke)
    del settings["detection2d"]["methods"]["lzu_fixed"]
    settings["detection2d"].pop("search")
    with pytest.raises(UserError, match=r"upsampling\.methods: lzu_fixed is not .*methods has"):
        parsed(settings)
    settings = changed(smoke, "detection2d.methods.lzu_fixed.seeds", {0.5: [1]})
    said = r"upsampling\.seeds: 0 is not among those that lzu_fixed at 0\.5 has: 1"
    with pytest.raises(UserError, match=said):
        parsed(settings)


def test_without_a_cascade_nothing_is_said_of_it(smoke):
    settings = changed(smoke, "detection2d.adaptive.cascade_from_epoch", 9)
    del settings["detection2d"]["methods"]["lzu_adaptive"]
    settings["detection2d"]["search"]["methods"] = ["lzu_fixed"]
    assert detection(settings).settings.adaptive.cascade_from_epoch == 9


def test_frame_sizes_of_argoverse_hd():
    sizes = [frame_size((1200, 1920), scale) for scale in (0.25, 0.5, 0.75, 1)]
    assert sizes == [(300, 480), (600, 960), (900, 1440), (1200, 1920)]


def test_a_split_depends_on_its_own_part_of_the_world(smoke):
    dataset = detection(changed(smoke, "detection2d.dataset.synthetic.val_sequences", 9)).settings
    train, val = (dataset.dataset.world_of(split) for split in ("train", "val"))
    assert "val_sequences" not in train
    assert "train_sequences" not in val
    assert {"seed", "train_sequences", "frames_per_sequence"} <= set(train)
    assert val["val_sequences"] == 9
    real = detection(changed(smoke, "detection2d.dataset.synthetic", None)).settings.dataset
    assert real.world_of("train") is None
