"""Benchmark files: what is accepted, what follows from samples, where they go, how they print."""

import copy
import subprocess
from statistics import median

import pytest

from benchmarks.results import (
    SCHEMA_NAME,
    derived,
    kept_path,
    read_benchmarks,
    stats_of,
    validate_benchmarks,
)
from benchmarks.table import benchmark_table
from lzu.errors import UserError
from lzu.files import write_json
from lzu.results.collect import kept_files
from lzu.tasks import TASKS

OPERATION = [0.0010, 0.0011, 0.0009, 0.0010, 0.0012, 0.0010, 0.0008]


def case_of(name, baseline=None, comparison=None, targets=()):
    if baseline is not None:
        baseline = {
            "name": "tile by tile",
            "comparison": comparison,
            "iterations": 1,
            "data": baseline,
        }
    return {
        "case": name,
        "device": "cpu",
        "dtype": "float32",
        "shapes": {"map": [60, 96]},
        "threads": 2,
        "warmup": 3,
        "synchronised": True,
        "baseline": baseline,
        "moved_bytes": 4_000_000,
        "copy_gb_per_s": 8.0,
        "peak_memory_bytes": 3_000_000,
        "output_bytes": 2_000_000,
        "profile": [{"name": "aten::mul", "share": 0.625, "calls": 4}],
        "targets": [{"quantity": quantity, "bound": bound} for quantity, bound in targets],
    }


def benchmark_of(case):
    return {
        "fullname": f"benchmarks/test_constructed.py::test[{case['case']}]",
        "extra_info": derived(case, OPERATION),
        "stats": {**stats_of(OPERATION), "data": list(OPERATION), "iterations": 5},
    }


@pytest.fixture
def value(constructed):
    slow = [0.050, 0.044, 0.054, 0.052, 0.060, 0.049, 0.048]
    cases = [
        case_of("inverse", slow, "speedup", [("speedup", 100), ("memory_per_output", 10)]),
        case_of("zoom", [0.0009] * 7, "cost", [("cost", 1.3), ("time_per_floor", 2.001)]),
        case_of("saliency", targets=[("time_ms", 0.5)]),
    ]
    provenance = constructed.provenance()
    return {
        "machine_info": {"node": "constructed", "cpu": {"brand_raw": "Constructed CPU"}},
        "commit_info": {"id": provenance["git_commit"]},
        "datetime": "2026-01-02T03:04:06+00:00",
        "version": "5.3.1",
        "benchmarks": [benchmark_of(case) for case in cases],
        "lzu": {
            "schema": SCHEMA_NAME,
            "load_before": 0.25,
            "memory_kept": True,
            "provenance": provenance,
        },
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
    results = constructed.repository / "results"
    paths = list((results / "measured" / "benchmarks").rglob("*.*"))
    assert paths
    for path in paths:
        assert kept_path(results, read_benchmarks(path), complete=True) == path


def test_all_follows_from_pairs(value):
    inverse, zoom, saliency = (part["extra_info"] for part in value["benchmarks"])
    pairs = [50 / 1, 44 / 1.1, 54 / 0.9, 52 / 1, 60 / 1.2, 49 / 1, 48 / 0.8]
    assert inverse["baseline"]["ratio"] == pytest.approx(median(pairs))
    # Of seven pairs, already the second smallest and largest would miss 12.5 % of the time.
    assert inverse["baseline"]["interval"] == pytest.approx([min(pairs), max(pairs)])
    assert inverse["baseline"]["median"] == 0.05
    assert inverse["floor"] == pytest.approx(0.0005)
    assert zoom["baseline"]["ratio"] == pytest.approx(1.0 / 0.9)
    assert saliency["baseline"] is None


def test_targets_are_met_or_not(value):
    met = {
        (part["extra_info"]["case"], target["quantity"]): (target["value"], target["met"])
        for part in value["benchmarks"]
        for target in part["extra_info"]["targets"]
    }
    assert met["inverse", "speedup"] == (pytest.approx(50.0), False)
    assert met["inverse", "memory_per_output"] == (1.5, True)
    assert met["zoom", "cost"] == (pytest.approx(1 / 0.9), True)
    assert met["zoom", "time_per_floor"] == (pytest.approx(2.0), True)
    assert met["saliency", "time_ms"] == (1.0, False)


def test_too_few_pairs_have_no_interval():
    baseline = derived(case_of("few", [2.0] * 5, "speedup"), [1.0] * 5)["baseline"]
    assert (baseline["ratio"], baseline["interval"]) == (2.0, None)


def test_what_cannot_be_derived_is_an_error():
    with pytest.raises(ValueError, match="zoom: a target on speedup, which the case has not"):
        derived(case_of("zoom", [1.0], "cost", [("speedup", 2)]), [1.0])
    with pytest.raises(ValueError, match="zoom: pairs are incomplete"):
        derived(case_of("zoom", [1.0], "cost"), [1.0, 2.0])


@pytest.mark.parametrize(
    ("keys", "new", "named"),
    [
        (("lzu", "schema"), "lzu-benchmark/1", "lzu.schema"),
        (("lzu", "memory_kept"), ..., "'memory_kept' is a required property"),
        (("lzu", "colour"), "red", "'colour' was unexpected"),
        (("lzu", "provenance", "machine"), "My Machine", "provenance.machine"),
        (("lzu", "provenance", "machine"), "another", "machine_info.node"),
        (("machine_info", "cpu"), {}, "'brand_raw' is a required property"),
        (("benchmarks",), [], "benchmarks"),
        (("benchmarks", 0, "extra_info"), {}, "benchmarks.0.extra_info"),
        (("benchmarks", 0, "extra_info", "case"), "zoom", "two cases on cpu are called 'zoom'"),
        (("benchmarks", 0, "extra_info", "device"), "tpu", "device"),
        (("benchmarks", 0, "extra_info", "threads"), 0, "threads"),
        (("benchmarks", 0, "extra_info", "dtype"), ..., "'dtype' is a required property"),
        (("benchmarks", 0, "extra_info", "shapes"), [60, 96], "benchmarks.0.extra_info.shapes"),
        (("benchmarks", 0, "extra_info", "baseline"), None, "inverse: a target on speedup"),
        (("benchmarks", 0, "extra_info", "baseline", "data"), [0.05], "pairs are incomplete"),
        (("benchmarks", 0, "extra_info", "baseline", "comparison"), "cost", "on speedup, which"),
        (("benchmarks", 0, "extra_info", "baseline", "interval"), None, "'inverse': baseline"),
        (("benchmarks", 0, "extra_info", "floor"), 0.4, "'inverse': floor: 0.4 does not follow"),
        (("benchmarks", 0, "extra_info", "copy_gb_per_s"), 9.0, "'inverse': floor"),
        (("benchmarks", 0, "extra_info", "targets", 0, "met"), True, "'inverse': targets"),
        (("benchmarks", 0, "extra_info", "targets", 0, "quantity"), "beauty", "0.quantity"),
        (("benchmarks", 2, "extra_info", "targets", 0, "quantity"), "cost", "on cost, which"),
        (("benchmarks", 0, "stats", "data", 2), 0, "benchmarks.0.stats.data.2"),
        (("benchmarks", 0, "stats", "data", 2), 5.0, "'inverse': baseline: "),
        (("benchmarks", 0, "stats", "median"), 0.0011, "'inverse': median: 0.0011 does not"),
        (("benchmarks", 0, "stats", "mean"), ..., "'inverse': mean: None does not"),
        (("benchmarks", 0, "stats", "iterations"), 0, "stats.iterations"),
    ],
)
def test_errors_name_the_file_and_the_case_or_key(value, keys, new, named):
    validate_benchmarks(value, "kept/cpu.json")
    with pytest.raises(UserError) as error:
        validate_benchmarks(edited(value, keys, new), "kept/cpu.json")
    assert str(error.value).startswith("kept/cpu.json: ")
    assert named in str(error.value)
    assert "run make bench again" in str(error.value)


def test_only_a_whole_run_on_a_clean_tree_is_kept(value, tmp_path):
    kept = tmp_path / "measured" / "benchmarks" / "constructed"
    assert kept_path(tmp_path, value, complete=True) == kept / "cpu.json"
    assert kept_path(tmp_path, value, complete=False) is None
    for dirty in (True, None):
        changed = edited(value, ("lzu", "provenance", "git_dirty"), dirty)
        assert kept_path(tmp_path, changed, complete=True) is None
    both = edited(value, ("benchmarks", 0, "extra_info", "device"), "cuda")
    assert kept_path(tmp_path, both, complete=True) == kept / "cpu-cuda.json"


def test_the_table_says_what_was_met(value):
    table = benchmark_table(value)
    lines = {line.split("  ")[0]: line for line in table.splitlines()}
    assert "machine constructed; Constructed CPU; no GPU; torch 2.13.0; freed memory kept" in lines
    assert "on cpu, with 2 CPU threads; copies 8 GB/s" in lines
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


def test_the_table_says_with_how_many_threads_the_cases_ran(value):
    some = edited(value, ("benchmarks", 2, "extra_info", "threads"), 1)
    assert "on cpu, with 1 or 2 CPU threads; " in benchmark_table(some)


def test_devices_have_a_table_each(value):
    both = edited(value, ("benchmarks", 0, "extra_info", "device"), "cuda")
    _, cpu, cuda, *_ = benchmark_table(both).split("\n\n")
    assert cpu.startswith("on cpu")
    assert "\nzoom" in cpu
    assert cuda.startswith("on cuda")
    assert "\ninverse" in cuda


def test_files_print_without_torch(value, tmp_path, blocked_torch, constructed):
    path = tmp_path / "cpu.json"
    write_json(path, value)
    code = "from benchmarks.__main__ import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [*blocked_torch(code), str(path), str(tmp_path / "none.json")],
        cwd=constructed.repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == benchmark_table(value)
    assert done.returncode == 2
    assert "none.json: no such file" in done.stderr


def test_collecting_a_suite_passes_them_by(value, tmp_path):
    write_json(kept_path(tmp_path, value, complete=True), value)
    write_json(tmp_path / "benchmarks" / "constructed" / "cpu.json", value)
    for suite in ("demo", "benchmarks"):
        for folder in (tmp_path / suite, tmp_path / "measured" / suite):
            for task in TASKS:
                assert kept_files(folder, task) == ([], [])
