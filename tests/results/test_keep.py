"""Keeping results as a study grows, on one machine or several; and finding what is kept."""

import json

import pytest

from lzu.errors import UserError
from lzu.files import read_json, write_json
from lzu.results.keep import keep, kept_runs
from lzu.results.stamps import stamp
from tests.experiments.suites import changed
from tests.experiments.toy import BLOCK, toy_context
from tests.results.conftest import block, level_error, tree


def kept_of(context):
    """Machine and run's path of each kept metrics file."""
    folder = context.paths.suite.measured
    found = [path.relative_to(folder) for path in folder.glob("*/runs/**/metrics.json")]
    return {(path.parts[0], "/".join(path.parts[1:-1])) for path in found}


def names(machine, runs):
    return {(machine, str(run.path)) for run in runs}


def remove(context, runs):
    for run in runs:
        context.paths.run(run, "metrics.json").unlink()


@pytest.fixture
def context(tmp_path):
    return toy_context(tmp_path)


def test_finished_runs_are_copied_as_they_are(context, play):
    files = play(context, context.runs)
    done = keep(context)
    assert (done.copied, done.removed) == (4 + 2, 0)
    folder = context.paths.suite.measured / "one"
    for path in (*files, *map(context.paths.timing, context.timed_runs)):
        assert (folder / path.relative_to(context.paths.root)).read_bytes() == path.read_bytes()
    assert len(tree(context.paths.suite.measured)) == 6
    assert not list(folder.rglob("*.partial*"))


def test_finished_runs_join_those_kept_of_equal_stamps(context, play):
    first, rest = context.runs[:1], context.runs[1:]
    play(context, first)
    keep(context)
    before = tree(context.paths.suite.measured)
    remove(context, first)
    play(context, rest)
    done = keep(context)
    assert (done.copied, done.removed) == (3 + 2, 0)
    assert kept_of(context) == names("one", context.runs)
    after = tree(context.paths.suite.measured)
    [path] = [path for path in before if "/runs/" in path]
    assert after[path] == before[path]


def test_keeping_twice_changes_nothing(context, play):
    play(context, context.runs)
    keep(context)
    before = tree(context.paths.suite.measured)
    assert keep(context).removed == 0
    assert tree(context.paths.suite.measured) == before


def test_what_is_of_another_stamp_is_removed(context, play, tmp_path):
    play(context, context.runs)
    keep(context)
    after = toy_context(tmp_path, changed(BLOCK, "margin", 0.5))
    play(after, after.runs[:1])
    done = keep(after)
    # one run and its timing anew; the other three runs and one timing were of the old margin
    assert (done.copied, done.removed) == (1 + 1, 3 + 1)
    assert kept_of(after) == names("one", after.runs[:1])
    [value] = [v for name, v in tree(after.paths.suite.measured).items() if "/runs/" in name]
    assert value["stamp"] == stamp(after, after.runs[0])
    folder = after.paths.suite.measured / "one" / "runs"
    assert [path.name for path in (folder / "toy").iterdir()] == ["uniform"]


def test_what_is_no_longer_planned_is_removed(context, play, tmp_path):
    play(context, context.runs)
    keep(context)
    after = toy_context(tmp_path, changed(BLOCK, "methods.lzu_fixed", ...))
    assert keep(after).removed == 2 + 1
    assert kept_of(after) == names("one", after.runs)
    assert all("lzu_fixed" not in name for name in tree(after.paths.suite.measured))
    folders = [path for path in after.paths.suite.measured.rglob("*") if path.is_dir()]
    assert all(any(path.iterdir()) for path in folders)


def test_results_of_other_settings_are_not_kept(context, play, tmp_path):
    play(context, context.runs[:2])
    after = toy_context(tmp_path, changed(BLOCK, "methods.uniform.learning_rate", 0.7))
    for run in context.timed_runs:
        context.paths.timing(run).unlink(missing_ok=True)
    with pytest.raises(UserError, match="no finished run of toy to keep; run the suite"):
        keep(after)
    assert not after.paths.suite.measured.exists()


def test_results_on_other_data_are_not_kept(context, play):
    play(context, context.runs[:2])
    for run in context.timed_runs:
        context.paths.timing(run).unlink(missing_ok=True)
    about = context.paths.about("train")
    write_json(about, {**read_json(about), "fingerprint": "other"})
    with pytest.raises(UserError, match="no finished run of toy"):
        keep(context)


@pytest.mark.parametrize("step", ["train", "predict", "score", "time"])
def test_a_dirty_step_is_refused(context, play, step):
    play(context, context.runs[:1])
    play(context, context.runs[1:2], **{step: {"git_dirty": True}})
    before = list(context.paths.suite.measured.rglob("*"))
    with pytest.raises(UserError, match="uncommitted changes") as error:
        keep(context)
    named = context.paths.timing if step == "time" else context.paths.run
    arguments = (context.runs[1],) if step == "time" else (context.runs[1], "metrics.json")
    assert str(error.value).startswith(str(named(*arguments)))
    assert list(context.paths.suite.measured.rglob("*")) == before == []


def test_a_broken_file_is_named_and_nothing_is_kept(context, play):
    [path, _] = play(context, context.runs[:2])
    write_json(path, {**read_json(path), "metrics": {"accuracy": 101}})
    with pytest.raises(UserError, match=r"metrics\.accuracy") as error:
        keep(context)
    assert str(path) in str(error.value)
    assert not context.paths.suite.measured.exists()


def test_machines_stand_side_by_side(context, play):
    play(context, context.runs, "one")
    keep(context)
    before = tree(context.paths.suite.measured / "one")
    play(context, context.runs[:2], "two")
    remove(context, context.runs[2:])
    context.paths.timing(context.runs[2]).unlink()
    done = keep(context)
    assert (done.copied, done.removed) == (2 + 1, 0)
    assert kept_of(context) == names("one", context.runs) | names("two", context.runs[:2])
    assert tree(context.paths.suite.measured / "one") == before


def test_no_machine_removes_what_another_has(context, play, tmp_path):
    """Its stamps may differ in the last bits of a prior alone; whoever keeps there judges them."""
    play(context, context.runs, "one")
    keep(context)
    play(context, context.runs, "two")
    keep(context)
    before = tree(context.paths.suite.measured / "one")
    after = toy_context(tmp_path, changed(BLOCK, "margin", 0.5))
    play(after, after.runs[:1], "two")
    done = keep(after)
    assert (done.copied, done.removed) == (1 + 1, 3 + 1)
    assert tree(context.paths.suite.measured / "one") == before
    assert kept_of(after) == names("one", context.runs) | names("two", after.runs[:1])
    # back on the first machine, its old results go
    play(after, after.runs[:1], "one")
    assert keep(after).removed == 3 + 1
    assert kept_of(after) == names("one", after.runs[:1]) | names("two", after.runs[:1])


def test_a_run_lies_with_the_machine_that_trained_it(context, play, constructed):
    play(context, context.runs[:1], "one", train=constructed.provenance("trainer"))
    context.paths.timing(context.runs[0]).unlink()
    keep(context)
    assert kept_of(context) == names("trainer", context.runs[:1])


def test_a_suite_keeps_to_its_own_folder(context, play, tmp_path):
    play(context, context.runs)
    keep(context)
    other = toy_context(tmp_path, suite="other")
    assert kept_runs(other) == {}
    assert other.paths.suite.measured != context.paths.suite.measured


def test_kept_runs_are_found_by_their_stamp(context, play, tmp_path):
    play(context, context.runs[:2], "two")
    keep(context)
    play(context, context.runs[:1], "one")
    keep(context)
    folder = context.paths.suite.measured
    found = kept_runs(context)
    assert found == {
        context.runs[0]: folder / "one" / context.runs[0].path / "metrics.json",
        context.runs[1]: folder / "two" / context.runs[1].path / "metrics.json",
    }
    after = toy_context(tmp_path, changed(BLOCK, "methods.uniform.learning_rate", 0.7))
    assert kept_runs(after) == {}
    fewer = toy_context(tmp_path, changed(BLOCK, "seeds", [1]))
    assert set(kept_runs(fewer)) == {context.runs[1]}


def test_of_several_machines_the_one_with_an_equal_stamp_is_taken(context, play):
    play(context, context.runs[:1], "two")
    keep(context)
    folder = context.paths.suite.measured
    right = folder / "two" / context.runs[0].path / "metrics.json"
    wrong = folder / "one" / context.runs[0].path / "metrics.json"
    write_json(wrong, {**read_json(right), "stamp": "f" * 16})
    assert kept_runs(context) == {context.runs[0]: right}


def test_without_the_data_nothing_is_found(context, play):
    play(context, context.runs)
    keep(context)
    context.paths.about("train").unlink()
    assert kept_runs(context) == {}


def test_the_search_comes_with_its_split(detect):
    context = detect()
    done = keep(context)
    assert (done.copied, done.removed) == (2 + 2, 0)
    record = context.paths.suite.measured / "one/data/argoverse_hd/search_split.json"
    assert json.loads(record.read_text()) == {"rule": "by hand"}
    # without a search the record says nothing
    after = detect(block())
    assert keep(after).removed == 2 + 1
    assert not record.parents[1].exists()
    assert len(kept_of(after)) == 2


def test_without_a_search_no_split_is_kept(detect):
    context = detect(block())
    keep(context)
    assert not list(context.paths.suite.measured.rglob("search_split.json"))


def test_what_is_not_made_yet_stops_no_keeping(detect):
    """As a study grows: the priors and the data of the search come last."""
    context = detect(made=lambda run: run.method == "uniform" and not run.options)
    for split in ("search_train", "search_val"):
        context.paths.about(split).unlink()
    assert keep(context).copied == 1
    assert len(kept_of(context)) == 1


def test_of_what_no_stamp_can_be_told_nothing_is_removed(detect):
    context = detect()
    keep(context)
    before = kept_of(context)
    for spec in context.priors:
        context.paths.prior(spec).unlink()
    for run in context.runs:
        if context.prior_of(run) is not None:
            context.paths.run(run, "metrics.json").unlink()
    assert keep(context).removed == 0
    assert kept_of(context) == before


def test_another_prior_is_another_stamp(detect):
    context = detect(block())
    keep(context)
    zoomed = [run for run in context.runs if run.method == "lzu_fixed"]
    after = detect(block(prior={"lattice": [4, 6], "fwhm": 5}), made=lambda run: False)
    assert set(kept_runs(after)) == set(context.runs) - set(zoomed)
    assert keep(after).removed == 1
    assert kept_of(after) == names("one", set(context.runs) - set(zoomed))


def test_errors_of_downsampled_inverses_are_kept_with_a_prior(detect, constructed):
    context = detect(block())
    write_json(context.paths.level_error, level_error("one", constructed))
    assert keep(context).copied == 2 + 1
    kept = context.paths.suite.measured / "one/analysis/detection2d/level_error.json"
    assert context.paths.kept_level_errors() == {"one": kept}
    assert keep(context).removed == 0
    context.paths.level_error.unlink()
    uniform = {"uniform": {"scales": [0.5], "learning_rate": 0.01}}
    assert keep(detect(block(methods=uniform))).removed == 1 + 1
    assert context.paths.kept_level_errors() == {}


def first_version(path):
    """Let a timing be of the version that did not tell its settings."""
    value = read_json(path)
    del value["stamp"]
    write_json(path, value | {"schema": "lzu-timing/1"})


def test_a_timing_of_other_settings_is_not_kept(context, play):
    play(context, context.runs)
    path = context.paths.timing(context.runs[0])
    write_json(path, {**read_json(path), "stamp": "f" * 16})
    assert keep(context).copied == 4 + 1
    assert len(tree(context.paths.suite.measured)) == 5


def test_a_timing_that_tells_no_settings_is_not_kept_but_stays_if_it_was(context, play, tmp_path):
    play(context, context.runs)
    keep(context)
    kept = context.paths.suite.measured / "one" / context.runs[0].timing_path
    for path in (kept, context.paths.timing(context.runs[0])):
        first_version(path)
    before = kept.read_bytes()
    done = keep(context)
    assert (done.copied, done.removed) == (4 + 1, 0)
    assert kept.read_bytes() == before


def test_how_weights_were_trained_makes_no_timing_stale(context, play, tmp_path):
    play(context, context.runs)
    after = toy_context(tmp_path, changed(BLOCK, "methods.uniform.learning_rate", 0.7))
    # both runs of uniform are of another rate
    assert keep(after).copied == 2 + 2


@pytest.mark.parametrize(
    ("prior", "about"), [({"amplitude": 3}, {}), ({"fwhm": 5}, {}), ({}, {"fingerprint": "other"})]
)
def test_errors_of_another_prior_are_not_kept(detect, constructed, prior, about):
    context = detect(block())
    write_json(context.paths.level_error, level_error("one", constructed))
    keep(context)
    after = detect(block(prior={"lattice": [4, 6], **prior}))
    path = after.paths.about("train")
    write_json(path, {**read_json(path), **about})
    for run in after.runs:
        metrics = after.paths.run(run, "metrics.json")
        write_json(metrics, {**read_json(metrics), "stamp": stamp(after, run)})
    assert keep(after).copied == 2
    assert after.paths.kept_level_errors() == {}


def test_errors_of_an_imported_prior_are_of_no_data(detect, constructed):
    context = detect(block())
    content = level_error("one", constructed)
    content["prior"]["source"] = {"imported": "saliency.pkl", "sha256": "0" * 64}
    write_json(context.paths.level_error, content)
    keep(context)
    assert list(context.paths.kept_level_errors()) == ["one"]
