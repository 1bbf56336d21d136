"""The headline metric by finer bins of object size: from collected values to curves.

Size is the square root of a box's area, in native pixels or in heights of the image, whatever the
scale that a network sees. Heights compare with images of another resolution, pixels do not.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lzu.errors import UserError
from lzu.experiments.tables import Row
from lzu.report.compare.cells import RowResult, TableReport
from lzu.report.compare.uncertainty import Scores, mean_over_runs, paired_mean
from lzu.results.statistics import Estimate

NAME = re.compile(r"(?P<metric>\w+)\[(?P<low>[^,]+),(?P<high>[^)]+)\)(?P<sign>/H)?")
PIXELS, HEIGHTS = "px", "heights"
UNITS = {PIXELS: "", HEIGHTS: "/H"}
"""Unit of sizes -> what follows the bracket in the names of metrics."""

Span = tuple[float, float]


@dataclass(frozen=True)
class SizeCurve:
    """A row of the table in every bin; None where a bin has no boxes or nothing to pair with.

    `against_baseline` are paired differences from the baseline at the same scales.
    """

    row: Row
    values: tuple[Estimate | None, ...]
    against_baseline: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class SizeReport:
    """`edges` are the bins' ends in `unit` ("px", "heights"), the last infinite; `boxes` their
    numbers of boxes."""

    unit: str
    edges: tuple[float, ...]
    boxes: tuple[int, ...]
    curves: tuple[SizeCurve, ...]


def by_size(report: TableReport) -> tuple[SizeReport, ...]:
    """The bins of a `TableReport`, by each unit of size that its results have.

    Raises:
        UserError: if results have different bins.
    """
    found = (_by_size(report, unit) for unit in UNITS)
    return tuple(sizes for sizes in found if sizes is not None)


def _by_size(report: TableReport, unit: str) -> SizeReport | None:
    metric = report.table.headline
    spans = {row.row: _spans(row.scores, unit) for row in report.rows}
    measured = [row for row in report.rows if spans[row.row]]
    if not measured:
        return None
    if len({spans[row.row] for row in measured}) > 1:
        raise UserError(
            f"table {report.table.name}: results have different bins of object size; score all "
            "runs again"
        )
    bins = spans[measured[0].row]
    names = [f"[{low:g},{high:g}){UNITS[unit]}" for low, high in bins]
    by_row = {row.row: row for row in measured}
    curves = tuple(_curve(report, row, by_row, [f"{metric}{n}" for n in names]) for row in measured)
    edges = (*(low for low, _ in bins), bins[-1][1])
    return SizeReport(unit, edges, tuple(_boxes(measured[0], name) for name in names), curves)


def _spans(metrics: Iterable[str], unit: str) -> tuple[Span, ...]:
    """The bins that boxes are counted in; one without boxes has no score."""
    found = [match for match in map(NAME.fullmatch, metrics) if match]
    own = [m for m in found if m["metric"] == "boxes" and (m["sign"] or "") == UNITS[unit]]
    return tuple(sorted((float(match["low"]), float(match["high"])) for match in own))


def _boxes(row: RowResult, name: str) -> int:
    return int(next(iter(row.scores[f"boxes{name}"].values.values())))


def _curve(
    report: TableReport, row: RowResult, by_row: dict[Row, RowResult], names: list[str]
) -> SizeCurve:
    base = by_row.get(report.baseline_of(row.row))
    values, differences = [], []
    for name in names:
        own = row.scores.get(name)
        theirs = None if base is None else base.scores.get(name)
        values.append(None if own is None else mean_over_runs(own).estimate())
        differences.append(_difference(own, theirs))
    return SizeCurve(row.row, tuple(values), tuple(differences))


def _difference(own: Scores | None, theirs: Scores | None) -> Estimate | None:
    if own is None or theirs is None:
        return None
    mean = paired_mean(own, theirs)
    return None if mean is None else mean.estimate()
