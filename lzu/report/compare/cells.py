"""What a comparison of published and measured values holds, before any formatting."""

from dataclasses import dataclass

from lzu.experiments.run import SEARCH
from lzu.experiments.tables import Column, Row, Table, baseline_row
from lzu.experiments.task import Task
from lzu.report.compare.contrasts import Contrast
from lzu.report.compare.uncertainty import Mean, RunKey, Scores
from lzu.results.statistics import Estimate


@dataclass(frozen=True)
class CellResult:
    """A number of the table: the paper's, ours, or both; None where there is none.

    `difference` is measured - published, and None too where the two are of different data.
    """

    published: float | None
    measured: Estimate | None
    difference: float | None = None


@dataclass(frozen=True)
class Cost:
    """What a method costs: its operations' added milliseconds, and the end-to-end time relative to
    the baseline's with the 95 % interval of the paired rounds (None: too few of them)."""

    added_ms: float
    ratio: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RowResult:
    """A row of the table: its `cells` by metric, and the runs (machine, seed) that were measured.

    `scores` maps each metric, those that are no column too, to its values in these runs.
    `quartiles` maps a timing's metric to its 25 % and 75 % quantiles over rounds.
    """

    row: Row
    cells: dict[str, CellResult]
    runs: tuple[RunKey, ...]
    scores: dict[str, Scores]
    quartiles: dict[str, tuple[float, float]]
    cost: Cost | None

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that were measured on some machine."""
        return tuple(sorted({seed for _, seed in self.runs}))


@dataclass(frozen=True)
class PairedResult:
    """A method against the baseline at the same scales, in one metric, paired run by run.

    `contrast` has the verdict, in the table's headline metric alone.
    """

    row: Row
    column: Column
    published: float | None
    measured: Mean
    contrast: Contrast | None


@dataclass(frozen=True)
class TableReport:
    """All that a table and its figure show.

    `dataset` is the name of the data that was measured on, `source` "real" or "synthetic"; both are
    None where nothing was measured.
    `relative` are score columns whose sizes in pixels mean something else than in the paper's
    images, in their relative form; rows have cells of them beside the table's own.
    `missing` are (reason, rows' names) of cells shown as dashes; `unlisted` names what was measured
    but is no row of a table; `notes` are footnotes.
    """

    table: Table
    task: Task
    suite: str
    dataset: str | None
    source: str | None
    rows: tuple[RowResult, ...]
    paired: tuple[PairedResult, ...]
    relative: tuple[Column, ...]
    missing: tuple[tuple[str, tuple[str, ...]], ...]
    unlisted: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def headline(self) -> Column:
        """The column that verdicts speak of."""
        return self.table.column(self.table.headline)

    def baseline_of(self, row: Row) -> Row | None:
        """The baseline's row at the scales of `row`."""
        return baseline_row(row, (result.row for result in self.rows))

    def name(self, row: Row) -> str:
        """The row as notes name it: "0.5x LZU, fixed"."""
        return row_name(row, self.task)

    @property
    def data(self) -> str:
        """What was measured on, for the titles of figures."""
        return f"{self.dataset} ({self.source})" if self.dataset else "no data"


def row_name(row: Row, task: Task) -> str:
    """The row as notes name it: "0.5x LZU, fixed"."""
    options = "".join(f" {name}={value}" for name, value in row.options if (name, value) != SEARCH)
    upsampled = "" if row.from_scale == 1 else f" from {task.scale_label(row.from_scale)}"
    return f"{task.scale_label(row.to_scale)} {row.label}{upsampled}{options}"
