"""The benchmarks' one command, on the cheapest case."""

import subprocess
import sys
from pathlib import Path

import pytest

from lzu.report.benchmarks import read_benchmarks
from lzu.results.provenance import machine_name

REPOSITORY = Path(__file__).parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "benchmarks", "--device", "cpu", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_part_of_the_benchmarks_is_measured_printed_and_not_kept(tmp_path):
    options = ("-k", "saliency_of_boxes", "--threads", "1", "--rounds", "6")
    done = bench(*options, "--results", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    path = tmp_path / "benchmarks" / machine_name() / "cpu.json"
    value = read_benchmarks(path)
    assert [case["name"] for case in value["cases"]] == ["saliency of 40 boxes"]
    assert value["threads"] == 1
    assert len(value["cases"][0]["samples_ms"]["operation"]) == 6
    assert "saliency of 40 boxes" in done.stdout
    assert f"written to {path}" in done.stdout
    assert not (tmp_path / "measured").exists()


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
def test_training_iterations_are_measured_against_uniform(tmp_path):
    pytest.importorskip("mmdet")
    options = ("-k", "training_throughput and lzu_fixed", "--rounds", "6")
    done = bench(*options, "--results", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    (case,) = read_benchmarks(tmp_path / "benchmarks" / machine_name() / "cpu.json")["cases"]
    assert (case["baseline"], case["comparison"]) == ("uniform", "speedup")
    assert case["shapes"]["images"] == [4, 3, 400, 640]
    assert [(t["quantity"], t["bound"]) for t in case["targets"]] == [("speedup", 0.95)]
    # a factor of two either way would be a mistake of the benchmark
    assert 0.5 < case["ratio"] < 2
