"""How a case is measured: time in interleaved pairs, peak memory, and the bandwidth of a copy."""

import ctypes
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from .results import derived

Run = Callable[[], Any]
Clock = Callable[[], float]

WARMUP = 3
# A sample lasts at least this long, by repeating the call: short calls are lost in the clock.
SAMPLE_S = 0.01
MOST_CALLS = 1000
COPIED_BYTES = 2**28


def keep_memory() -> bool:
    """Make this process keep what it frees for the tensors to come, as PyTorch does on a GPU.

    By default glibc may give memory back to the system after any call, depending on what ran
    before; then the next call waits for new pages, up to ten times as long as it takes to write
    to them. Returns whether it worked, which takes glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    trim_threshold, mmap_max = -1, -4
    return mallopt(mmap_max, 0) == 1 and mallopt(trim_threshold, 2**31 - 1) == 1


@dataclass(frozen=True)
class Measure:
    """Measures the cases of one device.

    Attributes:
        device: where the operations run.
        rounds: pairs of samples a case.
        copy_gb_per_s: see `copy_bandwidth`.
    """

    device: torch.device
    rounds: int
    copy_gb_per_s: float

    def __call__(
        self,
        benchmark: BenchmarkFixture,
        name: str,
        operation: Run,
        *,
        inputs: Any,
        dtype: torch.dtype,
        shapes: Mapping[str, Iterable[int]],
        speedup_over: tuple[str, Run] | None = None,
        cost_of: tuple[str, Run] | None = None,
        targets: Mapping[str, float] | None = None,
        graph: bool = False,
        gradients: bool = False,
    ) -> None:
        """Measure `operation`, in pairs with a baseline if there is one, and say so in extra_info.

        With --benchmark-disable the operation runs once, and nothing is measured.

        Args:
            benchmark: pytest-benchmark's fixture, which times the operation with its timer.
            name: unique on a device.
            operation: returns its outputs: a tensor, or lists, tuples or mappings of them.
            inputs: the tensors that the operation has to read, likewise.
            dtype, shapes: what the case is about, for the file.
            speedup_over: a baseline (name, run), to say how many times faster the operation is.
            cost_of: or one to say how many times its time the operation takes.
            targets: quantity (`benchmarks.results.QUANTITIES`) -> bound.
            graph: on a GPU, time the replay of a CUDA graph of the operation.
            gradients: for operations that train; others are measured in inference mode.
        """
        # Each case is a group of its own: only its runs are comparable.
        benchmark.group = name
        baseline_name, baseline = speedup_over or cost_of or (None, None)
        with nullcontext() if gradients else torch.inference_mode():
            if not benchmark.enabled:
                benchmark.pedantic(operation)
                return
            for _ in range(WARMUP):
                operation()
            peak, outputs = peak_memory(operation, self.device)
            written = total_bytes(outputs)
            del outputs
            spent = profile_of(operation, self.device) if targets else []
            timed = graphed(operation) if graph else operation
            paired = time_in_pairs(benchmark, timed, baseline, self.rounds, clock_of(self.device))
        if paired is not None:
            comparison = "speedup" if speedup_over else "cost"
            paired = {"name": baseline_name, "comparison": comparison, **paired}
        case = {
            "case": name,
            "device": self.device.type,
            "dtype": str(dtype).removeprefix("torch."),
            "shapes": {key: list(shape) for key, shape in shapes.items()},
            "threads": torch.get_num_threads(),
            "warmup": WARMUP,
            "synchronised": True,
            "baseline": paired,
            "moved_bytes": total_bytes(inputs) + written,
            "copy_gb_per_s": self.copy_gb_per_s,
            "peak_memory_bytes": peak,
            "output_bytes": written,
            "profile": spent,
            "targets": [{"quantity": q, "bound": bound} for q, bound in (targets or {}).items()],
        }
        benchmark.extra_info.update(derived(case, benchmark.stats.stats.data))


def time_in_pairs(
    benchmark: BenchmarkFixture, operation: Run, baseline: Run | None, rounds: int, clock: Clock
) -> dict[str, Any] | None:
    """Let pytest-benchmark time the operation, and time the baseline between its rounds.

    Two samples of the baseline follow every other round: operation, baseline, baseline, operation,
    and so on. So sample k of the one is right beside sample k of the other, and in every other
    pair the baseline comes first: a machine whose speed drifts slows both alike, and neither
    always follows the other.

    Args:
        benchmark: whose samples become those of the operation, in s a call.
        operation, baseline: what to run; their results are dropped at once.
        rounds: pairs of samples.
        clock: the timer of `benchmark`.

    Returns:
        The baseline's `iterations`, calls a sample, and `data`, its samples in s a call; None
        without a baseline.
    """
    # A result that pytest-benchmark held until the next round would be memory not used again.
    timed = _dropping(operation)
    other = None if baseline is None else _dropping(baseline)
    calls = 0 if other is None else calls_per_sample(other, clock)
    samples: list[float] = []
    ended = count(1)

    def between() -> None:
        done = next(ended)
        if other is not None and done % 2:
            # One, if the last round has no next; none, after a call that is no round.
            for _ in range(min(2, rounds - done + 1)):
                samples.append(sample(other, calls, clock))
        timed()

    own_calls = calls_per_sample(timed, clock)
    benchmark.pedantic(timed, teardown=between, rounds=rounds, iterations=own_calls)
    return None if other is None else {"iterations": calls, "data": samples}


def sample(run: Run, calls: int, clock: Clock) -> float:
    """Return the time of a call in s, over `calls` in a row.

    One call more comes first and does not count: it finds the caches and the allocator as the
    other of a pair left them. `time_in_pairs` makes one before the operation's samples, too.
    """
    run()
    begin = clock()
    for _ in range(calls):
        run()
    return (clock() - begin) / calls


def calls_per_sample(run: Run, clock: Clock) -> int:
    """Return how many calls a sample takes to last `SAMPLE_S`."""
    once = min(sample(run, 1, clock) for _ in range(WARMUP))
    return min(MOST_CALLS, math.ceil(SAMPLE_S / once))


def clock_of(device: torch.device) -> Clock:
    """Return the timer for a device, in s: it reads once the device has done all it was given."""
    return gpu_clock if device.type == "cuda" else time.perf_counter


def gpu_clock() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def _dropping(run: Run) -> Callable[[], None]:
    def call() -> None:
        run()

    return call


def graphed(operation: Run) -> Run:
    """Return a replay of the operation as a CUDA graph; it must not wait for the GPU."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARMUP):
            operation()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        # Kept, as the graph writes to their memory.
        outputs = operation()

    def replay() -> Any:
        graph.replay()
        return outputs

    return replay


def peak_memory(run: Run, device: torch.device) -> tuple[int, Any]:
    """Return the most bytes that tensors made by a call held at any time, and its outputs.

    The outputs count, the inputs do not; nor does what a warm-up left behind to be used again.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        outputs = run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before, outputs
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        outputs = run()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiled.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = [event for event in events if event.get("name") == "[memory]"]
    held = peak = 0
    for change in sorted(changes, key=lambda event: event["args"]["Ev Idx"]):
        held += change["args"]["Bytes"]
        peak = max(peak, held)
    return peak, outputs


def profile_of(run: Run, device: torch.device, most: int = 5) -> list[dict[str, Any]]:
    """Return the operators, or on a GPU the kernels, that a call spends most of its time in.

    Each with its share of all their time, and how often it is called.
    """
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiled:
        for _ in range(WARMUP):
            run()
        if on_gpu:
            torch.cuda.synchronize(device)
    spent = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    times = [(getattr(row, spent), row.key, row.count) for row in profiled.key_averages()]
    whole = sum(time for time, _, _ in times) or 1
    return [
        {"name": name, "share": round(time / whole, 3), "calls": round(calls / WARMUP)}
        for time, name, calls in sorted(times, reverse=True)[:most]
        if time > 0
    ]


def copy_bandwidth(device: torch.device, rounds: int = 10) -> float:
    """Return the bytes read and written by the fastest of some large copies, in GB a second."""
    source = torch.ones(COPIED_BYTES, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    clock = clock_of(device)
    best = min(sample(lambda: target.copy_(source), 1, clock) for _ in range(rounds))
    return 2 * COPIED_BYTES / best / 1e9


def total_bytes(value: Any) -> int:
    """Return the bytes of all tensors in nested lists, tuples and mappings."""
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(value))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    else:
        raise TypeError(f"expected tensors, got {type(value).__name__}")
