"""Result files: what is accepted, and how what is not is named."""

import copy
import json

import pytest

from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.results.schema import (
    DETECTION3D_METRICS,
    read_level_error,
    read_metrics,
    read_timing,
    validate_metrics,
    validate_timing,
)

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


def test_every_committed_result_is_valid(constructed):
    kept = constructed.repository / "results" / "measured"
    for path in kept.glob("*/*/runs/**/metrics.json"):
        value = read_metrics(path)
        assert value["run"]["suite"] == path.relative_to(kept).parts[0]
        assert value["provenance"]["machine"] == path.relative_to(kept).parts[1]
    for path in kept.glob("*/*/analysis/level_error.json"):
        value = read_level_error(path)
        assert value["suite"] == path.relative_to(kept).parts[0]
        assert value["provenance"]["machine"] == path.relative_to(kept).parts[1]
    for path in kept.glob("*/*/timing/**/*.json"):
        value = read_timing(path)
        assert value["run"]["suite"] == path.relative_to(kept).parts[0]
        assert value["provenance"]["machine"] == path.relative_to(kept).parts[1]


def test_constructed_files_are_valid(metrics, timing, tmp_path):
    for value, read in ((metrics, read_metrics), (timing, read_timing)):
        path = tmp_path / "file.json"
        path.write_text(json.dumps(value))
        assert read(path) == value


@pytest.mark.parametrize(
    ("keys", "new", "named"),
    [
        (("schema",), "lzu-metrics/0", "schema"),
        (("run",), ..., "'run' is a required property"),
        (("run", "seed"), -1, "run.seed"),
        (("run", "seed"), 0.5, "run.seed"),
        (("run", "method"), "zoom", "run.method"),
        (("run", "task"), "tracking", "run.task"),
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
        (("config_hash",), "not a hash", "config_hash"),
        (("training", "initial_weights"), None, "training.initial_weights"),
        (("training", "iterations"), 1.5, "training.iterations"),
        (("provenance", "git_commit"), "main", "provenance.git_commit"),
        (("provenance", "git_dirty"), "no", "provenance.git_dirty"),
        (("provenance", "machine"), "My Machine", "provenance.machine"),
        (("provenance", "started_utc"), "yesterday", "provenance.started_utc"),
        (("provenance", "gpu"), ..., "'gpu' is a required property"),
        (("provenance", "cores"), 0, "provenance.cores"),
        (("extra",), 1, "'extra' was unexpected"),
    ],
)
def test_broken_metrics_are_named(metrics, keys, new, named):
    with pytest.raises(UserError) as error:
        validate_metrics(edited(metrics, keys, new), "results/a/metrics.json")
    assert str(error.value).startswith("results/a/metrics.json: ")
    assert named in str(error.value)


def test_undefined_metrics_and_unknown_commits_are_allowed(metrics):
    value = edited(metrics, ("metrics", "AP_L"), None)
    validate_metrics(edited(value, ("provenance", "git_commit"), None), "metrics.json")


def test_each_task_has_its_own_metrics(metrics):
    solid = edited(metrics, ("run", "task"), "detection3d")
    with pytest.raises(UserError, match="metrics"):
        validate_metrics(solid, "metrics.json")
    values = dict.fromkeys(DETECTION3D_METRICS, 50.0) | {"mAVE": 129.4}
    validate_metrics(edited(solid, ("metrics",), values), "metrics.json")
    flat = edited(metrics, ("run", "task"), "segmentation")
    validate_metrics(edited(flat, ("metrics",), {"mIoU": 50.0, "road": 90.0}), "metrics.json")
    with pytest.raises(UserError, match="mIoU"):
        validate_metrics(edited(flat, ("metrics",), {"road": 90.0}), "metrics.json")


@pytest.mark.parametrize(
    ("keys", "new", "named"),
    [
        (("schema",), "lzu-metrics/1", "schema"),
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
    for read in (read_metrics, read_timing):
        with pytest.raises(UserError, match=named) as error:
            read(path)
        assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_metrics(tmp_path / "none.json")


BINS = {"lower_px": [0, 8, 16], "AP": [None, 20.5, 40], "boxes": [0, 3, 9]}


def test_size_bins_may_be_there(metrics):
    validate_metrics(metrics | {"size_bins": BINS}, "metrics.json")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("lower_px", [8, 0, 16], "do not rise"),
        ("lower_px", [0, 8, 8], "non-unique"),
        ("AP", [None, 20.5], "2 values for 3 bins"),
        ("AP", [10, 20.5, 40], "from 0 px: AP 10 with 0 boxes"),
        ("AP", [None, None, 40], "from 8 px: AP None with 3 boxes"),
        ("AP", [None, 20.5, 140], "140"),
        ("boxes", [0, 3, 9, 1], "4 values for 3 bins"),
        ("boxes", ..., "boxes"),
    ],
)
def test_size_bins_fit_together(metrics, key, value, problem):
    broken = edited(metrics | {"size_bins": BINS}, ("size_bins", key), value)
    with pytest.raises(UserError, match=rf"size_bins.*{problem}"):
        validate_metrics(broken, "metrics.json")
