"""Writing the synthetic world in Cityscapes' layout: as the real files are, and all or nothing."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from lzu.datasets.cityscapes.classes import LABELS
from lzu.datasets.cityscapes.layout import is_synthetic
from lzu.datasets.cityscapes.prepare import check_split, prepare
from lzu.datasets.cityscapes.reader import load
from lzu.datasets.marks import MARKERS, SEALS
from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.argoverse_writer import ARGOVERSE_HD, write_argoverse_hd
from lzu.datasets.synthetic.cityscapes_writer import CITIES, CITYSCAPES, write_cityscapes
from lzu.datasets.synthetic.worlds import generator_version
from lzu.errors import UserError
from tests.datasets.test_argoverse_writer import content

WORLD = WorldConfig(
    width=128, height=64, horizontal_fov_deg=50, scenery="city", seed=2,
    train_sequences=20, val_sequences=2, frames_per_sequence=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small synthetic Cityscapes that tests must not change."""
    return write_cityscapes(tmp_path_factory.mktemp("data") / "world", WORLD)


@pytest.fixture
def root(world, tmp_path):
    """A copy of it to break."""
    return shutil.copytree(world, tmp_path / "world")


def frame(root, ending, folder="gtFine", city="ashmere"):
    path = root / folder / "train" / city / f"{city}_000001_000000_{ending}.png"
    return Image.open(path)


def test_files_are_of_the_modes_and_values_of_the_real_ones(world):
    image = frame(world, "leftImg8bit", "leftImg8bit")
    ids, train_ids = frame(world, "gtFine_labelIds"), frame(world, "gtFine_labelTrainIds")
    colour = frame(world, "gtFine_color")
    assert [one.mode for one in (image, ids, train_ids, colour)] == ["RGB", "L", "L", "RGBA"]
    assert {one.size for one in (image, ids, train_ids, colour)} == {(128, 64)}
    by_id = {label.id % 256: label for label in LABELS}
    for value in np.unique(ids):
        inside = np.asarray(ids) == value
        assert set(np.asarray(train_ids)[inside]) == {by_id[value].train_id}
        assert set(map(tuple, np.asarray(colour)[inside].tolist())) == {(*by_id[value].colour, 255)}
    assert len(np.unique(ids)) > 8
    assert np.asarray(image).std() > 20


def test_sequences_are_dealt_out_to_cities_that_number_them_alike(world):
    frames = [one.name for one in load(world, "train").frames]
    assert len(frames) == 20
    assert Counter(name.city for name in frames) == {
        city: 1 + (k < 2) for k, city in enumerate(CITIES["train"])
    }
    assert {(name.sequence, name.frame) for name in frames if name.city == CITIES["train"][0]} == {
        ("000000", "000000"), ("000001", "000000")
    }  # fmt: skip
    assert {name.city for name in (f.name for f in load(world, "val").frames)} <= {*CITIES["val"]}


def test_it_is_a_clean_dataset_and_known_for_synthetic(world, tmp_path):
    for split in ("train", "val"):
        found = tmp_path / f"{split}.findings.json"
        assert check_split(world, split, found, image_size=(64, 128), crop=(64, 64)).findings == ()
        prepare(world, split, tmp_path / f"{split}.json", tmp_path / f"{split}.about.json")
        about = json.loads((tmp_path / f"{split}.about.json").read_text())
        assert about["source"] == "synthetic"


def test_same_bytes_with_several_processes(world, tmp_path):
    calls = []
    root = write_cityscapes(
        tmp_path / "again", WORLD, jobs=2, progress=lambda *done: calls.append(done)
    )
    assert content(root) == content(world)
    assert (calls[0], calls[19], calls[-1]) == ((1, 20), (20, 20), (2, 2))


def test_an_equal_split_is_left_alone_and_another_replaced(root, world):
    write_cityscapes(root, WORLD, progress=lambda *_: pytest.fail("wrote again"))
    (root / MARKERS["val"]).unlink()
    write_cityscapes(root, WORLD, progress=lambda *_: pytest.fail("wrote again"))
    assert content(root) == content(world)
    fewer = WorldConfig.from_dict({**WORLD.to_dict(), "val_sequences": 1})
    write_cityscapes(root, fewer, splits=("val",))
    assert len(load(root, "val").frames) == 1
    assert {k: v for k, v in content(root).items() if "train" in k} == {
        k: v for k, v in content(world).items() if "train" in k
    }


@pytest.mark.parametrize("path", [
    "leftImg8bit/val/thornwell/notes.txt",
    "leftImg8bit/val/aachen/aachen_000000_000019_leftImg8bit.png",
    "gtFine/val/thornwell/thornwell_000000_000000_gtFine_polygons.json",
    "gtFine/val/list.txt",
])  # fmt: skip
def test_what_it_did_not_make_is_not_deleted(root, path):
    mine = root / path
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    other = WorldConfig.from_dict({**WORLD.to_dict(), "seed": 8, "val_sequences": 1})
    before = content(root)
    with pytest.raises(UserError, match="not of the synthetic world, whose val split"):
        write_cityscapes(root, other, splits=("val",))
    assert content(root) == before


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cityscapes(tmp_path / "world", WORLD, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_world_in_another_layout_is_no_world_of_this_one(world, tiny_world, tmp_path):
    before = content(world)
    with pytest.raises(UserError, match="no synthetic world of the format argoverse_hd"):
        write_argoverse_hd(world, tiny_world)
    assert content(world) == before
    assert is_synthetic(world)
    mark = json.loads((world / SEALS["train"]).read_text())
    assert (mark["format"], mark["config"]) == ("cityscapes", WORLD.of_split("train"))
    assert mark["generator_version"] == generator_version(CITYSCAPES)
    assert generator_version(CITYSCAPES) != generator_version(ARGOVERSE_HD)
