"""What Snakemake plans, and how it stops; nothing is run."""

import re

import pytest
import yaml

pytest.importorskip("snakemake")

from lzu.tasks import TASKS
from tests.workflow.finished import jobs, snakemake


@pytest.fixture
def plan(request, tmp_path):
    """Dry-run the workflow in an empty folder; return (exit status, everything printed)."""
    root = request.config.rootpath
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "published").symlink_to(root / "results" / "published")
    (tmp_path / "config").symlink_to(root / "config")

    def planned(*arguments):
        words = ["-n", "--snakefile", root / "Snakefile"]
        words += ["--workflow-profile", root / "profiles" / "default", *arguments]
        return snakemake(words, tmp_path)

    return planned


def write_suite(tmp_path, name, change, root):
    settings = yaml.safe_load((root / "config" / f"{name}.yaml").read_text())
    change(settings)
    path = tmp_path / f"{name}-changed.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_the_default_is_the_demo(plan):
    status, text = plan()
    assert status == 0, text
    found = jobs(text)
    # four methods of two tasks, and two of 3-D detection; of Table 2 two methods' images at another
    # scale, in both halves
    assert found["train"] == 10
    assert found["predict"] == found["score"] == 10 + 2 * 2
    for rule in ("time", "analysis", "cases", "stream", "draw_prior", "picture"):
        assert found[f"{rule}_detection2d"] == 1
    assert found["world_detection2d"] == found["world_segmentation"] == 2
    assert found["world_detection3d"] == 2
    assert found["check"] == found["prepare"] == 6
    # the mini-validation set, and ES's sampler
    assert found["split_segmentation"] == found["stage"] == 1


def test_the_study_has_the_seeds_that_verdicts_need(plan):
    status, text = plan("--configfile", "config/study.yaml", "--", "detection2d")
    assert status == 0, text
    found = jobs(text)
    # ten seeds of three methods at 0.5x; five of four others, and of seven more pairs of method and
    # scale
    assert found["train"] == 3 * 10 + 4 * 5 + 7 * 5
    # Table 2: two methods, three models, three scales of images more
    assert found["predict"] == found["score"] == found["train"] + 5 * 2 * 3 * 3


def test_the_study_of_segmentation_has_seeds_and_every_place_of_the_unzoom(plan):
    status, text = plan("--configfile", "config/study.yaml", "--", "segmentation")
    assert status == 0, text
    found = jobs(text)
    # At 0.25 five seeds of the five methods and of two more places; three elsewhere: of uniform at
    # three scales, of LZU's three places, LDS and ES at two, of learned saliency at one
    assert found["train"] == 5 * 7 + 3 * (3 + 3 * 2 + 2 + 2 + 1)
    assert found["predict"] == found["score"] == found["train"]
    assert found["stage"] == 5


def test_paper_without_the_dataset_stops_with_one_message(plan):
    status, text = plan("--configfile", "config/paper.yaml")
    assert status != 0
    assert "detection2d.dataset.root: there is no folder data/argoverse_hd" in text
    assert "segmentation.dataset.root: there is no folder data/cityscapes" in text
    assert "detection3d.dataset.root: there is no folder data/nuscenes" in text
    assert "Traceback" not in text


def test_with_the_data_of_one_task_that_one_can_run(plan, request, tmp_path):
    def at_root(settings):
        settings["detection2d"]["dataset"]["root"] = str(tmp_path)

    path = write_suite(tmp_path, "paper", at_root, request.config.rootpath)
    status, text = plan("--configfile", path)
    assert status == 1
    assert "segmentation.dataset.root: there is no folder data/cityscapes" in text
    assert "the same command with `-- detection2d` at its end" in text
    assert "Traceback" not in text
    status, text = plan("--configfile", path, "--", "segmentation")
    assert (status, "Traceback" in text) == (1, False)
    assert "segmentation.dataset.root: there is no folder data/cityscapes" in text
    status, text = plan("--configfile", path, "--", "detection2d")
    assert status == 0, text
    assert jobs(text)["tables_detection2d"] == 1
    assert not any("segmentation" in rule for rule in jobs(text))


def test_paper_with_the_dataset_plans_every_run(plan, request, tmp_path):
    def at_root(settings):
        settings["detection2d"]["dataset"]["root"] = str(tmp_path)

    path = write_suite(tmp_path, "paper", at_root, request.config.rootpath)
    status, text = plan("--configfile", path, "--", "detection2d")
    assert status == 0, text
    found = jobs(text)
    # Table 1's 14 rows; Table 6's grid for two methods, and uniform
    assert found["train"] == 14 + 2 * 5 * 4 + 1
    # Table 2: two methods, four scales, three more scales of images each
    assert found["predict"] == found["score"] == found["train"] + 2 * 4 * 3
    assert found["weights_detection2d"] == found["split_detection2d"] == 1
    # Table 1's, and one for each amplitude of the search
    assert found["prior"] == 1 + 5
    assert "world_detection2d" not in found


def test_cached_mode_trains_predicts_and_scores_nothing(plan):
    status, text = plan("--configfile", "config/study.yaml", "--config", "mode=cached")
    assert status == 0, text
    steps = ("collect", "tables", "figures")
    assert set(jobs(text)) == {f"{step}_{task}" for step in steps for task in TASKS} | {"all"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s["detection2d"].update(epochs=3), "detection2d.epochs: there is no such key"),
        (lambda s: s["detection2d"].update(seeds="all"), "detection2d.seeds"),
        (
            lambda s: [s.pop(task) for task in TASKS],
            "no task: give the block of one, such as detection2d",
        ),
    ],
)
def test_wrong_settings_stop_with_one_message(plan, request, tmp_path, change, said):
    path = write_suite(tmp_path, "smoke", change, request.config.rootpath)
    status, text = plan("--configfile", path)
    assert status != 0
    assert said in text
    assert "Traceback" not in text


@pytest.mark.parametrize("profile", ["gpu", "slurm"])
def test_profiles_name_rules_that_there_are(plan, request, profile):
    """Snakemake says nothing of a name that is none, and a job would go without its GPU."""
    path = request.config.rootpath / "profiles" / profile / "profile.yaml"
    settings = yaml.safe_load(path.read_text())
    words = [*settings.get("set-threads", []), *settings["set-resources"]]
    named = {word.replace("=", ":").partition(":")[0] for word in words}
    status, text = plan()
    assert status == 0, text
    assert named <= set(jobs(text))
    models = ("time", "cases", "stream", "stage", "accuracy")
    using_models = {rule for rule in jobs(text) if rule.split("_")[0] in models}
    given = {word.partition(":")[0] for word in settings["set-resources"] if ":gpu=" in word}
    assert given == {"train", "predict"} | using_models


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("suite: mine\nsuite: other\n", "'suite' stands twice, in lines 1 and 2"),
        ("suite: mine\ndetection2d: {seeds: [no, yes]}\n", "seeds.0: .*integer.*'no'"),
        ("suite: mine\ndetection2d: {prior: {fwhm: .inf}}\n", "fwhm: .*number.*'.inf'"),
    ],
)
def test_a_suite_file_is_read_strictly(plan, tmp_path, text, said):
    (tmp_path / "mine.yaml").write_text(text)
    status, printed = plan("--configfile", "mine.yaml")
    assert status != 0
    assert re.search(f"lzu: .*mine.yaml.*{said}", printed, re.DOTALL), printed
    assert "Traceback" not in printed


def test_settings_of_the_command_line_change_the_default_suite(plan):
    words = "detection2d={seeds: [0, 1], methods: {fovea: {scales: []}}}"
    status, text = plan("--config", words)
    assert status == 0, text
    # and four of segmentation, two of 3-D detection
    assert jobs(text)["train"] == 3 * 2 + 4 + 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("detection2d={seeds: [no]}", r"seeds\.0: .*integer.*'no'"),
        ("detection2d={prior: {fwhm: .inf}}", r"prior\.fwhm: .*number.*'\.inf'"),
        ("reuse=yes", "reuse: .*boolean.*'yes'"),
        ("detection2d={model: {overrides: {a: {type: os.system}}}}", "is no name in a registry"),
    ],
)
def test_settings_of_the_command_line_are_read_strictly(plan, words, said):
    status, printed = plan("--config", words)
    assert status != 0
    assert re.search(f"lzu: .*demo.yaml and --config.*{said}", printed, re.DOTALL), printed
    assert "Traceback" not in printed


def test_an_imported_prior_takes_the_place_of_its_data(plan, tmp_path):
    prior = "results/smoke/priors/detection2d/train/31x51-a1-b64.npz"
    words = ("--configfile", "config/smoke.yaml", "--", prior)
    _, text = plan(*words)
    assert jobs(text)["prepare"] == jobs(text)["prior"] == 1
    imported = tmp_path / prior.replace("/priors/", "/imported/")
    imported.parent.mkdir(parents=True)
    imported.touch()
    status, text = plan(*words)
    assert status == 0, text
    assert jobs(text) == {"prior": 1}
