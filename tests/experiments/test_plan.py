"""What the suites plan: runs, table by table, the priors that they zoom by, and their data."""

import pytest

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.identity import digest, training_identity
from lzu.experiments.plan import method_runs
from lzu.experiments.run import SEARCH, Run, parse_options, parse_variant
from lzu.experiments.suite import load_suite
from lzu.tasks import TASKS
from lzu.tasks.detection2d.task import DETECTION2D
from tests.experiments.suites import CONFIG, changed, detection


def shipped(name: str) -> Context:
    return Context(load_suite(CONFIG / f"{name}.yaml", TASKS), DETECTION2D)


def test_paper_suite_plans_every_scale():
    context = shipped("paper")
    planned = {(run.method, run.to_scale) for run in context.main_runs}
    scales = (0.25, 0.5, 0.75, 1)
    everywhere = ("uniform", "lzu_fixed", "lzu_adaptive")
    assert planned == {(m, s) for m in everywhere for s in scales} | {
        ("fovea", 0.5), ("lzu_adaptive_no_cascade", 0.5)
    }  # fmt: skip
    assert [table.name for table in context.tables] == ["table1", "table2", "table6"]
    for table in context.tables:
        runs = context.plan[table.name]
        assert all(sum(row.matches(run) for run in runs) == 1 for row in table.rows)
        assert table.with_planned(runs) == table.rows
    rates = {name: method.learning_rate for name, method in context.settings.methods.items()}
    assert {name for name, rate in rates.items() if rate == 0.005} == {"uniform", "fovea"}
    assert set(rates.values()) == {0.005, 0.01}


def test_the_papers_settings_are_the_defaults():
    task = shipped("paper").settings
    adaptive = task.adaptive
    assert (adaptive.fwhm, adaptive.amplitude, adaptive.bandwidth) == (10, 1, 64)
    assert (adaptive.jitter_x, adaptive.jitter_y) == (7.5, 3)
    assert (adaptive.cascade_from_epoch, task.schedule.epochs) == (2, 3)
    assert task.prior.lattice == (31, 51)


def test_the_study_has_seeds_scales_and_a_variant_of_its_own():
    runs = shipped("study").main_runs
    seeds: dict[tuple[str, str], list[int]] = {}
    for run in runs:
        seeds.setdefault((run.method, run.variant), []).append(run.seed)
    ten, five = list(range(10)), list(range(5))
    assert seeds == {
        ("uniform", "1-0.25"): five,
        ("uniform", "1-0.5"): ten,
        ("uniform", "1-0.525"): five,
        ("uniform", "1-0.55"): five,
        ("uniform", "1-0.6"): five,
        ("uniform", "1-0.75"): five,
        ("lzu_fixed", "1-0.25"): five,
        ("lzu_fixed", "1-0.5"): ten,
        ("lzu_fixed", "1-0.75"): five,
        ("fovea", "1-0.5"): ten,
        ("lzu_adaptive", "1-0.5"): five,
        ("lzu_adaptive", "1-0.5/uniform_share=0.1"): five,
        ("lzu_adaptive_no_cascade", "1-0.5"): five,
        ("lzu_learned", "1-0.5"): five,
    }


def test_runs_come_by_method_scale_and_seed(smoke):
    methods = {
        "uniform": {"scales": [0.25, 0.5], "learning_rate": 1},
        "lzu_fixed": {"scales": [0.5], "learning_rate": 1},
    }
    settings = changed(changed(smoke, "detection2d.methods", methods), "detection2d.seeds", [0, 3])
    for key in ("upsampling", "search"):
        del settings["detection2d"][key]
    context = detection(settings)
    runs = method_runs(context.settings, "smoke", "detection2d")
    assert runs == context.runs == context.main_runs
    assert [(run.method, run.to_scale, run.seed) for run in runs] == [
        ("uniform", 0.25, 0),
        ("uniform", 0.25, 3),
        ("uniform", 0.5, 0),
        ("uniform", 0.5, 3),
        ("lzu_fixed", 0.5, 0),
        ("lzu_fixed", 0.5, 3),
    ]
    none = changed(settings, "detection2d.methods", {})
    assert detection(none).runs == detection(none).main_runs == detection(none).tables == []


def test_seeds_may_differ_by_scale(smoke):
    settings = changed(smoke, "detection2d.methods.uniform.seeds", {0.5: [7, 8, 9]})
    settings["detection2d"].pop("upsampling")
    context = detection(settings)
    found = [(r.to_scale, r.seed) for r in context.main_runs if r.method == "uniform"]
    assert found == [(0.25, 0), (0.25, 1), (0.5, 7), (0.5, 8), (0.5, 9)]
    assert context.settings.seeds_of("uniform", 0.5) == (7, 8, 9)
    assert context.settings.seeds_of("lzu_fixed", 0.5) == (0, 1)


def test_variants_are_further_runs_at_the_scales(smoke):
    variants = [{"uniform_share": 0.1}, {"fwhm": 4, "amplitude": 5}]
    context = detection(changed(smoke, "detection2d.methods.lzu_adaptive.variants", variants))
    own = [run for run in context.main_runs if run.method == "lzu_adaptive"]
    assert list(dict.fromkeys(run.variant for run in own)) == [
        "1-0.5", "1-0.5/uniform_share=0.1", "1-0.5/amplitude=5,fwhm=4"
    ]  # fmt: skip
    assert [run.seed for run in own] == [0, 1] * 3
    assert len({digest(training_identity(context, run)) for run in own}) == 6


def test_one_run_a_method_and_scale_is_timed(smoke):
    variants = [{"uniform_share": 0.1}]
    context = detection(changed(smoke, "detection2d.methods.lzu_adaptive.variants", variants))
    timed = context.timed_runs
    assert {run.seed for run in timed} == {0}
    assert {(r.method, r.variant) for r in timed} == {
        (r.method, r.variant) for r in context.plan["table1"]
    }
    assert len({context.paths.timing(run) for run in timed}) == len(timed) == 9


def test_runs_of_table_2_share_the_weights_of_table_1(smoke):
    context = detection(smoke)
    given = [run for run in context.runs if run.from_scale != 1]
    assert {(r.method, r.from_scale, r.to_scale, r.seed) for r in given} == {
        (method, 0.25, seen, 0) for method in ("uniform", "lzu_fixed") for seen in (0.25, 0.5)
    }
    for run in given:
        assert run.trained in context.main_runs
        assert training_identity(context, run) == training_identity(context, run.trained)
    assert len(set(context.runs)) == len(context.runs)


def test_runs_of_the_search_carry_their_point_and_split(smoke):
    context = detection(smoke)
    runs = [run for run in context.runs if run.options]
    assert {run.split("train") for run in runs} == {"search_train"}
    assert {run.split("val") for run in runs} == {"search_val"}
    points = {}
    for run in runs:
        identity = training_identity(context, run)
        assert identity["split"] == {"validation_share": 0.5, "split_seed": 0}
        own = dict(run.options)
        points[run.method, own.get("amplitude"), own.get("fwhm")] = digest(identity)
    grid = [(amplitude, fwhm) for amplitude in ("1", "100") for fwhm in ("4", "22")]
    methods = ("lzu_fixed", "lzu_adaptive")
    assert set(points) == {(m, *p) for m in methods for p in grid} | {("uniform", None, None)}
    assert len(set(points.values())) == len(points) == len(runs) == 9


def test_tables_and_priors_of_the_suites(smoke):
    context = detection(smoke)
    assert [table.name for table in context.tables] == ["table1", "table2", "table6"]
    searched = [spec for spec in context.priors if spec.split == "search_train"]
    points = [(spec.settings.amplitude, spec.settings.fwhm) for spec in searched]
    # of equal boxes: the kernel's width is no part of a prior's file
    assert [amplitude for amplitude, _ in points] == [1, 100]
    assert len({context.paths.prior(spec) for spec in context.priors}) == len(context.priors) == 3
    assert context.main_prior == context.find_prior("train", "31x51-a1-b64")
    demo = shipped("demo")
    assert [table.name for table in demo.tables] == ["table1", "table2"]
    assert [spec.split for spec in demo.priors] == ["train"]
    # Table 2 evaluates what is trained for Table 1
    assert {run.trained for run in demo.runs} == set(demo.main_runs)


def test_a_prior_s_name_has_all_that_its_map_is_made_of(smoke):
    before = detection(smoke).main_prior
    assert before is not None
    for key, value in (("lattice", [20, 30]), ("amplitude", 5), ("bandwidth", 21.3)):
        after = detection(changed(smoke, f"detection2d.prior.{key}", value)).main_prior
        assert after is not None
        assert after.name != before.name
    after = detection(changed(smoke, "detection2d.prior.fwhm", 5)).main_prior
    assert after is not None
    assert after.name == before.name


def test_a_run_zooms_by_the_prior_of_its_own_options(smoke):
    path = "detection2d.methods.lzu_fixed.variants"
    context = detection(changed(smoke, path, [{"amplitude": 5}]))
    run = next(run for run in context.main_runs if run.options)
    spec = context.prior_of(run)
    assert spec is not None
    assert (spec.settings.amplitude, spec.name) == (5, "31x51-a5-b64")
    assert spec in context.priors
    no_prior = [run for run in context.runs if context.prior_of(run) is None]
    assert {run.method for run in no_prior} == {
        "uniform", "lzu_adaptive", "lzu_adaptive_no_cascade", "lzu_learned"
    }  # fmt: skip


def test_a_suite_without_a_prior_has_none(smoke):
    settings = changed(smoke, "detection2d.methods.lzu_fixed", ...)
    for key in ("upsampling", "search"):
        del settings["detection2d"][key]
    del settings["detection2d"]["methods"]["fovea"]
    context = detection(settings)
    assert context.main_prior is None
    assert context.priors == []
    with pytest.raises(UserError, match="the prior train/x; there are: none"):
        context.find_prior("train", "x")


def test_what_is_not_planned_is_refused(smoke):
    context = detection(smoke)
    run = context.main_runs[0]
    assert context.require(run) == run
    other = Run("smoke", "detection2d", "uniform", 1.0, 0.75, 0)
    with pytest.raises(UserError, match=r"does not plan runs/detection2d/uniform/1-0\.75/seed0"):
        context.require(other)
    with pytest.raises(UserError, match=r"there are: train/31x51-a1-b64, search_train/"):
        context.find_prior("val", "31x51-a1-b64")


def test_splits_are_followed_where_an_adaptive_method_is_evaluated(smoke):
    assert detection(smoke).followed_splits() == {"train", "val"}
    fixed = changed(smoke, "detection2d.search.methods", ["lzu_fixed"])
    assert detection(fixed).followed_splits() == {"val"}
    for method in ("lzu_adaptive", "lzu_adaptive_no_cascade"):
        del fixed["detection2d"]["methods"][method]
    assert detection(fixed).followed_splits() == set()


def test_variants_are_read_as_they_are_written(smoke):
    for run in detection(smoke).runs:
        assert parse_variant(run.variant) == (run.from_scale, run.to_scale, run.options)
    for run in shipped("study").runs:
        assert parse_variant(run.variant) == (run.from_scale, run.to_scale, run.options)
    with pytest.raises(UserError, match=r"--option: 'fwhm' is not of the form NAME=VALUE"):
        parse_options(["fwhm"])


def test_a_run_s_baseline_and_weights(smoke):
    own = (("amplitude", "5"), SEARCH)
    run = Run("smoke", "detection2d", "lzu_fixed", 0.25, 0.5, 3, own)
    assert run.baseline == Run("smoke", "detection2d", "uniform", 0.25, 0.5, 3)
    assert run.trained == Run("smoke", "detection2d", "lzu_fixed", 1.0, 0.5, 3, own)
    assert str(run.path) == ("runs/detection2d/lzu_fixed/0.25-0.5/amplitude=5,split=search/seed3")
    assert run.as_dict()["options"] == {"amplitude": "5", "split": "search"}
