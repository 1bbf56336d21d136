"""Constructed result files: invented numbers, made only to test how results are reported."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lzu.experiments.run import Options, Run
from lzu.experiments.tables import Table
from lzu.tasks.detection2d.metrics import COCO
from lzu.tasks.detection2d.tables import TABLE_1
from lzu.tasks.detection2d.task import DETECTION2D

REPOSITORY = Path(__file__).parents[1]
PUBLISHED = REPOSITORY / "results" / "published"


def provenance(machine: str = "constructed") -> dict[str, Any]:
    return {
        "git_commit": "0" * 40,
        "git_dirty": False,
        "machine": machine,
        "platform": "Constructed-OS",
        "cpu": "Constructed CPU",
        "cores": 2,
        "gpu": None,
        "driver": None,
        "python": "3.11.0",
        "torch": "2.13.0",
        "packages": {"torch": "2.13.0"},
        "started_utc": "2026-01-02T03:04:05Z",
        "duration_s": 1.5,
        "peak_memory_mib": 100.0,
    }


def metrics_of(
    run: Run, values: dict[str, float | None], machine: str = "constructed"
) -> dict[str, Any]:
    return {
        "schema": "lzu-metrics/2",
        "run": run.as_dict(),
        "dataset": {
            "name": "constructed",
            "source": "synthetic",
            "fingerprint": "f" * 16,
            "split": "val",
            "images": 10,
        },
        "metrics": values,
        "stamp": "0123456789abcdef",
        "training": {
            "initial_weights": "scratch",
            "iterations": 100,
            "epochs": 3,
            "duration_s": 60.0,
            "images_per_s": 20.0,
        },
        "provenance": {step: provenance(machine) for step in ("train", "predict", "score")},
    }


def timing_of(
    run: Run, baseline: list[float], added: list[float], machine: str = "constructed"
) -> dict[str, Any]:
    block = run.as_dict()
    del block["seed"]
    middle = sorted(baseline)[len(baseline) // 2]
    middle_added = sorted(added)[len(added) // 2]
    end_to_end = [b + a + 1 for b, a in zip(baseline, added, strict=True)]
    middle_all = sorted(end_to_end)[len(end_to_end) // 2]
    return {
        "schema": "lzu-timing/1",
        "run": block,
        "device": "cpu",
        "dtype": "float32",
        "threads": 2,
        "warmup": 3,
        "synchronised": True,
        "batch": 1,
        "shapes": {"image": [1, 3, 100, 160]},
        "samples_ms": {
            "baseline": baseline,
            "added": added,
            "end_to_end": end_to_end,
            "end_to_end_baseline": [value + 1 for value in baseline],
        },
        "summary": {
            "baseline_ms": middle,
            "added_ms": middle_added,
            "latency_ms": middle + middle_added,
            "end_to_end_ms": middle_all,
            "end_to_end_ratio": middle_all / (middle + 1),
        },
        "provenance": provenance(machine),
    }


def invented_metrics(run: Run) -> dict[str, float | None]:
    """AP rises with the scale; LZU gains 2 at 0.5x and loses 1.5 at 0.25x, give or take a seed."""
    gain = {0.25: -1.5, 0.5: 2.0}.get(run.to_scale, 0.1) if run.method == "lzu_fixed" else 0.0
    wobble = 0.3 * run.seed + (0.1 * (run.seed % 2) if run.method == "lzu_fixed" else 0)
    ap = 12 + 25 * run.to_scale + gain + wobble
    values: dict[str, float | None] = {name: ap + 3 * i for i, name in enumerate(COCO)}
    values["AP_L"] = None
    return values


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def write_suite(
    root: Path, runs: list[Run], machine: str = "constructed"
) -> tuple[list[Path], list[Path]]:
    """Result files of `runs` under `root`, as a suite lays them out: metrics, timings."""
    metrics = [
        write_json(
            root / run.path / "metrics.json", metrics_of(run, invented_metrics(run), machine)
        )
        for run in runs
    ]
    timings = []
    for run in runs:
        base = 100 * run.to_scale**1.5
        added = [0.0] * 9 if run.method == "uniform" else [0.8, 0.8, 0.8, 1, 1, 1, 1.4, 1.4, 1.4]
        rounds = [base + extra for extra in (0, 0, 0, 0.5, 0.5, 0.5, 2, 2, 2)]
        timing = timing_of(run, rounds, added, machine)
        timings.append(write_json(root / run.timing_path, timing))
    return metrics, sorted(set(timings))


def collected(metrics: list[Path], timings: list[Path]) -> Any:
    """The collected frame of result files of the constructed task."""
    from lzu.results.collect import collect

    return collect(DETECTION2D, metrics, timings)


def compared(
    frame: Any, planned: list[Run], table: Table = TABLE_1, machine: str | None = None
) -> Any:
    """A table's report of a collected frame."""
    from lzu.report.compare.comparison import compare

    return compare(table, DETECTION2D, "demo", frame, PUBLISHED, planned, machine)


SELECTION = {"uniform": (0.25, 0.5, 0.75), "lzu_fixed": (0.25, 0.5, 0.75)}


def runs_of(
    selection: dict[str, tuple[float, ...]],
    seeds: tuple[int, ...] = (0, 1, 2),
    options: Options = (),
) -> list[Run]:
    """The runs of methods at scales, as a suite would plan them for the first table."""
    return [
        Run("demo", DETECTION2D.name, method, 1.0, scale, seed, options)
        for method, scales in selection.items()
        for scale in scales
        for seed in seeds
    ]


@pytest.fixture(scope="session")
def constructed() -> SimpleNamespace:
    """The makers of this file, as a fixture: tests cannot import from one another's folders."""
    return SimpleNamespace(
        provenance=provenance,
        metrics_of=metrics_of,
        timing_of=timing_of,
        invented_metrics=invented_metrics,
        write_json=write_json,
        write_suite=write_suite,
        runs_of=runs_of,
        collect=collected,
        compare=compared,
        repository=REPOSITORY,
        published=PUBLISHED,
    )


@pytest.fixture
def planned() -> list[Run]:
    return runs_of(SELECTION)


@pytest.fixture
def suite_files(tmp_path: Path, planned: list[Run]) -> tuple[list[Path], list[Path]]:
    return write_suite(tmp_path / "demo", planned)


@pytest.fixture
def blocked_torch() -> Callable[[str], list[str]]:
    """Gives the command of a Python whose torch and mm* imports fail, running the given code."""
    block = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'torch', 'mmengine', 'mmcv', 'mmdet', 'cv2', 'scipy'}:\n"
        "            raise ImportError(name + ' is blocked')\n"
        "sys.meta_path.insert(0, Block())\n"
    )
    return lambda code: [sys.executable, "-c", block + code]
