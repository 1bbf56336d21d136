"""What all benchmarks share: devices, synchronised timing, and ratios of interleaved pairs."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

PAIRS = pytest.StashKey[list[tuple[str, dict[str, Any]]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[PAIRS] = []


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> torch.device:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    return torch.device(request.param)


@dataclass(frozen=True)
class Measure:
    """Times one operation, alone and interleaved with a baseline."""

    benchmark: BenchmarkFixture
    pairs: list[tuple[str, dict[str, Any]]]
    device: torch.device

    def __call__(
        self,
        operation: Callable[[], Any],
        baseline: Callable[[], Any] | None = None,
        *,
        shapes: dict[str, Any],
        dtype: torch.dtype,
        rounds: int = 15,
    ) -> None:
        """Benchmark `operation`; with a `baseline`, also the ratio of their times, pair by pair."""
        info = self.benchmark.extra_info
        info.update(
            device=self._device_name(),
            threads=torch.get_num_threads(),
            torch=torch.__version__,
            dtype=str(dtype).removeprefix("torch."),
            shapes=shapes,
            warmup=3,
        )
        operation, plain = self._finished(operation), self._finished(baseline)
        with torch.inference_mode():
            for _ in range(3):
                operation()
                plain()
            if baseline is not None:
                info["paired"] = _ratio([(_time(operation), _time(plain)) for _ in range(rounds)])
                self.pairs.append((self.benchmark.name, info["paired"]))
            if self.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
                before = torch.cuda.memory_allocated()
                operation()
                peak = torch.cuda.max_memory_allocated() - before
                info["peak_memory_mib"] = peak / 2**20
            self.benchmark.pedantic(operation, rounds=rounds, warmup_rounds=1)

    def _device_name(self) -> str:
        return torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu"

    def _finished(self, operation: Callable[[], Any] | None) -> Callable[[], Any]:
        """Return the operation followed by waiting for it: a GPU only queues work."""

        def run() -> None:
            if operation is not None:
                operation()
            if self.device.type == "cuda":
                torch.cuda.synchronize()

        return run


@pytest.fixture
def measure(
    request: pytest.FixtureRequest, device: torch.device, benchmark: BenchmarkFixture
) -> Measure:
    return Measure(benchmark, request.config.stash[PAIRS], device)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.stash[PAIRS]:
        return
    terminalreporter.section("time relative to F.grid_sample alone (interleaved pairs)")
    for name, paired in config.stash[PAIRS]:
        low, high = paired["ratio_quartiles"]
        terminalreporter.write_line(
            f"{name:<58} {paired['ratio']:6.2f}x [{low:.2f}, {high:.2f}]   "
            f"{paired['operation_ms']:8.3f} ms against {paired['baseline_ms']:8.3f} ms"
        )


def _time(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def _ratio(samples: list[tuple[float, float]]) -> dict[str, Any]:
    operation, baseline = (list(times) for times in zip(*samples, strict=True))
    low, middle, high = statistics.quantiles([a / b for a, b in samples], n=4)
    return {
        "ratio": middle,
        "ratio_quartiles": [low, high],
        "operation_ms": statistics.median(operation),
        "baseline_ms": statistics.median(baseline),
        "samples_ms": {"operation": operation, "baseline": baseline},
    }
