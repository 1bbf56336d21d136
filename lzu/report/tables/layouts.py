"""Tables 2 and 6 in the paper's shape: two grids of AP side by side."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from lzu.experiments.registry import AMPLITUDES, BASELINE, FWHMS, SCALES, SEARCHED, TableRow
from lzu.report.compare.comparison import CellResult, RowResult, TableReport
from lzu.report.compare.numbers import estimate_text, number
from lzu.report.tables.grid import Grid, Line

Cells = Sequence[CellResult | None]


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


def _decimals(report: TableReport) -> int:
    return report.table.column(report.table.headline).decimals


def table2_grid(report: TableReport) -> Grid:
    """To scales by from scales, uniform at the left, LZU at the right."""
    cells = {
        (x.row.method, x.row.from_scale, x.row.to_scale): _headline(x, report) for x in report.rows
    }
    methods = list(dict.fromkeys(x.row.method for x in report.rows))
    names = {method: "Uniform" if method == BASELINE else "LZU" for method in methods}
    header = tuple(
        f"{names[method]} {scale:g}x" if scale == SCALES[0] else f"{scale:g}x"
        for method in methods
        for scale in SCALES
    )
    groups = tuple(
        _lines(
            f"{seen:g}x",
            [cells[method, given, seen] for method in methods for given in SCALES],
            _decimals(report),
        )
        for seen in SCALES
    )
    return Grid(("to", "from", *header), groups, left=2)


def search_points(
    report: TableReport,
) -> tuple[CellResult, Mapping[tuple[str, float, float], CellResult]]:
    """Uniform's cell, and those of the search by (method, amplitude, fwhm)."""
    uniform, points = None, {}
    for result in report.rows:
        if result.row.method == BASELINE:
            uniform = _headline(result, report)
        else:
            own = dict(result.row.options)
            key = (result.row.method, float(own["amplitude"]), float(own["fwhm"]))
            points[key] = _headline(result, report)
    if uniform is None:
        raise ValueError(f"{report.table.name} has no uniform row")
    return uniform, points


def table6_grid(report: TableReport) -> Grid:
    """Amplitudes by kernel widths, fixed saliency at the left, adaptive at the right."""
    uniform, points = search_points(report)
    header = tuple(
        f"{name} {fwhm:g}" if fwhm == FWHMS[0] else f"{fwhm:g}"
        for name in SEARCHED.values()
        for fwhm in FWHMS
    )
    blank = [None] * (len(header) - 1)
    groups = [
        _lines(
            f"{amplitude:g}",
            [points[method, amplitude, fwhm] for method in SEARCHED for fwhm in FWHMS],
            _decimals(report),
        )
        for amplitude in AMPLITUDES
    ]
    groups.append(_lines("uniform", [uniform, *blank], _decimals(report)))
    return Grid(("amplitude", "fwhm", *header), tuple(groups), left=2)


LAYOUTS: dict[str, Callable[[TableReport], Grid]] = {
    "table2": table2_grid,
    "table6": table6_grid,
}
"""Table's name -> its grid; a table without one is a list of rows."""


def tally(report: TableReport) -> str:
    """How often a method wins against uniform in the headline metric, in one sentence."""
    pairs = [pair for pair in report.paired if pair.column.metric == report.table.headline]
    counts = Counter(pair.verdict for pair in pairs)
    single = {_name(pair.row) for pair in pairs if pair.measured.n == 1}
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("win", "loss", "undecided"))
    why = f"; {len(single)} from a single seed, which decides nothing" if single else ""
    return (
        f"LZU against Uniform, paired by seed, {report.table.headline}: {said} of {len(pairs)} "
        f"measured cells{why} ({report.table.name}_paired.csv)."
    )


def _name(row: TableRow) -> tuple[object, ...]:
    return row.method, row.from_scale, row.to_scale, row.options
