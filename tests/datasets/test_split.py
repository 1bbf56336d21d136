"""Splitting a training set by sequence: whole sequences, the wanted share, the same every time."""

import hashlib
import json

import pytest

from lzu.datasets.argoverse_hd.split import split_sequences, write_split
from lzu.errors import UserError

FOLDERS = [f"train/log-{letter}" for letter in "abcdefgh"]


def images_of(counts):
    """counts[sid] images of each sequence."""
    sids = [sid for sid, count in enumerate(counts) for _ in range(count)]
    return [{"id": number, "sid": sid} for number, sid in enumerate(sids, start=10)]


def by_hand(counts, share, seed):
    """The rule, spelled out: try every prefix of the hashed order, take the nearest."""
    used = [sid for sid, count in enumerate(counts) if count]
    digests = {sid: hashlib.sha256(f"{seed} {FOLDERS[sid]}".encode()).hexdigest() for sid in used}
    order = sorted(used, key=digests.get)
    prefixes = [order[:n] for n in range(1, len(order))]
    off = [abs(sum(counts[sid] for sid in prefix) - share * sum(counts)) for prefix in prefixes]
    val = prefixes[off.index(min(off))]
    return sorted(set(used) - set(val)), sorted(val)


@pytest.mark.parametrize("counts", [[10] * 8, [100, 1, 1, 1, 1, 1, 1, 1], [3, 0, 5, 7, 2, 0, 9, 4]])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("seed", [0, 1])
def test_split_is_the_rule(counts, share, seed):
    found = split_sequences(images_of(counts), FOLDERS, share, seed, "x")
    assert found == by_hand(counts, share, seed)


def test_split_of_equal_sequences_has_the_share():
    train, val = split_sequences(images_of([10] * 5), FOLDERS, 0.2, 0, "x")
    assert (len(train), len(val)) == (4, 1)


def test_split_follows_names_and_not_the_file_s_order():
    images = images_of([4] * 8)
    expected = split_sequences(images, FOLDERS, 0.3, 0, "x")
    assert split_sequences(images[::-1], FOLDERS, 0.3, 0, "x") == expected
    renumbered = [{**image, "sid": 7 - image["sid"]} for image in images]
    train, val = split_sequences(renumbered, FOLDERS[::-1], 0.3, 0, "x")
    assert ({7 - s for s in train}, {7 - s for s in val}) == tuple(map(set, expected))


def test_another_seed_is_another_split():
    splits = {tuple(split_sequences(images_of([4] * 8), FOLDERS, 0.3, s, "x")[1]) for s in range(6)}
    assert len(splits) > 1


@pytest.mark.parametrize("share", [0, 1, -0.2, 1.5, float("nan")])
def test_a_share_out_of_range_is_an_error(share):
    with pytest.raises(
        UserError, match=r"detection2d\.search\.validation_share: .*between 0 and 1"
    ):
        split_sequences(images_of([4] * 8), FOLDERS, share, 0, "x")


def test_a_single_sequence_cannot_be_split():
    with pytest.raises(UserError, match=r"x\.json: 1 sequence\(s\) with images"):
        split_sequences(images_of([4]), FOLDERS, 0.2, 0, "x.json")


@pytest.fixture
def prepared(tmp_path):
    images = images_of([2, 3, 4, 1])
    annotations = [
        {"id": n, "image_id": image["id"], "category_id": 2, "bbox": [0, 0, n, 1]}
        for n, image in enumerate(images * 2, start=1)
    ]
    content = {
        "info": {
            "dataset": "argoverse_hd", "split": "train", "source": "synthetic", "root": "/r",
            "fingerprint": "f" * 64, "images": 10, "annotations": 20, "clipped_boxes": 3,
        },
        "categories": [{"id": 2, "name": "car"}],
        "images": images,
        "annotations": annotations,
        "sequences": [],
        "seq_dirs": FOLDERS[:4],
    }  # fmt: skip
    path = tmp_path / "train.json"
    path.write_text(json.dumps(content))
    return path


def split(path, share=0.3, seed=0):
    names = {"train": "search_train", "val": "search_val"}
    parts = {
        part: (path.with_name(f"{name}.json"), path.with_name(f"{name}.about.json"))
        for part, name in names.items()
    }
    record = path.with_name("record.json")
    write_split(path, parts, record, share=share, seed=seed)
    found = [json.loads(file.read_text()) for file, _ in parts.values()]
    assert [json.loads(about.read_text()) for _, about in parts.values()] == [
        part["info"] for part in found
    ]
    return [*found, json.loads(record.read_text())]


def test_parts_share_no_sequence_and_lose_nothing(prepared):
    whole = json.loads(prepared.read_text())
    train, val, record = split(prepared)
    for key in ("images", "annotations"):
        joined = sorted(train[key] + val[key], key=lambda one: one["id"])
        assert joined == whole[key]
    assert not {i["sid"] for i in train["images"]} & {i["sid"] for i in val["images"]}
    for part in (train, val):
        ids = {image["id"] for image in part["images"]}
        assert {one["image_id"] for one in part["annotations"]} == ids
        assert part["info"]["images"] == len(part["images"])
        assert part["info"]["annotations"] == len(part["annotations"]) == 2 * len(ids)
        assert part["seq_dirs"] == FOLDERS[:4]
    assert (train["info"]["split"], val["info"]["split"]) == ("search_train", "search_val")
    assert (record["seed"], record["validation_share"]) == (0, 0.3)
    assert record["of"]["fingerprint"] == "f" * 64
    assert sorted(record["train"]["sequences"] + record["val"]["sequences"]) == FOLDERS[:4]
    assert record["val"]["fingerprint"] == val["info"]["fingerprint"]


def test_fingerprints_tell_parts_splits_and_data_apart(prepared):
    prints = [part["info"]["fingerprint"] for part in split(prepared)[:2]]
    assert [part["info"]["fingerprint"] for part in split(prepared)[:2]] == prints
    prints += [part["info"]["fingerprint"] for part in split(prepared, share=0.8)[:2]]
    prepared.write_text(prepared.read_text().replace("f" * 64, "e" * 64))
    prints += [part["info"]["fingerprint"] for part in split(prepared)[:2]]
    assert len(set(prints)) == 6


def test_validation_annotations_are_refused(prepared):
    prepared.write_text(prepared.read_text().replace('"split": "train"', '"split": "val"'))
    with pytest.raises(UserError, match="of the val split"):
        split(prepared)
