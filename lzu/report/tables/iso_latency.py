"""The comparison at equal latency as CSV, Markdown, LaTeX and plain text."""

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from lzu.experiments.methods import BASELINE
from lzu.report import names
from lzu.report.compare.cells import TableReport
from lzu.report.compare.contrasts import FEWEST_RUNS
from lzu.report.compare.iso_latency import IsoLatency, compare_at_equal_latency
from lzu.report.compare.numbers import DASH, estimate_text, number, rounded
from lzu.report.tables.csv_files import key_fields, key_names, verdict_fields, write_csv
from lzu.report.tables.forms import write_forms
from lzu.report.tables.grid import Grid

SOURCES = {
    (True, "latency_ms"): "published",
    (False, "latency_ms"): "measured",
    (False, "end_to_end_ms"): "measured e2e",
}
FIELDS = (
    *("metric", "source", "latency", "latency_ms", "value"),
    *("baseline_at_latency", "difference", "low", "high", "runs", "p_value", "level", "verdict"),
    "reason",
)
NOTES = (
    f"{BASELINE.label}'s value is that at the method's latency: its models of the same from "
    "scale, interpolated linearly in latency between neighbours on their Pareto front, run by run; "
    "no model was trained there. Nothing is extrapolated beyond the front.",
    "± is half the 95 % interval of the paired difference; latencies count as exact. Published "
    "values have no runs.",
    "measured: latency by the paper's protocol, baseline plus added operations; measured e2e: from "
    "the image in memory to the final predictions.",
    "Verdicts: none of these comparisons was declared before measuring, so all measured ones are "
    f"corrected for their number (Holm), while intervals are not. With fewer than {FEWEST_RUNS} "
    "runs a result suggests, and decides nothing.",
)


def iso_latency_grid(report: TableReport, results: Sequence[IsoLatency]) -> Grid:
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
                    SOURCES[result.published, result.protocol],
                    number(result.latency_ms, 1),
                    number(result.value, n),
                    number(result.baseline, n),
                    estimate_text(result.estimate, n, signed=True),
                    str(runs),
                    verdict or ("" if difference else DASH),
                )
            )
        groups.append(tuple(lines))
    header = (
        *("method", "", "ms", metric, f"{BASELINE.label}'s {metric}", "difference"),
        *("runs", "verdict"),
    )
    return Grid(header, tuple(groups), left=2)


def _own(report: TableReport, results: Sequence[IsoLatency]) -> list[IsoLatency]:
    return [result for result in results if result.column == report.headline]


def _below(report: TableReport, results: Sequence[IsoLatency]) -> list[str]:
    """The reasons of dashes, then the notes."""
    reasons: dict[str, list[str]] = {}
    for result in _own(report, results):
        if result.reason is not None:
            source = SOURCES[result.published, result.protocol]
            reasons.setdefault(f"{source}: {result.reason}", []).append(report.name(result.row))
    listed = [f"{DASH} {reason}: {'; '.join(rows)}." for reason, rows in reasons.items()]
    return [*listed, *NOTES]


def _fields(result: IsoLatency) -> dict[str, Any]:
    difference, measured = result.estimate, None if result.published else result.estimate
    verdict = verdict_fields(result.contrast)
    return {
        **key_fields(result.row),
        "metric": result.column.metric,
        "source": "published" if result.published else "measured",
        "latency": result.protocol,
        "latency_ms": rounded(result.latency_ms),
        "value": rounded(result.value),
        "baseline_at_latency": rounded(result.baseline),
        "difference": rounded(difference and difference.value),
        "low": rounded(measured and measured.low),
        "high": rounded(measured and measured.high),
        "runs": measured.n if measured else "",
        **{name: verdict.get(name, "") for name in ("p_value", "level", "verdict")},
        "reason": result.reason or "",
    }


def write_iso_latency_table(report: TableReport, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write the comparison to `folder`: in the table's headline metric, in CSV in every score.

    Returns:
        A mapping of form to path: "csv", "md", "tex" and "txt".
    """
    results = compare_at_equal_latency(report)
    data = f"{report.source} data {report.dataset}" if report.dataset else "nothing yet"
    title = (
        f"{report.headline.label} against {BASELINE.label} at the same latency: published, and "
        f"measured on {data}, suite {report.suite}"
    )
    stem = names.of_task(report.task.name, names.ISO_LATENCY)
    paths = {form: Path(folder) / f"{stem}.{form}" for form in names.TABLE_FORMS}
    keys = key_names(result.row for result in results)
    write_csv(paths["csv"], [*keys, *FIELDS], [_fields(result) for result in results])
    grid, below = iso_latency_grid(report, results), _below(report, results)
    write_forms(folder, stem, title, f"iso-latency-{report.task.name}-{report.suite}", grid, below)
    return paths
