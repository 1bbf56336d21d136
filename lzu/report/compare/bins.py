"""A metric by bins of a quantity (see `Bins`): from collected values to curves."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lzu.errors import UserError
from lzu.experiments.tables import Row
from lzu.experiments.task import Bins, Unit
from lzu.report.compare.cells import RowResult, TableReport
from lzu.report.compare.uncertainty import Scores, mean_over_runs, paired_mean
from lzu.results.statistics import Estimate

NAME = re.compile(r"(?P<metric>\w+)\[(?P<low>[^,]+),(?P<high>[^)]+)\)(?P<sign>.*)")

Span = tuple[float, float]


@dataclass(frozen=True)
class BinCurve:
    """A row of the table in every bin; None where a bin counts none or has nothing to pair with.

    `against_baseline` are paired differences from the baseline at the same scales.
    """

    row: Row
    values: tuple[Estimate | None, ...]
    against_baseline: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class BinReport:
    """`edges` are the bins' ends in `unit`, the last infinite; `counts` how much each counts."""

    bins: Bins
    unit: Unit
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    curves: tuple[BinCurve, ...]


def by_bin(report: TableReport, bins: Bins) -> tuple[BinReport, ...]:
    """The bins of a `TableReport`, by each unit that its results have.

    Raises:
        UserError: if results have different bins.
    """
    found = (_by_unit(report, bins, unit) for unit in bins.units)
    return tuple(one for one in found if one is not None)


def _by_unit(report: TableReport, bins: Bins, unit: Unit) -> BinReport | None:
    spans = {row.row: _spans(row.scores, bins, unit) for row in report.rows}
    measured = [row for row in report.rows if spans[row.row]]
    if not measured:
        return None
    if len({spans[row.row] for row in measured}) > 1:
        raise UserError(
            f"table {report.table.name}: results have different bins of {bins.quantity}; score all "
            "runs again"
        )
    own = spans[measured[0].row]
    names = [f"[{low:g},{high:g}){unit.sign}" for low, high in own]
    by_row = {row.row: row for row in measured}
    metrics = [f"{bins.metric}{name}" for name in names]
    return BinReport(
        bins=bins,
        unit=unit,
        edges=(*(low for low, _ in own), own[-1][1]),
        counts=tuple(_count(measured[0], f"{bins.count}{name}") for name in names),
        curves=tuple(_curve(report, row, by_row, metrics) for row in measured),
    )


def _spans(metrics: Iterable[str], bins: Bins, unit: Unit) -> tuple[Span, ...]:
    """The bins that are counted in; one that counts none has no score."""
    found = [match for match in map(NAME.fullmatch, metrics) if match]
    own = [m for m in found if (m["metric"], m["sign"]) == (bins.count, unit.sign)]
    return tuple(sorted((float(match["low"]), float(match["high"])) for match in own))


def _count(row: RowResult, metric: str) -> int:
    return int(next(iter(row.scores[metric].values.values())))


def _curve(
    report: TableReport, row: RowResult, by_row: dict[Row, RowResult], names: list[str]
) -> BinCurve:
    base = by_row.get(report.baseline_of(row.row))
    values, differences = [], []
    for name in names:
        own = row.scores.get(name)
        theirs = None if base is None else base.scores.get(name)
        values.append(None if own is None else mean_over_runs(own).estimate())
        differences.append(_difference(own, theirs))
    return BinCurve(row.row, tuple(values), tuple(differences))


def _difference(own: Scores | None, theirs: Scores | None) -> Estimate | None:
    if own is None or theirs is None:
        return None
    mean = paired_mean(own, theirs)
    return None if mean is None else mean.estimate()
