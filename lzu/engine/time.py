"""Latency at batch 1: the paper's protocol, and end to end, all methods interleaved in one process.

The paper (5.1) times the added operations alone, zoom and unzoom, and adds them to the time of
the uniform network. We measure both parts in every round, and beside them whole detectors from
the image in memory to the boxes. Every round measures every method at every scale once,
beginning with another one each time: a machine whose speed drifts over minutes slows all
alike, and every comparison is paired within a round.

What a method adds is all that it does besides the uniform network: making its saliency (from the
previous frame's detections, or by a network), the warp, the zoom, its inverse, the unzoom; FOVEA
has no unzoom and unwarps boxes. A fixed warp and its grids are computed once, before the rounds.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

from lzu.experiments.config import Suite, planned_runs
from lzu.experiments.paths import Paths
from lzu.experiments.run import ADAPTIVE, Run
from lzu.files import read_json, write_json
from lzu.models.resamplers import UniformResampler
from lzu.results.provenance import collect_provenance
from lzu.results.schema import SAMPLES, TIMING_SCHEMA_NAME, validate_timing
from lzu.tasks.detection2d.fovea.detector import FOVEADetector
from lzu.tasks.detection2d.predict import load_trained, validation_set

Operation = Callable[[], Any]


def time_suite(suite: Suite, paths: Paths) -> None:
    """Measure every planned method at every scale; write a timing file for each.

    The weights are those of the suite's first seed, the image is the first of the validation set.
    The previous frame's detections, of which adaptive saliency is made, are the annotated boxes of
    a frame with a median number of them (see `typical_detections`): a model's own would depend on
    how well it was trained. Their number is in the file's `shapes`.
    """
    started = datetime.now(UTC)
    settings = suite.detection2d.timing
    runs = timed_runs(suite)
    models = {run: load_trained(suite, run, paths) for run in runs}
    device = next(models[runs[0]].parameters()).device
    previous = typical_detections(paths)
    with torch.inference_mode():
        parts = {
            run: detector_operations(models[run], validation_set(suite, run, paths), previous)
            for run in runs
        }
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
        shapes = _shapes(models[run], run, len(previous))
        _write(run, models[run], shapes, samples, suite, paths, provenance)


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


def typical_detections(paths: Paths) -> InstanceData:
    """The validation boxes of a frame with a median number of them, as sure detections.

    `bboxes` (n, 4) are in native pixels. Of several such frames it is the first listed.
    """
    content = read_json(paths.annotations("val"))
    boxes: dict[int, list[list[float]]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        left, top, width, height = annotation["bbox"]
        boxes[annotation["image_id"]].append([left, top, left + width, top + height])
    middle = statistics.median_low(len(found) for found in boxes.values())
    typical = next(found for found in boxes.values() if len(found) == middle)
    return InstanceData(bboxes=torch.tensor(typical).reshape(-1, 4), scores=torch.ones(middle))


def detector_operations(model: Any, dataset: Any, previous: InstanceData) -> dict[str, Operation]:
    """The four operations of one detector, on the first validation image."""
    data = pseudo_collate([dataset[0]])
    for sample in data["data_samples"]:
        sample.previous_instances = previous
    data = model.data_preprocessor(data)
    image, samples = data["inputs"], data["data_samples"]
    pixels = image.float()
    own = model.resampler
    uniform = UniformResampler(model.frames.network).to(image.device)
    network_input, unzoom = model.zoom(image, *model.resampler_inputs(samples))
    levels = model.pyramid(network_input)
    features = unzoom(levels, model.strides)
    unwarp = _unwarping(model, features, samples)

    def network() -> Any:
        # The head is given the unzoomed features, on which it finds what it would find.
        model.pyramid(network_input)
        return model.bbox_head.predict(features, samples, rescale=False)

    def added() -> Any:
        _, unzoom = own(pixels, *model.resampler_inputs(samples))
        return unwarp(unzoom(levels, model.strides))

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


def _unwarping(model: Any, features: Any, samples: Any) -> Callable[[Any], Any]:
    """What follows the unzoom: FOVEA unwarps the boxes that suppression chooses from."""
    if not isinstance(model, FOVEADetector):
        return lambda unzoomed: unzoomed
    metas = [sample.metainfo for sample in samples]
    found = model.bbox_head.predict_by_feat(
        *model.bbox_head(features), batch_img_metas=metas, with_nms=False
    )
    boxes = found[0].bboxes.unsqueeze(0)
    return lambda zoomed: zoomed.frame.unwarp(boxes)


def _shapes(model: Any, run: Run, previous: int) -> dict[str, Any]:
    """The sizes that a timing depends on."""
    shapes = {
        "image": [1, 3, *model.frames.given],
        "network_input": [1, 3, *model.frames.padded],
        "strides": model.strides,
    }
    if run.method in ADAPTIVE:
        shapes["previous_boxes"] = previous
    return shapes


def _write(
    run: Run,
    model: Any,
    shapes: dict[str, Any],
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
