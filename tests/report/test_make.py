"""The report's steps: what they read and refuse, and that they make what is listed."""

from types import SimpleNamespace

import pytest

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.suite import parse_suite
from lzu.files import read_json, write_json, write_text
from lzu.report.make import collect_task, make_figures, make_tables, show
from lzu.report.products import products
from lzu.results import agreement, keep
from lzu.results.collect import read_collected
from lzu.results.stamps import timing_stamp
from lzu.tasks import TASKS
from lzu.tasks.detection2d.task import DETECTION2D
from tests.report.tables.test_level_error import level_errors

METHODS = {
    name: {"scales": [0.25, 0.5, 0.75, 1.0], "learning_rate": 0.01}
    for name in ("uniform", "lzu_fixed", "lzu_adaptive")
}
BLOCK = {
    "dataset": {"root": "x"},
    "methods": METHODS,
    "seeds": [0, 1],
    "upsampling": {"from_scales": [0.5, 1.0], "to_scales": [0.5]},
    "search": {"amplitudes": [1, 5], "fwhms": [4, 22], "seeds": [0]},
}
STAMP = "0123456789abcdef"


def context_of(folder, mode="cached", **changes):
    """A demo suite with all three tables; `changes` are of the suite."""
    settings = {"suite": "demo", "mode": mode, "detection2d": BLOCK, **changes}
    return Context(parse_suite(settings, "x", TASKS), DETECTION2D, folder)


@pytest.fixture
def results(tmp_path, constructed):
    """A results folder; `keep` writes what a suite made under version control, of a machine."""
    (tmp_path / "published").symlink_to(constructed.published)

    def write(machine="constructed"):
        context = context_of(tmp_path)
        folder = context.paths.suite.measured / machine
        runs = [run for run in context.runs if not run.options]
        constructed.write_suite(folder, runs, machine)
        for run in set(context.runs) - set(runs):
            metrics = constructed.metrics_of(run, constructed.invented_metrics(run), machine)
            metrics["dataset"] |= {"split": "search_val", "fingerprint": "e" * 16}
            constructed.write_json(folder / run.path / "metrics.json", metrics)

    def errors(machine):
        path = tmp_path / "measured/demo" / machine / "analysis/detection2d/level_error.json"
        constructed.write_json(path, level_errors(machine))

    return SimpleNamespace(folder=tmp_path, keep=write, keep_errors=errors)


def test_the_steps_make_what_is_listed_and_nothing_else(results):
    results.keep()
    results.keep_errors("constructed")
    context = context_of(results.folder)
    steps = {"collect": collect_task, "tables": make_tables, "figures": make_figures}
    made = set()
    for name, step in steps.items():
        step(context)
        found = {path for path in context.paths.suite.made.rglob("*") if path.is_file()}
        assert found - made == {p.path for p in products(context) if p.step == name}
        made = found
    assert {p.step for p in products(context)} == set(steps)
    assert len(products(context)) == len({p.path for p in products(context)})
    names = {path.relative_to(context.paths.suite.made).as_posix() for path in made}
    assert {
        "tables/table6.tex",
        "tables/table2_paired.csv",
        "tables/detection2d_iso_latency.md",
        "tables/detection2d_size_bins.csv",
        "tables/detection2d_eq18.txt",
        "figures/detection2d/figure7_end_to_end.svg",
        "figures/detection2d/table6_search.png",
    } < names


def test_in_compute_mode_pictures_are_listed_with_their_steps(tmp_path):
    listed = products(context_of(tmp_path, "compute"))
    assert {p.step for p in listed} > {picture.name for picture in DETECTION2D.pictures}
    assert any(p.path.name == "detection2d_eq18.csv" for p in listed)
    assert len(listed) == len({p.path for p in listed})


def test_every_caption_is_there(tmp_path, constructed):
    captions = {p.caption for p in products(context_of(tmp_path, "compute"))} - {None}
    for caption in captions:
        assert (constructed.repository / "workflow" / "report" / f"{caption}.rst").is_file()


def test_what_a_suite_does_not_plan_is_not_listed(tmp_path):
    settings = {"suite": "demo", "detection2d": {"dataset": {"root": "x"}, "methods": {}}}
    none = Context(parse_suite(settings, "x", TASKS), DETECTION2D, tmp_path)
    assert {p.step for p in products(none)} == {"collect"}
    one = context_of(tmp_path)
    without = {p.path.name for p in products(one)}
    assert "detection2d_eq18.csv" not in without


def test_nothing_kept_is_said(tmp_path):
    with pytest.raises(UserError, match="no kept results of detection2d; set mode: compute"):
        collect_task(context_of(tmp_path))


@pytest.fixture
def computed(results, constructed, monkeypatch):
    """A suite that computed everything, of the constructed stamp."""
    monkeypatch.setattr(keep, "stamp", lambda context, run: STAMP)
    monkeypatch.setattr(agreement, "stamp_of", lambda context, run, told: STAMP)
    told = {"data": "d", "saliency": None}
    monkeypatch.setattr(agreement, "trained_on", lambda context, run: told)
    context = context_of(results.folder, "compute")
    constructed.write_suite(context.paths.root, context.runs)
    return context


def test_compute_mode_reads_the_planned_runs(computed, constructed):
    stray = constructed.runs_of({"lzu_learned": (0.5,)})
    constructed.write_suite(computed.paths.root, stray)
    collect_task(computed)
    frame = read_collected(computed.paths.collected)
    assert set(frame["method"]) == set(METHODS)
    assert frame[frame["kind"] == "score"]["file"].nunique() == len(computed.runs)
    assert frame[frame["kind"] == "timing"]["file"].nunique() == len(computed.timed_runs)


def test_results_of_another_stamp_are_refused(computed, constructed):
    run = computed.runs[3]
    metrics = constructed.metrics_of(run, constructed.invented_metrics(run)) | {"stamp": "f" * 16}
    path = constructed.write_json(computed.paths.run(run, "metrics.json"), metrics)
    with pytest.raises(UserError, match="of other settings, data or prior") as error:
        collect_task(computed)
    assert str(path) in str(error.value)
    assert str(run.path) in str(error.value)


@pytest.mark.parametrize("mode", ["cached", "compute"])
def test_tables_and_figures_are_of_the_suite_s_settings_too(results, mode):
    """Though what they read was collected before the settings changed."""
    results.keep()
    context = context_of(results.folder)
    run = context.runs[0]
    folder = context.paths.suite.measured / "constructed"
    timing = folder / run.timing_path
    value = read_json(timing) | {"schema": "lzu-timing/2", "stamp": timing_stamp(context, run)}
    write_json(timing, value)
    collect_task(context)
    prior = {"prior": {"lattice": [4, 6]}, "dataset": {"root": "x", "native_size": [64, 64]}}
    after = context_of(results.folder, mode, detection2d={**BLOCK, **prior})
    write_text(after.paths.collected, context.paths.collected.read_text())
    for step in (make_tables, make_figures):
        with pytest.raises(UserError, match="of other settings, data or prior") as error:
            step(after)
        assert str(error.value).startswith(str(timing))


def test_errors_of_another_prior_are_not_shown(results):
    results.keep()
    results.keep_errors("constructed")
    context = context_of(results.folder)
    collect_task(context)
    make_tables(context)
    after = context_of(results.folder, detection2d={**BLOCK, "prior": {"fwhm": 5}})
    with pytest.raises(UserError, match=r"level_error\.json: of other settings.*another fwhm"):
        make_tables(after)


def test_kept_runs_are_reused_where_the_suite_says_so(computed, results):
    results.keep("elsewhere")
    run = computed.runs[0]
    computed.paths.run(run, "metrics.json").unlink()
    with pytest.raises(UserError, match="no such file"):
        collect_task(computed)
    # what is not trained here is not timed here
    computed.paths.timing(run).unlink()
    reusing = context_of(results.folder, "compute", reuse=True)
    collect_task(reusing)
    frame = read_collected(reusing.paths.collected)
    assert set(frame[frame["kind"] == "score"]["machine"]) == {"elsewhere"}
    assert set(frame[frame["kind"] == "timing"]["machine"]) == {"elsewhere"}
    kept = reusing.paths.suite.measured / "elsewhere" / run.timing_path
    kept.unlink()
    collect_task(reusing)
    later = read_collected(reusing.paths.collected)
    timed = later[later["kind"] == "timing"]["file"].nunique()
    assert timed == len(computed.timed_runs) - 1


def test_the_suites_machine_chooses_among_what_is_kept(results):
    for machine in ("a", "b"):
        results.keep(machine)
        results.keep_errors(machine)
    context = context_of(results.folder)
    collect_task(context)
    with pytest.raises(UserError, match="set `machine` in the suite file"):
        make_tables(context)
    chosen = context_of(results.folder, machine="b")
    make_tables(chosen)
    text = (chosen.paths.tables / "table1.txt").read_text()
    assert "Latency from machine b" in text
    assert "Scores from machines a" in text
    assert (chosen.paths.tables / "detection2d_eq18.csv").exists()


def test_errors_of_several_machines_are_not_mixed(results):
    results.keep()
    context = context_of(results.folder)
    collect_task(context)
    for machine in ("a", "b"):
        results.keep_errors(machine)
    with pytest.raises(UserError, match=r"kept of several machines \(a, b\)"):
        make_tables(context)


def test_a_machine_of_what_is_kept_is_no_condition_on_todays(computed, results):
    here = context_of(results.folder, "compute", machine="elsewhere")
    collect_task(here)
    make_figures(here)


def test_compute_mode_insists_on_the_errors(computed):
    collect_task(computed)
    with pytest.raises(UserError, match=r"level_error\.json: no such file"):
        make_tables(computed)


def test_show_prints_the_first_table_and_where_everything_is(results, capsys):
    results.keep()
    context = context_of(results.folder)
    with pytest.raises(UserError, match=r"table1\.txt: cannot be read .* run `lzu tables`"):
        show([context])
    for step in (collect_task, make_tables, make_figures):
        step(context)
    capsys.readouterr()
    show([context])
    said = capsys.readouterr().out
    assert said.startswith("Table 1. 2D object detection")
    folder = context.paths.suite.made
    assert f"\n  {folder}/tables/table1.{{csv,md,tex,txt}}\n" in said
    assert f"\n  {folder}/figures/detection2d/table6_search.{{png,pdf,svg}}\n" in said
    assert f"\n  {folder}/tables/table2_paired.csv\n" in said
    assert "report.zip" not in said
