"""The benchmarks' one command, on the cheapest case."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.results import read_benchmarks
from lzu.results.provenance import cpu_model

REPOSITORY = Path(__file__).parents[2]
CHEAP = ("-k", "saliency_of_boxes", "--threads", "1", "--rounds", "6")


def bench(*arguments: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--device", "cpu", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_part_is_measured_printed_and_compared_with_the_next(tmp_path):
    first, second = tmp_path / "new folder" / "first.json", tmp_path / "second.json"
    done = bench("benchmarks", *CHEAP, "--benchmark-json", first)
    assert done.returncode == 0, done.stdout + done.stderr
    value = read_benchmarks(first)
    (benchmark,) = value["benchmarks"]
    case = benchmark["extra_info"]
    assert (case["case"], case["threads"]) == ("saliency of 40 boxes", 1)
    assert benchmark["params"] == {"device": "cpu"}
    assert len(benchmark["stats"]["data"]) == 6
    assert value["machine_info"]["cpu"]["brand_raw"] == cpu_model()
    assert "saliency of 40 boxes" in done.stdout
    assert f"written to {first}" in done.stdout
    assert "results/measured/ is for all cases" in done.stdout

    compared = ("--benchmark-compare", first, "--benchmark-json", second)
    done = bench("benchmarks/test_warp.py", *CHEAP, *compared)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "benchmark 'saliency of 40 boxes': 2 tests" in done.stdout
    assert "test_saliency_of_boxes[cpu] (NOW)" in done.stdout
    assert "machine_info is different" not in done.stdout + done.stderr


def test_nothing_is_written_where_nothing_is_measured(tmp_path):
    options = ("--benchmark-disable", "--benchmark-json", tmp_path / "none.json")
    done = bench("benchmarks/test_warp.py", *CHEAP, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "written to" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_cases_for_a_gpu_import_without_one():
    pytest.importorskip("triton")
    from benchmarks import test_gpu

    assert callable(test_gpu.box_nodes)
    assert set(test_gpu.FIXED) == {"torch", "triton"}


def test_without_the_openmmlab_packages_training_is_skipped_and_says_why():
    code = (
        "import sys, pytest; sys.modules['mmdet'] = None;"
        "sys.exit(pytest.main(['benchmarks/test_training.py', '-rs', '--threads', '1']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert "training needs the OpenMMLab packages (make env)" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cases", "images"),
    [("training_throughput", [4, 3, 400, 640]), ("segmenter_iteration", [8, 3, 256, 256])],
)
def test_training_iterations_are_measured_against_uniform(tmp_path, cases, images):
    pytest.importorskip("mmdet")
    pytest.importorskip("mmseg")
    path = tmp_path / "training.json"
    options = ("-k", f"{cases} and lzu_fixed", "--rounds", "6")
    done = bench("benchmarks", *options, "--benchmark-json", path)
    assert done.returncode == 0, done.stdout + done.stderr
    (benchmark,) = read_benchmarks(path)["benchmarks"]
    case = benchmark["extra_info"]
    baseline = case["baseline"]
    assert (baseline["name"], baseline["comparison"]) == ("uniform", "speedup")
    assert case["shapes"]["images"] == images
    assert [(t["quantity"], t["bound"]) for t in case["targets"]] == [("speedup", 0.95)]
    # a factor of two either way would be a mistake of the benchmark
    assert 0.5 < baseline["ratio"] < 2
