"""What a table is: rows (a method at a pair of scales) by columns, published and measured."""

from collections.abc import Iterable
from dataclasses import dataclass

from lzu.experiments.methods import BASELINE, METHODS
from lzu.experiments.run import SEARCH, Options, Run

Key = tuple[tuple[str, str], ...]
"""The (column, text) pairs that single out a row of a published CSV file."""


@dataclass(frozen=True)
class Column:
    """A column of a table: our name of the quantity and the paper's (None: the paper has none).

    `source` is "score" for what each seed's run measures, "timing" for what all seeds share, and
    "improvement" for the table's headline relative to the baseline's at the same scales, in
    percent. Columns of a `part` stand below the others, under its name.
    """

    metric: str
    label: str
    source: str = "score"
    published: str | None = None
    higher_is_better: bool = True
    decimals: int = 1
    part: str = ""


@dataclass(frozen=True)
class Row:
    """One row of a table: a method at a pair of scales.

    `published` is the key of the row in the published CSV file; empty for a row that the paper
    does not have. `published_baseline` is the key of what the paper compares it with, if that is
    not the baseline's row at its scales.
    """

    table: str
    task: str
    method: str
    from_scale: float
    to_scale: float
    published: Key = ()
    options: Options = ()
    published_baseline: Key = ()

    @property
    def label(self) -> str:
        """The method's label."""
        return METHODS[self.method].label

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
class Table:
    """One table of the paper, or one beyond it.

    Attributes:
        name: "table1"; the stem of its files.
        task: whose runs it shows.
        title, published_file, published_dataset, published_device: what its notes say. A table
            beyond the paper has no published file (""), and no rows but those of planned runs.
        headline: the metric that the verdict sentences speak of.
        primary: (method, to scale) of the one comparison that was declared before measuring: it is
            tested alone, all others of the headline metric are corrected for their number. None:
            all are.
        columns, rows: the paper's. Rows beyond it are those of other planned runs (`with_planned`).
        layout: "rows", or the name of a shape of its own (see lzu.report.tables).
        notes: stand below it, before those that depend on what was measured.
    """

    name: str
    task: str
    title: str
    published_file: str
    published_dataset: str
    published_device: str
    headline: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    primary: tuple[str, float] | None = None
    layout: str = "rows"
    notes: tuple[str, ...] = ()

    @property
    def is_published(self) -> bool:
        """Whether the paper has it."""
        return bool(self.published_file)

    @property
    def parts(self) -> dict[str, tuple[Column, ...]]:
        """Name of a part -> its columns; the one without a name is the first."""
        names = dict.fromkeys(("", *(column.part for column in self.columns)))
        return {name: tuple(c for c in self.columns if c.part == name) for name in names}

    @property
    def searched(self) -> bool:
        """Whether its runs are on the search's split of the training set."""
        return any(SEARCH in row.options for row in self.rows)

    def with_planned(self, runs: Iterable[Run]) -> tuple[Row, ...]:
        """The paper's rows, and one for each other method and scale among `runs` of this table.

        Rows beyond the paper stand after the paper's of the same scales; other scales in their
        order.
        """
        found = dict.fromkeys(
            Row(self.name, run.task, run.method, run.from_scale, run.to_scale, (), run.options)
            for run in runs
            if not any(row.matches(run) for row in self.rows)
        )
        return tuple(
            sorted((*self.rows, *found), key=lambda row: (row.to_scale, row.from_scale))
            if self.layout == "rows"
            else self.rows
        )

    def column(self, metric: str) -> Column:
        """The column of a metric; KeyError if there is none."""
        for column in self.columns:
            if column.metric == metric:
                return column
        raise KeyError(f"{self.name} has no column {metric!r}")


TABLE_2_SCALES = (0.25, 0.5, 0.75, 1.0)
"""Of the images given, and of the models, in both halves of Table 2."""


def upsampling_table(task: str, half: str, metric: str, dataset: str, device: str) -> Table:
    """Table 2's `half` of a task ("2D", "3D"): a metric over both scales."""
    name = "table2" if half == "2D" else f"table2_{half.lower()}"
    return Table(
        name=name,
        task=task,
        title=f"Table 2 ({half}). {metric}, upsampling and downsampling",
        published_file="table2_up_and_downsampling.csv",
        published_dataset=dataset,
        published_device=device,
        headline=metric,
        primary=("lzu_fixed", 0.5),
        columns=(Column(metric, metric, published="score"),),
        rows=tuple(
            Row(
                table=name,
                task=task,
                method=method,
                from_scale=given,
                to_scale=seen,
                published=(
                    ("task", task),
                    ("method", METHODS[method].label),
                    ("from_scale", f"{given:g}"),
                    ("to_scale", f"{seen:g}"),
                ),
            )
            for seen in TABLE_2_SCALES
            for method in ("uniform", "lzu_fixed")
            for given in TABLE_2_SCALES
        ),
        layout="scales",
        notes=(
            "Each model is trained once, at its `to` scale, on images of native size (from 1x), "
            "and evaluated on images resized to the `from` scale beforehand.",
        ),
    )


def baseline_row(row: Row, rows: Iterable[Row]) -> Row | None:
    """Of `rows`, the baseline's at the scales of `row`; None if `row` is it, or there is none."""
    if row.method == BASELINE.name:
        return None
    for other in rows:
        same = (other.task, other.from_scale, other.to_scale)
        if other.method == BASELINE.name and same == (row.task, row.from_scale, row.to_scale):
            return other
    return None
