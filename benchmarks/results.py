"""Results of benchmarks: pytest-benchmark's JSON, and what we add to it.

pytest-benchmark times the operation of a case; `stats` holds its samples. Ours stands in the
case's `extra_info`: the samples of a baseline, timed in turn with the operation, so that sample k
of the one and sample k of the other are a pair, and what follows from all of them. A ratio is that
of a pair, always written so that a user can read it: "speedup", how many times faster than the
baseline the operation is, or "cost", how many times the baseline's time it takes. Under `lzu`
stands what is the same for all cases of a run. Times are seconds.
"""

import math
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import jsonschema
from pytest_benchmark.stats import Stats

from lzu.errors import UserError
from lzu.files import read_json
from lzu.results.schema import COUNT, NON_NEGATIVE, PROVENANCE, SCALE, TEXT, closed
from lzu.results.statistics import median_interval

SCHEMA_NAME = "lzu-benchmark/2"

# Quantity of a target -> (its name in print, whether more is better).
QUANTITIES = {
    "speedup": ("speedup", True),
    "cost": ("cost", False),
    "time_ms": ("time ms", False),
    "memory_per_output": ("memory/output", False),
    "time_per_floor": ("time/floor", False),
}

_AT_LEAST_ONE = {"type": "integer", "minimum": 1}
_SAMPLES = {"type": "array", "items": SCALE, "minItems": 1}
_INTERVAL = {"type": ["array", "null"], "items": SCALE, "minItems": 2, "maxItems": 2}

BASELINE = closed(
    {
        "name": TEXT,
        "comparison": {"enum": ["speedup", "cost"]},
        "iterations": _AT_LEAST_ONE,
        "data": _SAMPLES,
        "median": SCALE,
        "ratio": SCALE,
        "interval": _INTERVAL,
    }
)

CASE = closed(
    {
        "case": TEXT,
        "device": {"enum": ["cpu", "cuda"]},
        "dtype": TEXT,
        "shapes": {"type": "object"},
        "threads": _AT_LEAST_ONE,
        "warmup": COUNT,
        "synchronised": {"type": "boolean"},
        "baseline": {"anyOf": [{"type": "null"}, BASELINE]},
        "moved_bytes": COUNT,
        "copy_gb_per_s": SCALE,
        "floor": NON_NEGATIVE,
        "peak_memory_bytes": COUNT,
        "output_bytes": _AT_LEAST_ONE,
        "profile": {
            "type": "array",
            "items": closed({"name": TEXT, "share": NON_NEGATIVE, "calls": COUNT}),
        },
        "targets": {
            "type": "array",
            "items": closed(
                {
                    "quantity": {"enum": list(QUANTITIES)},
                    "bound": SCALE,
                    "value": NON_NEGATIVE,
                    "met": {"type": "boolean"},
                }
            ),
        },
    }
)

RUN = closed(
    {
        "schema": {"const": SCHEMA_NAME},
        "load_before": NON_NEGATIVE,
        "memory_kept": {"type": "boolean"},
        "provenance": PROVENANCE,
    }
)


def _open(properties: dict[str, Any]) -> dict[str, Any]:
    """An object of pytest-benchmark's, which has these keys and may have others."""
    return {"type": "object", "properties": properties, "required": list(properties)}


FILE = _open(
    {
        "machine_info": _open({"node": TEXT, "cpu": _open({"brand_raw": TEXT})}),
        "commit_info": _open({"id": TEXT}),
        "datetime": TEXT,
        "version": TEXT,
        "benchmarks": {
            "type": "array",
            "minItems": 1,
            "items": _open(
                {
                    "fullname": TEXT,
                    "extra_info": CASE,
                    "stats": _open({"iterations": _AT_LEAST_ONE, "data": _SAMPLES}),
                }
            ),
        },
        "lzu": RUN,
    }
)


def derived(case: Mapping[str, Any], data: Sequence[float]) -> dict[str, Any]:
    """The case with all that follows from samples, sizes and bounds.

    A time is the median over samples. A ratio is the median over pairs, with its exact 95 %
    interval (`lzu.results.statistics.median_interval`), None below 6 pairs. The floor is
    the time that copying takes which moves as many bytes as the operation at least has to: its
    inputs read once, its outputs written once. What fits in a cache can be faster.

    Args:
        case: an `extra_info`, of whose baseline name, comparison, iterations and data are enough,
            and of whose targets quantity and bound.
        data: seconds a call of the operation, one a round.

    Raises:
        ValueError: if pairs are incomplete, or if a target is set on a ratio that the case does
            not have, or on the floor where that is zero.
    """
    time, baseline = median(data), case["baseline"]
    floor = case["moved_bytes"] / (case["copy_gb_per_s"] * 1e9)
    values = {
        "time_ms": time * 1e3,
        "memory_per_output": case["peak_memory_bytes"] / case["output_bytes"],
    }
    if floor > 0:
        values["time_per_floor"] = time / floor
    if baseline is not None:
        if len(baseline["data"]) != len(data):
            raise ValueError(f"{case['case']}: pairs are incomplete")
        baseline = {**baseline, **_compared(data, baseline["data"], baseline["comparison"])}
        values[baseline["comparison"]] = baseline["ratio"]
    missing = {target["quantity"] for target in case["targets"]} - values.keys()
    if missing:
        named = " and ".join(sorted(missing))
        raise ValueError(f"{case['case']}: a target on {named}, which the case has not")
    targets = [_judged(target, values[target["quantity"]]) for target in case["targets"]]
    return {**case, "baseline": baseline, "floor": floor, "targets": targets}


def _compared(
    operation: Sequence[float], baseline: Sequence[float], comparison: str
) -> dict[str, Any]:
    pairs = zip(operation, baseline, strict=True)
    ratio = median_interval([b / a if comparison == "speedup" else a / b for a, b in pairs])
    interval = None if ratio.low is None else [ratio.low, ratio.high]
    return {"median": median(baseline), "ratio": ratio.value, "interval": interval}


def _judged(target: Mapping[str, Any], value: float) -> dict[str, Any]:
    quantity, bound = target["quantity"], target["bound"]
    met = value >= bound if QUANTITIES[quantity][1] else value <= bound
    return {"quantity": quantity, "bound": bound, "value": value, "met": met}


def stats_of(data: Sequence[float]) -> dict[str, Any]:
    """What pytest-benchmark says of samples, less the samples and how many calls each is of."""
    stats = Stats()
    for sample in data:
        stats.update(sample)
    return stats.as_dict()


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(FILE)


def validate_benchmarks(value: Any, path: str | os.PathLike[str]) -> None:
    """Check the content of a benchmark file: its schema, and that all follows from the samples.

    Raises:
        UserError: naming `path`, the first offending key or case, and what is wrong with it.
    """
    mend = "delete the file and run make bench again"
    error = jsonschema.exceptions.best_match(_validator().iter_errors(value))
    if error is not None:
        key = ".".join(str(part) for part in error.absolute_path) or "(top level)"
        problem = error.message if len(error.message) < 200 else error.message[:200] + " ..."
        raise UserError(f"{path}: {key}: {problem} (schema {SCHEMA_NAME}); {mend}")
    if value["machine_info"]["node"] != value["lzu"]["provenance"]["machine"]:
        raise UserError(f"{path}: machine_info.node is not the machine of lzu.provenance; {mend}")
    seen = set()
    for benchmark in value["benchmarks"]:
        case, stats = benchmark["extra_info"], benchmark["stats"]
        name = (case["case"], case["device"])
        if name in seen:
            raise UserError(f"{path}: two cases on {name[1]} are called {name[0]!r}; {mend}")
        seen.add(name)
        try:
            wanted = derived(case, stats["data"])
        except ValueError as problem:
            raise UserError(f"{path}: {problem}; {mend}") from None
        for kept, expected in ((case, wanted), (stats, stats_of(stats["data"]))):
            for key in expected:
                if not _same(kept.get(key), expected[key]):
                    raise UserError(
                        f"{path}: case {name[0]!r}: {key}: {kept.get(key)} does not follow from "
                        f"the samples, which give {expected[key]}; {mend}"
                    )


def _same(value: Any, wanted: Any) -> bool:
    """Whether two JSON values agree, numbers up to rounding."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return value.keys() == wanted.keys() and all(_same(value[k], wanted[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(value, list):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    if isinstance(wanted, float) and isinstance(value, int | float):
        return math.isclose(value, wanted, rel_tol=1e-9)
    return value == wanted


def read_benchmarks(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The checked content of a benchmark file; raises UserError as `validate_benchmarks` does."""
    value = read_json(path)
    validate_benchmarks(value, path)
    return value


def kept_path(results: Path, value: Mapping[str, Any], *, complete: bool) -> Path | None:
    """Where in the `results` folder a benchmark file is under version control.

    ``measured/benchmarks/<machine>/<devices>.json``; None unless it is of all cases (`complete`)
    and of a working tree without changes, whose code everyone can find again.
    """
    provenance = value["lzu"]["provenance"]
    if not complete or provenance["git_dirty"] is not False:
        return None
    devices = sorted({benchmark["extra_info"]["device"] for benchmark in value["benchmarks"]})
    return results / "measured" / "benchmarks" / provenance["machine"] / f"{'-'.join(devices)}.json"
