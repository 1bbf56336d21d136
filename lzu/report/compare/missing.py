"""Why cells of a table are dashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lzu.experiments.methods import BASELINE
from lzu.experiments.run import Run
from lzu.experiments.tables import Column
from lzu.report.compare.scores import of_row

if TYPE_CHECKING:
    from lzu.report.compare.cells import RowResult


def missing(
    columns: Sequence[Column],
    rows: Mapping[str, RowResult],
    planned: Sequence[Run],
    suite: str,
    collected: pd.DataFrame,
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Why cells are dashes: (reason, rows' names), in the order in which the reasons come up.

    Args:
        columns: of the table.
        rows: its rows by their names.
        planned: the runs that `suite` plans for the table.
        collected: all that was measured, of every machine, that it may be told from what is absent.
    """
    reasons: dict[str, list[str]] = {}
    for name, result in rows.items():
        for reason in _reasons(columns, result, planned, suite, of_row(collected, result.row)):
            reasons.setdefault(reason, []).append(name)
    return tuple((reason, tuple(names)) for reason, names in reasons.items())


def _reasons(
    columns: Sequence[Column],
    result: RowResult,
    planned: Sequence[Run],
    suite: str,
    measured: pd.DataFrame,
) -> list[str]:
    wanted = sorted({run.seed for run in planned if result.row.matches(run)})
    if not wanted and not result.runs:
        return [f"not planned in suite {suite}"]
    reasons = []
    absent = [seed for seed in wanted if seed not in result.seeds]
    left_out = [seed for seed in absent if (measured["seed"] == seed).any()]
    for seeds, why in (
        ([seed for seed in absent if seed not in left_out], "no metrics.json of seed"),
        (left_out, "scores of other machines are left out, and with them seed"),
    ):
        reasons += [f"{why} {', '.join(map(str, seeds))}"] if seeds else []
    timed_elsewhere = (measured["kind"] == "timing").any()
    for column in columns:
        if result.cells[column.metric].measured is not None:
            continue
        if column.source == "timing":
            where = " on the machine whose latencies are shown" if timed_elsewhere else ""
            reasons.append(f"no timing{where} ({column.metric})")
        elif column.source == "improvement":
            if result.runs and result.row.method != BASELINE.name:
                reasons.append(f"no run in common with {BASELINE.label} ({column.label})")
        elif result.runs:
            reasons.append(f"{column.metric} is undefined on this data (no such objects)")
    return reasons
