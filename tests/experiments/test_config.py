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
    assert {run.method for run in runs} == {"uniform", "lzu_fixed"}
    assert len(set(runs)) == len(runs)


def test_paper_suite_plans_every_scale(request):
    suite = load_suite(request.config.rootpath / "config" / "paper.yaml")
    planned = {(run.method, run.to_scale) for run in planned_runs(suite)}
    scales = (0.25, 0.5, 0.75, 1)
    assert planned == {(m, s) for m in ("uniform", "lzu_fixed") for s in scales}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("detection2d.schedule.epoch", 3, r"detection2d\.schedule\.epoch: there is no such key"),
        ("detection2d.schedule.epochs", "many", r"detection2d\.schedule\.epochs: .*'many'"),
        ("detection2d.schedule.epochs", 0, r"detection2d\.schedule\.epochs: .*given: 0"),
        ("detection2d.prior.lattice", [1, 51], r"detection2d\.prior\.lattice\.0: "),
        ("detection2d.methods.fovea", {"scales": [1], "learning_rate": 1}, r"methods\.fovea"),
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


def test_the_prior_does_not_make_uniform_stale(smoke):
    before = parse_suite(smoke, "x")
    after = parse_suite(changed(smoke, "detection2d.prior.fwhm", 4.0), "x")
    run = next(r for r in planned_runs(before) if r.method == "uniform")
    assert training_identity(before, run) == training_identity(after, run)


def test_frame_sizes_of_argoverse_hd():
    sizes = [frame_size((1200, 1920), scale) for scale in (0.25, 0.5, 0.75, 1)]
    assert sizes == [(300, 480), (600, 960), (900, 1440), (1200, 1920)]
