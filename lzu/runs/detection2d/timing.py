"""Latency at batch 1: the paper's protocol, and end to end, all methods interleaved in one process.

The paper (5.1) times the added operations alone, zoom and unzoom, and adds them to the time of
the uniform network. We measure both parts in every round, and beside them whole detectors from
the image in memory to the boxes. Every round measures every method at every scale once,
beginning with another one each time: a machine whose speed drifts over minutes slows all
alike, and every comparison is paired within a round.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import torch
from mmengine.dataset import pseudo_collate

from lzu.experiments.config import Suite, planned_runs
from lzu.experiments.paths import Paths
from lzu.experiments.run import Run
from lzu.files import write_json
from lzu.models.resamplers import UniformResampler
from lzu.report.provenance import collect_provenance
from lzu.report.schema import SAMPLES, TIMING_SCHEMA_NAME, validate_timing
from lzu.runs.detection2d.predict import load_trained, validation_set

Operation = Callable[[], Any]


def time_suite(suite: Suite, paths: Paths) -> None:
    """Measure every planned method at every scale; write a timing file for each.

    The weights are those of the suite's first seed, the image is the first of the validation set.
    """
    started = datetime.now(UTC)
    settings = suite.detection2d.timing
    runs = timed_runs(suite)
    models = {run: load_trained(suite, run, paths) for run in runs}
    device = next(models[runs[0]].parameters()).device
    with torch.inference_mode():
        parts = {run: _operations(models[run], validation_set(suite, run, paths)) for run in runs}
        measured = _shared_baselines(parts)
        for _ in range(settings.warmup):
            for operation in measured.values():
                operation()
        rounds = [_round(measured, device, first) for first in range(settings.rounds)]
    provenance = collect_provenance(started)
    for run in runs:
        keys = {
            name: (_baseline_of(run, runs) if "baseline" in name else run, name) for name in SAMPLES
        }
        if run.method == "uniform":
            keys["end_to_end"] = (run, "end_to_end_baseline")
        # Uniform resizing adds nothing to itself, and the paper counts it as loading.
        samples = {
            name: [round(r[key], 4) if key in measured else 0.0 for r in rounds]
            for name, key in keys.items()
        }
        _write(run, models[run], samples, suite, paths, provenance)


def timed_runs(suite: Suite) -> list[Run]:
    """One run a method and scale: that of the suite's first seed."""
    return [run for run in planned_runs(suite) if run.seed == suite.detection2d.seeds[0]]


def _baseline_of(run: Run, runs: list[Run]) -> Run:
    """The uniform run at the same scales; where none is planned, the run itself."""
    scales = (run.from_scale, run.to_scale)
    same = [r for r in runs if r.method == "uniform" and (r.from_scale, r.to_scale) == scales]
    return same[0] if same else run


def _shared_baselines(
    parts: dict[Run, dict[str, Operation]],
) -> dict[tuple[Run, str], Operation]:
    """What a round measures: each run's own operations, and each baseline once."""
    measured = {}
    for run, operations in parts.items():
        own = ("added", "end_to_end") if run.method != "uniform" else ()
        measured |= {(run, name): operations[name] for name in own}
        baseline = _baseline_of(run, list(parts))
        for name in ("baseline", "end_to_end_baseline"):
            measured[(baseline, name)] = parts[baseline][name]
    return measured


def _operations(model: Any, dataset: Any) -> dict[str, Operation]:
    """The four operations of one detector, on the first validation image."""
    data = model.data_preprocessor(pseudo_collate([dataset[0]]))
    image, samples = data["inputs"], data["data_samples"]
    pixels = image.float()
    own = model.resampler
    uniform = UniformResampler(model.frames.network).to(image.device)
    network_input, unzoom = model.zoom(image)
    levels = model.pyramid(network_input)
    features = unzoom(levels, model.strides)

    def network() -> Any:
        # The head is given the unzoomed features, on which it finds what it would find.
        model.pyramid(network_input)
        return model.bbox_head.predict(features, samples, rescale=False)

    def added() -> Any:
        own(pixels)
        return unzoom(levels, model.strides)

    def whole(resampler: Any) -> Operation:
        def operation() -> Any:
            model.resampler = resampler
            try:
                return model.predict(image, samples)
            finally:
                model.resampler = own

        return operation

    return {
        "baseline": network,
        "added": added,
        "end_to_end": whole(own),
        "end_to_end_baseline": whole(uniform),
    }


def _write(
    run: Run,
    model: Any,
    samples: dict[str, list[float]],
    suite: Suite,
    paths: Paths,
    provenance: dict[str, Any],
) -> None:
    median = {name: statistics.median(values) for name, values in samples.items()}
    ratios = [
        whole / baseline
        for whole, baseline in zip(
            samples["end_to_end"], samples["end_to_end_baseline"], strict=True
        )
    ]
    identity = run.as_dict()
    identity.pop("seed")
    timing = {
        "schema": TIMING_SCHEMA_NAME,
        "run": identity,
        "device": next(model.parameters()).device.type,
        "dtype": "float32",
        "threads": torch.get_num_threads(),
        "warmup": suite.detection2d.timing.warmup,
        "synchronised": True,
        "batch": 1,
        "shapes": {
            "image": [1, 3, *model.frames.given],
            "network_input": [1, 3, *model.frames.padded],
            "strides": model.strides,
        },
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
    path = paths.timing(run)
    validate_timing(timing, path)
    write_json(path, timing)


def _round(
    measured: dict[tuple[Run, str], Operation], device: torch.device, first: int
) -> dict[tuple[Run, str], float]:
    """One time of each operation, beginning with another one every round."""
    keys = list(measured)
    start = first % len(keys)
    return {key: _milliseconds(measured[key], device) for key in keys[start:] + keys[:start]}


def _milliseconds(operation: Operation, device: torch.device) -> float:
    _synchronise(device)
    begin = time.perf_counter()
    operation()
    _synchronise(device)
    return 1000 * (time.perf_counter() - begin)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
