"""Files of benchmarks: their schema, what follows from their samples, and showing them.

``python -m lzu.report.benchmarks FILE ...`` prints them; torch is not needed for it.

In every case an operation and a baseline are timed in pairs, one right after the other. The ratio
is that of a pair, always written so that a user can read it: "speedup", how many times faster than
the baseline the operation is, or "cost", how many times the baseline's time it takes.
"""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import jsonschema

from lzu.errors import UserError
from lzu.files import read_json, write_json
from lzu.report.compare.statistics import median_interval
from lzu.results.schema import COUNT, NON_NEGATIVE, PROVENANCE, SCALE, TEXT, TEXT_OR_NULL, closed

BENCHMARK_SCHEMA_NAME = "lzu-benchmark/1"

# Quantity -> (its name in print, whether more is better).
QUANTITIES = {
    "speedup": ("speedup", True),
    "cost": ("cost", False),
    "time_ms": ("time ms", False),
    "memory_per_output": ("memory/output", False),
    "time_per_floor": ("time/floor", False),
}
COMPARISONS = ("speedup", "cost")

_POSITIVE_OR_NULL = {"type": ["number", "null"], "exclusiveMinimum": 0}
_CALLS = {"type": "integer", "minimum": 1}
_SAMPLES = {"type": "array", "items": SCALE, "minItems": 1}

CASE = closed(
    {
        "name": TEXT,
        "baseline": TEXT_OR_NULL,
        "comparison": {"enum": [*COMPARISONS, None]},
        "dtype": TEXT,
        "shapes": {"type": "object"},
        "warmup": COUNT,
        "synchronised": {"type": "boolean"},
        "calls_per_sample": closed(
            {"operation": _CALLS, "baseline": {"type": ["integer", "null"], "minimum": 1}}
        ),
        "samples_ms": closed(
            {"operation": _SAMPLES, "baseline": {"anyOf": [_SAMPLES, {"type": "null"}]}}
        ),
        "time_ms": SCALE,
        "baseline_ms": _POSITIVE_OR_NULL,
        "ratio": _POSITIVE_OR_NULL,
        "ratio_interval": {"type": ["array", "null"], "items": SCALE, "minItems": 2, "maxItems": 2},
        "moved_bytes": COUNT,
        "floor_ms": NON_NEGATIVE,
        "peak_memory_bytes": COUNT,
        "output_bytes": {"type": "integer", "minimum": 1},
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

BENCHMARK_SCHEMA = closed(
    {
        "schema": {"const": BENCHMARK_SCHEMA_NAME},
        "device": {"enum": ["cpu", "cuda"]},
        "device_name": TEXT,
        "threads": {"type": "integer", "minimum": 1},
        "load_before": NON_NEGATIVE,
        "memory_kept": {"type": "boolean"},
        "copy_gb_per_s": SCALE,
        "cases": {"type": "array", "items": CASE, "minItems": 1},
        "provenance": PROVENANCE,
    }
)


def with_summary(case: dict[str, Any], copy_gb_per_s: float) -> dict[str, Any]:
    """The case with all that follows from its samples, sizes and targets' bounds.

    Times are medians over the samples. The ratio is the median over the pairs, with its exact 95 %
    interval (`lzu.report.compare.statistics.median_interval`). The floor is the time that copying
    takes which moves as many bytes as the operation at least has to: its inputs read once, its
    outputs written once. What fits in a cache can be faster.

    Args:
        case: a case of a benchmark file; of its targets quantity and bound are enough.
        copy_gb_per_s: bytes read and written by a copy of much memory, in GB (1e9 bytes) a second.

    Raises:
        ValueError: if a target is set on a ratio that the case does not have, or on memory or on
            the floor where that is zero.
    """
    operation, baseline = case["samples_ms"]["operation"], case["samples_ms"]["baseline"]
    summary: dict[str, Any] = {
        "time_ms": median(operation),
        "baseline_ms": None,
        "ratio": None,
        "ratio_interval": None,
        "floor_ms": case["moved_bytes"] / (copy_gb_per_s * 1e6),
    }
    values = {
        "time_ms": summary["time_ms"],
        "memory_per_output": case["peak_memory_bytes"] / case["output_bytes"],
    }
    if summary["floor_ms"] > 0:
        values["time_per_floor"] = summary["time_ms"] / summary["floor_ms"]
    if baseline is not None:
        pairs = zip(operation, baseline, strict=True)
        speedup = case["comparison"] == "speedup"
        ratio = median_interval([b / a if speedup else a / b for a, b in pairs])
        summary["baseline_ms"] = median(baseline)
        summary["ratio"] = values[case["comparison"]] = ratio.value
        if ratio.low is not None and ratio.high is not None:
            summary["ratio_interval"] = [ratio.low, ratio.high]
    targets = []
    for target in case["targets"]:
        quantity, bound = target["quantity"], target["bound"]
        if quantity not in values:
            raise ValueError(f"{case['name']}: a target on {quantity}, which the case has not")
        value = values[quantity]
        met = value >= bound if QUANTITIES[quantity][1] else value <= bound
        targets.append({"quantity": quantity, "bound": bound, "value": value, "met": met})
    return {**case, **summary, "targets": targets}


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(BENCHMARK_SCHEMA)


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
        raise UserError(f"{path}: {key}: {problem} (schema {BENCHMARK_SCHEMA_NAME}); {mend}")
    seen = set()
    for case in value["cases"]:
        name = case["name"]
        if name in seen:
            raise UserError(f"{path}: two cases are called {name!r}; {mend}")
        seen.add(name)
        samples, calls = case["samples_ms"], case["calls_per_sample"]
        parts = (case["baseline"], case["comparison"], samples["baseline"], calls["baseline"])
        if len({part is None for part in parts}) != 1:
            raise UserError(
                f"{path}: case {name!r}: baseline, comparison, samples_ms.baseline and "
                f"calls_per_sample.baseline must all be there, or all be null; {mend}"
            )
        if samples["baseline"] and len(samples["baseline"]) != len(samples["operation"]):
            raise UserError(f"{path}: case {name!r}: samples_ms: pairs are incomplete; {mend}")
        try:
            expected = with_summary(case, value["copy_gb_per_s"])
        except ValueError as problem:
            raise UserError(f"{path}: {problem}; {mend}") from None
        for key, wanted in expected.items():
            if not _same(case[key], wanted):
                raise UserError(
                    f"{path}: case {name!r}: {key}: {case[key]} does not follow from the "
                    f"samples, which give {wanted}; {mend}"
                )


def _same(value: Any, wanted: Any) -> bool:
    """Whether two JSON values agree, numbers up to rounding."""
    if isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(_same(value[k], wanted[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(value, list):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    if isinstance(wanted, float) and value is not None:
        return math.isclose(value, wanted, rel_tol=1e-9)
    return value == wanted


def read_benchmarks(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The checked content of a benchmark file; raises UserError as `validate_benchmarks` does."""
    value = read_json(path)
    validate_benchmarks(value, path)
    return value


def write_benchmarks(
    results: str | os.PathLike[str], value: dict[str, Any], *, complete: bool
) -> Path:
    """Check and write a benchmark file, atomically; return where.

    ``measured/benchmarks/<machine>/<device>.json`` in the `results` folder is under version
    control, so it is written only for all cases (`complete`) and by a working tree without
    changes, whose code everyone can find again. Otherwise it is ``benchmarks/<machine>/...``.
    """
    provenance = value["provenance"]
    kept = complete and provenance["git_dirty"] is False
    folder = Path(results) / ("measured/benchmarks" if kept else "benchmarks")
    path = folder / provenance["machine"] / f"{value['device']}.json"
    validate_benchmarks(value, path)
    write_json(path, value)
    return path


HEADINGS = ("case", "time ms", "baseline ms", "", "ratio [95 %]", "floor ms", "peak MiB", "targets")


def benchmark_table(value: dict[str, Any]) -> str:
    """The content of a benchmark file as text, one line a case; the targets' outcome at its end."""
    provenance = value["provenance"]
    state = {True: "with changes", False: "clean", None: "unknown"}[provenance["git_dirty"]]
    rows = [_row(case) for case in value["cases"]]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    left = (0, 3, 7)
    lines = [
        f"{value['device_name']}; {value['threads']} CPU threads; torch {provenance['torch']}; "
        f"copies {value['copy_gb_per_s']:.3g} GB/s; "
        f"freed memory {'kept' if value['memory_kept'] else 'not kept'}",
        f"machine {provenance['machine']}; commit {(provenance['git_commit'] or 'unknown')[:12]} "
        f"({state}); {provenance['started_utc']}; {provenance['duration_s']:.0f} s; "
        f"load before {value['load_before']:.1f}",
        "",
    ]
    for row in (HEADINGS, *rows):
        cells = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    targets = [target["met"] for case in value["cases"] for target in case["targets"]]
    if targets:
        lines += ["", f"targets met: {sum(targets)} of {len(targets)}"]
    for case in value["cases"]:
        if case["profile"] and not all(target["met"] for target in case["targets"]):
            spent = ", ".join(
                f"{part['name']} {part['share']:.0%} ({part['calls']} calls)"
                for part in case["profile"]
            )
            lines.append(f"where the time of {case['name']!r} goes: {spent}")
    return "\n".join(lines)


def _row(case: dict[str, Any]) -> tuple[str, ...]:
    ratio = ""
    if case["ratio"] is not None:
        ratio = f"{case['comparison']} {_digits(case['ratio'])}x"
        if case["ratio_interval"] is not None:
            low, high = case["ratio_interval"]
            ratio += f" [{_digits(low)}, {_digits(high)}]"
    memory = case["peak_memory_bytes"] / case["output_bytes"]
    return (
        case["name"],
        _digits(case["time_ms"]),
        "" if case["baseline_ms"] is None else _digits(case["baseline_ms"]),
        case["baseline"] or "",
        ratio,
        _digits(case["floor_ms"]),
        f"{_digits(case['peak_memory_bytes'] / 2**20)} ({_digits(memory)}x output)",
        ", ".join(map(_outcome, case["targets"])),
    )


def _outcome(target: dict[str, Any]) -> str:
    name, more_is_better = QUANTITIES[target["quantity"]]
    sign, met = (">=" if more_is_better else "<="), ("met" if target["met"] else "NOT MET")
    return f"{name} {sign} {target['bound']:g}: {met} ({_digits(target['value'])})"


def _digits(number: float) -> str:
    """Three digits, without an exponent."""
    return f"{number:.0f}" if number >= 1000 else f"{number:.3g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print benchmark files."""
    parser = argparse.ArgumentParser(prog="python -m lzu.report.benchmarks", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    for path in parser.parse_args(arguments).files:
        try:
            print(benchmark_table(read_benchmarks(path)) + "\n")
        except UserError as error:
            print(f"lzu: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
