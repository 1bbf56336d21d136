"""Real data that is no longer what results were made of is noticed by the real rules."""

import shutil

import pytest
import yaml

pytest.importorskip("snakemake")

from lzu.datasets.argoverse_hd.layout import IMAGE_FOLDER, annotation_path
from tests.workflow.finished import finish_settings, jobs, snakemake


def write_data(root, boxes):
    """Files in the places of Argoverse-HD; what they hold is of no matter here."""
    for split in ("train", "val"):
        annotation_path(root, split).parent.mkdir(parents=True, exist_ok=True)
        annotation_path(root, split).write_text("[]" * boxes)
        folder = root / IMAGE_FOLDER / split / "log" / "ring_front_center"
        folder.mkdir(parents=True)
        for k in range(3):
            (folder / f"{k}.jpg").write_bytes(b"x" * boxes)


@pytest.fixture(scope="module")
def finished(request, tmp_path_factory):
    """One training on real data, finished."""
    root = request.config.rootpath
    settings = yaml.safe_load((root / "config" / "smoke.yaml").read_text())
    task = settings["detection2d"]
    task["dataset"] = {"root": "replaced by the helper"}
    task["methods"] = {"uniform": {"scales": [0.5], "learning_rate": 0.01}}
    task["seeds"] = [0]
    for name in ("upsampling", "search"):
        del task[name]
    done = finish_settings(root, tmp_path_factory.mktemp("real") / "w", settings)
    write_data(done.folder / "first", 1)
    write_data(done.folder / "second", 2)
    return done


@pytest.fixture
def linked(finished):
    """The root is a link to the data; everything is made of it as it is."""
    root = finished.folder / "detection2d"
    root.unlink() if root.is_symlink() else root.rmdir()
    shutil.rmtree(finished.folder / "data", ignore_errors=True)
    shutil.copytree(finished.folder / "first", finished.folder / "data")
    root.symlink_to("data")
    finished.snakemake(finished.settings, "made", "--cores", "64", "--quiet", "all")
    assert jobs(finished.snakemake(finished.settings, "nothing", "-n")) == {}
    return root


def train_image(root):
    return next((root / IMAGE_FOLDER / "train").rglob("*.jpg"))


def link_elsewhere(root):
    root.unlink()
    root.symlink_to("second")


CHANGES = {
    "annotations replaced": (lambda root: annotation_path(root, "train").write_text("{}"), 1),
    "an image deleted": (lambda root: train_image(root).unlink(), 1),
    "an image overwritten": (lambda root: train_image(root).write_bytes(b"other"), 1),
    "the link pointed elsewhere": (link_elsewhere, 2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_data_is_noticed(finished, linked, change):
    """What is below is planned, and ends at once if the prepared data proves equal."""
    act, splits = CHANGES[change]
    act(linked)
    planned = jobs(finished.snakemake(finished.settings, "changed", "-n"))
    assert planned["prepare"] == planned["check"] == splits
    assert planned["train"] == planned["predict"] == planned["score"] == 1
    assert planned["tables_detection2d"] == 1


def test_data_that_is_gone_is_named(finished, linked):
    shutil.rmtree(finished.folder / "data")
    words = ["-n", "--configfile", finished.folder / "made.yaml"]
    words += ["--snakefile", finished.folder / "Snakefile"]
    status, text = snakemake(words, finished.folder)
    assert status != 0
    assert f"lzu: detection2d.dataset.root: there is no folder {linked}" in text
    assert "Traceback" not in text
