"""Scores by bins of object size as a CSV file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lzu.report import names
from lzu.report.compare.numbers import rounded
from lzu.report.compare.size_bins import SizeCurve, SizeReport
from lzu.report.tables.csv_files import key_fields, key_names, write_csv

FIELDS = (
    *("unit", "lower", "upper", "boxes", "value", "low", "high", "runs"),
    *("difference", "difference_low", "difference_high", "paired_runs"),
)


def _fields(sizes: SizeReport, curve: SizeCurve, place: int) -> dict[str, Any]:
    value, paired = curve.values[place], curve.against_baseline[place]
    return {
        **key_fields(curve.row),
        "unit": sizes.unit,
        "lower": f"{sizes.edges[place]:g}",
        "upper": f"{sizes.edges[place + 1]:g}",
        "boxes": sizes.boxes[place],
        "value": rounded(value and value.value),
        "low": rounded(value and value.low),
        "high": rounded(value and value.high),
        "runs": value.n if value else 0,
        "difference": rounded(paired and paired.value),
        "difference_low": rounded(paired and paired.low),
        "difference_high": rounded(paired and paired.high),
        "paired_runs": paired.n if paired else 0,
    }


def write_size_table(
    reports: Sequence[SizeReport], folder: str | os.PathLike[str], task: str
) -> Path:
    """Write a task's table of bins to `folder`, a line for each unit, row and bin; a header alone
    if no result has bins. `value` is of the headline metric."""
    path = Path(folder) / f"{names.of_task(task, names.SIZE_BINS)}.csv"
    rows = [
        _fields(sizes, curve, place)
        for sizes in reports
        for curve in sizes.curves
        for place in range(len(sizes.boxes))
    ]
    keys = key_names(curve.row for sizes in reports for curve in sizes.curves)
    write_csv(path, [*keys, *FIELDS], rows)
    return path
