"""The benchmarks' one command, on the cheapest case."""

import subprocess
import sys
from pathlib import Path

from lzu.report.benchmarks import read_benchmarks
from lzu.report.provenance import machine_name

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
