"""What a suite found, in few lines of Markdown: README's claims are these and no others."""

from collections.abc import Sequence

from lzu.experiments.methods import BASELINE
from lzu.experiments.tables import Row
from lzu.report.compare.cells import PairedResult, RowResult, TableReport
from lzu.report.compare.contrasts import Contrast, contrast_text
from lzu.report.compare.iso_cost import IsoCost, compare_at_equal_cost
from lzu.report.compare.numbers import estimate_text, number
from lzu.report.tables.grid import DASH, Grid, to_markdown


def claims(report: TableReport) -> str:
    """The headline metric, row by row, as Markdown.

    First, in a line each, what the comparisons at the same scales and at the same latency decide.
    Then a row has its value, and both differences from the baseline, published and measured, each
    with its verdict; below stand the table's notes.
    """
    iso = compare_at_equal_cost(report)
    measured = [row for row in report.rows if row.cells[report.headline.metric].measured]
    lines = tuple(_line(report, row, iso) for row in measured)
    header = (
        "",
        report.headline.label,
        f"minus {BASELINE.label}",
        "verdict",
        "published",
        f"minus {BASELINE.label} of the same latency",
        "verdict",
        "published",
        "adds (ms)",
        "end to end",
    )
    notes = "\n".join(f"- {note}" for note in report.notes)
    table = to_markdown(Grid(header, (lines,), left=1))
    return f"{_decided(report, iso)}\n\n{table}\n\n{notes}\n"


def _decided(report: TableReport, iso: Sequence[IsoCost]) -> str:
    """Which methods win, lose and stay undecided, in a line for each comparison."""
    metric = report.headline.metric
    same = [(p.row, p.contrast) for p in report.paired if p.column.metric == metric and p.contrast]
    equal = [
        (x.row, x.contrast)
        for x in iso
        if x.column.metric == metric and x.protocol == "latency_ms" and x.contrast
    ]
    return "\n".join(
        f"- **Against {BASELINE.label} at the same {what}**: {_verdicts(report, found)}."
        for what, found in (("scale", same), ("latency", equal))
    )


def _verdicts(report: TableReport, found: Sequence[tuple[Row, Contrast]]) -> str:
    said: dict[str, list[str]] = {}
    for row, contrast in found:
        said.setdefault(contrast.verdict, []).append(report.name(row))
    return (
        "; ".join(f"{verdict}: {' · '.join(rows)}" for verdict, rows in said.items()) or "nothing"
    )


def _line(report: TableReport, result: RowResult, iso: Sequence[IsoCost]) -> tuple[str, ...]:
    column, row = report.headline, result.row
    value = estimate_text(result.cells[column.metric].measured, column.decimals)
    pair = _pair(report, row)
    same = _difference(pair, column.decimals)
    equal = _equal_latency(iso, row, column.metric, column.decimals)
    cost = result.cost
    added = DASH if cost is None or row.method == BASELINE.name else f"{cost.added_ms:.1f}"
    ratio = DASH if cost is None or row.method == BASELINE.name else f"{cost.ratio:.2f}x"
    if ratio != DASH and cost is not None and cost.low is not None and cost.high is not None:
        ratio += f" [{cost.low:.2f}, {cost.high:.2f}]"
    return (report.name(row), value, *same, *equal, added, ratio)


def _pair(report: TableReport, row: Row) -> PairedResult | None:
    metric = report.headline.metric
    pairs = [p for p in report.paired if p.row == row and p.column.metric == metric]
    return pairs[0] if pairs else None


def _difference(pair: PairedResult | None, decimals: int) -> tuple[str, str, str]:
    if pair is None:
        return DASH, DASH, DASH
    text = estimate_text(pair.measured.estimate(), decimals, signed=True)
    verdict = DASH if pair.contrast is None else contrast_text(pair.contrast)
    return text, verdict, number(pair.published, decimals, signed=True)


def _equal_latency(
    iso: Sequence[IsoCost], row: Row, metric: str, decimals: int
) -> tuple[str, str, str]:
    """By the paper's protocol."""
    own = [x for x in iso if x.row == row and x.column.metric == metric]
    ours = [x for x in own if not x.published and x.protocol == "latency_ms"]
    theirs = [x for x in own if x.published and x.baseline is not None]
    published = (
        number(theirs[0].value - theirs[0].baseline, decimals, signed=True) if theirs else DASH
    )
    if not ours:
        return DASH, DASH, published
    if ours[0].estimate is None:
        return DASH, ours[0].reason or DASH, published
    text = estimate_text(ours[0].estimate, decimals, signed=True)
    verdict = DASH if ours[0].contrast is None else contrast_text(ours[0].contrast)
    return text, verdict, published
