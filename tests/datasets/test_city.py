"""The city's scenery: all classes of Cityscapes, in shares like its own; and that plain worlds are
what they were before there was one."""

import hashlib

import numpy as np
import pytest

from lzu.datasets.cityscapes.balance import TRAIN_SHARES
from lzu.datasets.cityscapes.classes import CLASSES, IDS, TO_TRAIN_ID
from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.palette import SLOTS
from lzu.datasets.synthetic.render import make_stage, render
from lzu.datasets.synthetic.scene import snapshot

CITY = WorldConfig(
    width=256, height=128, horizontal_fov_deg=50, scenery="city", seed=7,
    train_sequences=30, frames_per_sequence=2, frame_interval_s=4.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def label_maps():
    """(60, H, W) ids; no pictures are painted."""
    stages = [make_stage(CITY, "train", index) for index in range(CITY.train_sequences)]
    frames = [
        render(stage, number, image=False, boxes=False, semantic=True)
        for stage in stages
        for number in (0, 1)
    ]
    return np.stack([frame.semantic for frame in frames])


@pytest.fixture(scope="module")
def shares(label_maps):
    """Percent of the counted pixels, by class."""
    counts = np.bincount(TO_TRAIN_ID[label_maps].ravel(), minlength=256)[: len(CLASSES)]
    return dict(zip(CLASSES, 100 * counts / counts.sum(), strict=True))


@pytest.mark.parametrize("name", CLASSES)
def test_shares_of_the_classes_are_like_those_of_cityscapes(shares, name):
    """Within a factor of 2.5; of what is rare, a few vehicles make the difference: of 5."""
    factor = 2.5 if TRAIN_SHARES[name] >= 1 else 5
    assert TRAIN_SHARES[name] / factor < shares[name] < TRAIN_SHARES[name] * factor


def test_frequent_classes_keep_their_order(shares):
    order = ("road", "building", "vegetation", "car", "sidewalk", "person", "rider")
    found = [shares[name] for name in order]
    assert found == sorted(found, reverse=True)


def test_classes_that_count_for_nothing_occur_too(label_maps):
    seen = {name for name, value in IDS.items() if (label_maps == value % 256).any()}
    void = {
        "ego vehicle", "out of roi", "static", "dynamic", "ground", "parking", "guard rail"
    }  # fmt: skip
    assert seen == {*CLASSES, *void}
    ignored = (TO_TRAIN_ID[label_maps] == 255).mean()
    assert 0.05 < ignored < 0.15


def away_from_others(mask):
    """The share of a class's pixels whose neighbours at a distance of two are of it as well."""
    inner = mask[:, 2:-2, 2:-2].copy()
    for down in (-2, 0, 2):
        for right in (-2, 0, 2):
            inner &= np.roll(mask, (down, right), (1, 2))[:, 2:-2, 2:-2]
    return inner.sum() / mask.sum()


def test_thin_things_are_thin(label_maps):
    for name in ("pole", "traffic sign", "traffic light", "rider", "bicycle"):
        assert away_from_others(label_maps == IDS[name]) < 0.5, name
    assert away_from_others(label_maps == IDS["road"]) > 0.8


def test_bonnet_and_rim(label_maps):
    height, width = label_maps.shape[1:]
    for edge in (label_maps[:, 0], label_maps[:, -1], label_maps[:, :, 0], label_maps[:, :, -1]):
        assert (edge == IDS["out of roi"]).all()
    assert (label_maps[:, -2, 8:-8] == IDS["ego vehicle"]).all()
    bonnet = label_maps == IDS["ego vehicle"]
    assert (bonnet == bonnet[0]).all()
    assert 0.02 < bonnet[0].mean() < 0.08
    assert not bonnet[0, : int(0.9 * height)].any()
    picture = render(make_stage(CITY, "train", 0), 0, boxes=False).image
    assert picture[-3:, width // 2].mean() < 90


def test_pictures_show_what_the_labels_say():
    """Of one street: greenery is green, and the sky brighter than the road."""
    frame = render(make_stage(CITY, "train", 3), 0, boxes=False, semantic=True)
    mean = {
        name: frame.image[frame.semantic == IDS[name]].mean(0)
        for name in ("vegetation", "road", "sky")
    }
    assert mean["vegetation"][1] > mean["vegetation"][0]
    assert mean["sky"].mean() > mean["road"].mean()


def test_a_plain_world_has_nothing_of_it():
    plain = WorldConfig.from_dict({**CITY.to_dict(), "scenery": "plain", "train_sequences": 4})
    for index in range(4):
        frame = render(make_stage(plain, "train", index), 0, boxes=False, semantic=True)
        seen = {name for name, value in IDS.items() if (frame.semantic == value).any()}
        assert not seen & {"wall", "fence", "train", "static", "ego vehicle", "out of roi"}


def test_plain_worlds_are_the_same_as_ever():
    """Kept results depend on their content: where everything stands, its size and colours."""
    config = WorldConfig(width=480, height=300, frames_per_sequence=4, frame_interval_s=1.5, seed=1)
    digest = hashlib.sha256()
    for index in range(3):
        stage = make_stage(config, "train", index)
        state = snapshot(stage.sequence, 3)
        palette = state.palette[:, : SLOTS["amber"] + 1]
        ground = (stage.ground.quads, stage.ground.colour)
        for values in (state.position, state.size, palette, state.yaw, *ground):
            digest.update(np.round(np.asarray(values, np.float64) * 1000).astype("<i8").tobytes())
    assert digest.hexdigest() == "8f35cd56098c8bc89cafd8e12942f8ee814e842401211d33aa907249bd668283"


def test_a_city_does_not_depend_on_the_order_of_rendering():
    first = render(make_stage(CITY, "train", 2), 1, semantic=True)
    stage = make_stage(CITY, "train", 2)
    render(stage, 0)
    again = render(stage, 1, semantic=True)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.semantic, again.semantic)
