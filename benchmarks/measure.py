"""How a case is measured: time in interleaved pairs, peak memory, and the bandwidth of a copy."""

import ctypes
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from lzu.report.benchmarks import with_summary

Run = Callable[[], Any]

WARMUP = 3
# A sample lasts at least this long, by repeating the call: short calls are lost in the clock.
SAMPLE_MS = 10.0
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


@dataclass
class Measure:
    """Measures the cases of one device.

    Attributes:
        device: where the operations run.
        rounds: pairs of samples a case.
        copy_gb_per_s: see `copy_bandwidth`.
        cases: what was measured, as `lzu.report.benchmarks` has it in its files.
    """

    device: torch.device
    rounds: int
    copy_gb_per_s: float
    cases: list[dict[str, Any]] = field(default_factory=list)

    def __call__(
        self,
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
        """Measure `operation`, in pairs with a baseline if there is one, and note the case.

        Args:
            name: unique in a file.
            operation: returns its outputs: a tensor, or lists, tuples or mappings of them.
            inputs: the tensors that the operation has to read, likewise.
            dtype, shapes: what the case is about, for the file.
            speedup_over: a baseline (name, run), to say how many times faster the operation is.
            cost_of: or one to say how many times its time the operation takes.
            targets: quantity (`lzu.report.benchmarks.QUANTITIES`) -> bound.
            graph: on a GPU, time the replay of a CUDA graph of the operation.
            gradients: for operations that train; others are measured in inference mode.
        """
        comparison = "speedup" if speedup_over else "cost" if cost_of else None
        baseline_name, baseline = speedup_over or cost_of or (None, None)
        with nullcontext() if gradients else torch.inference_mode():
            for _ in range(WARMUP):
                operation()
            peak, outputs = peak_memory(operation, self.device)
            written = total_bytes(outputs)
            del outputs
            timed = graphed(operation) if graph else operation
            calls, samples = sample_pairs(timed, baseline, self.rounds, self.device)
            spent = profile_of(operation, self.device) if targets else []
        case = {
            "name": name,
            "baseline": baseline_name,
            "comparison": comparison,
            "dtype": str(dtype).removeprefix("torch."),
            "shapes": {key: list(shape) for key, shape in shapes.items()},
            "warmup": WARMUP,
            "synchronised": True,
            "calls_per_sample": calls,
            "samples_ms": samples,
            "moved_bytes": total_bytes(inputs) + written,
            "peak_memory_bytes": peak,
            "output_bytes": written,
            "profile": spent,
            "targets": [{"quantity": q, "bound": bound} for q, bound in (targets or {}).items()],
        }
        self.cases.append(with_summary(case, self.copy_gb_per_s))


def sample_pairs(
    operation: Run, baseline: Run | None, rounds: int, device: torch.device
) -> tuple[dict[str, int | None], dict[str, list[float] | None]]:
    """Return calls per sample and samples, in ms a call, of an operation and its baseline.

    Both are measured once in each round, one right after the other, and in every other round the
    baseline comes first: a machine whose speed drifts slows both alike, and neither always
    follows the other.
    """
    runs = {"operation": operation} | ({"baseline": baseline} if baseline else {})
    calls: dict[str, int | None] = {"operation": None, "baseline": None}
    samples: dict[str, list[float] | None] = {"operation": None, "baseline": None}
    for name, run in runs.items():
        once = min(sample_ms(run, 1, device) for _ in range(WARMUP))
        calls[name] = min(MOST_CALLS, math.ceil(SAMPLE_MS / once))
        samples[name] = []
    for number in range(rounds):
        for name in sorted(runs, reverse=number % 2 == 0):
            took = sample_ms(runs[name], calls[name], device)
            samples[name].append(float(f"{took:.6g}"))
    return calls, samples


def sample_ms(run: Run, calls: int, device: torch.device) -> float:
    """Return the time of a call in ms, over `calls` in a row, until the device has done them.

    One call more comes first and does not count: it finds the caches and the allocator as the
    other of a pair left them.
    """
    run()
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record()
        for _ in range(calls):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / calls
    begin = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - begin) * 1e3 / calls


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
    best = min(sample_ms(lambda: target.copy_(source), 1, device) for _ in range(rounds))
    return 2 * COPIED_BYTES / best / 1e6


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
