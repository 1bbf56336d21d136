"""The shapes of tables: a list of rows, or one of the paper's grids of a single metric."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from lzu.experiments.methods import BASELINE, METHODS
from lzu.experiments.run import SEARCH
from lzu.experiments.tables import Column, Row
from lzu.report.compare.cells import CellResult, RowResult, TableReport
from lzu.report.compare.numbers import estimate_text, number
from lzu.report.compare.scores import RELATIVE
from lzu.report.tables.grid import Grid, Grids, Line

Cells = Sequence[CellResult | None]


def scales_text(report: TableReport, row: Row) -> str:
    """A row's scales: the one that the network sees, and the one given where it is not native."""
    seen = report.task.scale_label(row.to_scale)
    return seen if row.from_scale == 1 else f"{report.task.scale_label(row.from_scale)}>{seen}"


def options_text(row: Row) -> str:
    """What sets a row's runs apart from the suite's settings; nothing of the search's split."""
    return ", ".join(f"{name}={value}" for name, value in row.options if (name, value) != SEARCH)


def _row_lines(
    report: TableReport, columns: Sequence[Column], result: RowResult, split: bool
) -> list[Line]:
    label, below = result.row.label, ""
    own = options_text(result.row)
    if split and " w/o " in label:
        label, below = label.split(" w/o ")
        below = f"  w/o {below}"
    elif own:
        below = f"  {own}"
    cells = [(result.cells[column.metric], column.decimals) for column in columns]
    scales = scales_text(report, result.row)
    measured = [estimate_text(cell.measured, n) for cell, n in cells]
    if not report.table.is_published:
        return [(scales, f"{result.row.label} {own}".rstrip(), *measured)]
    published = (number(cell.published, n) for cell, n in cells)
    lines: list[Line] = [
        (scales, label, "published", *published),
        ("", below, "measured", *measured),
    ]
    lines += relative_line(columns, {k: cell.measured for k, cell in result.cells.items()})
    if any(cell.difference is not None for cell, _ in cells):
        texts = (number(cell.difference, n, signed=True) for cell, n in cells)
        lines.append(("", "", "difference", *texts))
    return lines


def relative_line(
    columns: Sequence[Column], measured: Mapping[str, object], signed: bool = False
) -> list[Line]:
    """The line of relative forms of columns, none if nothing of them was measured."""
    found = [(measured.get(f"{column.metric}{RELATIVE}"), column.decimals) for column in columns]
    if not any(estimate for estimate, _ in found):
        return []
    texts = (estimate_text(estimate, n, signed) if estimate else "" for estimate, n in found)
    return [("", "", "relative", *texts)]


def rows_grid(report: TableReport, columns: Sequence[Column], split: bool = False) -> Grid:
    """Columns of the table, published and measured, line by line, for each row; a group for each
    scale.

    `split` breaks long methods' names over two lines.
    """
    groups = []
    for _, results in groupby(report.rows, key=lambda x: (x.row.from_scale, x.row.to_scale)):
        lines = [line for result in results for line in _row_lines(report, columns, result, split)]
        groups.append(tuple(lines))
    left = ("scale", "method", "") if report.table.is_published else ("scale", "method")
    header = (*left, *(column.label for column in columns))
    return Grid(header, tuple(groups), left=len(left))


def _lines(head: str, cells: Cells, decimals: int) -> tuple[Line, ...]:
    """Published, measured and difference of one line of the paper's grid; None leaves it blank."""

    def texts(text: Callable[[CellResult], str]) -> list[str]:
        return ["" if cell is None else text(cell) for cell in cells]

    lines = [
        (head, "published", *texts(lambda cell: number(cell.published, decimals))),
        ("", "measured", *texts(lambda cell: estimate_text(cell.measured, decimals))),
    ]
    if any(cell is not None and cell.difference is not None for cell in cells):
        differences = texts(lambda cell: number(cell.difference, decimals, signed=True))
        lines.append(("", "difference", *differences))
    return tuple(lines)


def _headline(result: RowResult, report: TableReport) -> CellResult:
    return result.cells[report.table.headline]


def _headed(methods: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The columns of each method, its label before the first of them."""
    return tuple(
        f"{METHODS[method].label} {column}" if place == 0 else column
        for method in methods
        for place, column in enumerate(columns)
    )


def scales_grid(report: TableReport) -> Grid:
    """Scales that networks see by scales given, method beside method."""
    cells = {
        (x.row.method, x.row.from_scale, x.row.to_scale): _headline(x, report) for x in report.rows
    }
    methods, given, seen = (tuple(dict.fromkeys(key[i] for key in cells)) for i in range(3))
    write = report.task.scale_label
    groups = tuple(
        _lines(
            write(to),
            [cells.get((method, scale, to)) for method in methods for scale in sorted(given)],
            report.headline.decimals,
        )
        for to in sorted(seen)
    )
    header = _headed(methods, [write(scale) for scale in sorted(given)])
    return Grid(("to", "from", *header), groups, left=2)


@dataclass(frozen=True)
class Searched:
    """The cells of a search over two options, and the baseline's, which has neither.

    `axes` are the options' names, `values` theirs, ascending; `points` maps a method and the
    values of both to its cell.
    """

    baseline: CellResult
    axes: tuple[str, str]
    values: tuple[tuple[float, ...], tuple[float, ...]]
    points: Mapping[tuple[str, float, float], CellResult]

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are searched, in the table's order."""
        return tuple(dict.fromkeys(method for method, _, _ in self.points))


def searched(report: TableReport) -> Searched:
    """The search that a table of layout "search" shows.

    Raises:
        ValueError: if the table has no row of the baseline, or not two options.
    """
    baseline, points, axes = None, {}, ()
    for result in report.rows:
        own = [option for option in result.row.options if option != SEARCH]
        if result.row.method == BASELINE.name:
            baseline = _headline(result, report)
            continue
        axes = tuple(name for name, _ in own)
        points[result.row.method, *(float(value) for _, value in own)] = _headline(result, report)
    if baseline is None or len(axes) != 2:
        raise ValueError(f"{report.table.name}: a search has the baseline and two options: {axes}")
    values = tuple(tuple(sorted({key[i] for key in points})) for i in (1, 2))
    return Searched(baseline, axes, values, points)


def search_grid(report: TableReport) -> Grid:
    """One option's values by the other's, method beside method; the baseline below."""
    search = searched(report)
    decimals = report.headline.decimals
    rows, columns = search.values
    header = _headed(search.methods, [f"{value:g}" for value in columns])
    groups = [
        _lines(
            f"{row:g}",
            [search.points.get((m, row, value)) for m in search.methods for value in columns],
            decimals,
        )
        for row in rows
    ]
    blank = [None] * (len(header) - 1)
    groups.append(_lines(BASELINE.label, [search.baseline, *blank], decimals))
    return Grid((*search.axes, *header), tuple(groups), left=2)


def grids(report: TableReport, split: bool = False) -> Grids:
    """The table's grids by their names, one for each part of its columns.

    `split` breaks long methods' names over two lines.
    """
    if report.table.layout == "rows":
        parts = report.table.parts.items()
        return {name: rows_grid(report, columns, split) for name, columns in parts}
    return {"": SQUARES[report.table.layout](report)}


SQUARES: dict[str, Callable[[TableReport], Grid]] = {"scales": scales_grid, "search": search_grid}
"""A layout of the headline alone -> its grid."""
