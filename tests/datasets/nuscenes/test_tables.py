"""Tables are read a piece at a time, and what is no table is told."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzu.datasets.nuscenes import tables
from lzu.datasets.nuscenes.layout import TABLES
from lzu.datasets.nuscenes.reader import load
from lzu.datasets.nuscenes.tables import Table
from lzu.errors import UserError
from tests.datasets.nuscenes import maker

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-(2**53), 2**53)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)  # fmt: skip
ROWS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=6)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "table.json"


@given(ROWS, st.sampled_from([None, 0, 3]), st.booleans(), st.integers(1, 40))
def test_rows_are_those_of_json_wherever_pieces_end(file, rows, indent, ascii_only, piece):
    file.write_text(f" {json.dumps(rows, indent=indent, ensure_ascii=ascii_only)}\n\n", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "PIECE", piece)
        assert list(Table(file)) == rows


BROKEN = {
    "nothing": ("", "it ends where [ should follow"),
    "an object": ("{}", "holds no list of rows"),
    "a value": ("3", "holds no list of rows"),
    "cut within a row": ('[{"token": "a"}, {"tok', "in row 1"),
    "cut after a row": ('[{"token": "a"}', "it ends where , or ] should follow"),
    "cut after a comma": ('[{"token": "a"}, ', "it ends where a row should follow"),
    "cut at the start": ("[", "it ends where a row or ] should follow"),
    "a comma too many": ('[{"token": "a"},]', "in row 1"),
    "a comma too few": ('[{"token": "a"} {"token": "b"}]', "no comma follows a row"),
    "a row that is none": ('[{"token": "a"}, 7]', "row 1 is 7, not an object"),
    "another list": ('[{"token": "a"}] []', "something follows its list"),
    "a number of too many digits": (f'[{{"token": {"9" * 5000}}}]', "in row 0"),
    "too deep": ("[" * 200_000, "in row 0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_table_is_told_with_its_file(file, name):
    text, problem = BROKEN[name]
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        list(Table(file))
    assert problem in str(caught.value)
    assert str(caught.value).startswith(str(file))
    assert "get it again" in str(caught.value) or "get the table again" in str(caught.value)


def test_bytes_that_are_no_text(file):
    file.write_bytes(b'[{"token": "\xff"}]')
    with pytest.raises(UserError, match="is not text"):
        list(Table(file))
    file.unlink()
    with pytest.raises(UserError, match=r"table is missing: get the metadata"):
        list(Table(file))
    file.mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        list(Table(file))
    file.rmdir()


def test_memory_does_not_grow_with_the_table(file):
    row = json.dumps({"token": "a" * 32, "translation": [1.5, 2.5, 3.5], "filename": "x" * 200})
    peaks = []
    for count in (15_000, 60_000):
        file.write_text(f"[{','.join([row] * count)}]")
        tracemalloc.start()
        assert sum(1 for _ in Table(file)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 12 * tables.PIECE


WRONG = {
    ("sample", "timestamp"): ["1", 1.5, None, -1, True, 2**60],
    ("sample", "scene_token"): [None, 5, ["a"]],
    ("sample", "token"): [7],
    ("scene", "name"): [None],
    ("sample_data", "is_key_frame"): [1, "true"],
    ("sample_data", "calibrated_sensor_token"): [[], None],
    ("sample_data", "filename"): [3],
    ("sample_data", "height"): ["900", 900.0],
    ("ego_pose", "rotation"): [[1, 0, 0], "1 0 0 0", [1, 0, 0, None], [1, 0, 0, 10**400]],
    ("ego_pose", "translation"): [[1, 2, 3, 4], None],
    ("calibrated_sensor", "rotation"): [[[1, 0, 0, 0]]],
    ("sample_annotation", "size"): [[1, 2], [1, 2, "3"], [True, 2, 3]],
    ("sample_annotation", "attribute_tokens"): ["", [3]],
    ("sample_annotation", "num_lidar_pts"): [1.0, -1, None],
    ("sample_annotation", "prev"): [None],
    ("instance", "category_token"): [None],
    ("visibility", "level"): [4],
    ("attribute", "name"): [None],
}


@pytest.mark.parametrize(("name", "key"), WRONG)
def test_a_row_without_a_key_or_with_a_value_of_another_type(small, name, key):
    root, made, again = small
    row = _used(made)[name]
    values = [*WRONG[name, key], KeyError]
    for value in values:
        before = row.pop(key)
        if value is not KeyError:
            row[key] = value
        again(name)
        with pytest.raises(UserError) as caught:
            load(root, maker.VERSION, "train")
        text = str(caught.value)
        assert text.startswith(f"{root / maker.VERSION / name}.json, token ")
        if key != "token":
            assert row["token"] in text
        assert f"{key!r} is" in text or f"has no key {key!r}" in text
        row[key] = before
    again(name)
    assert load(root, maker.VERSION, "train").findings == ()


def _used(made):
    """Of each table a row that the training split uses."""
    rows = {name: rows[0] for name, rows in made.items()}
    token = maker.token
    samples = {token("sample", scene, k) for scene in maker.SCENES["train"] for k in range(3)}
    data = next(
        row for row in made["sample_data"]
        if row["sample_token"] in samples and row["filename"].startswith("samples/CAM_BACK/")
    )  # fmt: skip
    rows["sample_data"] = data
    rows["sample"] = next(row for row in made["sample"] if row["token"] in samples)
    poses = {row["token"]: row for row in made["ego_pose"]}
    rows["ego_pose"] = poses[data["ego_pose_token"]]
    rows["sample_annotation"] = next(
        row for row in made["sample_annotation"] if row["sample_token"] in samples
    )
    return rows


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_table_is_told_with_where_to_get_it(small, name):
    root = small[0]
    (root / maker.VERSION / f"{name}.json").unlink()
    with pytest.raises(
        UserError, match=rf"v1.0-trainval has no {name}\.json, .*nuscenes.org.*the root$"
    ):
        load(root, maker.VERSION, "train")


def test_a_missing_root_is_told(tmp_path):
    for root, state in ((tmp_path / "none", "does not exist"), (tmp_path, "is empty")):
        with pytest.raises(UserError, match=f"{state}.*nuscenes.org"):
            load(root, maker.VERSION, "train")


def test_a_version_that_is_not_there(small, tmp_path):
    with pytest.raises(UserError, match=r"no v1\.0-mini; set dataset\.version to v1\.0-trainval"):
        load(small[0], "v1.0-mini", "train")
    real = maker.write(tmp_path / "real", small[1], images=False, marked=False)
    with pytest.raises(UserError, match=r"v1.0-mini has no category.json, .*v1.0-mini.tgz"):
        load(real, "v1.0-mini", "train")
