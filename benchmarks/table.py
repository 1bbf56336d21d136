"""Benchmark files as text."""

from collections.abc import Iterator, Mapping
from typing import Any

from .results import QUANTITIES

HEADINGS = ("case", "time ms", "baseline ms", "", "ratio [95 %]", "floor ms", "peak MiB", "targets")
_TEXTS = (0, 3, 7)


def benchmark_table(value: Mapping[str, Any]) -> str:
    """The content of a benchmark file as text, one line a case; the targets' outcome at its end."""
    run, machine = value["lzu"], value["machine_info"]
    provenance = run["provenance"]
    state = {True: "with changes", False: "clean", None: "unknown"}[provenance["git_dirty"]]
    cases = [benchmark["extra_info"] for benchmark in value["benchmarks"]]
    lines = [
        f"machine {provenance['machine']}; {machine['cpu']['brand_raw']}; "
        f"{provenance['gpu'] or 'no GPU'}; torch {provenance['torch']}; "
        f"freed memory {'kept' if run['memory_kept'] else 'not kept'}",
        f"commit {(provenance['git_commit'] or 'unknown')[:12]} ({state}); "
        f"{provenance['started_utc']}; {provenance['duration_s']:.0f} s; "
        f"load before {run['load_before']:.1f}",
    ]
    for device in sorted({case["device"] for case in cases}):
        lines += ["", *_lines_of_device(value["benchmarks"], device)]
    targets = [target["met"] for case in cases for target in case["targets"]]
    if targets:
        lines += ["", f"targets met: {sum(targets)} of {len(targets)}"]
    return "\n".join([*lines, *map(_spent, filter(_misses, cases))])


def _lines_of_device(benchmarks: list[dict[str, Any]], device: str) -> Iterator[str]:
    of_device = [part for part in benchmarks if part["extra_info"]["device"] == device]
    cases = [part["extra_info"] for part in of_device]
    threads = " or ".join(map(str, sorted({case["threads"] for case in cases})))
    yield f"on {device}, with {threads} CPU threads; copies {cases[0]['copy_gb_per_s']:.3g} GB/s"
    rows = [HEADINGS, *(_row(part["extra_info"], part["stats"]) for part in of_device)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if column in _TEXTS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _row(case: Mapping[str, Any], stats: Mapping[str, Any]) -> tuple[str, ...]:
    baseline = case["baseline"]
    memory = case["peak_memory_bytes"] / case["output_bytes"]
    return (
        case["case"],
        _digits(stats["median"] * 1e3),
        "" if baseline is None else _digits(baseline["median"] * 1e3),
        "" if baseline is None else baseline["name"],
        "" if baseline is None else _ratio(baseline),
        _digits(case["floor"] * 1e3),
        f"{_digits(case['peak_memory_bytes'] / 2**20)} ({_digits(memory)}x output)",
        ", ".join(map(_outcome, case["targets"])),
    )


def _ratio(baseline: Mapping[str, Any]) -> str:
    ratio = f"{baseline['comparison']} {_digits(baseline['ratio'])}x"
    if baseline["interval"] is None:
        return ratio
    low, high = baseline["interval"]
    return f"{ratio} [{_digits(low)}, {_digits(high)}]"


def _outcome(target: Mapping[str, Any]) -> str:
    name, more_is_better = QUANTITIES[target["quantity"]]
    sign, met = (">=" if more_is_better else "<="), ("met" if target["met"] else "NOT MET")
    return f"{name} {sign} {target['bound']:g}: {met} ({_digits(target['value'])})"


def _misses(case: Mapping[str, Any]) -> bool:
    return bool(case["profile"]) and not all(target["met"] for target in case["targets"])


def _spent(case: Mapping[str, Any]) -> str:
    parts = ", ".join(
        f"{part['name']} {part['share']:.0%} ({part['calls']} calls)" for part in case["profile"]
    )
    return f"where the time of {case['case']!r} goes: {parts}"


def _digits(number: float) -> str:
    """Three digits, without an exponent."""
    return f"{number:.0f}" if number >= 1000 else f"{number:.3g}"
