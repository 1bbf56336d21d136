"""Suite files: what ships is right, and what is wrong is said."""

import copy

import pytest
import yaml

from lzu.errors import UserError
from lzu.experiments.config import (
    frame_size,
    load_suite,
    parse_suite,
    planned_runs,
    training_identity,
)
from lzu.experiments.registry import BUILT
from lzu.experiments.run import METHODS
from lzu.report.provenance import config_hash


@pytest.fixture
def smoke(request):
    path = request.config.rootpath / "config" / "smoke.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def changed(settings, path, value):
    settings = copy.deepcopy(settings)
    *parents, last = path.split(".")
    block = settings
    for key in parents:
        block = block.setdefault(key, {})
    block[last] = value
    return settings


@pytest.mark.parametrize("name", ["paper", "demo", "smoke"])
def test_shipped_suites_are_valid_and_plan_runs(request, name):
    suite = load_suite(request.config.rootpath / "config" / f"{name}.yaml")
    assert suite.suite == name
    runs = planned_runs(suite)
    assert {"uniform", "lzu_fixed"} <= {run.method for run in runs}
    assert len(set(runs)) == len(runs)


def test_smoke_runs_every_method_that_is_built(smoke):
    planned = {(run.task, run.method) for run in planned_runs(parse_suite(smoke, "x"))}
    assert planned == BUILT


def test_paper_suite_plans_every_scale(request):
    suite = load_suite(request.config.rootpath / "config" / "paper.yaml")
    planned = {(run.method, run.to_scale) for run in planned_runs(suite)}
    scales = (0.25, 0.5, 0.75, 1)
    assert planned >= {(m, s) for m in ("uniform", "lzu_fixed") for s in scales}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("detection2d.schedule.epoch", 3, r"detection2d\.schedule\.epoch: there is no such key"),
        ("detection2d.schedule.epochs", "many", r"detection2d\.schedule\.epochs: .*'many'"),
        ("detection2d.schedule.epochs", 0, r"detection2d\.schedule\.epochs: .*given: 0"),
        ("detection2d.prior.lattice", [1, 51], r"detection2d\.prior\.lattice\.0: "),
        ("detection2d.methods.lds", {"scales": [1], "learning_rate": 1}, r"methods\.lds"),
        (
            "detection2d.methods.fovea.scales",
            [0.5, 1],
            r"methods\.fovea\.scales: 1 is no scale of un",
        ),
        (
            "detection2d.adaptive.cascade_from_epoch",
            1,
            r"cascade_from_epoch: 1 leaves nothing of 1",
        ),
        ("detection2d.adaptive.jitter_x", -1, r"detection2d\.adaptive\.jitter_x: "),
        ("detection2d.adaptive.score_threshold", 30, r"detection2d\.adaptive\.score_threshold: "),
        ("detection2d.adaptive.lattice", [31, 51], r"adaptive\.lattice: there is no such key"),
        ("detection2d.learned.input_size", [64, 105], r"input_size\.0: .*the nearest is 65"),
        ("detection2d.learned.channels", 40, r"detection2d\.learned\.channels: "),
        ("detection2d.seeds", [0, 0], r"detection2d\.seeds repeats a value"),
        ("detection2d.seeds", [], r"detection2d\.seeds: "),
        ("suite", "mine", r"suite: .*'mine'"),
        ("detection2d.dataset.root", None, r"detection2d\.dataset\.root: "),
    ],
)
def test_wrong_settings_are_named(smoke, path, value, said):
    with pytest.raises(UserError, match=said) as caught:
        parse_suite(changed(smoke, path, value), "mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")


def test_all_problems_come_at_once(smoke):
    settings = changed(changed(smoke, "detection2d.seeds", "x"), "mode", "quick")
    with pytest.raises(UserError) as caught:
        parse_suite(settings, "mine.yaml")
    assert "detection2d.seeds" in str(caught.value)
    assert "mode" in str(caught.value)


def test_a_missing_key_is_named(smoke):
    del smoke["detection2d"]["dataset"]
    with pytest.raises(UserError, match=r"detection2d\.dataset: this key is required"):
        parse_suite(smoke, "mine.yaml")


def test_a_scale_that_no_table_has_is_refused(smoke):
    settings = changed(smoke, "detection2d.methods.uniform.scales", [0.3])
    with pytest.raises(UserError, match=r"0\.3"):
        planned_runs(parse_suite(settings, "mine.yaml"))


@pytest.mark.parametrize(
    ("text", "said"), [("a: [", "not valid YAML"), ("- 1", "mapping of keys"), (None, "no such")]
)
def test_files_that_are_no_suite(tmp_path, text, said):
    path = tmp_path / "x.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said):
        load_suite(path)


@pytest.mark.parametrize(
    ("path", "value", "stale"),
    [
        ("detection2d.schedule.epochs", 9, True),
        ("detection2d.prior.fwhm", 4.0, True),
        ("detection2d.dataset.root", "elsewhere", False),
        ("detection2d.methods.lzu_fixed.learning_rate", 0.5, True),
        ("detection2d.methods.uniform.learning_rate", 0.5, False),
        ("detection2d.timing.rounds", 7, False),
        ("detection2d.seeds", [0, 1, 2], False),
        ("mode", "cached", False),
    ],
)
def test_what_makes_weights_stale(smoke, path, value, stale):
    before, after = (parse_suite(s, "x") for s in (smoke, changed(smoke, path, value)))
    run = next(r for r in planned_runs(before) if r.method == "lzu_fixed")
    assert (training_identity(before, run) != training_identity(after, run)) == stale


OWN = {
    "detection2d.prior.fwhm": {"lzu_fixed"},
    "detection2d.prior.amplitude": {"lzu_fixed", "fovea"},
    "detection2d.prior.lattice": set(METHODS) - {"uniform", "lds", "es"},
    "detection2d.adaptive.fwhm": {"lzu_adaptive", "lzu_adaptive_no_cascade"},
    "detection2d.adaptive.score_threshold": {"lzu_adaptive", "lzu_adaptive_no_cascade"},
    "detection2d.adaptive.cascade_from_epoch": {"lzu_adaptive"},
    "detection2d.learned.floor": {"lzu_learned"},
    "detection2d.fovea.fwhm": {"fovea"},
}


@pytest.mark.parametrize("path", OWN)
def test_a_method_s_settings_make_no_other_method_stale(smoke, path):
    value = [20, 30] if path.endswith("lattice") else 0.75
    before, after = (parse_suite(s, "x") for s in (smoke, changed(smoke, path, value)))
    stale = {
        run.method
        for run in planned_runs(before)
        if training_identity(before, run) != training_identity(after, run)
    }
    assert stale == OWN[path]


def test_identities_are_those_of_results_already_measured():
    """Hashes recorded before there were other methods: a change would retrain kept runs."""
    methods = {m: {"scales": [0.5], "learning_rate": 0.01} for m in ("uniform", "lzu_fixed")}
    settings = {"suite": "smoke", "detection2d": {"dataset": {"root": "x"}, "methods": methods}}
    suite = parse_suite(settings, "x")
    found = {r.method: config_hash(training_identity(suite, r)) for r in planned_runs(suite)}
    assert found == {"uniform": "7556f2bc33347d16", "lzu_fixed": "b4bd5fc7e9243742"}


def test_the_papers_settings_are_the_defaults(request):
    task = load_suite(request.config.rootpath / "config" / "paper.yaml").detection2d
    adaptive = task.adaptive
    assert (adaptive.fwhm, adaptive.amplitude, adaptive.bandwidth) == (10, 1, 64)
    assert (adaptive.jitter_x, adaptive.jitter_y) == (7.5, 3)
    assert (adaptive.cascade_from_epoch, task.schedule.epochs) == (2, 3)
    assert task.prior.lattice == (31, 51)


def test_the_prior_does_not_make_uniform_stale(smoke):
    before = parse_suite(smoke, "x")
    after = parse_suite(changed(smoke, "detection2d.prior.fwhm", 4.0), "x")
    run = next(r for r in planned_runs(before) if r.method == "uniform")
    assert training_identity(before, run) == training_identity(after, run)


def test_frame_sizes_of_argoverse_hd():
    sizes = [frame_size((1200, 1920), scale) for scale in (0.25, 0.5, 0.75, 1)]
    assert sizes == [(300, 480), (600, 960), (900, 1440), (1200, 1920)]
