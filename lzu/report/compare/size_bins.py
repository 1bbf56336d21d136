"""AP by finer bins of object size than COCO's three: from result files to values and differences.

Size is the square root of a box's area in native pixels, whatever the scale that a network sees.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lzu.errors import UserError
from lzu.experiments.registry import TableRow
from lzu.report.compare.comparison import TableReport
from lzu.report.compare.numbers import rounded
from lzu.report.compare.statistics import Estimate, mean_interval, paired_difference, verdict
from lzu.report.tables.forms import write_csv

NAME = re.compile(r"(AP|boxes)\[([^,]+),([^)]+)\)")
FIELDS = (
    *("from", "to", "method", "lower_px", "upper_px", "boxes", "AP", "low", "high", "seeds"),
    *("difference", "difference_low", "difference_high", "paired_seeds", "verdict"),
)


@dataclass(frozen=True)
class SizeCurve:
    """A row of the table in every bin; None where a bin has no boxes or nothing to pair with.

    `against_uniform` are differences from uniform at the same scales, paired by seed.
    """

    row: TableRow
    values: tuple[Estimate | None, ...]
    against_uniform: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class SizeReport:
    """`edges` are the bins' ends in pixels, the last infinite; `boxes` their numbers of boxes."""

    edges: tuple[float, ...]
    boxes: tuple[int, ...]
    curves: tuple[SizeCurve, ...]


def by_size(report: TableReport) -> SizeReport | None:
    """The bins of a `TableReport`; None if no result has any.

    Raises:
        UserError: if results have different bins.
    """
    measured = [row for row in report.rows if any(map(NAME.fullmatch, row.by_seed))]
    if not measured:
        return None
    spans = {_spans(row.by_seed) for row in measured}
    if len(spans) > 1:
        raise UserError(
            f"table {report.table.name}: results have different bins of object size; score all "
            "runs again"
        )
    [bins] = spans
    names = [f"[{low:g},{high:g})" for low, high in bins]
    first = measured[0].by_seed
    # An empty mapping is a bin whose value is undefined.
    boxes = [next(iter(first[f"boxes{name}"].values())) for name in names]
    by_row = {row.row: row.by_seed for row in measured}
    curves = []
    for row, values in by_row.items():
        uniform = by_row.get(report.table.baseline_of(row), {})
        curves.append(
            SizeCurve(
                row,
                tuple(_mean(values[f"AP{name}"]) for name in names),
                tuple(
                    paired_difference(values[f"AP{name}"], uniform.get(f"AP{name}", {}))
                    for name in names
                ),
            )
        )
    edges = (*(low for low, _ in bins), bins[-1][1])
    return SizeReport(edges, tuple(map(int, boxes)), tuple(curves))


def _spans(metrics: Iterable[str]) -> tuple[tuple[float, float], ...]:
    found = [match for match in map(NAME.fullmatch, metrics) if match and match[1] == "AP"]
    return tuple(sorted((float(match[2]), float(match[3])) for match in found))


def _mean(values: Mapping[int, float]) -> Estimate | None:
    return mean_interval(list(values.values())) if values else None


def _fields(sizes: SizeReport, curve: SizeCurve, place: int) -> dict[str, Any]:
    row, value, paired = curve.row, curve.values[place], curve.against_uniform[place]
    return {
        "from": f"{row.from_scale:g}",
        "to": f"{row.to_scale:g}",
        "method": row.method,
        "lower_px": f"{sizes.edges[place]:g}",
        "upper_px": f"{sizes.edges[place + 1]:g}",
        "boxes": sizes.boxes[place],
        "AP": rounded(value and value.value),
        "low": rounded(value and value.low),
        "high": rounded(value and value.high),
        "seeds": value.n if value else 0,
        "difference": rounded(paired and paired.value),
        "difference_low": rounded(paired and paired.low),
        "difference_high": rounded(paired and paired.high),
        "paired_seeds": paired.n if paired else 0,
        "verdict": verdict(paired) if paired else "",
    }


def write_size_table(sizes: SizeReport | None, folder: str | os.PathLike[str]) -> Path:
    """Write `size_bins.csv` to `folder`, a row for each row of the table and bin; a header alone
    if no result has bins."""
    path = Path(folder) / "size_bins.csv"
    rows = []
    if sizes is not None:
        rows = [
            _fields(sizes, curve, place)
            for curve in sizes.curves
            for place in range(len(sizes.boxes))
        ]
    write_csv(path, list(FIELDS), rows)
    return path
