"""Suite files are read for what they say: a suite, or one line that names the file."""

import copy
import json
import os

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lzu.errors import UserError
from lzu.experiments.reading import read_settings, read_words
from lzu.experiments.suite import Suite, load_suite, parse_suite
from lzu.tasks import TASKS
from tests.experiments.suites import CONFIG, changed, parsed, settings_of


def read(tmp_path, text, name="mine.yaml", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return read_settings(path)


@pytest.mark.parametrize("name", ["demo", "paper", "smoke", "study"])
def test_what_ships_is_read_as_yaml_1_1_reads_it(name):
    assert read_settings(CONFIG / f"{name}.yaml") == settings_of(name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("On", "On"),
        ("true", True),
        ("False", False),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("1e-3", 1e-3),
        ("1.e3", 1000.0),
        (".5", 0.5),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("0.0", 0.0),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'7'", "7"),
        ("[1, no]", [1, "no"]),
        ("{0.5: [1]}", {0.5: [1]}),
    ],
)
def test_plain_words_and_numbers(tmp_path, text, value):
    found = read(tmp_path, f"key: {text}\n")["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("suite: a\nmode: cached\nsuite: b\n", "'suite' stands twice, in lines 1 and 3"),
        ("a: {b: 1, c: 2, b: 3}\n", "'b' stands twice"),
        ("a:\n  b: 1\n  'b': 2\n", "'b' stands twice, in lines 2 and 3"),
        ("a: {0.5: 1, 0.50: 2}\n", "0.5 stands twice, in lines 1 and 1"),
        ("a: {0.5: 1, '0.5': 2}\n", "'0.5' stands twice"),
        ("a: {1: 1, 1.0: 2}\n", "1.0 stands twice"),
        ("a: [", "not valid YAML"),
        ("a: 1\n\tb: 2\n", "not valid YAML"),
        ("a: !!python/object/apply:os.system [x]\n", "not valid YAML.*not read"),
        ("a: !own x\n", "not valid YAML.*not read"),
        ("? [1, 2]\n: 3\n", "single word"),
        ("a: 1\n--- \nb: 2\n", "not valid YAML"),
        ("a: *unknown\n", "not valid YAML"),
        ("- 1\n", "mapping of keys, and this is a list"),
        ("text", "mapping of keys, and this is a str"),
        ("", "mapping of keys, and this is empty"),
        ("# nothing\n", "mapping of keys, and this is empty"),
        ("[" * 5000, "nested too deeply"),
        ("{" * 5000, "nested too deeply"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_what_is_no_suite_file_is_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "mine.yaml: "))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('{"a": {"0.5": 1, "0.50": 2}}', "'0.50' stands twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": ', "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
    ],
)
def test_what_is_no_json_suite_is_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path, text, "mine.json")
    assert "\n" not in str(caught.value)


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path):
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(UserError, match="more than 100000 values"):
        read(tmp_path, "\n".join(lines))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_another_encoding_is_said(tmp_path, encoding):
    with pytest.raises(UserError, match="is not in UTF-8"):
        read(tmp_path, "suite: größe\n", encoding=encoding)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert read(tmp_path, "suite: mine\n", encoding="utf-8-sig") == {"suite": "mine"}


def test_what_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        read_settings(tmp_path)
    with pytest.raises(UserError, match="no such suite file"):
        read_settings(tmp_path / "mine.yaml")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="no such suite file"):
        read_settings(tmp_path / "file" / "mine.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        read_settings(tmp_path / ("long" * 100))
    with pytest.raises(UserError, match="cannot be read"):
        read_settings("a\0b")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="no regular file"):
        read_settings(tmp_path / "pipe")
    (tmp_path / "large.yaml").write_bytes(b"#" * (4 * 2**20 + 1))
    with pytest.raises(UserError, match="too many"):
        read_settings(tmp_path / "large.yaml")


LOOSE = [
    ("schedule.flip", "yes", "flip: .*number.*'yes'"),
    ("schedule.flip", True, "flip: .*number.*True"),
    ("schedule.flip", "0.5", "flip: .*number.*'0.5'"),
    ("seeds", [False, True], r"seeds\.0: .*integer.*False"),
    ("seeds", ["0"], r"seeds\.0: .*integer.*'0'"),
    ("seeds", [0.0], r"seeds\.0: .*integer"),
    ("schedule.epochs", 1.0, "epochs: .*integer"),
    ("schedule.epochs", True, "epochs: .*integer"),
    ("prior.fwhm", float("inf"), r"detection2d\.prior\.fwhm: inf is no finite number"),
    ("prior.fwhm", float("nan"), r"detection2d\.prior\.fwhm: nan is no finite number"),
    ("methods.uniform.scales", ["0.5"], r"scales\.0: .*number.*'0\.5'"),
    ("dataset.native_size", ["64", 64], r"native_size\.0: .*integer"),
    ("model.overrides", {"a": [1, {"b": "7"}]}, r"overrides\.a\[1\]\.b is the text '7'"),
    ("model.overrides", {"a": [1, "1e3"]}, r"overrides\.a\[1\] is the text '1e3'"),
    ("model.overrides", {"a": float("inf")}, r"overrides\.a: inf is no finite number"),
    ("dataset.root", 7, "root: .*string"),
]


@pytest.mark.parametrize(("path", "value", "said"), LOOSE)
def test_a_value_is_taken_for_what_it_is(smoke, path, value, said):
    with pytest.raises(UserError, match=said):
        parsed(changed(smoke, f"detection2d.{path}", value))


TWICE = [
    ("schedule.optimizer", {"type": "SGD", "lr": 0.1}, r"optimizer\.lr: .*methods\.NAME\.learning"),
    ("schedule.optimizer", {"momentum": 0.9}, "optimizer: needs a type"),
    ("model.overrides", {"bbox_head": {"num_classes": 80}}, r"overrides\.bbox_head\.num_classes"),
    ("model.overrides", {"work_dir": "x"}, r"overrides\.work_dir: .*--results"),
    ("model.overrides", {"seed": 1}, r"overrides\.seed: it is seeds"),
    ("model.overrides", {"optim_wrapper": {}}, r"optim_wrapper: it is schedule\.optimizer"),
    ("model.overrides", {"custom_hooks": [{"type": "A"}]}, r"custom_hooks: a suite has no hooks"),
    ("model.overrides", {"uniform_share": 0.1}, r"uniform_share: it is adaptive\.uniform_share"),
    ("model.overrides", {"jitter": [1, 1]}, r"jitter: it is adaptive\.jitter_x"),
    (
        "model",
        {
            "overrides": {"backbone": {"init_cfg": {"type": "Pretrained"}}},
            "initial_weights": {"source": "x", "sha256": 8 * "01234567"},
        },
        r"backbone\.init_cfg: initial_weights are the whole model's",
    ),
    ("dataset.synthetic.width", 640, r"synthetic\.width: it is dataset\.native_size"),
    ("model.overrides", {"native_size": [1, 2]}, r"overrides\.native_size: it is dataset\.native"),
    ("model.overrides", {"type": "FCOS"}, r"overrides\.type: "),
    ("model.overrides", {"resampler": {}}, r"overrides\.resampler: "),
    (
        "model.overrides",
        {"data_preprocessor": {"pad_size_divisor": 64}},
        r"overrides\.data_preprocessor\.pad_size_divisor: ",
    ),
]


@pytest.mark.parametrize(("path", "value", "said"), TWICE)
def test_what_is_set_elsewhere_is_said(smoke, path, value, said):
    with pytest.raises(UserError, match=said):
        parsed(changed(smoke, f"detection2d.{path}", value))


WORLDS = [
    ("frames", 3, "world setting 'frames' is unknown"),
    ("seed", "7", r"\.seed: .*integer.*'7'"),
    ("seed", True, r"\.seed: .*integer.*True"),
    ("train_sequences", 2.0, r"\.train_sequences: .*integer"),
    ("classes", ["cat"], "world setting classes/density is 'cat'"),
    ("density", {"car": "1"}, r"\.density\.car: .*number.*'1'"),
    ("frame_interval_s", 0, "world setting frame_interval_s is 0.0: it must be above 0"),
]


@pytest.mark.parametrize(("key", "value", "said"), WORLDS)
def test_a_world_s_settings_are_looked_at_before_anything_runs(smoke, key, value, said):
    with pytest.raises(UserError, match=rf"detection2d\.dataset\.synthetic.*{said}"):
        parsed(changed(smoke, f"detection2d.dataset.synthetic.{key}", value))


@pytest.mark.parametrize(
    "base", ["retinanet/a.py", "mmdet::", "mmdet::/a.py", "mmdet::a/../../b.py"]
)
def test_a_base_that_leaves_its_folder_is_refused_before_anything_runs(smoke, base):
    with pytest.raises(UserError, match=r"model\.base: .*package::folder/file"):
        parsed(changed(smoke, "detection2d.model.base", base))


def test_values_of_the_command_line_are_read_as_those_of_a_file():
    """Snakemake leaves what is within lists and mappings as texts."""
    words = {"reuse": True, "detection2d": {"seeds": ["0", "no"], "prior": {"fwhm": "1e1"}}}
    words["detection2d"]["schedule"] = {"clip_norm": "null", "optimizer": {"fused": "true"}}
    found = read_words(words)
    assert found == {
        "reuse": True,
        "detection2d": {
            "seeds": [0, "no"],
            "prior": {"fwhm": 10.0},
            "schedule": {"clip_norm": None, "optimizer": {"fused": True}},
        },
    }


def test_home_and_variables_are_expanded_in_paths(smoke, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DATA", "/big/disk")
    for given_root, root in [("~/data", f"{tmp_path}/data"), ("$DATA/a", "/big/disk/a")]:
        found = parsed(changed(smoke, "detection2d.dataset.root", given_root))
        assert found.block("detection2d").dataset.root == root
    for unknown in ("~nobody-of-this-name/data", "$NO_SUCH_VARIABLE/data", "${NO_SUCH}/x"):
        with pytest.raises(UserError, match="names a user or a variable that there is not"):
            parsed(changed(smoke, "detection2d.dataset.root", unknown))


def outcome(read_suite, *arguments):
    try:
        found = read_suite(*arguments, TASKS)
        return "suite" if isinstance(found, Suite) else "something else"
    except UserError as error:
        return str(error)


WORDS = st.sampled_from(
    ["yes", "~", "1e-3", "os.system", "", "..", "0.5", "a: b", "&a", "*a", "{", "\n", "é"]
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)


def paths(block, path=()):
    for key, value in block.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from paths(value, (*path, key))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_changed_suite_is_a_suite_or_an_error_that_names_it(data, tmp_path):
    content = copy.deepcopy(settings_of("smoke"))
    for _ in range(data.draw(st.integers(1, 3))):
        *parents, last = data.draw(st.sampled_from(sorted(paths(content), key=str)))
        block = content
        for key in parents:
            block = block.get(key) if isinstance(block, dict) else None
        if isinstance(block, dict):
            block[last] = data.draw(JUNK)
    for name, text in (
        ("mine.yaml", yaml.safe_dump(content, allow_unicode=True)),
        ("mine.json", json.dumps(content)),
    ):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        assert outcome(load_suite, path).startswith(("suite", f"{path}: "))
    assert outcome(parse_suite, content, "these").startswith(("suite", "these: "))
