"""`lzu list`: what is there of each planned run, and why not."""

import copy
import json
import re
import shutil
from dataclasses import replace

import pytest

from lzu.cli import main
from lzu.engine.score import score
from lzu.experiments.run import Run
from lzu.files import read_json, write_json
from lzu.results import provenance, states
from tests.prepared import copied
from tests.tasks.detection2d.untrained import save_predictions, save_record

RUN = Run("smoke", "detection2d", "lzu_fixed", 1.0, 0.5, 0)
UNIFORM = replace(RUN, method="uniform")
OTHER_SEED = replace(RUN, seed=1)
UPSAMPLED = replace(RUN, from_scale=0.25)


@pytest.fixture
def listed(context, config, tmp_path, capsys, monkeypatch):
    """A context of its own, and a function that tells what is listed.

    Of a run that is its line without the run; without one, the counts at the end.
    """
    context = copied(context, tmp_path)
    # the commit that the prior was made with
    commit, _ = provenance.git_state()
    for module in (provenance, states):
        monkeypatch.setattr(module, "git_state", lambda *_: (commit, False))

    def say(run=None):
        capsys.readouterr()
        assert main(["list", "--config", str(config), "--results", str(context.results)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "smoke, detection2d:"
        assert len(lines) == len(context.runs) + 2
        if run is None:
            return set(lines[-1].strip().split(", "))
        name = f"{run.method} {run.variant} seed{run.seed}"
        pattern = re.compile(rf"  (\w+) +{re.escape(name)}(|[: ].*)")
        [found] = filter(None, map(pattern.fullmatch, lines[1:-1]))
        return found[1] + found[2]

    return context, say


def make(context, run):
    """All results of a run, as if it had been trained."""
    save_record(context, run)
    save_predictions(context, run, (0.9, 0.3))
    score(context, run)
    return context.paths.run(run, "metrics.json")


def test_a_missing_run_is_said_to_lack_its_first_step(listed):
    context, say = listed
    assert say(RUN) == "missing: not trained"
    assert say() == {f"{len(context.runs)} missing"}
    save_record(context, RUN)
    assert say(RUN) == "missing: not predicted"
    # its weights are those of the other
    assert say(UPSAMPLED) == "missing: not predicted"
    assert say(OTHER_SEED) == "missing: not trained"
    save_predictions(context, RUN, (0.9, 0.3))
    assert say(RUN) == "missing: not scored"
    record = context.paths.run(RUN, "train.json")
    write_json(record, {**read_json(record), "stamp": "other"})
    assert say(RUN) == "missing: trained with other settings, data or prior"


def test_a_run_is_made_until_what_it_depends_on_changes(listed):
    context, say = listed
    for run in (RUN, UNIFORM):
        make(context, run)
        assert say(run) == "made"
    assert say() == {"2 made", f"{len(context.runs) - 2} missing"}
    for split, why in (
        ("val", "stale: the validation data has changed since"),
        ("train", "stale: settings, data or prior have changed since"),
    ):
        path = context.paths.about(split)
        content = path.read_text()
        path.write_text(json.dumps({**json.loads(content), "fingerprint": "other"}))
        assert say(RUN) == why
        path.write_text(content)
    assert say(RUN) == "made"
    context.paths.prior(context.prior_of(RUN)).unlink()
    assert say(RUN).startswith("stale: ")
    assert ".npz: no such prior" in say(RUN)
    assert say(UNIFORM) == "made"


def test_a_result_that_breaks_its_schema_is_stale_and_named(listed):
    context, say = listed
    path = make(context, RUN)
    write_json(path, {**read_json(path), "metrics": {}})
    assert say(RUN).startswith("stale: ")
    assert "metrics.json: metrics" in say(RUN)


def test_a_kept_run_is_kept_if_its_stamp_is_equal(listed):
    context, say = listed
    for run in (RUN, UNIFORM):
        path = make(context, run)
        kept = context.paths.suite.measured / "some-machine" / run.path / "metrics.json"
        kept.parent.mkdir(parents=True)
        shutil.copy(path, kept)
        assert say(run) == "made"
        shutil.rmtree(path.parent)
        assert say(run) == "kept: in results/measured/ with an equal stamp"
    assert say() == {"2 kept", f"{len(context.runs) - 2} missing"}
    write_json(kept, {**read_json(kept), "stamp": "0" * 16})
    assert say(UNIFORM) == "missing: not trained"
    assert say(RUN).startswith("kept: ")


def test_other_code_is_told_of(listed):
    """That of any step."""
    context, say = listed
    path = make(context, RUN)
    content = read_json(path)
    for step in ("train", "predict", "score"):
        told = copy.deepcopy(content)
        told["provenance"][step]["git_commit"] = "0123456789ab" + 28 * "0"
        write_json(path, told)
        assert say(RUN) == "made (code of 0123456789ab)"
