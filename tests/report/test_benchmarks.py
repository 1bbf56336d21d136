"""Benchmark files: what is accepted, what follows from samples, where they go, how they print."""

import copy
import subprocess
from statistics import median

import pytest

from lzu.errors import UserError
from lzu.report.benchmarks import (
    BENCHMARK_SCHEMA_NAME,
    benchmark_table,
    read_benchmarks,
    validate_benchmarks,
    with_summary,
    write_benchmarks,
)
from lzu.results.collect import find_result_files


def case_of(name, operation, baseline=None, comparison=None, targets=()):
    paired = baseline is not None
    return {
        "name": name,
        "baseline": "tile by tile" if paired else None,
        "comparison": comparison,
        "dtype": "float32",
        "shapes": {"map": [60, 96]},
        "warmup": 3,
        "synchronised": True,
        "calls_per_sample": {"operation": 5, "baseline": 1 if paired else None},
        "samples_ms": {"operation": list(operation), "baseline": baseline},
        "moved_bytes": 4_000_000,
        "peak_memory_bytes": 3_000_000,
        "output_bytes": 2_000_000,
        "profile": [{"name": "aten::mul", "share": 0.625, "calls": 4}],
        "targets": [{"quantity": quantity, "bound": bound} for quantity, bound in targets],
    }


@pytest.fixture
def value(constructed):
    operation = [1.0, 1.1, 0.9, 1.0, 1.2, 1.0, 0.8]
    cases = [
        case_of(
            "inverse",
            operation,
            [50.0, 44.0, 54.0, 52.0, 60.0, 49.0, 48.0],
            "speedup",
            [("speedup", 100), ("memory_per_output", 10)],
        ),
        case_of("zoom", operation, [0.9] * 7, "cost", [("cost", 1.3), ("time_per_floor", 2)]),
        case_of("saliency", operation, targets=[("time_ms", 0.5)]),
    ]
    return {
        "schema": BENCHMARK_SCHEMA_NAME,
        "device": "cpu",
        "device_name": "Constructed CPU",
        "threads": 2,
        "load_before": 0.25,
        "memory_kept": True,
        "copy_gb_per_s": 8.0,
        "cases": [with_summary(case, 8.0) for case in cases],
        "provenance": constructed.provenance(),
    }


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


def test_every_committed_file_is_valid(constructed):
    kept = constructed.repository / "results" / "measured" / "benchmarks"
    for path in kept.glob("*/*.json"):
        value = read_benchmarks(path)
        assert value["provenance"]["machine"] == path.parent.name
        assert value["device"] == path.stem


def test_summaries_follow_from_pairs(value):
    inverse, zoom, saliency = value["cases"]
    pairs = [50 / 1, 44 / 1.1, 54 / 0.9, 52 / 1, 60 / 1.2, 49 / 1, 48 / 0.8]
    assert inverse["ratio"] == pytest.approx(median(pairs))
    # Of seven pairs, already the second smallest and largest would miss 12.5 % of the time.
    assert inverse["ratio_interval"] == pytest.approx([min(pairs), max(pairs)])
    assert inverse["time_ms"] == 1.0
    assert inverse["baseline_ms"] == 50.0
    assert inverse["floor_ms"] == pytest.approx(0.5)
    assert zoom["ratio"] == pytest.approx(1.0 / 0.9)
    assert saliency["ratio"] is saliency["ratio_interval"] is saliency["baseline_ms"] is None


def test_targets_are_met_or_not(value):
    met = {
        (case["name"], target["quantity"]): (target["value"], target["met"])
        for case in value["cases"]
        for target in case["targets"]
    }
    assert met["inverse", "speedup"] == (pytest.approx(50.0), False)
    assert met["inverse", "memory_per_output"] == (1.5, True)
    assert met["zoom", "cost"] == (pytest.approx(1 / 0.9), True)
    assert met["zoom", "time_per_floor"] == (pytest.approx(2.0), True)
    assert met["saliency", "time_ms"] == (1.0, False)


def test_too_few_pairs_have_no_interval():
    case = with_summary(case_of("few", [1.0] * 5, [2.0] * 5, "speedup"), 8.0)
    assert case["ratio"] == 2.0
    assert case["ratio_interval"] is None


def test_a_target_on_what_a_case_has_not_is_an_error():
    with pytest.raises(ValueError, match="zoom: a target on speedup, which the case has not"):
        with_summary(case_of("zoom", [1.0], [1.0], "cost", [("speedup", 2)]), 8.0)


def test_files_are_read_as_written(value, tmp_path):
    path = write_benchmarks(tmp_path, value, complete=True)
    assert path == tmp_path / "measured" / "benchmarks" / "constructed" / "cpu.json"
    assert read_benchmarks(path) == value


@pytest.mark.parametrize(
    ("complete", "dirty"), [(False, False), (True, True), (True, None), (False, True)]
)
def test_only_a_whole_run_on_a_clean_tree_is_kept(value, tmp_path, complete, dirty):
    value = edited(value, ("provenance", "git_dirty"), dirty)
    path = write_benchmarks(tmp_path, value, complete=complete)
    assert path == tmp_path / "benchmarks" / "constructed" / "cpu.json"


@pytest.mark.parametrize(
    ("keys", "new", "named"),
    [
        (("schema",), "lzu-benchmark/0", "schema"),
        (("device",), "tpu", "device"),
        (("threads",), 0, "threads"),
        (("memory_kept",), ..., "'memory_kept' is a required property"),
        (("colour",), "red", "'colour' was unexpected"),
        (("cases",), [], "cases"),
        (("cases", 0, "name"), "zoom", "two cases are called 'zoom'"),
        (("cases", 0, "dtype"), ..., "'dtype' is a required property"),
        (("cases", 0, "shapes"), [60, 96], "cases.0.shapes"),
        (("cases", 0, "samples_ms", "operation", 2), 0, "cases.0.samples_ms.operation.2"),
        (("cases", 0, "samples_ms", "operation", 2), 5.0, "'inverse': ratio_interval: "),
        (("cases", 0, "samples_ms", "baseline"), [50.0], "pairs are incomplete"),
        (("cases", 0, "baseline"), None, "'inverse': baseline, comparison, "),
        (("cases", 0, "calls_per_sample", "operation"), 0, "calls_per_sample.operation"),
        (("cases", 0, "comparison"), "cost", "inverse: a target on speedup"),
        (("cases", 0, "ratio_interval"), None, "'inverse': ratio_interval"),
        (("cases", 0, "time_ms"), 1.01, "'inverse': time_ms: 1.01 does not follow"),
        (("cases", 0, "floor_ms"), 0.4, "'inverse': floor_ms"),
        (("cases", 0, "targets", 0, "met"), True, "'inverse': targets"),
        (("cases", 0, "targets", 0, "quantity"), "beauty", "cases.0.targets.0.quantity"),
        (("cases", 2, "targets", 0, "quantity"), "cost", "saliency: a target on cost"),
        (("copy_gb_per_s",), 9.0, "'inverse': floor_ms"),
        (("provenance", "machine"), "My Machine", "provenance.machine"),
    ],
)
def test_errors_name_the_file_and_the_case_or_key(value, keys, new, named):
    with pytest.raises(UserError) as error:
        validate_benchmarks(edited(value, keys, new), "kept/cpu.json")
    assert str(error.value).startswith("kept/cpu.json: ")
    assert named in str(error.value)
    assert "run make bench again" in str(error.value)


def test_what_is_not_valid_is_not_written(value, tmp_path):
    with pytest.raises(UserError, match="time_ms"):
        write_benchmarks(tmp_path, edited(value, ("cases", 1, "time_ms"), 2.0), complete=True)
    assert not list(tmp_path.rglob("*"))


def test_the_table_says_what_was_met(value):
    table = benchmark_table(value)
    lines = {line.split("  ")[0]: line for line in table.splitlines()}
    assert "Constructed CPU; 2 CPU threads; torch 2.13.0; copies 8 GB/s; freed memory kept" in lines
    assert "; load before 0.2" in table
    assert "speedup 50x [40, 60]" in lines["inverse"]
    assert "speedup >= 100: NOT MET (50)" in lines["inverse"]
    assert "memory/output <= 10: met (1.5)" in lines["inverse"]
    assert "cost 1.11x" in lines["zoom"]
    assert "time ms <= 0.5: NOT MET (1)" in lines["saliency"]
    assert "targets met: 3 of 5" in table
    # Only where a target is missed.
    assert "where the time of 'inverse' goes: aten::mul 62% (4 calls)" in table
    assert table.count("where the time of") == 2


def test_files_print_without_torch(value, tmp_path, blocked_torch):
    path = write_benchmarks(tmp_path, value, complete=True)
    code = "from lzu.report.benchmarks import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [*blocked_torch(code), str(path), str(tmp_path / "none.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == benchmark_table(value)
    assert done.returncode == 2
    assert "none.json: no such file" in done.stderr


def test_collecting_a_suite_passes_them_by(value, tmp_path):
    write_benchmarks(tmp_path, value, complete=True)
    write_benchmarks(tmp_path, value, complete=False)
    for suite in ("demo", "benchmarks"):
        for mode in ("compute", "cached"):
            assert find_result_files(tmp_path, suite, mode) == ([], [])
