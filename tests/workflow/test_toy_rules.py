"""A task and a method that no rule names go through all of them."""

import json
from dataclasses import replace

import pytest
import yaml

pytest.importorskip("snakemake")

from tests.workflow.finished import finish_settings

REGISTERED = """
import sys
sys.path.insert(0, {root!r})
from lzu.experiments.methods import METHODS
from lzu.tasks import TASKS
from tests.experiments.toy import TOY_WITH_ZOOM, TOY_ZOOM
METHODS[TOY_ZOOM.name] = TOY_ZOOM
TASKS[TOY_WITH_ZOOM.name] = TOY_WITH_ZOOM
"""


@pytest.fixture(scope="module")
def toy(request, tmp_path_factory):
    root = request.config.rootpath
    methods = {
        name: {"scales": [0.5], "learning_rate": 1.0}
        for name in ("uniform", "lzu_fixed", "toy_zoom")
    }
    settings = {
        "suite": "toys",
        "toy": {"dataset": {"root": "numbers"}, "methods": methods, "seeds": [0, 1]},
    }
    folder = tmp_path_factory.mktemp("toy") / "w"
    before = REGISTERED.format(root=str(root))
    return finish_settings(root, folder, settings, before, published=("toy.csv",))


def test_every_rule_has_made_what_the_toy_plans(toy):
    results = toy.folder / "results" / "toys"
    for method in ("uniform", "lzu_fixed", "toy_zoom"):
        for seed in (0, 1):
            run = results / "runs" / "toy" / method / "1-0.5" / f"seed{seed}"
            for name in ("checkpoint.pth", "train.json", "predictions.json", "metrics.json"):
                assert (run / name).exists()
        assert (results / "timing" / "toy" / method / "1-0.5.json").exists()
    for split in ("train", "val"):
        assert (results / "data" / "toy_numbers" / f"{split}.about.json").exists()
    assert (results / "tables" / "toy_table.csv").exists()
    assert (results / "figures" / "toy" / "figure7.png").exists()
    assert "Nothing to be done" in toy.snakemake(toy.settings, "again", "--cores", "1")


def test_the_cached_mode_writes_nothing_that_is_one_s_own(toy):
    """Else one's own tables would show what others measured, and Snakemake would call them made."""
    own = {path: path.stat().st_mtime_ns for path in files_of(toy)}
    cached = {**toy.settings, "mode": "cached"}
    toy.snakemake(cached, "cached", "--cores", "1")
    made = set(files_of(toy)) - set(own)
    places = {"/".join(path.relative_to(toy.folder).parts[:3]) for path in made}
    # a file of settings is named by its content
    assert places == {"results/toys/cached", "logs/toys/cached", "results/toys/settings"}
    assert (toy.folder / "results/toys/cached/tables/toy_table.csv").exists()
    assert {path: path.stat().st_mtime_ns for path in own} == own
    assert "Nothing to be done" in toy.snakemake(toy.settings, "own", "--cores", "1")
    assert "Nothing to be done" in toy.snakemake(cached, "cached", "--cores", "1")


def files_of(toy):
    """What the suite has made, and said."""
    folders = (toy.folder / "results" / "toys", toy.folder / "logs")
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def test_a_profile_names_the_machine(toy, tmp_path):
    """Of all jobs, which read the settings as Snakemake resolved them."""
    profile = yaml.safe_load((toy.profile / "profile.yaml").read_text())
    (tmp_path / "profile.yaml").write_text(
        yaml.safe_dump({**profile, "config": ["machine_name=lab"]})
    )
    named = replace(toy, profile=tmp_path)
    named.snakemake(toy.settings, "named", "--cores", "1", "--forcerun", "tables_toy")
    files = (toy.folder / "results" / "toys" / "settings").glob("*.json")
    assert [json.loads(path.read_text())["machine_name"] for path in files].count("lab") == 1


def test_a_method_s_settings_rerun_its_runs_alone(toy):
    planned = toy.planned("toy.methods.toy_zoom.learning_rate", 2.0)
    assert planned["train"] == planned["predict"] == planned["score"] == 2
    assert planned["time_toy"] == 1
    assert "prepare" not in planned


def test_a_setting_of_the_task_s_own_retrains_all(toy):
    assert toy.planned("toy.margin", 0.5)["train"] == 6
