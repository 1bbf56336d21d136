"""The state of every planned run, and why."""

import pytest

from lzu.files import read_json, write_json
from lzu.results.keep import keep
from lzu.results.states import State, print_states, states
from tests.experiments.suites import changed
from tests.experiments.toy import BLOCK, toy_context
from tests.results.conftest import COMMIT, block, with_code


@pytest.fixture
def context(tmp_path):
    return toy_context(tmp_path)


def said(context):
    return [(one.state, one.why) for one in states(context)]


def test_missing_runs_say_the_first_step_that_has_to_be_done(context, play):
    assert said(context) == [("missing", "not trained")] * 4
    play(context, context.runs[:2])
    for run, name in zip(context.runs, ("metrics.json", "predictions.json"), strict=False):
        context.paths.run(run, "metrics.json").unlink()
        context.paths.run(run, name).unlink(missing_ok=True)
    assert said(context)[:2] == [("missing", "not scored"), ("missing", "not predicted")]


def test_a_training_of_other_settings_is_told(context, play, tmp_path):
    play(context, context.runs[:1])
    context.paths.run(context.runs[0], "metrics.json").unlink()
    after = toy_context(tmp_path, changed(BLOCK, "margin", 0.5))
    assert said(after)[0] == ("missing", "trained with other settings, data or prior")


def test_without_data_what_is_missing_is_named(context, play):
    play(context, context.runs[:2])
    context.paths.run(context.runs[0], "metrics.json").unlink()
    context.paths.about("train").unlink()
    (first, why), (second, reason), *_ = said(context)
    assert (first, second) == ("missing", "stale")
    for text in (why, reason):
        assert "train.about.json: no such file" in text


def test_made_runs_are_of_today_s_settings_and_data(context, play, tmp_path):
    play(context, context.runs)
    assert states(context) == [State(run, "made") for run in context.runs]
    after = toy_context(tmp_path, changed(BLOCK, "methods.uniform.learning_rate", 0.7))
    stale = ("stale", "settings, data or prior have changed since")
    assert said(after) == [stale, stale, ("made", ""), ("made", "")]
    about = context.paths.about("val")
    write_json(about, {**read_json(about), "fingerprint": "other"})
    assert said(context) == [("stale", "the validation data has changed since")] * 4


def test_a_broken_result_is_stale(context, play):
    [path] = play(context, context.runs[:1])
    write_json(path, {**read_json(path), "metrics": {}})
    [state, why] = said(context)[0]
    assert state == "stale"
    assert "'accuracy' is a required property" in why


def test_kept_runs_count_where_there_is_no_own_result(context, play, tmp_path):
    play(context, context.runs[:2])
    keep(context)
    context.paths.run(context.runs[0], "metrics.json").unlink()
    assert said(context)[:3] == [
        ("kept", "in results/measured/ with an equal stamp"),
        ("made", ""),
        ("missing", "not trained"),
    ]
    after = toy_context(tmp_path, changed(BLOCK, "margin", 0.5))
    assert said(after)[0] == ("missing", "trained with other settings, data or prior")


def test_other_code_is_told(context, play):
    play(context, context.runs[:2])
    assert {one.other_code for one in states(context)} == {None}
    with_code(context, "a" * 40)
    found = states(context)
    assert [one.other_code for one in found] == ["a" * 12] * 2 + [None] * 2
    assert [one.state for one in found[:2]] == ["made", "made"]
    assert COMMIT not in {one.other_code for one in found}


def test_states_are_printed_and_counted(context, play, tmp_path, capsys):
    play(context, context.runs[:2])
    with_code(context, "b" * 40)
    print_states(toy_context(tmp_path, changed(BLOCK, "seeds", [0, 2])))
    assert capsys.readouterr().out.splitlines() == [
        "play, toy:",
        f"  made     uniform 1-0.5 seed0 (code of {'b' * 12})",
        "  missing  uniform 1-0.5 seed2: not trained",
        "  missing  lzu_fixed 1-0.5 seed0: not trained",
        "  missing  lzu_fixed 1-0.5 seed2: not trained",
        "  1 made, 3 missing",
    ]


def test_upsampled_runs_need_the_weights_of_the_trained_ones(detect):
    upsampling = {"from_scales": [0.25], "to_scales": [0.5]}
    context = detect(block(upsampling=upsampling), made=lambda run: False)
    found = {one.run.variant: one.why for one in states(context)}
    assert found == {"1-0.5": "not trained", "0.25-0.5": "not trained"}
    for run in context.runs:
        if run == run.trained:
            write_json(context.paths.run(run, "train.json"), {"stamp": "other"})
    uniform = {one.run.variant: one.why for one in states(context) if one.run.method == "uniform"}
    assert set(uniform.values()) == {"trained with other settings, data or prior"}
