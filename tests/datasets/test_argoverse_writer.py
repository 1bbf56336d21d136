"""Writing the synthetic dataset: repeatable, and all or nothing."""

import hashlib
import json
import os
import socket
from pathlib import Path

import pytest

from lzu.datasets.marks import MARKERS, SEALS
from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.argoverse_writer import ARGOVERSE_HD, write_argoverse_hd
from lzu.datasets.synthetic.worlds import generator_version
from lzu.errors import UserError


def content(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_same_bytes_with_several_processes(written, tiny_world, tmp_path):
    calls = []
    root = write_argoverse_hd(
        tmp_path / "again", tiny_world, jobs=2, progress=lambda *done: calls.append(done)
    )
    assert content(root) == content(written)
    assert calls == [(1, 2), (2, 2), (1, 1)]


@pytest.mark.parametrize("split", ["train", "val"])
def test_marks_say_how_to_make_it_again(written, tiny_world, tmp_path, split):
    marker = json.loads((written / MARKERS[split]).read_text())
    assert marker["split"] == split
    assert marker["config"] == tiny_world.of_split(split)
    assert marker["generator_version"] == generator_version(ARGOVERSE_HD)
    again = WorldConfig.from_dict(marker["config"])
    root = write_argoverse_hd(tmp_path / "again", again, splits=(split,))
    assert content(root) == {k: v for k, v in content(written).items() if split in k}


def test_a_split_does_not_depend_on_how_much_there_is_of_the_other(tiny_world):
    more = WorldConfig.from_dict({**tiny_world.to_dict(), "val_sequences": 9})
    assert more.of_split("train") == tiny_world.of_split("train")
    assert more.of_split("val") != tiny_world.of_split("val")
    keys = {split: set(tiny_world.of_split(split)) for split in ("train", "val")}
    assert keys["train"] | keys["val"] == set(tiny_world.to_dict())
    assert keys["train"] ^ keys["val"] == {
        "train_sequences", "val_sequences", "val_frames_per_sequence", "val_frame_interval_s"
    }  # fmt: skip


def test_validation_may_be_video_where_training_is_not(written, tiny_world, tmp_path):
    settings = {**tiny_world.to_dict(), "val_frames_per_sequence": 5, "val_frame_interval_s": 0.1}
    root = write_argoverse_hd(tmp_path / "world", WorldConfig.from_dict(settings))
    seconds = {}
    for split in ("train", "val"):
        data = json.loads((root / f"Argoverse-HD/annotations/{split}.json").read_text())
        first = [image for image in data["images"] if image["sid"] == 0]
        stamps = [int(image["name"].split("_")[-1].removesuffix(".jpg")) for image in first]
        seconds[split] = [(stamp - stamps[0]) / 1e9 for stamp in stamps]
    assert seconds["train"] == [0.0, 1.0, 2.0]
    assert seconds["val"] == [0.0, 0.1, 0.2, 0.3, 0.4]
    train = {k: v for k, v in content(root).items() if "train" in k}
    assert len(train) == 6 + 3
    assert train == {k: v for k, v in content(written).items() if "train" in k}


def test_an_interrupted_write_leaves_nothing(tiny_world, tmp_path):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_argoverse_hd(tmp_path / "world", tiny_world, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_split_that_is_done_outlives_an_interruption_of_the_next(tiny_world, written, tmp_path):
    calls = []

    def stop(*done):
        calls.append(done)
        if len(calls) == 3:
            raise KeyboardInterrupt

    root = tmp_path / "world"
    with pytest.raises(KeyboardInterrupt):
        write_argoverse_hd(root, tiny_world, progress=stop)
    assert content(root) == {k: v for k, v in content(written).items() if "train" in k}
    assert [path.name for path in tmp_path.iterdir()] == ["world"]
    write_argoverse_hd(root, tiny_world)
    assert content(root) == content(written)


def test_what_killed_writers_left_is_removed(tiny_world, tmp_path):
    host = socket.gethostname().replace(".", "-")
    left = tmp_path / f".world.{host}.999999999.val.x_1.partial"
    folder = left / "Argoverse-1.1/tracking/val/synthetic-val-0000/ring_front_center"
    folder.mkdir(parents=True)
    (folder / "ring_front_center_315970000000000000.jpg").touch()
    (left / "Argoverse-HD/annotations").mkdir(parents=True)
    (left / "Argoverse-HD/annotations/val.json").touch()
    (tmp_path / f".world.{host}.999999999.train.y.partial").mkdir()
    mine = tmp_path / f".world.{host}.{os.getpid()}.train.z.partial"
    mine.mkdir()
    write_argoverse_hd(tmp_path / "world", tiny_world)
    assert {path.name for path in tmp_path.iterdir()} == {"world", mine.name}


def test_an_equal_world_is_left_alone_and_another_replaced(tiny_world, tmp_path):
    root = tmp_path / "world"
    root.mkdir()
    write_argoverse_hd(root, tiny_world)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.jpg")}
    write_argoverse_hd(root, tiny_world, progress=lambda *_: pytest.fail("wrote again"))
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.jpg")} == before
    # Workflow managers delete what a rule declares before they run it.
    for split, name in MARKERS.items():
        (root / name).unlink()
        write_argoverse_hd(root, tiny_world, progress=lambda *_: pytest.fail("wrote again"))
        assert (root / name).read_bytes() == (root / SEALS[split]).read_bytes()
    (root / MARKERS["train"]).unlink()
    other = WorldConfig.from_dict({**tiny_world.to_dict(), "seed": 8, "val_sequences": 0})
    write_argoverse_hd(root, other)
    for name in MARKERS.values():
        assert json.loads((root / name).read_text())["config"]["seed"] == 8
    assert not list((root / "Argoverse-1.1/tracking/val").iterdir())


def test_only_the_split_whose_settings_have_changed_is_replaced(tiny_world, written, tmp_path):
    root = write_argoverse_hd(tmp_path / "world", tiny_world)
    before = {
        path: path.stat().st_mtime_ns for path in root.rglob("*train*/**/*") if path.is_file()
    }
    assert len(before) >= 6
    other = WorldConfig.from_dict({**tiny_world.to_dict(), "val_frames_per_sequence": 1})
    calls = []
    write_argoverse_hd(root, other, progress=lambda *done: calls.append(done))
    assert calls == [(1, 1)]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list((root / "Argoverse-1.1/tracking/val").rglob("*.jpg"))) == 1
    kept = {k: v for k, v in content(root).items() if "train" in k}
    assert kept == {k: v for k, v in content(written).items() if "train" in k}


def test_a_split_may_be_written_alone(tiny_world, written, tmp_path):
    root = write_argoverse_hd(tmp_path / "world", tiny_world, splits=("val",))
    assert content(root) == {k: v for k, v in content(written).items() if "val" in k}
    write_argoverse_hd(root, tiny_world, splits=("train",))
    assert content(root) == content(written)


def test_a_split_without_its_mark_and_seal_is_made_again(tiny_world, written, tmp_path):
    """So is one that a kill left half replaced."""
    root = write_argoverse_hd(tmp_path / "world", tiny_world)
    for names in (MARKERS, SEALS):
        (root / names["train"]).unlink()
    next((root / "Argoverse-1.1/tracking/train").rglob("*.jpg")).unlink()
    write_argoverse_hd(root, tiny_world)
    assert content(root) == content(written)


def test_foreign_folders_are_refused(tiny_world, tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UserError, match="is not empty and has no "):
        write_argoverse_hd(tmp_path, tiny_world)
    assert (tmp_path / "holiday.jpg").exists()
    with pytest.raises(UserError, match="is a file"):
        write_argoverse_hd(tmp_path / "holiday.jpg", tiny_world)
    with pytest.raises(ValueError, match="jobs"):
        write_argoverse_hd(tmp_path / "new", tiny_world, jobs=0)
