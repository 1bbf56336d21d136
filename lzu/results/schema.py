"""The schemas of result files, and reading them with a check."""

import math
import os
from collections.abc import Mapping
from functools import cache
from statistics import median
from typing import Any

import jsonschema

from lzu.errors import UserError
from lzu.experiments.task import Schema, Task
from lzu.files import read_json

METRICS_SCHEMA_NAME = "lzu-metrics/2"
FIRST_METRICS_SCHEMA_NAME = "lzu-metrics/1"
TIMING_SCHEMA_NAME = "lzu-timing/2"
FIRST_TIMING_SCHEMA_NAME = "lzu-timing/1"
LEVEL_ERROR_SCHEMA_NAME = "lzu-level-error/1"

SAMPLES = ("baseline", "added", "end_to_end", "end_to_end_baseline")
LEVEL_CELLS = ("aligned", "half_pixel", "stride")
LEVEL_UNITS = ("image", "finest", "level")
SUMMARY = ("baseline_ms", "added_ms", "latency_ms", "end_to_end_ms", "end_to_end_ratio")

TEXT = {"type": "string", "minLength": 1}
NAME = {"type": "string", "pattern": "^[a-z0-9_]+$"}
TEXT_OR_NULL = {"type": ["string", "null"], "minLength": 1}
NON_NEGATIVE = {"type": "number", "minimum": 0}
COUNT = {"type": "integer", "minimum": 0}
SCALE = {"type": "number", "exclusiveMinimum": 0}
STAMP = {"type": "string", "pattern": "^[0-9a-f]{8,64}$"}
PERCENT = {"type": ["number", "null"], "minimum": 0, "maximum": 100}


def closed(properties: Mapping[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object with exactly these keys, all required but the `optional` ones."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


RUN_OF_ALL_SEEDS = {
    "suite": NAME,
    "task": NAME,
    "method": NAME,
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

# Metrics with each group of the validation data's units (whole sequences, say) left out.
JACKKNIFE = closed(
    {
        "unit": TEXT,
        "groups": {"type": "array", "minItems": 2, "items": {"type": "array", "minItems": 1}},
        "metrics": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": ["number", "null"]}},
        },
    }
)

STEPS = ("train", "predict", "score", "prior", "stage")
"""Whose provenance a metrics file has; the first is that of the weights."""


def metrics_schema(metrics: Schema, extras: Mapping[str, Schema]) -> dict[str, Any]:
    """The schema of a metrics file whose task has these `metrics` and, where it likes, `extras`."""
    return closed(
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
            "metrics": metrics,
            "jackknife": JACKKNIFE,
            "stamp": STAMP,
            "trained_on": closed({"data": TEXT, "saliency": TEXT_OR_NULL}),
            "training": closed(
                {
                    "initial_weights": TEXT,
                    "iterations": COUNT,
                    "epochs": NON_NEGATIVE,
                    "duration_s": NON_NEGATIVE,
                    "images_per_s": {"type": ["number", "null"], "minimum": 0},
                }
            ),
            "provenance": closed(
                {name: PROVENANCE for name in STEPS},
                optional=tuple(name for name in STEPS if name != "score"),
            ),
            **extras,
        },
        optional=("jackknife", "trained_on", *extras),
    )


TIMING_SCHEMA = closed(
    {
        "schema": {"const": TIMING_SCHEMA_NAME},
        "run": closed(RUN_OF_ALL_SEEDS),
        "stamp": STAMP,
        "device": TEXT,
        "dtype": TEXT,
        "threads": {"type": "integer", "minimum": 1},
        "warmup": COUNT,
        "synchronised": {"type": "boolean"},
        "batch": {"const": 1},
        "shapes": {"type": "object", "properties": {"gmac": NON_NEGATIVE}},
        "samples_ms": closed(
            {name: {"type": "array", "items": NON_NEGATIVE, "minItems": 1} for name in SAMPLES}
        ),
        "summary": closed({name: NON_NEGATIVE for name in SUMMARY}),
        "provenance": PROVENANCE,
    }
)
FIRST_TIMING_SCHEMA = closed(
    {name: schema for name, schema in TIMING_SCHEMA["properties"].items() if name != "stamp"}
    | {"schema": {"const": FIRST_TIMING_SCHEMA_NAME}}
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
    TIMING_SCHEMA_NAME: TIMING_SCHEMA,
    FIRST_TIMING_SCHEMA_NAME: FIRST_TIMING_SCHEMA,
    LEVEL_ERROR_SCHEMA_NAME: LEVEL_ERROR_SCHEMA,
}
_MEND = "delete the file and run its rule again"


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_SCHEMAS[name])


def _check(
    value: Any,
    validator: jsonschema.Draft202012Validator,
    name: str,
    path: str | os.PathLike[str],
) -> None:
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    if error is not None:
        key = ".".join(str(part) for part in error.absolute_path) or "(top level)"
        problem = error.message if len(error.message) < 200 else error.message[:200] + " ..."
        raise UserError(f"{path}: {key}: {problem} (schema {name}); {_MEND}")


def validate_metrics(value: Any, path: str | os.PathLike[str], task: Task) -> None:
    """Check the content of a metrics file of `task`: its schema, and that its parts fit together.

    In the jackknife a unit is left out once, and a metric has a value for each group.

    Raises:
        UserError: naming `path`, the first offending key and what is wrong with it.
    """
    schema = metrics_schema(task.metrics, task.extras)
    _check(value, jsonschema.Draft202012Validator(schema), METRICS_SCHEMA_NAME, path)
    if value["run"]["task"] != task.name:
        raise UserError(f"{path}: run.task: {value['run']['task']}, not {task.name}; {_MEND}")
    problem = task.check_extras(value)
    if problem is not None:
        raise UserError(f"{path}: {problem}; {_MEND}")
    if "jackknife" in value:
        _check_jackknife(value["jackknife"], path)


def _check_jackknife(jackknife: dict[str, Any], path: str | os.PathLike[str]) -> None:
    groups = jackknife["groups"]
    units = [str(one) for group in groups for one in group]
    if len(set(units)) != len(units):
        raise UserError(f"{path}: jackknife.groups: a unit is in two groups; {_MEND}")
    for name, values in jackknife["metrics"].items():
        if len(values) != len(groups):
            raise UserError(
                f"{path}: jackknife.metrics.{name}: {len(values)} values for {len(groups)} groups; "
                f"{_MEND}"
            )


def validate_timing(value: Any, path: str | os.PathLike[str]) -> None:
    """Check the content of a timing file: its schema, and that the summary belongs to the samples.

    A file of the first version has no `stamp`: of what settings it is, is unknown.

    Each of the four lists of samples has one value a round, `latency_ms` is `baseline_ms` +
    `added_ms`, and the summary's times are the samples' medians.

    Raises:
        UserError: naming `path`, the first offending key and what is wrong with it.
    """
    first = isinstance(value, dict) and value.get("schema") == FIRST_TIMING_SCHEMA_NAME
    name = FIRST_TIMING_SCHEMA_NAME if first else TIMING_SCHEMA_NAME
    _check(value, _validator(name), name, path)
    samples, summary = value["samples_ms"], value["summary"]
    rounds = {name: len(samples[name]) for name in SAMPLES}
    if len(set(rounds.values())) != 1:
        counts = ", ".join(f"{name} {count}" for name, count in rounds.items())
        raise UserError(f"{path}: samples_ms: unequal numbers of rounds ({counts}); {_MEND}")
    expected = {f"{name}_ms": median(samples[name]) for name in SAMPLES[:3]}
    expected["latency_ms"] = summary["baseline_ms"] + summary["added_ms"]
    for name, wanted in expected.items():
        if not math.isclose(summary[name], wanted, rel_tol=1e-3, abs_tol=2e-3):
            raise UserError(
                f"{path}: summary.{name}: {summary[name]:g} does not follow from the samples, "
                f"which give {wanted:g}; {_MEND}"
            )


def read_metrics(path: str | os.PathLike[str], task: Task) -> dict[str, Any]:
    """The checked content of a metrics file of `task`; raises UserError as `validate_metrics` does.

    Files of the first version are given as the second has them. Of their steps the last one's
    provenance alone is known.
    """
    value = read_json(path)
    if isinstance(value, dict) and value.get("schema") == FIRST_METRICS_SCHEMA_NAME:
        value = _upgraded(value)
    validate_metrics(value, path, task)
    checked: dict[str, Any] = value
    return checked


def _upgraded(value: dict[str, Any]) -> dict[str, Any]:
    new = {**value, "schema": METRICS_SCHEMA_NAME, "provenance": {"score": value.get("provenance")}}
    if "config_hash" in new:
        new["stamp"] = new.pop("config_hash")
    return new


def provenances(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The provenance of each known step that a result file is from, in their order."""
    own = content["provenance"]
    return [own] if "machine" in own else [own[name] for name in STEPS if name in own]


def read_timing(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The checked content of a timing file; raises UserError as `validate_timing` does."""
    value: dict[str, Any] = read_json(path)
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
    value: dict[str, Any] = read_json(path)
    _check(value, _validator(LEVEL_ERROR_SCHEMA_NAME), LEVEL_ERROR_SCHEMA_NAME, path)
    return value
