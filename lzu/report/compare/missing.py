"""Why cells of a table are dashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lzu.experiments.run import Run
from lzu.experiments.tables import Column

if TYPE_CHECKING:
    from lzu.report.compare.cells import RowResult


def missing(
    columns: Sequence[Column], rows: Mapping[str, RowResult], planned: Sequence[Run], suite: str
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Why cells are dashes: (reason, rows' names), in the order in which the reasons come up.

    Args:
        columns: of the table.
        rows: its rows by their names.
        planned: the runs that `suite` plans for the table.
    """
    reasons: dict[str, list[str]] = {}
    for name, result in rows.items():
        for reason in _reasons(columns, result, planned, suite):
            reasons.setdefault(reason, []).append(name)
    return tuple((reason, tuple(names)) for reason, names in reasons.items())


def _reasons(
    columns: Sequence[Column], result: RowResult, planned: Sequence[Run], suite: str
) -> list[str]:
    wanted = sorted({run.seed for run in planned if result.row.matches(run)})
    if not wanted and not result.runs:
        return [f"not planned in suite {suite}"]
    reasons = []
    absent = [seed for seed in wanted if seed not in result.seeds]
    if absent:
        reasons.append(f"no metrics.json of seed {', '.join(map(str, absent))}")
    for column in columns:
        if result.cells[column.metric].measured is not None:
            continue
        if column.source == "timing":
            reasons.append(f"no timing ({column.metric})")
        elif result.runs:
            reasons.append(f"{column.metric} is undefined on this data (no such objects)")
    return reasons
