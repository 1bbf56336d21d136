"""The comparisons at equal cost as CSV, Markdown, LaTeX and plain text."""

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from lzu.experiments.methods import BASELINE
from lzu.report import names
from lzu.report.compare.cells import TableReport
from lzu.report.compare.contrasts import FEWEST_RUNS
from lzu.report.compare.iso_cost import CostKind, IsoCost, compare_at_equal_cost
from lzu.report.compare.numbers import DASH, estimate_text, number, rounded
from lzu.report.tables.csv_files import key_fields, key_names, verdict_fields, write_csv
from lzu.report.tables.forms import write_forms
from lzu.report.tables.grid import Grid

VERDICTS = (
    "Verdicts: none of these comparisons was declared before measuring, so all measured ones are "
    f"corrected for their number (Holm), while intervals are not. With fewer than {FEWEST_RUNS} "
    "runs a result suggests, and decides nothing."
)


def _notes(kind: CostKind) -> list[str]:
    noun, plural = kind.noun, kind.plural
    exact = f"± is half the 95 % interval of the paired difference; {plural} count as exact."
    if any(published for published, _ in kind.sources):
        exact += " Published values have no runs."
    return [
        f"{BASELINE.label}'s value is that at the method's {noun}: its models of the same from "
        f"scale, interpolated linearly in {noun} between neighbours on their Pareto front, run by "
        "run; no model was trained there. Nothing is extrapolated beyond the front.",
        exact,
        kind.note,
        VERDICTS,
    ]


def _cost_names(kind: CostKind) -> tuple[str, str, str]:
    """Names of the CSV file's columns: the cost's metric, the cost, the baseline's value there."""
    noun = kind.noun.lower()
    return noun, f"{noun}_{kind.unit.lower()}", f"baseline_at_{noun}"


def _field_names(kind: CostKind) -> list[str]:
    protocol, cost, baseline = _cost_names(kind)
    return [
        *("metric", "source", protocol, cost, "value", baseline, "difference", "low", "high"),
        *("runs", "p_value", "level", "verdict", "reason"),
    ]


def iso_cost_grid(report: TableReport, kind: CostKind, results: Sequence[IsoCost]) -> Grid:
    """A group for each method and scale, a line for each source, in the headline metric."""
    metric = report.headline.label
    groups = []
    for row, found in groupby(_own(report, results), key=lambda result: result.row):
        lines = []
        for result in found:
            n, difference = result.column.decimals, result.difference
            runs = difference.n if difference and not result.published else ""
            verdict = result.contrast.verdict if result.contrast else ""
            lines.append(
                (
                    "" if lines else report.name(row),
                    kind.sources[result.published, result.protocol],
                    number(result.cost, kind.decimals),
                    number(result.value, n),
                    number(result.baseline, n),
                    estimate_text(result.estimate, n, signed=True),
                    str(runs),
                    verdict or ("" if difference else DASH),
                )
            )
        groups.append(tuple(lines))
    header = (
        *("method", "", kind.unit, metric, f"{BASELINE.label}'s {metric}", "difference"),
        *("runs", "verdict"),
    )
    return Grid(header, tuple(groups), left=2)


def _own(report: TableReport, results: Sequence[IsoCost]) -> list[IsoCost]:
    return [result for result in results if result.column == report.headline]


def _below(report: TableReport, kind: CostKind, results: Sequence[IsoCost]) -> list[str]:
    """The reasons of dashes, then the notes."""
    reasons: dict[str, list[str]] = {}
    for result in _own(report, results):
        if result.reason is not None:
            source = kind.sources[result.published, result.protocol]
            reasons.setdefault(f"{source}: {result.reason}", []).append(report.name(result.row))
    listed = [f"{DASH} {reason}: {'; '.join(rows)}." for reason, rows in reasons.items()]
    return [*listed, *_notes(kind)]


def _fields(kind: CostKind, result: IsoCost) -> dict[str, Any]:
    protocol, cost, baseline = _cost_names(kind)
    difference, measured = result.estimate, None if result.published else result.estimate
    verdict = verdict_fields(result.contrast)
    return {
        **key_fields(result.row),
        "metric": result.column.metric,
        "source": "published" if result.published else "measured",
        protocol: result.protocol,
        cost: rounded(result.cost),
        "value": rounded(result.value),
        baseline: rounded(result.baseline),
        "difference": rounded(difference and difference.value),
        "low": rounded(measured and measured.low),
        "high": rounded(measured and measured.high),
        "runs": measured.n if measured else "",
        **{name: verdict.get(name, "") for name in ("p_value", "level", "verdict")},
        "reason": result.reason or "",
    }


def write_iso_cost_table(
    report: TableReport, kind: CostKind, folder: str | os.PathLike[str]
) -> dict[str, Path]:
    """Write the comparison to `folder`: in the table's headline metric, in CSV in every score.

    Returns:
        A mapping of form to path: "csv", "md", "tex" and "txt".
    """
    results = compare_at_equal_cost(report, kind)
    data = f"{report.source} data {report.dataset}" if report.dataset else "nothing yet"
    published = "published, and " if any(of for of, _ in kind.sources) else ""
    title = (
        f"{report.headline.label} against {BASELINE.label} at the same {kind.noun}: {published}"
        f"measured on {data}, suite {report.suite}"
    )
    stem = names.of_task(report.task.name, kind.name)
    paths = {form: Path(folder) / f"{stem}.{form}" for form in names.TABLE_FORMS}
    keys = key_names(result.row for result in results)
    write_csv(paths["csv"], [*keys, *_field_names(kind)], [_fields(kind, x) for x in results])
    grid, below = iso_cost_grid(report, kind, results), _below(report, kind, results)
    label = f"{kind.name.replace('_', '-')}-{report.task.name}-{report.suite}"
    write_forms(folder, stem, title, label, grid, below)
    return paths
