"""What all benchmarks share: devices, one `Measure` each, and what a file says beside its cases.

Benchmarks assert no times: what a target asks, and whether it is met, is printed and stored.
"""

import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from lzu.results.provenance import collect_provenance, usable_cores

from .measure import Measure, clock_of, copy_bandwidth, keep_memory
from .results import SCHEMA_NAME, kept_path, read_benchmarks
from .table import benchmark_table

STARTED = pytest.StashKey[datetime]()
PARTIAL = pytest.StashKey[bool]()
MEMORY_KEPT = pytest.StashKey[bool]()
LOAD = pytest.StashKey[float]()
WRITTEN = pytest.StashKey[bool]()
HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"

bandwidth_of = cache(copy_bandwidth)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks of lzu")
    group.addoption("--device", choices=("cpu", "cuda"), help="instead of all there are")
    group.addoption("--threads", type=int, default=usable_cores(), help="CPU threads of torch")
    group.addoption("--rounds", type=int, default=15, help="pairs of samples a case")


def pytest_configure(config: pytest.Config) -> None:
    """Set what a run starts from. pytest-benchmark reads its options after this."""
    config.stash[STARTED] = datetime.now(UTC)
    options = config.option
    # Only a run of the whole folder that goes where it should may stand for the benchmarks.
    whole = [Path(argument).resolve() for argument in config.args] == [HERE]
    config.stash[PARTIAL] = not whole or options.benchmark_json is not None
    config.stash[WRITTEN] = False
    config.stash[LOAD] = os.getloadavg()[0]
    config.stash[MEMORY_KEPT] = keep_memory()
    torch.set_num_threads(options.threads)
    if options.benchmark_json is None:
        devices = "-".join(_devices(config))
        machine = collect_provenance(config.stash[STARTED], None)["machine"]
        options.benchmark_json = RESULTS / "benchmarks" / machine / f"{devices}.json"
    # Whatever is stored has its samples: the pairs are of them.
    options.benchmark_save_data = True
    # Its table is for comparisons and histograms of one operation; ours tells of a single run.
    options.benchmark_quiet = not (options.benchmark_compare or options.benchmark_histogram)
    options.benchmark_columns = options.benchmark_columns or ["median", "iqr", "min", "rounds"]


def _devices(config: pytest.Config) -> list[str]:
    chosen = config.getoption("device")
    if chosen == "cuda" and not torch.cuda.is_available():
        raise pytest.UsageError("--device cuda: torch sees no CUDA device here")
    return [chosen] if chosen else ["cpu", *["cuda"] * torch.cuda.is_available()]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        kinds = _devices(metafunc.config)
        if metafunc.definition.get_closest_marker("gpu"):
            kinds = [kind for kind in kinds if kind == "cuda"]
        clocked = [
            pytest.param(kind, marks=pytest.mark.benchmark(timer=clock_of(torch.device(kind))))
            for kind in kinds
        ]
        metafunc.parametrize("device", clocked, indirect=True)


def pytest_deselected(items: list[pytest.Item]) -> None:
    if items:
        items[0].config.stash[PARTIAL] = True


@pytest.fixture
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture
def measure(request: pytest.FixtureRequest, device: torch.device) -> Measure:
    return Measure(device, request.config.getoption("rounds"), bandwidth_of(device))


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    """Say what results are compared by, in terms that do not change from run to run."""
    provenance = collect_provenance(config.stash[STARTED], None)
    machine_info |= {
        "node": provenance["machine"],
        "cpu": {"brand_raw": provenance["cpu"], "count": provenance["cores"]},
        "gpu": provenance["gpu"],
        "driver": provenance["driver"],
    }


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Add what is the same for all cases; leave out cases that were not measured to their end."""
    cases = [part for part in output_json["benchmarks"] if part["extra_info"]]
    for case in cases:
        case["params"] = {name: str(value) for name, value in case["params"].items()}
    output_json["benchmarks"] = cases
    output_json["lzu"] = {
        "schema": SCHEMA_NAME,
        "load_before": config.stash[LOAD],
        "memory_kept": config.stash[MEMORY_KEPT],
        "provenance": collect_provenance(config.stash[STARTED], None),
    }
    config.option.benchmark_json.parent.mkdir(parents=True, exist_ok=True)
    config.stash[WRITTEN] = bool(cases)


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    if not config.stash[WRITTEN]:
        return
    path = config.option.benchmark_json
    value = read_benchmarks(path)
    complete = exitstatus == pytest.ExitCode.OK and not config.stash[PARTIAL]
    kept = kept_path(RESULTS, value, complete=complete)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        path = path.replace(kept)
    terminalreporter.section("benchmarks of lzu")
    terminalreporter.write_line(benchmark_table(value))
    terminalreporter.write_line("")
    terminalreporter.write_line(f"written to {path}")
    if kept is None:
        terminalreporter.write_line(
            "(results/measured/ is for all cases, passed, on a clean git tree)"
        )
