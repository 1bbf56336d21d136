"""The registry of experiments: which runs fill which cell of the paper's tables.

A table is a list of rows; a row names a method at a pair of scales, the key under which the paper
prints it, and the runs that measure it. Suites only select from here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lzu.errors import UserError
from lzu.experiments.run import METHODS, SEARCH, Run

METHOD_LABELS = {
    "uniform": "Uniform",
    "lzu_fixed": "LZU, fixed",
    "lzu_adaptive": "LZU, adaptive",
    "lzu_adaptive_no_cascade": "LZU, adaptive w/o cascade sal.",
    "lzu_learned": "LZU, learned",
    "fovea": "FOVEA",
    "lds": "LDS",
    "es": "ES",
}

# (task, method) pairs that can be trained today. The other rows of a table are shown as dashes.
BUILT = frozenset(
    {
        ("detection2d", "uniform"),
        ("detection2d", "lzu_fixed"),
        ("detection2d", "lzu_adaptive"),
        ("detection2d", "lzu_adaptive_no_cascade"),
        ("detection2d", "lzu_learned"),
        ("detection2d", "fovea"),
    }
)

BASELINE = "uniform"


@dataclass(frozen=True)
class Column:
    """A column of a table: our name of the quantity and the paper's (None: the paper has none).

    `source` is "score" for what each seed's run measures, "timing" for what all seeds share.
    """

    metric: str
    label: str
    source: str = "score"
    published: str | None = None
    higher_is_better: bool = True
    decimals: int = 1


@dataclass(frozen=True)
class TableRow:
    """One row of a table: a method at a pair of scales.

    `published` are the (column, text) pairs that single out the row in the published CSV file;
    none for a row that the paper does not have.
    """

    table: str
    task: str
    method: str
    from_scale: float
    to_scale: float
    published: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        return METHOD_LABELS[self.method]

    @property
    def built(self) -> bool:
        """Whether this project can train the row's method on the row's task."""
        return (self.task, self.method) in BUILT

    def runs(self, suite: str, seeds: Iterable[int]) -> tuple[Run, ...]:
        """The runs, one a seed, that measure this row in `suite`."""
        return tuple(
            Run(suite, self.task, self.method, self.from_scale, self.to_scale, seed, self.options)
            for seed in seeds
        )

    def matches(self, run: Run) -> bool:
        """Whether `run`, of any suite and seed, measures this row."""
        ours = (self.task, self.method, self.from_scale, self.to_scale, self.options)
        return ours == (run.task, run.method, run.from_scale, run.to_scale, run.options)


@dataclass(frozen=True)
class Cell:
    """A number in a table: one column of one row."""

    row: TableRow
    column: Column

    def runs(self, suite: str, seeds: Iterable[int]) -> tuple[Run, ...]:
        """The runs whose files the number is made from."""
        return self.row.runs(suite, seeds)


@dataclass(frozen=True)
class Table:
    """One table of the paper: `headline` is the metric that the verdict sentences speak of.

    `rows` are the paper's; those `beyond` it are shown only where they are planned or measured.
    `notes` stand below it, before those that depend on what was measured.
    """

    name: str
    title: str
    published_file: str
    published_dataset: str
    published_device: str
    headline: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    beyond: tuple[TableRow, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def searched(self) -> bool:
        """Whether its runs are on the search's split of the training set."""
        return SEARCH in self.rows[0].options

    def with_beyond(self, wanted: Callable[[TableRow], bool]) -> tuple[TableRow, ...]:
        """The paper's rows and the `wanted` ones beyond it, after the rows of the same scales."""
        scales = dict.fromkeys((row.from_scale, row.to_scale) for row in self.rows)
        place = {pair: index for index, pair in enumerate(scales)}
        rows = [*self.rows, *(row for row in self.beyond if wanted(row))]
        return tuple(sorted(rows, key=lambda row: place[row.from_scale, row.to_scale]))

    def cells(self) -> tuple[Cell, ...]:
        return tuple(Cell(row, column) for row in self.rows for column in self.columns)

    def column(self, metric: str) -> Column:
        for column in self.columns:
            if column.metric == metric:
                return column
        raise KeyError(f"{self.name} has no column {metric!r}")

    def baseline_of(self, row: TableRow) -> TableRow | None:
        """The uniform row at the scales of `row`; None if that is uniform, or there is none."""
        if row.method == BASELINE:
            return None
        for other in self.rows:
            same = (other.task, other.from_scale, other.to_scale)
            if other.method == BASELINE and same == (row.task, row.from_scale, row.to_scale):
                return other
        return None


TABLE_1_METHODS = {
    0.25: ("uniform", "lzu_fixed", "lzu_adaptive"),
    0.5: ("uniform", "fovea", "lzu_fixed", "lzu_adaptive", "lzu_adaptive_no_cascade"),
    0.75: ("uniform", "lzu_fixed", "lzu_adaptive"),
    1.0: ("uniform", "lzu_fixed", "lzu_adaptive"),
}

TABLE_1 = Table(
    name="table1",
    title="Table 1. 2D object detection on Argoverse-HD",
    published_file="table1_argoverse_hd_detection.csv",
    published_dataset="Argoverse-HD",
    published_device="RTX 2080 Ti",
    headline="AP",
    columns=(
        Column("AP", "AP", published="AP"),
        Column("AP50", "AP50", published="AP50"),
        Column("AP75", "AP75", published="AP75"),
        Column("AP_S", "AP_S", published="AP_S"),
        Column("AP_M", "AP_M", published="AP_M"),
        Column("AP_L", "AP_L", published="AP_L"),
        Column("latency_ms", "ms", "timing", "latency_ms", higher_is_better=False),
        Column("end_to_end_ms", "ms e2e", "timing", higher_is_better=False),
    ),
    rows=tuple(
        TableRow(
            table="table1",
            task="detection2d",
            method=method,
            from_scale=1.0,
            to_scale=scale,
            published=(("scale", f"{scale:g}"), ("method", METHOD_LABELS[method])),
        )
        for scale, methods in TABLE_1_METHODS.items()
        for method in methods
    ),
    beyond=tuple(
        TableRow("table1", "detection2d", "lzu_learned", 1.0, scale, published=())
        for scale in TABLE_1_METHODS
    ),
)

SCALES = (0.25, 0.5, 0.75, 1.0)

TABLE_2 = Table(
    name="table2",
    title="Table 2 (2D). AP, upsampling and downsampling",
    published_file="table2_up_and_downsampling.csv",
    published_dataset="Argoverse-HD",
    published_device="RTX 2080 Ti",
    headline="AP",
    columns=(Column("AP", "AP", published="score"),),
    rows=tuple(
        TableRow(
            table="table2",
            task="detection2d",
            method=method,
            from_scale=given,
            to_scale=seen,
            published=(
                ("task", "detection2d"),
                ("method", METHOD_LABELS[method]),
                ("from_scale", f"{given:g}"),
                ("to_scale", f"{seen:g}"),
            ),
        )
        for seen in SCALES
        for method in ("uniform", "lzu_fixed")
        for given in SCALES
    ),
    notes=(
        "Each model is trained once, at its `to` scale, on images of native size (from 1x), and "
        "evaluated on images resized to the `from` scale beforehand.",
    ),
)

AMPLITUDES = (1.0, 5.0, 10.0, 50.0, 100.0)
FWHMS = (4.0, 10.0, 16.0, 22.0)
SEARCHED = {"lzu_fixed": "fixed", "lzu_adaptive": "adaptive"}


def _searched_row(method: str, own: tuple[tuple[str, str], ...] = ()) -> TableRow:
    published = (("saliency", SEARCHED[method]), *own) if own else (("saliency", method),)
    return TableRow("table6", "detection2d", method, 1.0, 0.5, published, (*own, SEARCH))


TABLE_6 = Table(
    name="table6",
    title="Table 6. AP at 0.5x over amplitude and fwhm",
    published_file="table6_saliency_grid_search.csv",
    published_dataset="Argoverse-HD, on a split of its training set",
    published_device="RTX 2080 Ti",
    headline="AP",
    columns=(Column("AP", "AP", published="AP"),),
    rows=(
        _searched_row(BASELINE),
        *(
            _searched_row(method, (("amplitude", f"{amplitude:g}"), ("fwhm", f"{fwhm:g}")))
            for method in SEARCHED
            for amplitude in AMPLITUDES
            for fwhm in FWHMS
        ),
    ),
    notes=(
        "Trained and scored on two parts of the training set, split by sequence (see the file "
        "search_split.json). The paper's split is unreleased; its parts have no location in "
        "common, which ours may have.",
    ),
)

TABLES = {table.name: table for table in (TABLE_1, TABLE_2, TABLE_6)}


def find_table(name: str) -> Table:
    """The table called `name`.

    Raises:
        UserError: for a name that is not in the registry.
    """
    if name not in TABLES:
        raise UserError(f"tables: {name!r} is not a known table; choose from {', '.join(TABLES)}")
    return TABLES[name]


def runs_for(
    table: str,
    suite: str,
    seeds: Sequence[int],
    selection: Mapping[str, Collection[float]] | None = None,
) -> list[Run]:
    """The runs that `suite` plans for `table`: row by row, the paper's first, then seed by seed.

    Args:
        table, suite: names, such as "table1" and "demo".
        seeds: one run of each selected row for each of these.
        selection: method -> `to` scales whose rows are kept. None keeps the paper's rows that are
            built.

    Raises:
        UserError: for an unknown table, a method that is unknown or not built, a row that the table
            does not have, and a repeated seed.
    """
    found = find_table(table)
    if len(set(seeds)) != len(seeds):
        raise UserError(f"suite {suite}: seeds {list(seeds)} repeat; name each seed once")
    if selection is None:
        return [run for row in found.rows if row.built for run in row.runs(suite, seeds)]
    rows = (*found.rows, *found.beyond)
    _check_selection(selection, table, suite, rows)
    return [
        run
        for row in rows
        if row.to_scale in selection.get(row.method, ())
        for run in row.runs(suite, seeds)
    ]


def upsampling_runs(
    suite: str,
    seeds: Iterable[int],
    methods: Collection[str],
    from_scales: Collection[float],
    to_scales: Collection[float],
) -> list[Run]:
    """The runs of Table 2 of these methods and scales; those from 1x are Table 1's, too."""
    return [
        run
        for row in TABLE_2.rows
        if row.method in methods and row.from_scale in from_scales and row.to_scale in to_scales
        for run in row.runs(suite, seeds)
    ]


def search_runs(
    suite: str,
    seeds: Iterable[int],
    methods: Collection[str],
    amplitudes: Collection[float],
    fwhms: Collection[float],
) -> list[Run]:
    """The runs of Table 6 of these methods, amplitudes and widths, and uniform's beside them."""

    def wanted(row: TableRow) -> bool:
        if row.method == BASELINE:
            return True
        own = dict(row.options)
        point = float(own["amplitude"]) in amplitudes and float(own["fwhm"]) in fwhms
        return row.method in methods and point

    return [run for row in TABLE_6.rows if wanted(row) for run in row.runs(suite, seeds)]


def _check_selection(
    selection: Mapping[str, Collection[float]], table: str, suite: str, rows: Sequence[TableRow]
) -> None:
    for method, scales in selection.items():
        if method not in METHODS:
            raise UserError(
                f"suite {suite}: unknown method {method!r}; choose from {', '.join(METHODS)}"
            )
        own = {row.to_scale: row for row in rows if row.method == method}
        for scale in scales:
            if scale not in own:
                choice = ", ".join(f"{known:g}" for known in own) or "none"
                raise UserError(
                    f"suite {suite}: {table} has no row for {method} at scale {scale:g}; "
                    f"its scales: {choice}"
                )
            if not own[scale].built:
                raise UserError(
                    f"suite {suite}: {method} is not built yet for {own[scale].task}; leave it out"
                )
