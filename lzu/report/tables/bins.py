"""Scores by bins as a CSV file."""

import os
from pathlib import Path
from typing import Any

from lzu.experiments.task import Bins
from lzu.report import names
from lzu.report.compare.bins import BinCurve, BinReport, by_bin
from lzu.report.compare.cells import TableReport
from lzu.report.compare.numbers import rounded
from lzu.report.tables.csv_files import key_fields, key_names, write_csv


def _names(bins: Bins) -> list[str]:
    return [
        *("unit", "lower", "upper", bins.count, "value", "low", "high", "runs"),
        *("difference", "difference_low", "difference_high", "paired_runs"),
    ]


def _fields(found: BinReport, curve: BinCurve, place: int) -> dict[str, Any]:
    value, paired = curve.values[place], curve.against_baseline[place]
    return {
        **key_fields(curve.row),
        "unit": found.unit.name,
        "lower": f"{found.edges[place]:g}",
        "upper": f"{found.edges[place + 1]:g}",
        found.bins.count: found.counts[place],
        "value": rounded(value and value.value),
        "low": rounded(value and value.low),
        "high": rounded(value and value.high),
        "runs": value.n if value else 0,
        "difference": rounded(paired and paired.value),
        "difference_low": rounded(paired and paired.low),
        "difference_high": rounded(paired and paired.high),
        "paired_runs": paired.n if paired else 0,
    }


def write_bin_table(report: TableReport, bins: Bins, folder: str | os.PathLike[str]) -> Path:
    """Write a task's table of bins to `folder`, a line for each unit, row and bin; a header alone
    if no result has bins. `value` is of the bins' metric."""
    path = Path(folder) / f"{names.of_task(report.task.name, bins.name)}.csv"
    reports = by_bin(report, bins)
    rows = [
        _fields(found, curve, place)
        for found in reports
        for curve in found.curves
        for place in range(len(found.counts))
    ]
    keys = key_names(curve.row for found in reports for curve in found.curves)
    write_csv(path, [*keys, *_names(bins)], rows)
    return path
