"""A table of texts in groups of lines, and its plain-text, Markdown and LaTeX forms."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lzu.report.compare.numbers import DASH

Line = tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """Lines of texts under a header. Groups stand apart; the first `left` columns align left."""

    header: Line
    groups: tuple[tuple[Line, ...], ...]
    left: int

    def __post_init__(self) -> None:
        for group in self.groups:
            for line in group:
                if len(line) != len(self.header):
                    raise ValueError(f"a line has {len(line)} texts, the header {len(self.header)}")


Grids = Mapping[str, Grid]
"""Grids below each other by their names; the first one may have none."""


def named(grids: Grids, form: Callable[[Grid], str], heading: str) -> str:
    """The grids in a form, each below its name as `heading` writes it, where it has one."""
    parts = [
        f"{heading.format(name)}\n\n{form(grid)}" if name else form(grid)
        for name, grid in grids.items()
    ]
    return "\n\n".join(parts)


def to_text(grid: Grid) -> str:
    """Aligned columns, two spaces apart, a rule below the header and between groups."""
    lines = [grid.header, *(line for group in grid.groups for line in group)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(grid.header))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def aligned(line: Line) -> str:
        padded = [
            text.ljust(width) if i < grid.left else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    parts = [aligned(grid.header)]
    for group in grid.groups:
        parts += [rule, *map(aligned, group)]
    return "\n".join(parts)


def to_markdown(grid: Grid) -> str:
    """A pipe table; GitHub has no groups, so they run on."""

    def piped(line: Line) -> str:
        return "| " + " | ".join(text.replace("|", "\\|") for text in line) + " |"

    rule = tuple(":---" if i < grid.left else "---:" for i in range(len(grid.header)))
    return "\n".join(map(piped, [grid.header, rule, *(x for group in grid.groups for x in group)]))


LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    DASH: "--",
}


def escape_latex(text: str) -> str:
    """`text` with LaTeX's special characters written out, and a minus sign before numbers."""
    escaped = "".join(LATEX.get(character, character) for character in text)
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)


def to_latex(grid: Grid) -> str:
    """A `tabular` with the rules of the booktabs package."""

    def joined(line: Line) -> str:
        return " & ".join(map(escape_latex, line)) + r" \\"

    alignment = "l" * grid.left + "r" * (len(grid.header) - grid.left)
    parts = [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", joined(grid.header)]
    for group in grid.groups:
        parts += [r"\midrule", *map(joined, group)]
    return "\n".join([*parts, r"\bottomrule", r"\end{tabular}"])


def latex_environment(caption: str, label: str, grid: Grid, notes: list[str]) -> str:
    """A `table` environment around `grid`, labelled tab:`label`, with notes below."""
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{tab:{label}}}",
        to_latex(grid),
        r"\par\medskip\raggedright" if notes else "",
        "\\\\\n".join(map(escape_latex, notes)),
        r"\end{table}",
    ]
    return "\n".join(line for line in lines if line)
