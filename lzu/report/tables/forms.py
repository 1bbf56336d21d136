"""The tables as CSV, Markdown, LaTeX and plain text."""

import csv
import os
import textwrap
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from lzu.experiments.registry import Column
from lzu.files import write_atomic, write_text
from lzu.report.compare.comparison import CellResult, PairedResult, RowResult, TableReport
from lzu.report.compare.numbers import estimate_text, number, rounded
from lzu.report.tables.grid import DASH, Grid, Line, latex_environment, to_markdown, to_text
from lzu.report.tables.layouts import LAYOUTS, tally

TEXT_WIDTH = 120


def _scales(from_scale: float, to_scale: float) -> str:
    return f"{to_scale:g}" if from_scale == 1 else f"{from_scale:g}>{to_scale:g}"


def _row_lines(result: RowResult, columns: Sequence[Column], split: bool) -> list[Line]:
    label, below = result.row.label, ""
    if split and " w/o " in label:
        label, below = label.split(" w/o ")
        below = f"  w/o {below}"
    cells = [(result.cells[column.metric], column.decimals) for column in columns]
    head = (_scales(result.row.from_scale, result.row.to_scale), label)
    lines: list[Line] = [
        (*head, "published", *(number(cell.published, n) for cell, n in cells)),
        ("", below, "measured", *(estimate_text(cell.measured, n) for cell, n in cells)),
    ]
    if any(cell.difference is not None for cell, _ in cells):
        texts = (number(cell.difference, n, signed=True) for cell, n in cells)
        lines.append(("", "", "difference", *texts))
    return lines


def values_grid(report: TableReport, split: bool = False) -> Grid:
    """Published, measured and difference, line by line, for each row; a group for each scale.

    A table of which the paper's shape is another has that (`LAYOUTS`). `split` breaks long methods'
    names over two lines.
    """
    if report.table.name in LAYOUTS:
        return LAYOUTS[report.table.name](report)
    columns = report.table.columns
    groups = []
    for _, results in groupby(report.rows, key=lambda x: (x.row.from_scale, x.row.to_scale)):
        lines = [line for result in results for line in _row_lines(result, columns, split)]
        groups.append(tuple(lines))
    header = ("scale", "method", "", *(column.label for column in columns))
    return Grid(header, tuple(groups), left=3)


def paired_grid(report: TableReport) -> Grid:
    """Each method minus uniform at the same scale: published, measured, verdict by metric."""
    columns = [column for column in report.table.columns if column.source == "score"]
    groups = []
    for row, results in groupby(report.paired, key=lambda paired: paired.row):
        found = {result.column.metric: result for result in results}
        own = [(found.get(column.metric), column.decimals) for column in columns]
        seeds = max(result.measured.n for result in found.values())
        published = (number(p.published if p else None, n, signed=True) for p, n in own)
        measured = (estimate_text(p.measured if p else None, n, signed=True) for p, n in own)
        verdicts = (p.verdict if p else DASH for p, _ in own)
        head = (_scales(row.from_scale, row.to_scale), row.label)
        groups.append(
            (
                (*head, "published", *published, ""),
                ("", "", "measured", *measured, str(seeds)),
                ("", "", "verdict", *verdicts, ""),
            )
        )
    header = ("scale", "method", "", *(column.label for column in columns), "seeds")
    return Grid(header, tuple(groups), left=3)


def verdict_sentence(result: PairedResult, extra: tuple[float, float] | None = None) -> str:
    """One plain sentence on a paired comparison; `extra` is (added ms, end-to-end ratio)."""
    metric, n = result.column.label, result.column.decimals
    row, measured = result.row, result.measured
    # A decimal more than in the table, so that a bound near zero shows its side.
    value = number(measured.value, n + 1, signed=True)
    where = f"{row.label} against Uniform at {row.to_scale:g}x"
    if measured.low is None or measured.high is None:
        found = f"undecided, {metric} {value} from a single seed"
    else:
        low, high = (number(x, n + 1, signed=True) for x in (measured.low, measured.high))
        interval = f"{metric} {value}, 95 % interval {low} to {high}, {measured.n} paired seeds"
        why = " (the interval holds zero)" if result.verdict == "undecided" else ""
        found = f"{result.verdict}{why}, {interval}"
    theirs = "" if result.published is None else f"; published {result.published:+.{n}f}"
    cost = "" if extra is None else f"; adds {extra[0]:.2f} ms, end to end ×{extra[1]:.2f}"
    return f"{where}: {found}{theirs}{cost}."


def verdict_sentences(report: TableReport) -> list[str]:
    """A sentence for each paired comparison in the table's headline metric."""
    return [
        verdict_sentence(result, report.extra_ms.get(result.row))
        for result in report.paired
        if result.column.metric == report.table.headline
    ]


PAIRED_TITLE = (
    "Paired by seed: method minus Uniform at the same scale "
    "(± half the 95 % paired t interval, each metric on its own)"
)


def _below(report: TableReport) -> list[str]:
    """What stands below the table: the reasons of dashes, then the footnotes."""
    lines = [f"{DASH} {reason}: {'; '.join(names)}." for reason, names in report.missing]
    if report.unlisted:
        lines.append(f"Measured, but no row of this table: {'; '.join(report.unlisted)}.")
    if report.paired and not _lists_pairs(report):
        lines.append(tally(report))
    return [*lines, *report.notes]


def _lists_pairs(report: TableReport) -> bool:
    """Whether each paired comparison is printed; the large grids leave them to the CSV file."""
    return bool(report.paired) and report.table.name not in LAYOUTS


def _title(report: TableReport) -> str:
    if report.dataset is None:
        return f"{report.table.title}: published, nothing measured yet (suite {report.suite})"
    data = f"{report.source} data {report.dataset}, suite {report.suite}"
    return f"{report.table.title}: published, and measured on {data}"


def text_table(report: TableReport) -> str:
    """The whole table for a terminal, aligned, at most 120 characters wide."""

    def wrapped(line: str) -> str:
        return textwrap.fill(line, TEXT_WIDTH, subsequent_indent="  ")

    parts = [_title(report), to_text(values_grid(report, split=True))]
    parts.append("\n".join(map(wrapped, _below(report))))
    if _lists_pairs(report):
        parts += [PAIRED_TITLE, to_text(paired_grid(report))]
        parts.append("\n".join(map(wrapped, verdict_sentences(report))))
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(report: TableReport) -> str:
    """The whole table as Markdown."""

    def listed(lines: list[str]) -> str:
        return "\n".join(f"- {line.removeprefix(f'{DASH} ')}" for line in lines)

    parts = [f"## {_title(report)}", to_markdown(values_grid(report)), listed(_below(report))]
    if _lists_pairs(report):
        parts += [f"### {PAIRED_TITLE}", to_markdown(paired_grid(report))]
        parts.append(listed(verdict_sentences(report)))
    return "\n\n".join(part for part in parts if part) + "\n"


def latex_table(report: TableReport) -> str:
    """The whole table as LaTeX `table` environments; needs the booktabs package."""
    name = f"{report.table.name}-{report.suite}"
    parts = [latex_environment(_title(report), name, values_grid(report), _below(report))]
    if _lists_pairs(report):
        sentences = verdict_sentences(report)
        parts.append(
            latex_environment(PAIRED_TITLE, f"{name}-paired", paired_grid(report), sentences)
        )
    return "% \\usepackage{booktabs}\n" + "\n\n".join(parts) + "\n"


def _cell_fields(metric: str, cell: CellResult) -> dict[str, Any]:
    measured = cell.measured
    return {
        f"{metric}_published": rounded(cell.published),
        f"{metric}_measured": rounded(measured and measured.value),
        f"{metric}_low": rounded(measured and measured.low),
        f"{metric}_high": rounded(measured and measured.high),
        f"{metric}_difference": rounded(cell.difference),
    }


def _value_fields(result: RowResult) -> dict[str, Any]:
    row = result.row
    fields: dict[str, Any] = {
        "from": f"{row.from_scale:g}",
        "to": f"{row.to_scale:g}",
        "method": row.method,
        **dict(row.options),
        "seeds": " ".join(map(str, result.seeds)),
    }
    for metric, cell in result.cells.items():
        fields |= _cell_fields(metric, cell)
    return fields


def _paired_fields(result: PairedResult) -> dict[str, Any]:
    row, measured = result.row, result.measured
    return {
        "from": f"{row.from_scale:g}",
        "to": f"{row.to_scale:g}",
        "method": row.method,
        **dict(row.options),
        "metric": result.column.metric,
        "published_difference": rounded(result.published),
        "measured_difference": rounded(measured.value),
        "low": rounded(measured.low),
        "high": rounded(measured.high),
        "seeds": measured.n,
        "verdict": result.verdict,
    }


def _paired_names(report: TableReport) -> list[str]:
    """The columns of the CSV file of comparisons: options too, where the table's rows have them."""
    options = {name: None for result in report.rows for name, _ in result.row.options}
    return [
        *("from", "to", "method", *options, "metric", "published_difference"),
        *("measured_difference", "low", "high", "seeds", "verdict"),
    ]


def write_csv(path: Path, names: list[str], rows: list[dict[str, Any]]) -> None:
    """Write `rows` under a header of `names`, atomically."""
    with write_atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_table(report: TableReport, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write the table in every form to `folder`.

    Returns:
        A mapping of form to path: "csv", "paired" (CSV of the comparisons), "md", "tex" and "txt".
    """
    name = report.table.name
    paths = {form: Path(folder) / f"{name}.{form}" for form in ("csv", "md", "tex", "txt")}
    paths["paired"] = Path(folder) / f"{name}_paired.csv"
    rows = [_value_fields(result) for result in report.rows]
    # The baseline's row may have fewer options than the others.
    write_csv(paths["csv"], list(max(rows, key=len)), rows)
    write_csv(paths["paired"], _paired_names(report), [_paired_fields(x) for x in report.paired])
    write_text(paths["md"], markdown_table(report))
    write_text(paths["tex"], latex_table(report))
    write_text(paths["txt"], text_table(report))
    return paths
