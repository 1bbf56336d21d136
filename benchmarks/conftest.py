"""What all benchmarks share: options, one `Measure` a device, and what becomes of its cases.

Benchmarks assert no times: what a target asks, and whether it is met, is printed and stored.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from lzu.report.benchmarks import BENCHMARK_SCHEMA_NAME, benchmark_table, write_benchmarks
from lzu.results.provenance import collect_provenance, cpu_model, usable_cores

from .measure import Measure, copy_bandwidth, keep_memory

MEASURES = pytest.StashKey[dict[str, Measure]]()
STARTED = pytest.StashKey[datetime]()
PARTIAL = pytest.StashKey[bool]()
MEMORY_KEPT = pytest.StashKey[bool]()
LOAD = pytest.StashKey[float]()
HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks of lzu")
    group.addoption("--device", choices=("cpu", "cuda"), help="instead of all there are")
    group.addoption("--threads", type=int, default=usable_cores(), help="CPU threads of torch")
    group.addoption("--rounds", type=int, default=15, help="pairs of samples a case")
    group.addoption("--results", type=Path, default=HERE.parent / "results", help="folder")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MEASURES] = {}
    config.stash[STARTED] = datetime.now(UTC)
    # Only a run of the whole folder may stand for the benchmarks.
    config.stash[PARTIAL] = [Path(argument).resolve() for argument in config.args] != [HERE]
    config.stash[LOAD] = os.getloadavg()[0]
    config.stash[MEMORY_KEPT] = keep_memory()
    torch.set_num_threads(config.getoption("threads"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("device")
        if chosen == "cuda" and not torch.cuda.is_available():
            raise pytest.UsageError("--device cuda: torch sees no CUDA device here")
        kinds = [chosen] if chosen else ["cpu", *["cuda"] * torch.cuda.is_available()]
        if metafunc.definition.get_closest_marker("gpu"):
            kinds = [kind for kind in kinds if kind == "cuda"]
        metafunc.parametrize("device", [torch.device(kind) for kind in kinds], ids=str)


def pytest_deselected(items: list[pytest.Item]) -> None:
    if items:
        items[0].config.stash[PARTIAL] = True


@pytest.fixture
def measure(request: pytest.FixtureRequest, device: torch.device) -> Measure:
    measures = request.config.stash[MEASURES]
    if device.type not in measures:
        rounds = request.config.getoption("rounds")
        measures[device.type] = Measure(device, rounds, copy_bandwidth(device))
    return measures[device.type]


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    complete = exitstatus == pytest.ExitCode.OK and not config.stash[PARTIAL]
    # Once for all files, as writing the first one changes the working tree.
    provenance = collect_provenance(config.stash[STARTED])
    for kind, measured in config.stash[MEASURES].items():
        if not measured.cases:
            continue
        value = {
            "schema": BENCHMARK_SCHEMA_NAME,
            "device": kind,
            "device_name": torch.cuda.get_device_name() if kind == "cuda" else cpu_model(),
            "threads": torch.get_num_threads(),
            "load_before": config.stash[LOAD],
            "memory_kept": config.stash[MEMORY_KEPT],
            "copy_gb_per_s": measured.copy_gb_per_s,
            "cases": measured.cases,
            "provenance": provenance,
        }
        path = write_benchmarks(config.getoption("results"), value, complete=complete)
        terminalreporter.section(f"benchmarks on {kind}")
        terminalreporter.write_line(benchmark_table(value))
        terminalreporter.write_line("")
        terminalreporter.write_line(f"written to {path}")
        if "measured" not in path.parts:
            terminalreporter.write_line(
                "(results/measured/ is for all cases, passed, on a clean git tree)"
            )
