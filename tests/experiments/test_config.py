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
)
from lzu.experiments.identity import training_identity
from lzu.experiments.plan import (
    evaluated_runs,
    followed_splits,
    planned_tables,
    search_priors,
)
from lzu.experiments.registry import BUILT, TABLES
from lzu.experiments.run import ADAPTIVE, METHODS, parse_options, parse_variant
from lzu.results.provenance import config_hash


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
    everywhere = ("uniform", "lzu_fixed", "lzu_adaptive")
    assert planned == {(m, s) for m in everywhere for s in scales} | {
        ("fovea", 0.5), ("lzu_adaptive_no_cascade", 0.5)
    }  # fmt: skip
    runs = evaluated_runs(suite)
    for name in planned_tables(suite):
        rows = TABLES[name].rows
        assert all(sum(row.matches(run) for run in runs) == 1 for row in rows)
    rates = {name: method.learning_rate for name, method in suite.detection2d.methods.items()}
    assert {name for name, rate in rates.items() if rate == 0.005} == {"uniform", "fovea"}
    assert {rate for rate in rates.values()} == {0.005, 0.01}


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
        (
            "detection2d.upsampling.from_scales",
            [0.3],
            r"upsampling\.from_scales: 0\.3 is not among those that Table 2 has: 0\.25, 0\.5",
        ),
        (
            "detection2d.upsampling.to_scales",
            [0.5, 0.75],
            r"upsampling\.to_scales: 0\.75 is not .*methods\.uniform\.scales, .*: 0\.25, 0\.5$",
        ),
        ("detection2d.upsampling.from_scales", [1, 1], r"from_scales repeats a value"),
        ("detection2d.upsampling.from_scales", [], r"upsampling\.from_scales: "),
        ("detection2d.upsampling.methods", ["fovea"], r"upsampling\.methods\.0: .*'fovea'"),
        ("detection2d.upsampling.seeds", [5], r"upsampling\.seeds: 5 is not among"),
        (
            "detection2d.search.amplitudes",
            [0],
            r"search\.amplitudes\.0: .*greater than 0.*given: 0",
        ),
        ("detection2d.search.amplitudes", [-1], r"search\.amplitudes\.0: .*given: -1"),
        ("detection2d.search.amplitudes", [7], r"search\.amplitudes: 7 is not .*Table 6 has: 1, 5"),
        ("detection2d.search.fwhms", [4, 5], r"search\.fwhms: 5 is not .*Table 6 has: 4, 10"),
        ("detection2d.search.fwhms", [0], r"search\.fwhms\.0: .*given: 0"),
        ("detection2d.search.validation_share", 1, r"search\.validation_share: .*given: 1"),
        ("detection2d.search.validation_share", 0, r"search\.validation_share: .*given: 0"),
        ("detection2d.search.seeds", [], r"search\.seeds: "),
        ("detection2d.search.seeds", [1, 1], r"search\.seeds repeats a value"),
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
    settings = changed(smoke, "detection2d.methods.uniform.scales", [0.25, 0.3, 0.5])
    with pytest.raises(UserError, match=r"no row for uniform at scale 0\.3"):
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
        ("detection2d.dataset.synthetic.frame_interval_s", 0.5, True),
        ("detection2d.dataset.synthetic.val_frame_interval_s", 0.5, False),
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


def test_the_search_needs_the_learning_rate_of_its_methods(smoke):
    for method in ("uniform", "lzu_adaptive"):
        settings = copy.deepcopy(smoke)
        del settings["detection2d"]["methods"][method]
        settings["detection2d"].pop("upsampling")
        settings["detection2d"]["methods"].pop("fovea")
        with pytest.raises(UserError, match=f"search: needs the learning rate of {method}"):
            parse_suite(settings, "x")


def test_runs_of_table_2_share_the_weights_of_table_1(smoke):
    suite = parse_suite(smoke, "x")
    trained, runs = planned_runs(suite), evaluated_runs(suite)
    given = [run for run in runs if run.from_scale != 1]
    assert {(r.method, r.from_scale, r.to_scale, r.seed) for r in given} == {
        (method, 0.25, seen, 0) for method in ("uniform", "lzu_fixed") for seen in (0.25, 0.5)
    }
    for run in given:
        assert run.trained in trained
        assert training_identity(suite, run) == training_identity(suite, run.trained)
    assert len(set(runs)) == len(runs)


def test_runs_of_the_search_carry_their_point_and_split(smoke):
    suite = parse_suite(smoke, "x")
    runs = [run for run in evaluated_runs(suite) if run.options]
    assert {run.split("train") for run in runs} == {"search_train"}
    points = {}
    for run in runs:
        identity = training_identity(suite, run)
        assert identity["split"] == {"validation_share": 0.5, "split_seed": 0}
        own = identity.get("prior") or identity.get("adaptive") or {}
        points[run.method, own.get("amplitude"), own.get("fwhm")] = config_hash(identity)
    grid = [(amplitude, fwhm) for amplitude in (1, 100) for fwhm in (4, 22)]
    methods = ("lzu_fixed", "lzu_adaptive")
    assert set(points) == {(m, *p) for m in methods for p in grid} | {("uniform", None, None)}
    assert len(set(points.values())) == len(points) == len(runs) == 9


@pytest.mark.parametrize(
    ("path", "value", "stale"),
    [
        ("detection2d.prior.fwhm", 5, set()),
        ("detection2d.prior.amplitude", 5, set()),
        ("detection2d.prior.bandwidth", 5, {"lzu_fixed"}),
        ("detection2d.adaptive.fwhm", 5, set()),
        ("detection2d.adaptive.bandwidth", 5, {"lzu_adaptive"}),
        ("detection2d.search.split_seed", 1, {"uniform", "lzu_fixed", "lzu_adaptive"}),
    ],
)
def test_what_makes_the_search_stale(smoke, path, value, stale):
    """Its points set amplitude and fwhm themselves."""
    before, after = (parse_suite(s, "x") for s in (smoke, changed(smoke, path, value)))
    found = {
        run.method
        for run in evaluated_runs(before)
        if run.options and training_identity(before, run) != training_identity(after, run)
    }
    assert found == stale
    plain = [run for run in planned_runs(before)]
    if path.startswith("detection2d.search"):
        assert all(training_identity(before, r) == training_identity(after, r) for r in plain)


def test_tables_and_priors_of_the_suites(request, smoke):
    suite = parse_suite(smoke, "x")
    assert planned_tables(suite) == ["table1", "table2", "table6"]
    assert [prior.amplitude for prior in search_priors(suite)] == [1, 100]
    demo = load_suite(request.config.rootpath / "config" / "demo.yaml")
    assert planned_tables(demo) == ["table1"]
    assert search_priors(demo) == []
    assert evaluated_runs(demo) == planned_runs(demo)


def test_variants_are_read_as_they_are_written(smoke):
    for run in evaluated_runs(parse_suite(smoke, "x")):
        assert parse_variant(run.variant) == (run.from_scale, run.to_scale, run.options)
    with pytest.raises(UserError, match=r"--option: 'fwhm' is not of the form NAME=VALUE"):
        parse_options(["fwhm"])


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


def test_splits_are_followed_where_an_adaptive_method_is_evaluated(smoke):
    assert followed_splits(parse_suite(smoke, "x")) == {"train", "val"}
    fixed = changed(smoke, "detection2d.search.methods", ["lzu_fixed"])
    assert followed_splits(parse_suite(fixed, "x")) == {"val"}
    for method in ADAPTIVE:
        del fixed["detection2d"]["methods"][method]
    assert followed_splits(parse_suite(fixed, "x")) == set()
