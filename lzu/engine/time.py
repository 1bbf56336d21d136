"""Latency at batch 1: the paper's protocol, and end to end, all methods interleaved in one process.

The paper (5.1) times the added operations alone, zoom and unzoom, and adds them to the time of
the uniform network. We measure both parts in every round, and beside them whole models from
the image in memory to the result. Every round measures every method at every scale once, in an
order of its own: a machine whose speed drifts over minutes slows all alike, no operation always
finds the caches as the same other one left them, and every comparison is paired within a round.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import torch

from lzu.engine.trained import load_trained
from lzu.experiments.context import Context
from lzu.experiments.methods import BASELINE
from lzu.experiments.run import Run
from lzu.files import write_json
from lzu.results.provenance import collect_provenance
from lzu.results.schema import SAMPLES, TIMING_SCHEMA_NAME, validate_timing
from lzu.results.stamps import timing_stamp

Operation = Callable[[], Any]
Frame = TypeVar("Frame", bound=Sized)
Key = tuple[Run, str]


def with_part(model: Any, name: str, part: Any, operation: Operation) -> Operation:
    """`operation` while `part` is in place of what `model` has by that name."""
    own = getattr(model, name)

    def run() -> Any:
        setattr(model, name, part)
        try:
            return operation()
        finally:
            setattr(model, name, own)

    return run


@dataclass(frozen=True)
class Timed:
    """What a task's `operations` step gives of one model.

    `operations` has one for each of `SAMPLES`; `shapes` are the sizes that their time depends on;
    `reads` are the image and the maps that what is added is given.
    """

    operations: dict[str, Operation]
    shapes: dict[str, Any]
    reads: list[torch.Tensor]


def typical(frames: Sequence[Frame]) -> Frame:
    """The first of the frames with a median number of objects (of two, the lower), of which
    adaptive saliency is timed: a model's own detections would depend on how well it was trained.

    >>> typical(["abc", "d", "ef", "gh"])
    'ef'
    """
    middle = statistics.median_low(len(frame) for frame in frames)
    return next(frame for frame in frames if len(frame) == middle)


def time_task(context: Context) -> None:
    """Measure every method at every scale of the task's first table; write a timing file for each.

    The weights are those of each one's first seed.
    """
    started = datetime.now(UTC)
    settings, runs = context.settings.timing, context.timed_runs
    models = {run: load_trained(context, run) for run in runs}
    device = next(models[runs[0]].parameters()).device
    step = context.task.step
    with torch.inference_mode():
        parts = {run: step("operations")(context, run, models[run]) for run in runs}
        measured = _shared_baselines({run: timed.operations for run, timed in parts.items()})
        for _ in range(settings.warmup):
            for operation in measured.values():
                operation()
        rounds = [_round(measured, device, number) for number in range(settings.rounds)]
    provenance = collect_provenance(started, context.suite.machine_name)
    for run in runs:
        keys = {
            name: (_baseline_of(run, runs) if "baseline" in name else run, name) for name in SAMPLES
        }
        if run.method == BASELINE.name:
            keys["end_to_end"] = (run, "end_to_end_baseline")
        # Uniform resizing adds nothing to itself, and the paper counts it as loading.
        samples = {
            name: [round(r[key], 4) if key in measured else 0.0 for r in rounds]
            for name, key in keys.items()
        }
        _write(context, run, device, parts[run].shapes, samples, provenance)


def _baseline_of(run: Run, runs: list[Run]) -> Run:
    """The uniform run at the same scales; where none is planned, the run itself."""
    scales = (run.from_scale, run.to_scale)
    same = [r for r in runs if r.method == BASELINE.name and (r.from_scale, r.to_scale) == scales]
    return same[0] if same else run


def _shared_baselines(parts: dict[Run, dict[str, Operation]]) -> dict[Key, Operation]:
    """What a round measures: each run's own operations, and each baseline once."""
    measured = {}
    for run, operations in parts.items():
        own = ("added", "end_to_end") if run.method != BASELINE.name else ()
        measured |= {(run, name): operations[name] for name in own}
        baseline = _baseline_of(run, list(parts))
        for name in ("baseline", "end_to_end_baseline"):
            measured[(baseline, name)] = parts[baseline][name]
    return measured


def _write(
    context: Context,
    run: Run,
    device: torch.device,
    shapes: dict[str, Any],
    samples: dict[str, list[float]],
    provenance: dict[str, Any],
) -> None:
    median = {name: statistics.median(values) for name, values in samples.items()}
    pairs = zip(samples["end_to_end"], samples["end_to_end_baseline"], strict=True)
    ratios = [whole / baseline for whole, baseline in pairs]
    identity = run.as_dict()
    identity.pop("seed")
    timing = {
        "schema": TIMING_SCHEMA_NAME,
        "run": identity,
        "stamp": timing_stamp(context, run),
        "device": device.type,
        "dtype": "float32",
        "threads": torch.get_num_threads(),
        "warmup": context.settings.timing.warmup,
        "synchronised": True,
        "batch": 1,
        "shapes": shapes,
        "samples_ms": samples,
        "summary": {
            "baseline_ms": median["baseline"],
            "added_ms": median["added"],
            "latency_ms": median["baseline"] + median["added"],
            "end_to_end_ms": median["end_to_end"],
            "end_to_end_ratio": statistics.median(ratios),
        },
        "provenance": provenance,
    }
    path = context.paths.timing(run)
    validate_timing(timing, path)
    write_json(path, timing)


def _round(measured: dict[Key, Operation], device: torch.device, number: int) -> dict[Key, float]:
    """One time of each operation, in the order of this round."""
    keys = list(measured)
    random.Random(number).shuffle(keys)
    return {key: _milliseconds(measured[key], device) for key in keys}


def _milliseconds(operation: Operation, device: torch.device) -> float:
    _synchronise(device)
    begin = time.perf_counter()
    operation()
    _synchronise(device)
    return 1000 * (time.perf_counter() - begin)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
