"""The comparison at equal latency as CSV, Markdown, LaTeX and plain text."""

import os
import textwrap
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from lzu.files import write_text
from lzu.report.compare.comparison import TableReport, row_name
from lzu.report.compare.iso_latency import IsoLatency, compare_at_equal_latency
from lzu.report.compare.numbers import estimate_text, number, rounded
from lzu.report.tables.forms import TEXT_WIDTH, write_csv
from lzu.report.tables.grid import DASH, Grid, latex_environment, to_markdown, to_text

SOURCES = {
    (True, "latency_ms"): "published",
    (False, "latency_ms"): "measured",
    (False, "end_to_end_ms"): "measured e2e",
}
FIELDS = (
    *("from", "to", "method", "metric", "source", "latency", "latency_ms", "value"),
    *("uniform_at_latency", "difference", "low", "high", "seeds", "verdict", "reason"),
)
NOTES = (
    "Uniform: the uniform models of the same from scale, interpolated linearly in latency between "
    "neighbours on their Pareto front, seed by seed; no model was trained there. Nothing is "
    "extrapolated beyond the front.",
    "± is half the 95 % paired t interval over seeds; latencies count as exact. Published values "
    "have no seeds.",
    "measured: latency by the paper's protocol, baseline plus added operations; measured e2e: from "
    "the image in memory to detections.",
)


def iso_latency_grid(results: Sequence[IsoLatency], metric: str) -> Grid:
    """A group for each method and scale, a line for each source, in one metric."""
    own = [result for result in results if result.column.metric == metric]
    groups = []
    for row, found in groupby(own, key=lambda result: result.row):
        lines = []
        for result in found:
            n, difference = result.column.decimals, result.difference
            seeds = difference.n if difference and not result.published else ""
            lines.append(
                (
                    "" if lines else row_name(row),
                    SOURCES[result.published, result.protocol],
                    number(result.latency_ms, 1),
                    number(result.value, n),
                    number(result.uniform, n),
                    estimate_text(difference, n, signed=True),
                    str(seeds),
                    result.verdict or ("" if difference else DASH),
                )
            )
        groups.append(tuple(lines))
    header = (
        *("method", "", "ms", metric, f"uniform {metric} at these ms", "difference"),
        *("seeds", "verdict"),
    )
    return Grid(header, tuple(groups), left=2)


def _below(results: Sequence[IsoLatency], metric: str) -> list[str]:
    """The reasons of dashes, then the notes."""
    reasons: dict[str, list[str]] = {}
    for result in results:
        if result.column.metric == metric and result.reason is not None:
            source = SOURCES[result.published, result.protocol]
            reasons.setdefault(f"{source}: {result.reason}", []).append(row_name(result.row))
    listed = [f"{DASH} {reason}: {'; '.join(names)}." for reason, names in reasons.items()]
    return [*listed, *NOTES]


def _fields(result: IsoLatency) -> dict[str, Any]:
    row, difference = result.row, result.difference
    measured = None if result.published else difference
    return {
        "from": f"{row.from_scale:g}",
        "to": f"{row.to_scale:g}",
        "method": row.method,
        "metric": result.column.metric,
        "source": "published" if result.published else "measured",
        "latency": result.protocol,
        "latency_ms": rounded(result.latency_ms),
        "value": rounded(result.value),
        "uniform_at_latency": rounded(result.uniform),
        "difference": rounded(difference and difference.value),
        "low": rounded(measured and measured.low),
        "high": rounded(measured and measured.high),
        "seeds": measured.n if measured else "",
        "verdict": result.verdict or "",
        "reason": result.reason or "",
    }


def write_iso_latency_table(report: TableReport, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write `iso_latency.*` to `folder`: the table's headline metric, in CSV every score.

    Returns:
        A mapping of form to path: "csv", "md", "tex" and "txt".
    """
    results, metric = compare_at_equal_latency(report), report.table.headline
    grid, below = iso_latency_grid(results, metric), _below(results, metric)
    data = f"{report.source} data {report.dataset}" if report.dataset else "nothing yet"
    title = (
        f"{metric} against uniform models of the same latency: published, and measured on {data}, "
        f"suite {report.suite}"
    )
    paths = {form: Path(folder) / f"iso_latency.{form}" for form in ("csv", "md", "tex", "txt")}
    write_csv(paths["csv"], list(FIELDS), [_fields(result) for result in results])
    listed = "\n".join(f"- {line.removeprefix(f'{DASH} ')}" for line in below)
    write_text(paths["md"], f"## {title}\n\n{to_markdown(grid)}\n\n{listed}\n")
    environment = latex_environment(title, f"iso-latency-{report.suite}", grid, below)
    write_text(paths["tex"], f"% \\usepackage{{booktabs}}\n{environment}\n")
    wrapped = (textwrap.fill(line, TEXT_WIDTH, subsequent_indent="  ") for line in below)
    write_text(paths["txt"], "\n\n".join([title, to_text(grid), "\n".join(wrapped)]) + "\n")
    return paths
