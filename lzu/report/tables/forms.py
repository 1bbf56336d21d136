"""The tables as CSV, Markdown, LaTeX and plain text."""

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path

from lzu.files import write_text
from lzu.report import names
from lzu.report.compare.cells import TableReport
from lzu.report.compare.numbers import DASH
from lzu.report.tables.csv_files import write_paired, write_values
from lzu.report.tables.grid import Grid, latex_environment, named, to_markdown, to_text
from lzu.report.tables.layouts import grids
from lzu.report.tables.paired import PAIRED_TITLE, paired_grid, tally, verdict_sentences

TEXT_WIDTH = 120
TEXT_PART, MARKDOWN_PART = "{}:", "**{}**"
PACKAGES = "% \\usepackage{booktabs}\n"


def wrapped(lines: Sequence[str]) -> str:
    """Lines for a terminal, at most `TEXT_WIDTH` wide."""
    return "\n".join(textwrap.fill(line, TEXT_WIDTH, subsequent_indent="  ") for line in lines)


def listed(lines: Sequence[str]) -> str:
    """Lines as a Markdown list."""
    return "\n".join(f"- {line.removeprefix(f'{DASH} ')}" for line in lines)


def write_forms(
    folder: str | os.PathLike[str], stem: str, title: str, label: str, grid: Grid, below: list[str]
) -> None:
    """Write a titled grid with notes `below` it as Markdown, LaTeX and plain text."""
    path = Path(folder)
    write_text(path / f"{stem}.md", f"## {title}\n\n{to_markdown(grid)}\n\n{listed(below)}\n")
    environment = latex_environment(title, label, grid, below)
    write_text(path / f"{stem}.tex", f"{PACKAGES}{environment}\n")
    write_text(path / f"{stem}.txt", "\n\n".join([title, to_text(grid), wrapped(below)]) + "\n")


def _below(report: TableReport) -> list[str]:
    """What stands below the table: the reasons of dashes, then the footnotes."""
    lines = [f"{DASH} {reason}: {'; '.join(names)}." for reason, names in report.missing]
    if report.unlisted:
        lines.append(f"Measured, but no row of this table: {'; '.join(report.unlisted)}.")
    if report.paired and not _lists_pairs(report):
        lines.append(tally(report))
    if report.paired and len(report.table.parts) > 1:
        lines.append(f"Paired comparisons of every column: {names.paired(report.table.name)}.csv.")
    return [*lines, *report.notes]


def _lists_pairs(report: TableReport) -> bool:
    """Whether each paired comparison is printed; the large grids leave them to the CSV file."""
    return bool(report.paired) and report.table.layout == "rows"


def _title(report: TableReport) -> str:
    if report.dataset is None:
        measured = f"nothing measured yet (suite {report.suite})"
        return f"{report.table.title}: {'published, ' * report.table.is_published}{measured}"
    measured = f"measured on {report.source} data {report.dataset}, suite {report.suite}"
    return f"{report.table.title}: {'published, and ' * report.table.is_published}{measured}"


def text_table(report: TableReport) -> str:
    """The whole table for a terminal, aligned, at most 120 characters wide."""
    table = named(grids(report, split=True), to_text, TEXT_PART)
    parts = [_title(report), table, wrapped(_below(report))]
    if _lists_pairs(report):
        parts += [PAIRED_TITLE, to_text(paired_grid(report))]
        parts.append(wrapped(verdict_sentences(report)))
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(report: TableReport) -> str:
    """The whole table as Markdown."""
    table = named(grids(report), to_markdown, MARKDOWN_PART)
    parts = [f"## {_title(report)}", table, listed(_below(report))]
    if _lists_pairs(report):
        parts += [f"### {PAIRED_TITLE}", to_markdown(paired_grid(report))]
        parts.append(listed(verdict_sentences(report)))
    return "\n\n".join(part for part in parts if part) + "\n"


def latex_table(report: TableReport) -> str:
    """The whole table as LaTeX `table` environments, one for each part of its columns; needs the
    booktabs package."""
    name = f"{report.table.name}-{report.suite}"
    found = list(grids(report).items())
    parts = []
    for place, (part, grid) in enumerate(found):
        caption = f"{_title(report)}. {part}" if part else _title(report)
        label = f"{name}-{place}" if part else name
        below = _below(report) if place == len(found) - 1 else []
        parts.append(latex_environment(caption, label, grid, below))
    if _lists_pairs(report):
        sentences = verdict_sentences(report)
        parts.append(
            latex_environment(PAIRED_TITLE, f"{name}-paired", paired_grid(report), sentences)
        )
    return PACKAGES + "\n\n".join(parts) + "\n"


def write_table(report: TableReport, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write the table in every form to `folder`.

    Returns:
        A mapping of form to path: "csv", "paired" (CSV of the comparisons), "md", "tex" and "txt".
    """
    name = report.table.name
    paths = {form: Path(folder) / f"{name}.{form}" for form in names.TABLE_FORMS}
    paths["paired"] = Path(folder) / f"{names.paired(name)}.csv"
    write_values(report, paths["csv"])
    write_paired(report, paths["paired"])
    write_text(paths["md"], markdown_table(report))
    write_text(paths["tex"], latex_table(report))
    write_text(paths["txt"], text_table(report))
    return paths
