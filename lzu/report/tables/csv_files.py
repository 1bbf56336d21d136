"""A table's numbers at full precision, and its paired comparisons, as CSV files."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lzu.experiments.tables import Row
from lzu.files import write_atomic
from lzu.report.compare.cells import CellResult, PairedResult, RowResult, TableReport
from lzu.report.compare.contrasts import Contrast
from lzu.report.compare.numbers import rounded

PAIRED_FIELDS = (
    *("metric", "published_difference", "measured_difference", "low", "high", "runs", "machines"),
    *("declared", "p_value", "level", "verdict"),
)


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `rows` under a header of `names`, atomically; a row may lack some of them."""
    with write_atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(names), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def key_fields(row: Row) -> dict[str, str]:
    """What singles out a row of a table."""
    return {
        "from": f"{row.from_scale:g}",
        "to": f"{row.to_scale:g}",
        "method": row.method,
        **dict(row.options),
    }


def key_names(rows: Iterable[Row]) -> list[str]:
    """The names of all rows' keys: the baseline's row may have fewer options than others."""
    options = {name: None for row in rows for name, _ in row.options}
    return ["from", "to", "method", *options]


def write_values(report: TableReport, path: Path) -> None:
    """Write every number of a table, a line a row.

    Columns METRIC_published, _measured, _low and _high (the 95 % interval), and _difference,
    empty where published and measured are of different data.
    """
    rows = [_value_fields(result) for result in report.rows]
    keys = key_names(result.row for result in report.rows)
    write_csv(path, list(dict.fromkeys([*keys, *rows[0]])), rows)


def _value_fields(result: RowResult) -> dict[str, Any]:
    fields: dict[str, Any] = {
        **key_fields(result.row),
        "seeds": " ".join(map(str, result.seeds)),
        "machines": " ".join(sorted({machine for machine, _ in result.runs})),
        "runs": len(result.runs),
    }
    for metric, cell in result.cells.items():
        fields |= _cell_fields(metric, cell)
    return fields


def _cell_fields(metric: str, cell: CellResult) -> dict[str, Any]:
    measured = cell.measured
    return {
        f"{metric}_published": rounded(cell.published),
        f"{metric}_measured": rounded(measured and measured.value),
        f"{metric}_low": rounded(measured and measured.low),
        f"{metric}_high": rounded(measured and measured.high),
        f"{metric}_difference": rounded(cell.difference),
    }


def write_paired(report: TableReport, path: Path) -> None:
    """Write a table's paired comparisons, a line a row and metric.

    In the headline metric: whether the comparison was declared, its p-value (of the others
    corrected by Holm, to be held against 5 %), the level that its own p-value was held against, and
    the verdict. Elsewhere these are empty.
    """
    rows = [_paired_fields(result) for result in report.paired]
    keys = key_names(result.row for result in report.rows)
    write_csv(path, [*keys, *PAIRED_FIELDS], rows)


def _paired_fields(result: PairedResult) -> dict[str, Any]:
    estimate = result.measured.estimate()
    return {
        **key_fields(result.row),
        "metric": result.column.metric,
        "published_difference": rounded(result.published),
        "measured_difference": rounded(estimate.value),
        "low": rounded(estimate.low),
        "high": rounded(estimate.high),
        "runs": result.measured.n,
        "machines": result.measured.machines,
        **verdict_fields(result.contrast),
    }


def verdict_fields(contrast: Contrast | None) -> dict[str, Any]:
    """A verdict's columns; none without one."""
    if contrast is None:
        return {}
    return {
        "declared": "yes" if contrast.primary else "no",
        "p_value": _significant(contrast.p_value),
        "level": _significant(contrast.level),
        "verdict": contrast.verdict,
    }


def _significant(value: float | None) -> str:
    """Probabilities by their digits: the smallest are the interesting ones."""
    return "" if value is None else f"{value:.4g}"
