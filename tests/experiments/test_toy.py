"""A task that is a folder and a line: the toy goes the whole way without an edit elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

from lzu.errors import UserError
from lzu.experiments.identity import digest, training_identity
from lzu.experiments.run import Run
from lzu.experiments.suite import parse_suite, suite_type
from lzu.results import states as states_module
from lzu.results.keep import keep, kept_runs
from lzu.results.predictions import is_predicted, read_predictions
from lzu.results.schema import read_metrics, validate_metrics
from lzu.results.stamps import fingerprint, is_trained, stamp
from lzu.results.states import states
from lzu.tasks import TASKS
from tests.experiments.suites import changed
from tests.experiments.toy import BLOCK, TABLE, TOY, make, prepare, toy_context


@pytest.fixture
def clean(monkeypatch, constructed):
    """Results are made by a clean tree, on a machine that this test names."""
    commit = constructed.provenance()["git_commit"]
    monkeypatch.setattr("lzu.results.provenance.git_state", lambda *_: (commit, False))
    monkeypatch.setattr(states_module, "git_state", lambda *_: (commit, False))
    monkeypatch.setenv("LZU_MACHINE", "toy")


@pytest.fixture
def context(tmp_path):
    """The toy in a suite, with its data prepared."""
    context = toy_context(tmp_path)
    for split in ("train", "val"):
        prepare(context, split)
    return context


def test_its_settings_are_checked(tmp_path):
    settings = toy_context(tmp_path).settings
    assert (settings.margin, settings.model.base) == (0, "toy::threshold")
    for path, value, said in [
        ("margin", -1, r"toy\.margin: .*given: -1"),
        ("colour", "red", r"toy\.colour: there is no such key"),
        ("methods.fovea", {"scales": [], "learning_rate": 1}, r"toy\.methods\.fovea: no method of"),
    ]:
        with pytest.raises(UserError, match=said):
            toy_context(tmp_path, changed(BLOCK, path, value))
    assert set(suite_type({"toy": TOY}).model_fields) == {
        "suite",
        "mode",
        "machine",
        "machine_name",
        "reuse",
        "toy",
    }


def test_its_plan_fills_its_table(context):
    assert context.tables == [TABLE]
    assert [(run.method, run.seed) for run in context.runs] == [
        ("uniform", 0), ("uniform", 1), ("lzu_fixed", 0), ("lzu_fixed", 1)
    ]  # fmt: skip
    assert TABLE.with_planned(context.runs) == TABLE.rows
    assert [run.seed for run in context.timed_runs] == [0, 0]
    assert context.priors == []
    assert context.main_prior is None
    assert context.followed_splits() == set()


def test_its_files_are_its_own(context, tmp_path):
    run = context.runs[0]
    assert context.paths.run(run, "metrics.json") == (
        tmp_path / "play/runs/toy/uniform/1-0.5/seed0/metrics.json"
    )
    assert context.paths.annotations("val") == tmp_path / "play/data/toy_numbers/val.json"
    assert context.paths.collected == tmp_path / "play/collected/toy.csv"


def test_what_makes_it_stale_follows_from_its_settings(context, tmp_path):
    def stale(path, value):
        after = toy_context(tmp_path, changed(BLOCK, path, value))
        pairs = [(training_identity(context, r), training_identity(after, r)) for r in context.runs]
        return {run.method for run, (a, b) in zip(context.runs, pairs, strict=True) if a != b}

    both = {"uniform", "lzu_fixed"}
    assert stale("margin", 0.5) == stale("schedule.epochs", 9) == both
    assert stale("model", {"base": "toy::other"}) == both
    assert stale("shown", 9) == stale("timing.rounds", 9) == stale("dataset.root", "y") == set()
    assert stale("methods.uniform.learning_rate", 3) == {"uniform"}
    assert stale("prior.lattice", [9, 9]) == {"lzu_fixed"}


def test_another_task_changes_no_identity(context, tmp_path, smoke):
    tasks = {**TASKS, "toy": TOY}
    suite = parse_suite({**smoke, "suite": "play", "toy": BLOCK}, "x", tasks)
    beside = type(context)(suite, TOY, tmp_path)
    for run in context.runs:
        assert training_identity(beside, run) == training_identity(context, run)
        assert stamp(beside, run) == stamp(context, run)


def test_its_stamps_follow_its_data(context, tmp_path):
    marks = {run: stamp(context, run) for run in context.runs}
    assert len(set(marks.values())) == 4
    about = context.paths.about("train")
    text = about.read_text()
    about.write_text(text.replace(fingerprint(context, "train"), "other"))
    assert not set(marks.values()) & {stamp(context, run) for run in context.runs}
    about.unlink()
    with pytest.raises(UserError, match=r"train\.about\.json: no such file"):
        stamp(context, context.runs[0])
    about.write_text(text)
    assert marks == {run: stamp(context, run) for run in context.runs}
    assert digest(training_identity(context, context.runs[0])) != marks[context.runs[0]]


def test_it_goes_the_whole_way(context, clean, constructed, capsys):
    runs = context.runs
    assert [one.why for one in states(context)] == ["not trained"] * 4
    make(context, runs[:2], constructed.provenance("toy"))
    assert [one.state for one in states(context)] == ["made", "made", "missing", "missing"]
    assert is_trained(context, runs[0])
    assert is_predicted(context, runs[0])
    assert not is_predicted(context, runs[2])
    for run in runs[:2]:
        value = read_metrics(context.paths.run(run, "metrics.json"), TOY)
        assert 50 < value["metrics"]["accuracy"] <= 100
        assert sum(value["classes"].values()) == value["dataset"]["images"] == 30
        assert list(value["provenance"]) == ["predict", "score", "train"]
    assert kept_runs(context) == {}
    done = keep(context)
    assert (done.copied, done.removed) == (2, 0)
    folder = context.paths.suite.measured / "toy"
    assert kept_runs(context) == {run: folder / run.path / "metrics.json" for run in runs[:2]}
    states_module.print_states(context)
    assert "2 made, 2 missing" in capsys.readouterr().out


def test_its_predictions_are_of_today_s_weights_and_data(context, clean, constructed):
    run = context.runs[0]
    make(context, [run], constructed.provenance("toy"))
    assert len(read_predictions(context, run)["labels"]) == 30
    after = toy_context(context.results, changed(BLOCK, "margin", 0.5))
    assert not is_trained(after, run)
    with pytest.raises(UserError, match="made with weights of other settings or data"):
        read_predictions(after, run)
    about = context.paths.about("val")
    about.write_text(about.read_text().replace(fingerprint(context, "val"), "other"))
    assert is_trained(context, run)
    with pytest.raises(UserError, match="made on other data than"):
        read_predictions(context, run)


def test_its_result_files_are_checked(context, clean, constructed):
    [path] = make(context, context.runs[:1], constructed.provenance("toy"))
    value = read_metrics(path, TOY)
    for key, new, said in [
        ("metrics", {"accuracy": 5, "AP": 5}, "'AP' was unexpected"),
        ("metrics", {"accuracy": 101}, "metrics.accuracy"),
        ("classes", {"low": 30}, "'high' is a required property"),
        ("classes", {"low": 30, "high": 1}, r"classes: .* are not 30 images"),
        ("size_bins", {}, "'size_bins' was unexpected"),
    ]:
        with pytest.raises(UserError, match=said):
            validate_metrics({**value, key: new}, path, TOY)
    validate_metrics({k: v for k, v in value.items() if k != "classes"}, path, TOY)
    with pytest.raises(UserError, match="metrics"):
        read_metrics(path, TASKS["detection2d"])


def test_its_steps_are_found_by_name(context):
    assert TOY.step("prepare") is prepare
    with pytest.raises(
        UserError, match="toy has no step 'stream'; it has: prepare, predict, score"
    ):
        TOY.step("stream")
    with pytest.raises(UserError, match="does not plan"):
        context.require(Run("play", "toy", "uniform", 1.0, 1.0, 0))


def test_facts_load_without_torch():
    """Every task's: the workflow and the report read them."""
    code = (
        "import sys, lzu.tasks, lzu.results.states, lzu.experiments.context\n"
        "heavy = {'torch', 'mmengine', 'mmcv', 'mmdet', 'cv2', 'PIL', 'scipy', 'matplotlib'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"
