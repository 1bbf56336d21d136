"""Latency at batch 1: the paper's protocol, and end to end, interleaved in one process.

The paper (5.1) times the added operations alone, zoom and unzoom, and adds them to the time of
the baseline network. We measure both parts in every round, and beside them the whole detector
from the image given to the boxes, with the warp and with uniform resizing, so that every
comparison is paired within a round.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import torch
from mmengine.dataset import pseudo_collate

from lzu.experiments.config import Suite
from lzu.experiments.paths import Paths
from lzu.experiments.run import Run
from lzu.files import write_json
from lzu.models.resamplers import UniformResampler
from lzu.report.provenance import collect_provenance
from lzu.report.schema import TIMING_SCHEMA_NAME, validate_timing
from lzu.runs.detection2d.predict import load_trained, validation_set


def time_run(suite: Suite, run: Run, paths: Paths) -> None:
    """Measure the latency of a trained run and write the timing file of its method and scales."""
    started = datetime.now(UTC)
    model = load_trained(suite, run, paths)
    settings = suite.detection2d.timing
    with torch.inference_mode():
        measured = _measured(model, validation_set(suite, run, paths))
        for _ in range(settings.warmup):
            for operation in measured.values():
                operation()
        rounds = [_round(measured, model, first) for first in range(settings.rounds)]
    names = ("baseline", "added", "end_to_end", "end_to_end_baseline")
    samples = {name: [round(r[name], 4) for r in rounds] for name in names}
    if run.method == "uniform":
        # Uniform resizing adds nothing to itself, and the paper counts it as loading.
        samples["added"] = [0.0] * len(rounds)
    median = {name: statistics.median(samples[name]) for name in names}
    ratios = [a / b for a, b in zip(*(samples[n] for n in names[2:]), strict=True)]
    identity = run.as_dict()
    identity.pop("seed")
    device = next(model.parameters()).device
    timing = {
        "schema": TIMING_SCHEMA_NAME,
        "run": identity,
        "device": device.type,
        "dtype": "float32",
        "threads": torch.get_num_threads(),
        "warmup": settings.warmup,
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
        "provenance": collect_provenance(started),
    }
    path = paths.timing(run)
    validate_timing(timing, path)
    write_json(path, timing)


def _measured(model: Any, dataset: Any) -> dict[str, Callable[[], Any]]:
    """The four things that a round measures, on the first validation image."""
    data = model.data_preprocessor(pseudo_collate([dataset[0]]))
    image, samples = data["inputs"], data["data_samples"]
    own = model.resampler
    uniform = UniformResampler(model.frames.network).to(image.device)
    network_input, unzoom = model.zoom(image)
    levels = model.pyramid(network_input)

    features = unzoom(levels, model.strides)

    def network() -> Any:
        # The head is given the unzoomed features, on which it finds what it would find.
        model.pyramid(network_input)
        return model.bbox_head.predict(features, samples, rescale=False)

    pixels = image.float()

    def added() -> Any:
        own(pixels)
        return unzoom(levels, model.strides)

    def whole(resampler: Any) -> Callable[[], Any]:
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


def _round(measured: dict[str, Callable[[], Any]], model: Any, first: int) -> dict[str, float]:
    """One time of each operation, beginning with another one every round."""
    names = list(measured)
    names = names[first % len(names) :] + names[: first % len(names)]
    return {name: _milliseconds(measured[name], model) for name in names}


def _milliseconds(operation: Callable[[], Any], model: Any) -> float:
    device = next(model.parameters()).device
    _synchronise(device)
    begin = time.perf_counter()
    operation()
    _synchronise(device)
    return 1000 * (time.perf_counter() - begin)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
