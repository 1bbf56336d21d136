"""Writing the synthetic dataset: repeatable, and all or nothing."""

import hashlib
import json
import socket
from pathlib import Path

import pytest

from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.argoverse_writer import generator_version, write_argoverse_hd
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
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_marker_says_how_to_make_it_again(written, tiny_world):
    marker = json.loads((written / "world.json").read_text())
    assert WorldConfig.from_dict(marker["config"]) == tiny_world
    assert marker["generator_version"] == generator_version()


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
    train = {k: v for k, v in content(root).items() if "/train/" in k}
    assert train
    assert train == {k: v for k, v in content(written).items() if "/train/" in k}


def test_an_interrupted_write_leaves_nothing(tiny_world, tmp_path):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_argoverse_hd(tmp_path / "world", tiny_world, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_writers_left_is_removed(tiny_world, tmp_path):
    host = socket.gethostname().replace(".", "-")
    left = tmp_path / f".world.{host}.999999999.partial"
    left.mkdir()
    (left / "image.jpg").touch()
    write_argoverse_hd(tmp_path / "world", tiny_world)
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_an_equal_world_is_left_alone_and_another_replaced(tiny_world, tmp_path):
    root = tmp_path / "world"
    root.mkdir()
    write_argoverse_hd(root, tiny_world)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.jpg")}
    write_argoverse_hd(root, tiny_world, progress=lambda *_: pytest.fail("wrote again"))
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.jpg")} == before
    # Workflow managers delete what a rule declares before they run it.
    (root / "world.json").unlink()
    write_argoverse_hd(root, tiny_world, progress=lambda *_: pytest.fail("wrote again"))
    assert (root / "world.json").read_bytes() == (root / ".lzu-world.json").read_bytes()
    (root / "world.json").unlink()
    other = WorldConfig.from_dict({**tiny_world.to_dict(), "seed": 8, "val_sequences": 0})
    write_argoverse_hd(root, other)
    assert json.loads((root / "world.json").read_text())["config"]["seed"] == 8


def test_foreign_folders_are_refused(tiny_world, tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UserError, match="is not empty and has no "):
        write_argoverse_hd(tmp_path, tiny_world)
    assert (tmp_path / "holiday.jpg").exists()
    with pytest.raises(UserError, match="is a file"):
        write_argoverse_hd(tmp_path / "holiday.jpg", tiny_world)
    with pytest.raises(ValueError, match="jobs"):
        write_argoverse_hd(tmp_path / "new", tiny_world, jobs=0)
