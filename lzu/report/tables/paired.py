"""Methods against the baseline, paired run by run: as a grid, in sentences, and counted."""

from collections import Counter
from itertools import groupby

from lzu.experiments.methods import BASELINE
from lzu.report.compare.cells import Cost, PairedResult, TableReport
from lzu.report.compare.contrasts import Contrast, contrast_text
from lzu.report.compare.numbers import estimate_text, interval_text, number
from lzu.report.names import paired as paired_stem
from lzu.report.tables.grid import Grid
from lzu.report.tables.layouts import options_text, relative_line, scales_text

PAIRED_TITLE = (
    f"Paired by seed and machine: method minus {BASELINE.label} at the same scale "
    "(± half the 95 % interval, each metric on its own)"
)
VERDICTS = ("win", "loss", "suggests a gain", "suggests a loss", "undecided", "one seed")


def short_verdict(contrast: Contrast | None) -> str:
    """The verdict alone, and whether the comparison was declared; empty without one."""
    if contrast is None:
        return ""
    return f"{contrast.verdict} (declared)" if contrast.primary else contrast.verdict


def paired_grid(report: TableReport) -> Grid:
    """Each method minus the baseline at the same scale: published and measured, by metric.

    The verdict, of the headline metric alone, stands below the method's name. Columns of the
    table's other parts are left to the CSV file.
    """
    columns = [column for column in report.table.parts[""] if column.source == "score"]
    groups = []
    for row, results in groupby(report.paired, key=lambda paired: paired.row):
        found = {result.column.metric: result for result in results}
        own = [(found.get(column.metric), column.decimals) for column in columns]
        published = (number(p.published if p else None, n, signed=True) for p, n in own)
        estimates = {metric: result.measured.estimate() for metric, result in found.items()}
        measured = (
            estimate_text(estimates.get(column.metric), column.decimals, signed=True)
            for column in columns
        )
        headline = found.get(report.table.headline)
        verdict = short_verdict(headline.contrast if headline else None)
        runs = max(result.measured.n for result in found.values())
        relative = relative_line(columns, estimates, signed=True)
        scales = scales_text(report, row)
        if not report.table.is_published:
            method = ", ".join(text for text in (row.label, options_text(row), verdict) if text)
            groups.append(((scales, method, *measured, str(runs)),))
            continue
        groups.append(
            (
                (scales, f"{row.label} {options_text(row)}".rstrip(), "published", *published, ""),
                ("", verdict, "measured", *measured, str(runs)),
                *((*line, "") for line in relative),
            )
        )
    left = ("scale", f"method, verdict in {report.headline.label}")
    left = (*left, "") if report.table.is_published else left
    header = (*left, *(column.label for column in columns), "runs")
    return Grid(header, tuple(groups), left=len(left))


def _cost_text(cost: Cost) -> str:
    """What a method costs; an interval of the ratio that holds 1 tells no difference."""
    added, ratio = f"adds {cost.added_ms:.2f} ms", f"×{cost.ratio:.2f}"
    if cost.low is None or cost.high is None:
        return f"{added}, end to end {ratio} (too few rounds for an interval)"
    interval = f"95 % interval {cost.low:.2f} to {cost.high:.2f}"
    if cost.low <= 1 <= cost.high:
        return f"{added}, no difference in end-to-end time measured ({ratio}, {interval})"
    return f"{added}, end to end {ratio} ({interval})"


def verdict_sentence(report: TableReport, result: PairedResult, cost: Cost | None) -> str:
    """One plain sentence on a paired comparison in the headline metric."""
    # A decimal more than in the table, so that a bound near zero shows its side.
    n = result.column.decimals
    interval = interval_text(result.column.label, result.measured.estimate(), n + 1)
    scale = report.task.scale_label
    given = "" if result.row.from_scale == 1 else f" from {scale(result.row.from_scale)}"
    options = "".join(f" {name}={value}" for name, value in result.row.options)
    where = f"{result.row.label}{options} against {BASELINE.label}{given}"
    declared = " (declared)" if result.contrast and result.contrast.primary else ""
    said = "" if result.contrast is None else f"{contrast_text(result.contrast)}, "
    theirs = "" if result.published is None else f"; published {result.published:+.{n}f}"
    paid = "" if cost is None else f"; {_cost_text(cost)}"
    return f"{where} at {scale(result.row.to_scale)}{declared}: {said}{interval}{theirs}{paid}."


def verdict_sentences(report: TableReport) -> list[str]:
    """A sentence for each paired comparison in the table's headline metric."""
    costs = {result.row: result.cost for result in report.rows}
    return [
        verdict_sentence(report, result, costs.get(result.row))
        for result in report.paired
        if result.column == report.headline
    ]


def tally(report: TableReport) -> str:
    """How often methods win against the baseline in the headline metric, in one sentence."""
    contrasts = [result.contrast for result in report.paired if result.contrast is not None]
    counts = Counter(contrast.verdict for contrast in contrasts)
    said = ", ".join(f"{counts[word]} {word}" for word in VERDICTS if counts[word])
    return (
        f"Against {BASELINE.label}, paired by seed and machine, {report.headline.label}: "
        f"{said} of {len(contrasts)} measured comparisons ({paired_stem(report.table.name)}.csv)."
    )
