"""The world writer deletes what it made, and nothing that a user or another program put there."""

import json
import shutil
import socket

import pytest

from lzu.datasets.argoverse_hd.layout import is_synthetic
from lzu.datasets.marks import MARKERS, SEALS
from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.argoverse_writer import write_argoverse_hd
from lzu.errors import UserError

MARKS = (*MARKERS.values(), *SEALS.values())
IMAGES = "Argoverse-1.1/tracking/train"
SEQUENCE = f"{IMAGES}/synthetic-train-0000"
CAMERA = f"{SEQUENCE}/ring_front_center"


@pytest.fixture
def other(tiny_world):
    """A world of which nothing is there, so that a split is to be replaced."""
    return WorldConfig.from_dict({**tiny_world.to_dict(), "seed": 8})


def tree(root):
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
    }


def refused(root, world, said, monkeypatch):
    """The write fails before it renders anything, and leaves all as it is."""
    before = tree(root)
    name = "lzu.datasets.synthetic.worlds._make"
    with monkeypatch.context() as patched:
        patched.setattr(name, lambda *_: pytest.fail("rendered"))
        with pytest.raises(UserError, match=said) as error:
            write_argoverse_hd(root, world, splits=("train",))
    assert tree(root) == before
    assert [path.name for path in root.parent.iterdir() if "partial" in path.name] == []
    return str(error.value)


CONTENTS = {
    "nothing": b"", "no JSON": b"seal", "another program's": b'{"version": 1}', "a list": b"[]",
    "a number": b"7", "bytes": b"\xff\xfe", "nested": b"[" * 100_000,
    "another schema": b'{"schema": "x", "format": "argoverse_hd", "split": "train"}',
    "another split": b'{"schema": "lzu-world/2", "format": "argoverse_hd", "split": "test"}',
}  # fmt: skip


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", MARKS)
def test_a_file_that_merely_has_a_mark_s_name_makes_no_world(
    root, other, monkeypatch, name, content
):
    for mark in MARKS:
        (root / mark).unlink()
    (root / name).write_bytes(CONTENTS[content])
    assert not is_synthetic(root)
    refused(root, other, "is not empty and has no ", monkeypatch)


FOREIGN = {
    "a file among images": f"{CAMERA}/notes.txt",
    "an image of another name": f"{CAMERA}/holiday.jpg",
    "a file beside sequences": f"{IMAGES}/list.txt",
    "a file in a sequence": f"{SEQUENCE}/calibration.json",
    "another camera": f"{SEQUENCE}/ring_side_left/ring_side_left_1.jpg",
    "a real sequence": f"{IMAGES}/00c561b9-2057/ring_front_center/ring_front_center_1.jpg",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_it_did_not_make_is_not_deleted(root, other, tiny_world, monkeypatch, name):
    path = root / FOREIGN[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    said = refused(root, other, "move it elsewhere, or give another", monkeypatch)
    assert any(str(one) in said for one in (path, *path.parents[:2]))
    # what need not be replaced is not looked at, and the other split may be
    write_argoverse_hd(root, tiny_world)
    write_argoverse_hd(root, other, splits=("val",))
    assert path.read_text() == "mine"


def test_what_lies_elsewhere_in_the_root_stays(root, other):
    kept = [root / "README", root / "Argoverse-1.1/maps/a", root / "Argoverse-HD/annotations/test"]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    write_argoverse_hd(root, other)
    assert [path.read_text() for path in kept] == ["mine"] * 3


@pytest.mark.parametrize("content", ["real", "broken", "text"])
def test_annotations_of_others_are_not_replaced(root, other, monkeypatch, content):
    path = root / "Argoverse-HD/annotations/train.json"
    data = json.loads(path.read_text())
    data["seq_dirs"] = ["train/00c561b9-2057/ring_front_center"] * 2
    path.write_text({"real": json.dumps(data), "broken": "{", "text": "[1, 2]"}[content])
    assert str(path) in refused(root, other, "not of the synthetic world", monkeypatch)


@pytest.mark.parametrize("part", [
    "Argoverse-1.1", "Argoverse-1.1/tracking", IMAGES, "Argoverse-HD", "Argoverse-HD/annotations",
    "Argoverse-HD/annotations/train.json", MARKERS["train"], SEALS["train"],
])  # fmt: skip
def test_nothing_behind_a_link_is_deleted(root, other, tmp_path, monkeypatch, part):
    elsewhere = tmp_path / "elsewhere"
    (root / part).rename(elsewhere)
    (root / part).symlink_to(elsewhere)
    before = tree(elsewhere) if elsewhere.is_dir() else elsewhere.read_bytes()
    assert f"{root / part} is a link" in refused(root, other, "is a link", monkeypatch)
    assert before == (tree(elsewhere) if elsewhere.is_dir() else elsewhere.read_bytes())


@pytest.mark.parametrize("part", [SEQUENCE, CAMERA])
def test_a_linked_sequence_is_not_ours(root, other, tmp_path, monkeypatch, part):
    (root / part).rename(tmp_path / "elsewhere")
    (root / part).symlink_to(tmp_path / "elsewhere")
    refused(root, other, "not of the synthetic world", monkeypatch)


def test_the_root_may_be_a_link(root, other, tmp_path):
    """As it is where a data folder lies on another disk."""
    link = tmp_path / "link"
    link.symlink_to(root)
    write_argoverse_hd(link, other, splits=("train",))
    assert link.is_symlink()
    assert json.loads((root / MARKERS["train"]).read_text())["config"]["seed"] == 8


def test_what_comes_while_it_renders_is_not_deleted_either(root, other):
    path = root / CAMERA / "notes.txt"

    def put(done, total):
        path.write_text("mine")

    with pytest.raises(UserError, match="not of the synthetic world"):
        write_argoverse_hd(root, other, splits=("train",), progress=put)
    assert path.read_text() == "mine"
    assert len(list((root / CAMERA).glob("*.jpg"))) == 3


def leave(folder, what):
    match what:
        case "a folder of another's":
            (folder / "photos").mkdir(parents=True)
        case "a file of another's":
            folder.mkdir()
            (folder / "Argoverse-1.1").write_text("mine")
        case "an image of another's":
            (folder / CAMERA).mkdir(parents=True)
            (folder / CAMERA / "holiday.jpg").write_text("mine")
        case "a link":
            (folder.parent / "target").mkdir()
            folder.symlink_to(folder.parent / "target")
        case "a link within":
            (folder / "Argoverse-1.1").mkdir(parents=True)
            (folder / "Argoverse-1.1/tracking").symlink_to(folder.parent)
        case "a file":
            folder.write_text("mine")


@pytest.mark.parametrize("what", [
    "a folder of another's", "a file of another's", "an image of another's", "a link",
    "a link within", "a file",
])  # fmt: skip
def test_a_leftover_that_is_not_a_writer_s_stays(tiny_world, written, tmp_path, what):
    root = shutil.copytree(written, tmp_path / "world")
    (root / SEALS["train"]).write_text((root / SEALS["train"]).read_text().replace("lzu-", "x-"))
    host = socket.gethostname().replace(".", "-")
    folder = tmp_path / f".world.{host}.999999999.train.abc.partial"
    leave(folder, what)
    write_argoverse_hd(root, tiny_world, splits=("train",))
    assert folder.is_symlink() or folder.exists()
    assert is_synthetic(root)
