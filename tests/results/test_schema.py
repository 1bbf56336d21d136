"""Result files: what is accepted, and how what is not is named."""

import copy
import json

import pytest

from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.results.keep import machine_of
from lzu.results.schema import (
    STEPS,
    provenances,
    read_level_error,
    read_metrics,
    read_timing,
    validate_metrics,
    validate_timing,
)
from lzu.tasks import TASKS
from lzu.tasks.detection2d.task import DETECTION2D
from tests.experiments.toy import TOY

RUN = Run("demo", "detection2d", "lzu_fixed", 1.0, 0.5, 3, (("fwhm", "22"),))


@pytest.fixture
def metrics(constructed):
    return constructed.metrics_of(RUN, constructed.invented_metrics(RUN))


@pytest.fixture
def timing(constructed):
    return constructed.timing_of(RUN, [10.0, 11.0, 12.0], [0.5, 0.4, 0.6])


def edited(value, keys, new):
    """A copy with the value at `keys` replaced; `...` removes the key."""
    value = copy.deepcopy(value)
    at = value
    for key in keys[:-1]:
        at = at[key]
    if new is ...:
        del at[keys[-1]]
    else:
        at[keys[-1]] = new
    return value


def read_detection(path):
    return read_metrics(path, DETECTION2D)


def test_every_committed_result_is_valid(constructed):
    """And lies where its content says, but for what came before the machine's class named it."""
    kept = constructed.repository / "results" / "measured"
    checked = 0
    for path in kept.glob("*/*/runs/**/metrics.json"):
        suite, machine, _, task, method, *_ = path.relative_to(kept).parts
        value = read_metrics(path, TASKS[task])
        assert (value["run"]["suite"], machine_of(value)) == (suite, machine)
        assert (value["run"]["task"], value["run"]["method"]) == (task, method)
        checked += 1
    for path in kept.glob("*/*/analysis/**/level_error.json"):
        value = read_level_error(path)
        assert (value["suite"], machine_of(value)) == path.relative_to(kept).parts[:2]
        checked += 1
    for path in kept.glob("*/*/timing/**/*.json"):
        value = read_timing(path)
        assert (value["run"]["suite"], machine_of(value)) == path.relative_to(kept).parts[:2]
        checked += 1
    records = set(kept.glob("*/*/data/*/*_split.json"))
    for path in records:
        # how the training set was split, in the words of the task
        assert read_json(path)["rule"]
    others = set(kept.rglob("*.json")) - records
    assert checked == len({path for path in others if "benchmarks" not in path.parts}) > 0


def test_constructed_files_are_valid(metrics, timing, tmp_path):
    for value, read in ((metrics, read_detection), (timing, read_timing)):
        path = tmp_path / "file.json"
        path.write_text(json.dumps(value))
        assert read(path) == value


def first_version(value):
    """The content of a metrics file as the first version of the schema had it."""
    old = {**value, "schema": "lzu-metrics/1", "provenance": value["provenance"]["score"]}
    old["config_hash"] = old.pop("stamp")
    return old


def test_files_of_the_first_version_are_read_as_the_second(metrics, tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(first_version(metrics)))
    found = read_detection(path)
    assert found == {**metrics, "provenance": {"score": metrics["provenance"]["score"]}}
    assert provenances(found) == [metrics["provenance"]["score"]]


@pytest.mark.parametrize(
    ("keys", "new", "named"),
    [
        (("config_hash",), ..., "'stamp' is a required property"),
        (("provenance",), ..., "provenance.score"),
        (("provenance", "gpu"), ..., "'gpu' is a required property"),
        (("stamp",), "0123456789abcdef", None),
        (("jackknife",), {}, "'unit' is a required property"),
    ],
)
def test_broken_files_of_the_first_version_are_named(metrics, tmp_path, keys, new, named):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(edited(first_version(metrics), keys, new)))
    if named is None:
        assert read_detection(path)["stamp"] == new
        return
    with pytest.raises(UserError, match=named) as error:
        read_detection(path)
    assert str(error.value).startswith(str(path))


def test_steps_are_told_in_their_order_whatever_the_file_s(metrics, constructed):
    """Files have their keys sorted: the machine is where the weights are from all the same."""
    steps = {step: constructed.provenance(f"machine-{step}") for step in STEPS}
    value = json.loads(json.dumps({**metrics, "provenance": steps}, sort_keys=True))
    assert [one["machine"] for one in provenances(value)] == [f"machine-{step}" for step in STEPS]
    assert machine_of(value) == "machine-train"
    del value["provenance"]["train"]
    assert machine_of(value) == "machine-predict"


def test_a_step_may_be_unknown_but_the_last(metrics):
    for step in STEPS[:2]:
        validate_metrics(edited(metrics, ("provenance", step), ...), "m.json", DETECTION2D)
    with pytest.raises(UserError, match="'score' is a required property"):
        validate_metrics(edited(metrics, ("provenance", "score"), ...), "m.json", DETECTION2D)


@pytest.mark.parametrize(
    ("keys", "new", "named"),
    [
        (("schema",), "lzu-metrics/0", "schema"),
        (("schema",), "lzu-metrics/1", "schema"),
        (("run",), ..., "'run' is a required property"),
        (("run", "seed"), -1, "run.seed"),
        (("run", "seed"), 0.5, "run.seed"),
        (("run", "method"), "Zoom!", "run.method"),
        (("run", "suite"), "my suite", "run.suite"),
        (("run", "task"), "tracking", "run.task: tracking, not detection2d"),
        (("run", "from"), 0, "run.from"),
        (("run", "options"), {"fwhm": 22}, "run.options.fwhm"),
        (("run", "colour"), "red", "'colour' was unexpected"),
        (("dataset", "source"), "imagined", "dataset.source"),
        (("dataset", "images"), 0, "dataset.images"),
        (("dataset", "fingerprint"), "", "dataset.fingerprint"),
        (("metrics", "AP"), ..., "'AP' is a required property"),
        (("metrics", "AP"), 101, "metrics.AP"),
        (("metrics", "AP_S"), -100, "metrics.AP_S"),
        (("metrics", "AP"), "high", "metrics.AP"),
        (("metrics", "mIoU"), 5, "'mIoU' was unexpected"),
        (("stamp",), "not a hash", "stamp"),
        (("stamp",), ..., "'stamp' is a required property"),
        (("config_hash",), "0123456789abcdef", "'config_hash' was unexpected"),
        (("training", "initial_weights"), None, "training.initial_weights"),
        (("training", "iterations"), 1.5, "training.iterations"),
        (("provenance", "train", "git_commit"), "main", "provenance.train.git_commit"),
        (("provenance", "score", "git_dirty"), "no", "provenance.score.git_dirty"),
        (("provenance", "predict", "machine"), "My Machine", "provenance.predict.machine"),
        (("provenance", "score", "started_utc"), "yesterday", "provenance.score.started_utc"),
        (("provenance", "score", "gpu"), ..., "'gpu' is a required property"),
        (("provenance", "train", "cores"), 0, "provenance.train.cores"),
        (("provenance", "time"), {}, "'time' was unexpected"),
        (("extra",), 1, "'extra' was unexpected"),
    ],
)
def test_broken_metrics_are_named(metrics, keys, new, named):
    with pytest.raises(UserError) as error:
        validate_metrics(edited(metrics, keys, new), "results/a/metrics.json", DETECTION2D)
    assert str(error.value).startswith("results/a/metrics.json: ")
    assert named in str(error.value)


def test_undefined_metrics_and_unknown_commits_are_allowed(metrics):
    value = edited(metrics, ("metrics", "AP_L"), None)
    value = edited(value, ("provenance", "score", "git_commit"), None)
    validate_metrics(value, "metrics.json", DETECTION2D)


def test_each_task_has_its_own_metrics_and_extras(metrics):
    other = edited(metrics, ("run", "task"), "toy")
    with pytest.raises(UserError, match="metrics"):
        validate_metrics(other, "metrics.json", TOY)
    other = edited(other, ("metrics",), {"accuracy": 50.0})
    validate_metrics(other, "metrics.json", TOY)
    validate_metrics(other | {"classes": {"low": 4, "high": 6}}, "metrics.json", TOY)
    with pytest.raises(UserError, match="'accuracy' is a required property"):
        validate_metrics(edited(other, ("metrics",), {}), "metrics.json", TOY)
    with pytest.raises(UserError, match="'size_bins' was unexpected"):
        validate_metrics(other | {"size_bins": BINS}, "metrics.json", TOY)
    with pytest.raises(UserError, match=r"metrics\.json: classes: .* are not 10 images"):
        validate_metrics(other | {"classes": {"low": 4, "high": 7}}, "metrics.json", TOY)
    with pytest.raises(UserError, match=r"run\.task: detection2d, not toy"):
        validate_metrics(edited(other, ("run", "task"), "detection2d"), "metrics.json", TOY)


@pytest.mark.parametrize(
    ("keys", "new", "named"),
    [
        (("schema",), "lzu-metrics/2", "schema"),
        (("run", "seed"), 0, "'seed' was unexpected"),
        (("batch",), 2, "batch"),
        (("warmup",), -1, "warmup"),
        (("synchronised",), "yes", "synchronised"),
        (("threads",), 0, "threads"),
        (("samples_ms", "added"), [], "samples_ms.added"),
        (("samples_ms", "added"), [0.5, -0.4, 0.6], "samples_ms.added.1"),
        (("samples_ms", "added"), [0.5, 0.4], "unequal numbers of rounds"),
        (("samples_ms", "warm"), [1.0], "'warm' was unexpected"),
        (("summary", "baseline_ms"), 13.0, "summary.baseline_ms"),
        (("summary", "added_ms"), 0.9, "summary.added_ms"),
        (("summary", "latency_ms"), 15.0, "summary.latency_ms"),
        (("summary", "end_to_end_ms"), 1.0, "summary.end_to_end_ms"),
        (("summary", "end_to_end_ratio"), ..., "'end_to_end_ratio' is a required property"),
    ],
)
def test_broken_timings_are_named(timing, keys, new, named):
    with pytest.raises(UserError) as error:
        validate_timing(edited(timing, keys, new), "results/a/1-0.5.json")
    assert str(error.value).startswith("results/a/1-0.5.json: ")
    assert named in str(error.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b'{"schema": "lzu-met', "not valid JSON"),
        (b"", "not valid JSON"),
        (b"[1, 2]", "top level"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_unreadable_files_are_named(tmp_path, content, named):
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    for read in (read_detection, read_timing, read_level_error):
        with pytest.raises(UserError, match=named) as error:
            read(path)
        assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_detection(tmp_path / "none.json")


BINS = {"lower_px": [0, 8, 16], "AP": [None, 20.5, 40], "boxes": [0, 3, 9]}
RELATIVE_BINS = {"lower": [0, 0.01, 0.02], "AP": [None, 20.5, 40], "boxes": [0, 3, 9]}
SIZES = {"AP_S_rel": 5, "AP_M_rel": None, "AP_L_rel": 50}


def test_extras_may_be_there(metrics):
    extras = {"size_bins": BINS, "size_bins_relative": RELATIVE_BINS, "relative": SIZES}
    for name, value in extras.items():
        validate_metrics(metrics | {name: value}, "metrics.json", DETECTION2D)
    validate_metrics(metrics | extras, "metrics.json", DETECTION2D)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("lower", [8, 0, 16], "do not rise"),
        ("lower", [0, 8, 8], "non-unique"),
        ("AP", [None, 20.5], "2 values for 3 bins"),
        ("AP", [10, 20.5, 40], "from 0: AP 10 with 0 boxes"),
        ("AP", [None, None, 40], "from 8: AP None with 3 boxes"),
        ("AP", [None, 20.5, 140], "140"),
        ("boxes", [0, 3, 9, 1], "4 values for 3 bins"),
        ("boxes", ..., "boxes"),
    ],
)
@pytest.mark.parametrize("block", ["size_bins", "size_bins_relative"])
def test_size_bins_fit_together(metrics, block, key, value, problem):
    bins = BINS if block == "size_bins" else {**RELATIVE_BINS, "lower": [0, 8, 16]}
    key = "lower_px" if block == "size_bins" and key == "lower" else key
    broken = edited(metrics | {block: bins}, (block, key), value)
    with pytest.raises(UserError, match=rf"metrics\.json: {block}\W.*{problem}"):
        validate_metrics(broken, "metrics.json", DETECTION2D)


def test_relative_sizes_are_all_three(metrics):
    broken = edited(metrics | {"relative": SIZES}, ("relative", "AP_M_rel"), ...)
    with pytest.raises(UserError, match="relative: 'AP_M_rel' is a required property"):
        validate_metrics(broken, "metrics.json", DETECTION2D)


JACKKNIFE = {
    "unit": "sequence",
    "groups": [[0, 3], [1], [2]],
    "metrics": {"AP": [10.5, 11, None], "AP_S_rel": [1, 2, 3]},
}


def test_a_jackknife_may_be_there(metrics):
    validate_metrics(metrics | {"jackknife": JACKKNIFE}, "metrics.json", DETECTION2D)


@pytest.mark.parametrize(
    ("keys", "value", "problem"),
    [
        (("unit",), "", "jackknife.unit"),
        (("unit",), ..., "'unit' is a required property"),
        (("groups",), [[0, 1]], "jackknife.groups"),
        (("groups",), [[0, 3], [1], []], "jackknife.groups.2"),
        (("groups",), [[0, 3], [1], [3]], "jackknife.groups: a unit is in two groups"),
        (("groups",), [[0, 0], [1], [2]], "jackknife.groups: a unit is in two groups"),
        (("groups",), [["a"], ["b"]], "jackknife.metrics.AP: 3 values for 2 groups"),
        (("metrics", "AP"), [1, 2], "jackknife.metrics.AP: 2 values for 3 groups"),
        (("metrics", "AP"), [1, 2, "x"], "jackknife.metrics.AP.2"),
        (("seed",), 0, "'seed' was unexpected"),
    ],
)
def test_a_jackknife_fits_together(metrics, keys, value, problem):
    broken = edited({**metrics, "jackknife": JACKKNIFE}, ("jackknife", *keys), value)
    with pytest.raises(UserError) as error:
        validate_metrics(broken, "metrics.json", DETECTION2D)
    assert problem in str(error.value)
