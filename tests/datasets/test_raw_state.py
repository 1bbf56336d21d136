"""A cheap summary of raw files: it changes when they do, and looks into none."""

import builtins
import io
import json
import os
import shutil

import pytest

from lzu.datasets import raw
from lzu.datasets.argoverse_hd.layout import (
    IMAGE_FOLDER,
    annotation_path,
    raw_state,
)
from lzu.datasets.marks import MARKERS, SEALS
from lzu.datasets.raw import folders_state
from lzu.datasets.synthetic.argoverse_writer import write_argoverse_hd
from lzu.tasks.detection2d.task import DETECTION2D


@pytest.fixture
def real(root):
    """A copy of the tiny dataset that does not say that it is ours."""
    return unmarked(root)


def unmarked(root):
    """The root without what says that it is a synthetic world."""
    for name in (*MARKERS.values(), *SEALS.values()):
        (root / name).unlink()
    return root


def image(root, split="train"):
    return next((root / IMAGE_FOLDER / split).rglob("*.jpg"))


def test_it_is_the_same_while_nothing_changes(real):
    first = raw_state(real, "train")
    for _ in range(2):
        assert raw_state(real, "train") == first
    image(real).read_bytes()
    annotation_path(real, "train").read_bytes()
    assert raw_state(real, "train") == raw_state(str(real), "train") == first
    assert json.loads(json.dumps(first)) == first
    assert DETECTION2D.dataset.state(str(real), "train") == first


CHANGES = {
    "annotations edited": lambda root: annotation_path(root, "train").write_text("{}"),
    "annotations touched": lambda root: os.utime(annotation_path(root, "train"), (1, 1)),
    "annotations removed": lambda root: annotation_path(root, "train").unlink(),
    "image added": lambda root: shutil.copy(image(root), image(root).with_name("new.jpg")),
    "image removed": lambda root: image(root).unlink(),
    "image renamed": lambda root: image(root).rename(image(root).with_name("new.jpg")),
    "image replaced": lambda root: shutil.copy(image(root), root / "x").replace(image(root)),
    "sequence removed": lambda root: shutil.rmtree(image(root).parents[1]),
    "sequence renamed": lambda root: image(root).parents[1].rename(image(root).parents[2] / "z"),
    "images removed": lambda root: shutil.rmtree(root / IMAGE_FOLDER),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_noticed_in_their_split_alone(real, name):
    # a file system's clock may be coarse
    for path in (p for p in real.rglob("*") if p.is_dir()):
        os.utime(path, (10, 10))
    before = {split: raw_state(real, split) for split in ("train", "val")}
    CHANGES[name](real)
    assert raw_state(real, "train") != before["train"]
    if name != "images removed":
        assert raw_state(real, "val") == before["val"]


def test_a_root_that_is_linked_elsewhere_is_noticed(real, tiny_world, tmp_path):
    other = unmarked(write_argoverse_hd(tmp_path / "other", tiny_world))
    link = tmp_path / "link"
    link.symlink_to(real)
    before = raw_state(link, "train")
    assert before == raw_state(real, "train")
    link.unlink()
    link.symlink_to(other)
    assert raw_state(link, "train") != before


@pytest.mark.parametrize("part", [IMAGE_FOLDER, f"{IMAGE_FOLDER}/train", "Argoverse-HD"])
def test_parts_may_be_linked_in(real, tmp_path, part):
    """Images often lie on another disk than annotations."""
    before = raw_state(real, "train")
    (real / part).rename(tmp_path / "elsewhere")
    (real / part).symlink_to(tmp_path / "elsewhere")
    assert raw_state(real, "train") == before
    if part == "Argoverse-HD":
        annotation_path(real, "train").write_text("{}")
    else:
        next((real / IMAGE_FOLDER / "train").glob("*/*/*.jpg")).unlink()
    assert raw_state(real, "train") != before


def test_missing_data_has_a_state_too(tmp_path):
    state = raw_state(tmp_path / "nowhere", "train")
    assert state is not None
    assert state["annotations"] == "missing"


def test_a_world_of_another_suite_is_watched_as_other_data_is(root):
    """Whoever names it as real data has no settings that it would follow from."""
    before = raw_state(root, "train")
    annotation_path(root, "train").write_text("{}")
    assert raw_state(root, "train") != before


def test_what_is_overwritten_in_its_place_is_noticed(real):
    """A folder's time does not change then."""
    path = image(real)
    before, folder = raw_state(real, "train"), path.parent.stat().st_mtime_ns
    content = path.read_bytes()
    path.write_bytes(content + b"x")
    assert path.parent.stat().st_mtime_ns == folder
    longer = raw_state(real, "train")
    assert longer["images"] != before["images"]
    # of equal size, but later
    path.write_bytes(content)
    os.utime(path, (20, 20))
    assert raw_state(real, "train")["images"] not in (before["images"], longer["images"])


@pytest.fixture
def many(tmp_path):
    """Ten folders of a hundred files each."""
    folders = [tmp_path / f"{k}" for k in range(10)]
    for folder in folders:
        folder.mkdir()
        for k in range(100):
            (folder / f"{k:02}{'.png' if k % 2 else '.txt'}").write_bytes(b"x")
    return folders


def test_of_many_files_a_sample_is_looked_at(many, monkeypatch):
    """Bounded however many there are; all that were overwritten are noticed all the same."""
    looked = []
    own = raw.file_state
    monkeypatch.setattr(raw, "file_state", lambda path: looked.append(path) or own(path))
    few = {"most_folders": 4, "most_files": 40}
    before = folders_state(many[0].parent, many, **few)
    assert len(looked) == len(set(looked)) == 40
    assert {path.parent for path in looked} == {many[k] for k in (0, 2, 5, 7)}
    looked.clear()
    assert folders_state(many[0].parent, reversed(many), (".png",), **few) != before
    assert len(looked) == 40
    assert {path.suffix for path in looked} == {".png"}
    for path in many[3].parent.rglob("*.*"):
        path.write_bytes(b"xy")
    assert folders_state(many[0].parent, many, **few) != before


def test_of_few_files_each_is_looked_at(many):
    before = folders_state(many[0].parent, many)
    (many[6] / "37.png").write_bytes(b"xy")
    assert folders_state(many[0].parent, many) != before


def test_a_copy_that_keeps_times_has_the_same_state(many, tmp_path):
    before = folders_state(tmp_path, many)
    copy = tmp_path / "copy"
    for folder in many:
        shutil.copytree(folder, copy / folder.name)
    assert folders_state(copy, [copy / folder.name for folder in many]) == before


def test_no_file_is_opened(real, monkeypatch):
    expected = raw_state(real, "train")

    def refuse(*_, **__):
        raise AssertionError("opened a file")

    for module, name in ((builtins, "open"), (io, "open"), (os, "open")):
        monkeypatch.setattr(module, name, refuse)
    assert raw_state(real, "train") == expected
