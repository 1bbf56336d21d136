"""Values that are not what Argoverse-HD's are: each is named by file, place, id and key."""

import json
import math
import re

import pytest

from lzu.datasets.argoverse_hd.coco import prepare, to_coco
from lzu.datasets.argoverse_hd.reader import load
from lzu.datasets.argoverse_hd.structure import path_problem, shown
from lzu.datasets.argoverse_hd.validation import validate
from lzu.datasets.images import MOST_PIXELS
from lzu.errors import UserError

NAN, HUGE = math.nan, 10**400

INTEGER = "not an integer"
VALUES = {
    ("annotations", "iscrowd"): {
        "neither 0 nor 1": [None, 2, -1, 0.0, 1.0, "0", [], {}, NAN, HUGE],
    },
    ("annotations", "track"): {INTEGER: [None, 1.0, "3", True, NAN, HUGE, 2**60]},
    ("annotations", "image_id"): {INTEGER: [None, 0.0, "0", False, [], NAN, HUGE, -HUGE]},
    ("annotations", "category_id"): {INTEGER: [None, 2.0, "2", True, {}, HUGE]},
    ("annotations", "id"): {INTEGER: [None, 3.0, "3", True, [3], {"id": 3}, NAN, HUGE, 2**63]},
    ("annotations", "bbox"): {
        "not four numbers": [
            None, [], [1, 2, 3], [1, 2, 3, 4, 5], [1, 2, "3", 4], [1, 2, None, 4], "1234",
            [True, 1, 2, 3], [1, 2, HUGE, 4], {"0": 1}, [[1], 2, 3, 4], 7,
        ],
    },
    ("images", "id"): {INTEGER: [None, 1.0, "1", True, HUGE]},
    ("images", "sid"): {INTEGER: [None, 0.0, "0", False, NAN, HUGE]},
    ("images", "fid"): {INTEGER: [None, 1.0, "1", True, HUGE]},
    ("images", "width"): {
        INTEGER: [None, 320.0, "320", True, HUGE], "pixels": [MOST_PIXELS + 1],
    },
    ("images", "height"): {INTEGER: [None, 200.0, "200", NAN, -HUGE]},
    ("images", "name"): {
        "not a text": [None, 3, "", ["a.jpg"], True],
        "not a printable text": ["a\0.jpg", "\ud800.jpg", "a\n.jpg"],
        "out of the images' folder": ["../a.jpg", "a/../../b.jpg", ".."],
        "an absolute path": ["/etc/passwd"],
        "too long": ["a" * 300],
        "empty part": ["a//b.jpg", "./a.jpg"],
    },
    ("categories", "id"): {INTEGER: [None, 1.0, "1", True, HUGE]},
    ("categories", "name"): {"not a text": [None, 7, "", []]},
}  # fmt: skip
CASES = [
    (part, key, value, said)
    for (part, key), problems in VALUES.items()
    for said, values in problems.items()
    for value in values
]


@pytest.mark.parametrize(
    ("part", "key", "value", "said"), CASES, ids=[f"{p}-{k}-{shown(v)}" for p, k, v, _ in CASES]
)
def test_a_value_that_is_none_is_named(root, edit, tmp_path, part, key, value, said):
    path = edit(lambda data: data[part][3].update({key: value}))
    [finding] = validate(root, "train", images="none").errors
    assert (finding.kind, finding.file) == ("bad_value", str(path))
    assert finding.id == (None if key == "id" else 3)
    assert finding.message.startswith(f"{part}[3]: {key!r} is ")
    assert said in finding.message
    assert len(finding.message) < 300
    assert finding.message.isprintable()
    with pytest.raises(UserError, match=re.escape(f"{part}[3]: {key!r} is ")):
        prepare(root, "train", tmp_path / "out.json", tmp_path / "about.json")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("part", ["images", "annotations", "categories"])
@pytest.mark.parametrize("record", [None, 3, [], "x", NAN])
def test_a_record_that_is_none_is_named(root, edit, part, record):
    path = edit(lambda data: data[part].__setitem__(2, record))
    [finding] = validate(root, "train", images="none").errors
    assert (finding.kind, finding.file) == ("bad_record", str(path))
    assert finding.message.startswith(f"{part}[2] is ")


FOLDERS = [
    (None, "not a text"), (3, "not a text"), ("", "not a text"), (["a"], "not a text"),
    ("../elsewhere", "without '..'"), ("train/../../../x", "without '..'"),
    ("train/..", "without '..'"), ("/etc", "an absolute path"), ("a\0", "printable"),
    ("\udc80", "printable"), ("train//a", "empty part"), ("x" * 3000, "too long"),
]  # fmt: skip


@pytest.mark.parametrize(("folder", "said"), FOLDERS)
def test_a_sequence_s_folder_stays_below_the_images(root, edit, folder, said):
    path = edit(lambda data: data["seq_dirs"].__setitem__(1, folder))
    [finding] = validate(root, "train", images="none").errors
    assert finding.file == str(path)
    assert finding.message.startswith("seq_dirs[1] is ")
    assert said in finding.message
    assert said in path_problem(folder)


def test_a_folder_of_two_sequences_is_an_error(root, edit):
    """A split by sequence would have its images on both sides."""
    edit(lambda data: data.update(seq_dirs=[data["seq_dirs"][0], data["seq_dirs"][0] + "/"]))
    [finding] = validate(root, "train", images="none").errors
    assert finding.kind == "duplicate_folder"
    assert finding.message.endswith("which seq_dirs[0] is already")


@pytest.mark.parametrize("part", ["Argoverse-1.1/tracking", "Argoverse-1.1/tracking/train",
                                  "Argoverse-HD", "Argoverse-1.1"])  # fmt: skip
def test_parts_of_the_data_may_be_links(root, tmp_path, part):
    (root / part).rename(tmp_path / "disk")
    (root / part).symlink_to(tmp_path / "disk")
    (tmp_path / "root").symlink_to(root)
    assert validate(tmp_path / "root", "train").findings == ()


def test_sequences_and_images_may_be_links(root, tmp_path):
    folder = next((root / "Argoverse-1.1/tracking/train").iterdir())
    folder.rename(tmp_path / "sequence")
    folder.symlink_to(tmp_path / "sequence")
    image = next(folder.rglob("*.jpg"))
    image.rename(tmp_path / "object")
    image.symlink_to(tmp_path / "object")
    assert validate(root, "train").findings == ()


@pytest.mark.parametrize("value", [None, 3, "ab", {}, [1], [None], ["\ud800"], [[]]])
def test_names_of_sequences_are_texts(root, edit, value):
    edit(lambda data: data.update(sequences=value))
    [finding] = validate(root, "train", images="none").errors
    assert "sequences" in finding.message


JUNK = [None, NAN, math.inf, HUGE, "\ud800", {"a": [NAN, {"b": None}]}, [], -0.0]


@pytest.mark.parametrize("junk", JUNK, ids=map(shown, JUNK))
def test_what_is_not_read_is_named_and_left_out(root, written, edit, junk):
    """Whatever it holds: it reaches no later step."""

    def change(data):
        for part in ("images", "annotations", "categories"):
            data[part][1]["mood"] = junk
            data[part][4]["mood"] = junk
        data["weather"] = junk

    edit(change)
    report = validate(root, "train")
    assert [finding.kind for finding in report.findings] == ["unread_key"] * 3
    assert report.errors == ()
    said = "annotations[1] has a key 'mood', which is not read and left out (2 of 86 have it)"
    assert said in report.text()
    clean = to_coco(load(written, "train"))
    assert json.dumps(to_coco(load(root, "train"))) == json.dumps(clean)


@pytest.mark.parametrize("crowd", [0, 1, False, True])
def test_crowds_are_0_or_1(root, edit, crowd):
    edit(lambda data: data["annotations"][0].update(iscrowd=crowd))
    assert validate(root, "train").findings == ()
    first = to_coco(load(root, "train"))["annotations"][0]
    assert json.dumps(first["iscrowd"]) == str(int(crowd))


def test_numbers_of_frames_may_lie_far_apart(root, edit):
    """As far as a number can be large: not every one between is looked at."""
    edit(lambda data: data["images"][2].update(fid=2**53))
    [finding] = [f for f in validate(root, "train").findings if f.kind == "missing_frame"]
    assert finding.message == (
        f"sequence 0 lacks {2**53 - 2} of frames 0 to {2**53}: 2, 3, 4, 5, 6, ..."
    )


def test_a_giant_size_is_an_error_though_the_suite_names_none(root, edit):
    edit(lambda data: data["images"][1].update(width=20_000, height=20_000))
    [finding] = validate(root, "train", images="none").errors
    assert (finding.id, finding.kind) == (1, "bad_value")
    assert "20000 x 20000, more than" in finding.message


TEXTS = {
    "nested": ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
    "nested objects": ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
    "a long number": ('{"images": [' + "7" * 5000 + "]}", "a number that is none"),
    "a repeated key": (
        '{"images": [{"id": 7, "sid": 0, "id": 8}]}',
        "an object with id 8 has the key 'id' twice",
    ),
    "a repeated list": (
        '{"images": [], "images": []}',
        "an object has the key 'images' twice",
    ),
    "a byte order mark": ("\ufeff{}", "not valid JSON at line 1"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_is_no_plain_json_is_named(root, name):
    text, said = TEXTS[name]
    path = root / "Argoverse-HD/annotations/train.json"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(said)) as error:
        validate(root, "train")
    assert str(path) in str(error.value)
