"""The schemas of result files, and reading them with a check."""

import math
import os
from functools import cache
from statistics import median
from typing import Any

import jsonschema

from lzu.errors import UserError
from lzu.experiments.run import METHODS, TASKS
from lzu.files import read_json

METRICS_SCHEMA_NAME = "lzu-metrics/1"
TIMING_SCHEMA_NAME = "lzu-timing/1"
LEVEL_ERROR_SCHEMA_NAME = "lzu-level-error/1"

DETECTION2D_METRICS = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L")
DETECTION3D_METRICS = ("NDS", "mAP", "mATE", "mASE", "mAOE", "mAVE", "mAAE")
SAMPLES = ("baseline", "added", "end_to_end", "end_to_end_baseline")
LEVEL_CELLS = ("aligned", "half_pixel", "stride")
LEVEL_UNITS = ("image", "finest", "level")
SUMMARY = ("baseline_ms", "added_ms", "latency_ms", "end_to_end_ms", "end_to_end_ratio")

TEXT = {"type": "string", "minLength": 1}
TEXT_OR_NULL = {"type": ["string", "null"], "minLength": 1}
NON_NEGATIVE = {"type": "number", "minimum": 0}
COUNT = {"type": "integer", "minimum": 0}
SCALE = {"type": "number", "exclusiveMinimum": 0}
PERCENT = {"type": ["number", "null"], "minimum": 0, "maximum": 100}


def closed(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object with exactly these keys, all required but the `optional` ones."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


RUN_OF_ALL_SEEDS = {
    "suite": {"type": "string", "pattern": "^[a-z0-9_]+$"},
    "task": {"enum": list(TASKS)},
    "method": {"enum": list(METHODS)},
    "from": SCALE,
    "to": SCALE,
    "options": {"type": "object", "additionalProperties": {"type": "string"}},
}

PROVENANCE = closed(
    {
        "git_commit": {"type": ["string", "null"], "pattern": "^[0-9a-f]{40,64}$"},
        "git_dirty": {"type": ["boolean", "null"]},
        "machine": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
        "platform": TEXT,
        "cpu": TEXT,
        "cores": {"type": "integer", "minimum": 1},
        "gpu": TEXT_OR_NULL,
        "driver": TEXT_OR_NULL,
        "python": TEXT,
        "torch": TEXT_OR_NULL,
        "packages": {"type": "object", "additionalProperties": TEXT},
        "started_utc": {
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        },
        "duration_s": NON_NEGATIVE,
        "peak_memory_mib": NON_NEGATIVE,
    }
)

METRICS_OF_TASK = {
    "detection2d": closed({name: PERCENT for name in DETECTION2D_METRICS}),
    "segmentation": {
        "type": "object",
        "properties": {"mIoU": PERCENT},
        "required": ["mIoU"],
        "additionalProperties": PERCENT,
    },
    "detection3d": closed(
        {
            name: PERCENT if name in ("NDS", "mAP") else {"type": ["number", "null"], "minimum": 0}
            for name in DETECTION3D_METRICS
        }
    ),
}

LOWER_EDGES = {"type": "array", "items": NON_NEGATIVE, "minItems": 1, "uniqueItems": True}
PER_BIN = {
    "AP": {"type": "array", "items": PERCENT},
    "boxes": {"type": "array", "items": COUNT},
}
# AP by bins of object size, the square root of a box's area, in native pixels and in heights of the
# image. Bins are given by their lower edges; the last is open.
SIZE_BINS = closed({"lower_px": LOWER_EDGES, **PER_BIN})
SIZE_BINS_RELATIVE = closed({"lower": LOWER_EDGES, **PER_BIN})
# COCO's three sizes relative to the image's height
RELATIVE = closed({name: PERCENT for name in ("AP_S_rel", "AP_M_rel", "AP_L_rel")})
# Metrics with each group of sequences left out
JACKKNIFE = closed(
    {
        "unit": {"const": "sequence"},
        "groups": {
            "type": "array",
            "minItems": 2,
            "items": {"type": "array", "minItems": 1, "items": COUNT},
        },
        "metrics": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": PERCENT},
        },
    }
)

METRICS_SCHEMA = {
    **closed(
        {
            "schema": {"const": METRICS_SCHEMA_NAME},
            "run": closed({**RUN_OF_ALL_SEEDS, "seed": COUNT}),
            "dataset": closed(
                {
                    "name": TEXT,
                    "source": {"enum": ["real", "synthetic"]},
                    "fingerprint": TEXT,
                    "split": TEXT,
                    "images": {"type": "integer", "minimum": 1},
                }
            ),
            "metrics": {"type": "object"},
            "size_bins": SIZE_BINS,
            "size_bins_relative": SIZE_BINS_RELATIVE,
            "relative": RELATIVE,
            "jackknife": JACKKNIFE,
            "config_hash": {"type": "string", "pattern": "^[0-9a-f]{8,64}$"},
            "training": closed(
                {
                    "initial_weights": TEXT,
                    "iterations": COUNT,
                    "epochs": NON_NEGATIVE,
                    "duration_s": NON_NEGATIVE,
                    "images_per_s": {"type": ["number", "null"], "minimum": 0},
                }
            ),
            "provenance": PROVENANCE,
        },
        optional=("size_bins", "size_bins_relative", "relative", "jackknife"),
    ),
    "allOf": [
        {
            "if": {"properties": {"run": {"properties": {"task": {"const": task}}}}},
            "then": {"properties": {"metrics": schema}},
        }
        for task, schema in METRICS_OF_TASK.items()
    ],
}

TIMING_SCHEMA = closed(
    {
        "schema": {"const": TIMING_SCHEMA_NAME},
        "run": closed(RUN_OF_ALL_SEEDS),
        "device": TEXT,
        "dtype": TEXT,
        "threads": {"type": "integer", "minimum": 1},
        "warmup": COUNT,
        "synchronised": {"type": "boolean"},
        "batch": {"const": 1},
        "shapes": {"type": "object"},
        "samples_ms": closed(
            {name: {"type": "array", "items": NON_NEGATIVE, "minItems": 1} for name in SAMPLES}
        ),
        "summary": closed({name: NON_NEGATIVE for name in SUMMARY}),
        "provenance": PROVENANCE,
    }
)

SIZE = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2}
PIXELS = closed({name: NON_NEGATIVE for name in LEVEL_UNITS})

LEVEL_ERROR_SCHEMA = closed(
    {
        "schema": {"const": LEVEL_ERROR_SCHEMA_NAME},
        "suite": RUN_OF_ALL_SEEDS["suite"],
        "prior": closed({"parameters": {"type": "object"}, "source": {"type": "object"}}),
        "warp": closed({"lattice": SIZE, "fwhm": SCALE, "anti_crop": {"type": "boolean"}}),
        "dtype": TEXT,
        "readings": {
            "type": "array",
            "minItems": 1,
            "items": closed(
                {
                    "separable": {"type": "boolean"},
                    "image": SIZE,
                    "finest": SIZE,
                    "cells": {"enum": list(LEVEL_CELLS)},
                    "levels": {
                        "type": "array",
                        "minItems": 1,
                        "items": closed(
                            {
                                "divisor": {"type": "integer", "minimum": 2},
                                "size": SIZE,
                                "mean_px": PIXELS,
                                "largest_px": PIXELS,
                            }
                        ),
                    },
                }
            ),
        },
        "provenance": PROVENANCE,
    }
)

_SCHEMAS = {
    METRICS_SCHEMA_NAME: METRICS_SCHEMA,
    TIMING_SCHEMA_NAME: TIMING_SCHEMA,
    LEVEL_ERROR_SCHEMA_NAME: LEVEL_ERROR_SCHEMA,
}


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_SCHEMAS[name])


def _check(value: Any, name: str, path: str | os.PathLike[str]) -> None:
    error = jsonschema.exceptions.best_match(_validator(name).iter_errors(value))
    if error is not None:
        key = ".".join(str(part) for part in error.absolute_path) or "(top level)"
        problem = error.message if len(error.message) < 200 else error.message[:200] + " ..."
        raise UserError(
            f"{path}: {key}: {problem} (schema {name}); delete the file and run its rule again"
        )


_MEND = "delete the file and run its rule again"


def validate_metrics(value: Any, path: str | os.PathLike[str]) -> None:
    """Check the content of a metrics file: its schema, and that what is of one kind fits together.

    Bins of size rise, each has an AP and a number of boxes, and an AP is null where there are no
    boxes. A sequence is left out once, and a metric has a value for each group.

    Raises:
        UserError: naming `path`, the first offending key and what is wrong with it.
    """
    _check(value, METRICS_SCHEMA_NAME, path)
    for key, lower in (("size_bins", "lower_px"), ("size_bins_relative", "lower")):
        if key in value:
            _check_bins(value[key], key, lower, path)
    if "jackknife" in value:
        _check_jackknife(value["jackknife"], path)


def _check_bins(bins: dict[str, Any], key: str, edges: str, path: str | os.PathLike[str]) -> None:
    lower = bins[edges]
    if lower != sorted(lower):
        raise UserError(f"{path}: {key}.{edges}: {lower} do not rise; {_MEND}")
    for name in ("AP", "boxes"):
        if len(bins[name]) != len(lower):
            raise UserError(
                f"{path}: {key}.{name}: {len(bins[name])} values for {len(lower)} bins; {_MEND}"
            )
    for edge, score, boxes in zip(lower, bins["AP"], bins["boxes"], strict=True):
        if (score is None) != (boxes == 0):
            unit = " px" if edges.endswith("_px") else ""
            raise UserError(
                f"{path}: {key}: from {edge:g}{unit}: AP {score} with {boxes} boxes; {_MEND}"
            )


def _check_jackknife(jackknife: dict[str, Any], path: str | os.PathLike[str]) -> None:
    groups = jackknife["groups"]
    sequences = [one for group in groups for one in group]
    if len(set(sequences)) != len(sequences):
        raise UserError(f"{path}: jackknife.groups: a sequence is in two groups; {_MEND}")
    for name, values in jackknife["metrics"].items():
        if len(values) != len(groups):
            raise UserError(
                f"{path}: jackknife.metrics.{name}: {len(values)} values for {len(groups)} groups; "
                f"{_MEND}"
            )


def validate_timing(value: Any, path: str | os.PathLike[str]) -> None:
    """Check the content of a timing file: its schema, and that the summary belongs to the samples.

    Each of the four lists of samples has one value a round, `latency_ms` is `baseline_ms` +
    `added_ms`, and the summary's times are the samples' medians.

    Raises:
        UserError: naming `path`, the first offending key and what is wrong with it.
    """
    _check(value, TIMING_SCHEMA_NAME, path)
    samples, summary = value["samples_ms"], value["summary"]
    mend = "delete the file and run its rule again"
    rounds = {name: len(samples[name]) for name in SAMPLES}
    if len(set(rounds.values())) != 1:
        counts = ", ".join(f"{name} {count}" for name, count in rounds.items())
        raise UserError(f"{path}: samples_ms: unequal numbers of rounds ({counts}); {mend}")
    expected = {f"{name}_ms": median(samples[name]) for name in SAMPLES[:3]}
    expected["latency_ms"] = summary["baseline_ms"] + summary["added_ms"]
    for name, wanted in expected.items():
        if not math.isclose(summary[name], wanted, rel_tol=1e-3, abs_tol=2e-3):
            raise UserError(
                f"{path}: summary.{name}: {summary[name]:g} does not follow from the samples, "
                f"which give {wanted:g}; {mend}"
            )


def read_metrics(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The checked content of a metrics file; raises UserError as `validate_metrics` does."""
    value = read_json(path)
    validate_metrics(value, path)
    return value


def read_timing(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The checked content of a timing file; raises UserError as `validate_timing` does."""
    value = read_json(path)
    validate_timing(value, path)
    return value


def read_level_error(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The checked content of a file of Eq. 18's errors.

    Its readings of the equation differ in the warp ("separable"), in where the inverse is exact
    ("finest", (H', W')) and in how a level's cells lie to that grid ("cells"): "aligned", as
    Eq. 18 says, "half_pixel", interpolated there by `F.interpolate` with `align_corners=False`, or
    "stride", every d-th point of it. Errors are in pixels of the zoomed "image", of the "finest"
    grid and of the "level".

    Raises:
        UserError: naming `path`, the first offending key and what is wrong with it.
    """
    value = read_json(path)
    _check(value, LEVEL_ERROR_SCHEMA_NAME, path)
    return value
