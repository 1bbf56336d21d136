"""The order of frames, and what is wrong with one."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzu.datasets.sequences import frame_order, side_by_side
from lzu.errors import UserError


def images(*frames):
    return [{"id": 100 + k, "sid": sid, "fid": fid} for k, (sid, fid) in enumerate(frames)]


def test_fid_is_the_order_whatever_the_listing():
    listed = images((1, 0), (0, 2), (0, 0), (1, 1), (0, 1))
    expected = [[102, 104, 101], [100, 103]]
    assert frame_order(listed, "val.json") == expected
    random.Random(0).shuffle(listed)
    assert frame_order(listed, "val.json") == expected


def test_a_sequence_may_begin_anywhere():
    assert frame_order(images((0, 7), (0, 8)), "val.json") == [[100, 101]]


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([(0, 0), (3, 4), (3, 5), (3, 4)], r"val\.json: sequence 3 repeats fid 4.*101 and 103"),
        ([(0, 0), (2, 0), (2, 2)], r"val\.json: sequence 2 lacks fid 1, "),
        ([(0, 0), (0, 5)], r"val\.json: sequence 0 lacks fid 1 to 4, "),
    ],
)
def test_repeated_and_missing_frames_are_named(frames, said):
    with pytest.raises(UserError, match=said):
        frame_order(images(*frames), "val.json")


def test_numbers_that_go_back_in_time_are_named():
    listed = images((4, 0), (4, 1), (4, 2))
    for image, stamp in zip(listed, (100, 300, 200), strict=True):
        image["file_name"] = f"val/drive_7/front_{stamp}.jpg"
    said = r"val\.json: in sequence 4, fid 2 \(.*front_200\.jpg\) is not later than fid 1 "
    with pytest.raises(UserError, match=said):
        frame_order(listed, "val.json")
    for image in listed:
        image["file_name"] = image["file_name"].replace("_", "-")
    assert frame_order(listed, "val.json") == [[100, 101, 102]]


def test_images_without_numbers_are_named():
    with pytest.raises(UserError, match="image 7 has no sid or no fid"):
        frame_order([{"id": 7, "sid": 0}], "val.json")


@given(st.lists(st.integers(1, 6), max_size=8), st.integers(1, 5))
def test_lanes_take_every_frame_once_and_in_order(lengths, lanes):
    sequences, first = [], 0
    for length in lengths:
        sequences.append(list(range(first, first + length)))
        first += length
    batches = list(side_by_side(sequences, lanes))
    seen = [frame for batch in batches for frame in batch]
    assert sorted(seen) == list(range(first))
    assert all(len(batch) <= lanes for batch in batches)
    for sequence in sequences:
        assert [frame for frame in seen if frame in sequence] == sequence
        assert all(len(set(sequence) & set(batch)) <= 1 for batch in batches)


def test_lanes_stay_full_while_sequences_wait():
    batches = list(side_by_side([[0], [1, 2, 3], [4, 5]], lanes=2))
    assert batches == [[0, 1], [4, 2], [5, 3]]
