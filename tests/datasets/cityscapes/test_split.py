"""The mini-validation set: whole cities or sequences, the wanted size, the same every time."""

import itertools
import json

import pytest

from lzu.datasets.cityscapes.prepare import prepare
from lzu.datasets.cityscapes.split import split_frames, write_split
from lzu.errors import UserError

TRAINING_CITIES = {
    "aachen": 174, "bochum": 96, "bremen": 316, "cologne": 154, "darmstadt": 85, "dusseldorf": 221,
    "erfurt": 109, "hamburg": 248, "hanover": 196, "jena": 119, "krefeld": 99,
    "monchengladbach": 94, "strasbourg": 365, "stuttgart": 196, "tubingen": 144, "ulm": 95,
    "weimar": 142, "zurich": 122,
}  # fmt: skip
"""Cityscapes' own numbers of images."""


def images_of(cities, sequences=1):
    """Records of so many images a city, dealt out to sequences."""
    return [
        {"city": city, "sequence": f"{number % sequences:06d}", "id": f"{city}_{number}"}
        for city, count in cities.items()
        for number in range(count)
    ]


def test_five_hundred_of_the_real_training_images_are_whole_cities():
    images = images_of(TRAINING_CITIES)
    assert len(images) == 2975
    for seed in range(5):
        unit, cities = split_frames(images, 500, seed, "x")
        assert unit == "city"
        assert sum(TRAINING_CITIES[city] for city in cities) == 500
    assert split_frames(images[::-1], 500, 0, "x") == split_frames(images, 500, 0, "x")
    assert len({tuple(split_frames(images, 500, seed, "x")[1]) for seed in range(5)}) > 1


@pytest.mark.parametrize("sizes", [(3, 5, 9), (4, 4, 4, 4), (50, 1, 1), (7, 11)])
@pytest.mark.parametrize("wanted", [1, 2, 6, 10])
def test_no_other_subset_is_nearer(sizes, wanted):
    cities = {f"c{k}": size for k, size in enumerate(sizes)}
    unit, chosen = split_frames(images_of(cities), wanted, 0, "x")
    if unit != "city":
        return
    subsets = itertools.chain.from_iterable(
        itertools.combinations(sizes, n) for n in range(1, len(sizes))
    )
    best = min(abs(sum(subset) - wanted) for subset in subsets)
    assert abs(sum(cities[city] for city in chosen) - wanted) == best <= 0.05 * wanted


def test_where_cities_are_too_large_sequences_are_taken():
    images = images_of({"a": 40, "b": 40}, sequences=8)
    unit, chosen = split_frames(images, 10, 0, "x")
    assert (unit, len(chosen)) == ("sequence", 2)
    assert set(chosen) <= {f"{city}_{number:06d}" for city in "ab" for number in range(8)}
    assert split_frames(images_of({"a": 6}, sequences=3), 2, 0, "x")[0] == "sequence"


def test_what_cannot_be_split():
    with pytest.raises(UserError, match=r"x\.json: all images are of one sequence"):
        split_frames(images_of({"a": 6}), 2, 0, "x.json")
    for wanted in (0, 6, 500):
        with pytest.raises(UserError, match=rf"x\.json: {wanted} of 6 images cannot be set aside"):
            split_frames(images_of({"a": 3, "b": 3}), wanted, 0, "x.json")


@pytest.fixture
def listing(root, tmp_path):
    prepare(root, "train", tmp_path / "train.json", tmp_path / "about.json")
    return tmp_path / "train.json"


def split(listing, **options):
    parts = {
        name: (listing.with_name(f"{name}.json"), listing.with_name(f"{name}.about.json"))
        for name in ("mini_train", "mini_val")
    }
    record = listing.with_name("record.json")
    write_split(listing, parts, record, **{"seed": 0, **options})
    found = [json.loads(file.read_text()) for file, _ in parts.values()]
    assert [json.loads(about.read_text()) for _, about in parts.values()] == [
        part["info"] for part in found
    ]
    return [*found, json.loads(record.read_text())]


@pytest.mark.parametrize("options", [{"images": 2}, {"share": 0.3}])
def test_parts_share_no_group_and_lose_nothing(listing, options):
    whole = json.loads(listing.read_text())
    train, val, record = split(listing, **options)
    assert sorted(train["images"] + val["images"], key=lambda one: one["id"]) == whole["images"]
    assert {image["city"] for image in val["images"]} == set(record["validated_on"])
    assert not {image["city"] for image in train["images"]} & set(record["validated_on"])
    assert (record["unit"], record["wanted"], len(val["images"])) == ("city", 2, 2)
    assert (train["info"]["split"], val["info"]["split"]) == ("mini_train", "mini_val")
    for part, name in ((train, "mini_train"), (val, "mini_val")):
        assert record[name]["images"] == part["info"]["images"] == len(part["images"])
        assert record[name]["fingerprint"] == part["info"]["fingerprint"]
    for name, pixels in whole["info"]["class_pixels"].items():
        parts = (part["info"]["class_pixels"][name] for part in (train, val))
        assert sum(parts) == pixels
    assert record["of"]["fingerprint"] == whole["info"]["fingerprint"]


def test_fingerprints_tell_parts_and_splits_apart(listing):
    prints = [part["info"]["fingerprint"] for part in split(listing, images=2)[:2]]
    assert [part["info"]["fingerprint"] for part in split(listing, images=2)[:2]] == prints
    prints += [part["info"]["fingerprint"] for part in split(listing, images=1)[:2]]
    assert len(set(prints)) == 4


def test_mistakes_of_the_caller(root, listing):
    with pytest.raises(ValueError, match="either images or share"):
        split(listing)
    with pytest.raises(ValueError, match="either images or share"):
        split(listing, images=2, share=0.2)
    with pytest.raises(ValueError, match="parts must be"):
        write_split(listing, {}, listing, images=2, seed=0)
    prepare(root, "val", listing, listing.with_name("about.json"))
    with pytest.raises(UserError, match="are of the val split"):
        split(listing, images=1)
