"""A result is of all its steps: what trained, predicted, scored, and made the prior."""

import numpy as np
import pytest

from lzu.engine.score import score
from lzu.errors import UserError
from lzu.files import read_json, write_json
from lzu.report.make import collect_task, make_tables
from lzu.results.collect import collect
from lzu.results.keep import keep, machine_of
from lzu.results.prior import Prior, load_prior, provenance_of, save_prior, save_provenance
from lzu.results.schema import provenances, read_metrics
from lzu.results.stamps import stamp
from lzu.results.states import states
from tests.experiments.toy import toy_context, write_published

ELSEWHERE = {
    "git_commit": "a" * 40,
    "git_dirty": True,
    "machine": "nvidia-x",
    "gpu": "NVIDIA X",
    "driver": "1.2",
}


@pytest.fixture
def context(tmp_path):
    return toy_context(tmp_path)


def test_a_training_elsewhere_is_recorded_as_such(context, play):
    """By another commit, with changes, on a GPU; scored here, on a clean tree without one."""
    [path] = play(context, context.runs[:1], train=ELSEWHERE)
    content = read_metrics(path, context.task)
    assert ELSEWHERE.items() <= content["provenance"]["train"].items()
    scored = content["provenance"]["score"]
    assert (scored["git_dirty"], scored["gpu"], scored["machine"]) == (False, None, "one")
    assert machine_of(content) == "nvidia-x"
    told = collect(context.task, [path], []).iloc[0]
    assert (told["machine"], told["gpu"], told["git_dirty"]) == ("nvidia-x", "NVIDIA X", "True")
    assert told["git_commit"] == "a" * 40
    assert told["git_commits"].split() == ["a" * 40, "0" * 40]
    assert states(context)[0].other_code == "a" * 12


def test_a_suite_names_the_machine_that_computes(tmp_path, play, monkeypatch):
    named = toy_context(tmp_path, machine_name="lab-nodes")
    play(named, named.runs[:1])
    monkeypatch.delenv("LZU_MACHINE")
    score(named, named.runs[0])
    content = read_metrics(named.paths.run(named.runs[0], "metrics.json"), named.task)
    assert content["provenance"]["score"]["machine"] == "lab-nodes"
    for wrong in ("Lab nodes", "", "-", 7):
        with pytest.raises(UserError, match="machine_name"):
            toy_context(tmp_path, machine_name=wrong)


def test_tables_say_it_and_keep_refuses(context, play, tmp_path):
    write_published(tmp_path)
    files = play(context, context.runs, train=ELSEWHERE)
    collect_task(context)
    make_tables(context)
    text = " ".join((context.paths.tables / "toy_table.txt").read_text().split())
    assert "Scores from machine nvidia-x (NVIDIA X)." in text
    assert "Code: commit 000000000000, aaaaaaaaaaaa with uncommitted changes" in text
    with pytest.raises(UserError, match=r"uncommitted changes \(4 files are\)") as error:
        keep(context)
    assert str(files[0]) in str(error.value)
    assert not context.paths.suite.measured.exists()


@pytest.mark.parametrize("dirty", [True, False])
def test_a_prior_of_a_dirty_tree_counts(detect, constructed, dirty, monkeypatch):
    context = detect()
    run = next(run for run in context.runs if context.prior_of(run) is not None)
    path = context.paths.prior(context.prior_of(run))
    made = constructed.provenance() | {"git_commit": "b" * 40, "git_dirty": dirty}
    save_provenance(path, load_prior(path), made)
    mark = stamp(context, run)
    own = constructed.provenance()
    training = constructed.metrics_of(run, {})["training"]
    record = {"stamp": mark, "training": training, "provenance": own}
    write_json(context.paths.run(run, "train.json"), record)
    about = context.paths.about(run.split("val"))
    known = {"stamp": mark, "fingerprint": read_json(about)["fingerprint"], "provenance": own}
    write_json(context.paths.run(run, "predictions.json"), known)
    given = constructed.metrics_of(run, dict.fromkeys(context.task.metrics["properties"], 5.0))
    monkeypatch.setattr(
        type(context.task), "step", lambda *_: lambda *_: {"metrics": given["metrics"]}
    )
    score(context, run)
    content = read_metrics(context.paths.run(run, "metrics.json"), context.task)
    assert content["provenance"]["prior"] == made
    assert provenances(content)[0] == own
    content["provenance"]["score"]["git_dirty"] = False
    write_json(context.paths.run(run, "metrics.json"), content)
    if dirty:
        with pytest.raises(UserError, match="uncommitted changes"):
            keep(context)
    else:
        assert keep(context).copied > 0


def test_a_provenance_is_of_the_prior_that_it_was_written_with(tmp_path, constructed):
    made, path = constructed.provenance(), tmp_path / "31x51-a0.5.npz"
    one, other = (Prior(np.full((1, 1, 2, 2), v), {"native_size": [8, 8]}, {}) for v in (1, 2))
    save_prior(path, one)
    # of older versions
    assert provenance_of(path) is None
    before = path.read_bytes()
    save_provenance(path, one, made)
    assert provenance_of(path) == made
    assert path.read_bytes() == before
    save_prior(path, other)
    assert provenance_of(path) is None
