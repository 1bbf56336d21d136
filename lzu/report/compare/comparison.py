"""Published and measured values of a table side by side, before any formatting."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lzu.experiments.registry import METHOD_LABELS, TABLES, Column, Table, TableRow, find_table
from lzu.experiments.run import SEARCH, Run
from lzu.report.compare.footnotes import footnotes
from lzu.report.compare.selection import select
from lzu.report.compare.statistics import Estimate, mean_interval, paired_difference, verdict
from lzu.results.collect import options_text
from lzu.results.published import read_published


@dataclass(frozen=True)
class CellResult:
    """A number of the table: the paper's, ours, or both; None where there is none."""

    published: float | None
    measured: Estimate | None

    @property
    def difference(self) -> float | None:
        """measured - published."""
        if self.published is None or self.measured is None:
            return None
        return self.measured.value - self.published


@dataclass(frozen=True)
class RowResult:
    """A row of the table: its `cells` by metric, and the seeds that were measured.

    `by_seed` maps each score's metric, those that are no column too, to the value of each seed.
    `quartiles` maps a timing's metric to its 25 % and 75 % quantiles over rounds.
    """

    row: TableRow
    cells: dict[str, CellResult]
    seeds: tuple[int, ...]
    quartiles: dict[str, tuple[float, float]]
    by_seed: dict[str, dict[int, float]]


@dataclass(frozen=True)
class PairedResult:
    """A method against uniform at the same scales, in one metric, paired by seed."""

    row: TableRow
    column: Column
    published: float | None
    measured: Estimate
    verdict: str


@dataclass(frozen=True)
class TableReport:
    """All that a table and its figure show.

    `dataset` is the name of the data that was measured on, `source` "real" or "synthetic"; both are
    None where nothing was measured.
    `missing` are (reason, rows' names) of cells shown as dashes; `unlisted` names what was measured
    but is no row of this table; `notes` are footnotes.
    `extra_ms` maps a row to the operations' added milliseconds and the end-to-end ratio.
    """

    table: Table
    suite: str
    dataset: str | None
    source: str | None
    rows: tuple[RowResult, ...]
    paired: tuple[PairedResult, ...]
    missing: tuple[tuple[str, tuple[str, ...]], ...]
    unlisted: tuple[str, ...]
    notes: tuple[str, ...]
    extra_ms: dict[TableRow, tuple[float, float]]


def row_name(row: TableRow) -> str:
    """The row as notes name it: "0.5x LZU, fixed"."""
    options = "".join(f" {name}={value}" for name, value in row.options if (name, value) != SEARCH)
    upsampled = "" if row.from_scale == 1 else f" from {row.from_scale:g}x"
    return f"{row.to_scale:g}x {row.label}{upsampled}{options}"


def _of_row(frame: pd.DataFrame, row: TableRow) -> pd.DataFrame:
    return frame[
        (frame["task"] == row.task)
        & (frame["method"] == row.method)
        & (frame["from_scale"] == row.from_scale)
        & (frame["to_scale"] == row.to_scale)
        & (frame["options"] == options_text(row.options))
    ]


def _by_seed(scores: pd.DataFrame, metric: str) -> dict[int, float]:
    """seed -> value, without the seeds for which the metric is undefined."""
    found = scores[(scores["metric"] == metric) & scores["value"].notna()]
    return {
        int(seed): float(value) for seed, value in zip(found["seed"], found["value"], strict=True)
    }


def _timing(timings: pd.DataFrame, metric: str) -> float | None:
    found = timings.loc[timings["metric"] == metric, "value"]
    return None if found.empty else float(found.iloc[0])


def _measured(column: Column, scores: pd.DataFrame, timings: pd.DataFrame) -> Estimate | None:
    if column.source == "timing":
        value = _timing(timings, column.metric)
        return None if value is None else Estimate(value, None, None, 1)
    values = _by_seed(scores, column.metric)
    return mean_interval(list(values.values())) if values else None


def _missing(
    table: Table, rows: Sequence[RowResult], suite: str, planned: Sequence[Run]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Why cells are dashes: reason -> rows, in the order in which the reasons come up."""
    reasons: dict[str, list[str]] = {}
    for result in rows:
        row, name = result.row, row_name(result.row)
        wanted = sorted({run.seed for run in planned if run.suite == suite and row.matches(run)})
        if not wanted and not result.seeds:
            reason = f"not planned in suite {suite}" if row.built else "not built yet"
            reasons.setdefault(reason, []).append(name)
            continue
        absent = [seed for seed in wanted if seed not in result.seeds]
        if absent:
            seeds = ", ".join(map(str, absent))
            reasons.setdefault(f"no metrics.json of seed {seeds}", []).append(name)
        for column in table.columns:
            if result.cells[column.metric].measured is not None:
                continue
            if column.source == "timing":
                reasons.setdefault(f"no timing ({column.metric})", []).append(name)
            elif result.seeds:
                reason = f"{column.metric} is undefined on this data (no such objects)"
                reasons.setdefault(reason, []).append(name)
    return tuple((reason, tuple(names)) for reason, names in reasons.items())


def compare(
    table: str,
    suite: str,
    collected: pd.DataFrame,
    published_folder: str | os.PathLike[str],
    planned: Sequence[Run],
    machine: str | None = None,
    timing_machine: str | None = None,
) -> TableReport:
    """Set the measured values of a table beside the published ones.

    Args:
        table, suite: names: "table1", "demo".
        collected: what `lzu.results.collect.collect` gives.
        published_folder: `results/published`.
        planned: the runs that the suite plans: they tell a run that is missing from one not meant
            to be.
        machine, timing_machine: whose scores and whose timings to show; needed where there are
            several.

    Raises:
        UserError: for an unknown table, several machines, datasets or devices in one column, and a
            broken file of published values.
    """
    found = find_table(table)
    own = _on_its_data(found, collected)
    scores, timings = select(own, suite, found.rows[0].task, machine, timing_machine)
    published = read_published(found, published_folder)
    rows, paired, extra = [], [], {}
    shown = found.with_beyond(
        lambda row: any(row.matches(run) for run in planned) or not _of_row(scores, row).empty
    )
    own_scores = {row: _of_row(scores, row) for row in shown}
    for row in shown:
        own_timings = _of_row(timings, row)
        rows.append(
            RowResult(
                row=row,
                cells={
                    column.metric: CellResult(
                        published.get(row.published, {}).get(column.metric),
                        _measured(column, own_scores[row], own_timings),
                    )
                    for column in found.columns
                },
                seeds=tuple(sorted({int(seed) for seed in own_scores[row]["seed"]})),
                quartiles=_quartiles(found, own_timings),
                by_seed={
                    metric: _by_seed(own_scores[row], metric)
                    for metric in own_scores[row]["metric"].unique()
                },
            )
        )
        added, ratio = _timing(own_timings, "added_ms"), _timing(own_timings, "end_to_end_ratio")
        if added is not None and ratio is not None:
            extra[row] = (added, ratio)
        baseline = found.baseline_of(row)
        if baseline is not None:
            paired += _paired(found, row, own_scores[row], own_scores[baseline], published)
    return TableReport(
        table=found,
        suite=suite,
        dataset=None if scores.empty else str(scores["dataset"].iloc[0]),
        source=None if scores.empty else str(scores["dataset_source"].iloc[0]),
        rows=tuple(rows),
        paired=tuple(paired),
        missing=_missing(found, rows, suite, planned),
        unlisted=_unlisted(scores),
        notes=(*found.notes, *footnotes(found, scores, timings)),
        extra_ms=extra,
    )


def _on_its_data(table: Table, collected: pd.DataFrame) -> pd.DataFrame:
    """The scores on the data that the table is about, and timings if it has a column of them."""
    searched = {text: SEARCH in json.loads(text).items() for text in set(collected["options"])}
    own = collected[collected["options"].map(searched).eq(table.searched)]
    if any(column.source == "timing" for column in table.columns):
        return own
    return own[own["kind"] != "timing"]


def _unlisted(scores: pd.DataFrame) -> tuple[str, ...]:
    """Names of the measured runs that no row of any table shows."""
    rows = [row for other in TABLES.values() for row in (*other.rows, *other.beyond)]
    listed = {(row.method, row.from_scale, row.to_scale, options_text(row.options)) for row in rows}
    found = scores[["method", "from_scale", "to_scale", "options"]].drop_duplicates()
    names = []
    for key in found.itertuples(index=False):
        if tuple(key) not in listed:
            shown = "" if key.options == "{}" else f" {key.options}"
            label = METHOD_LABELS[key.method]
            names.append(f"{key.to_scale:g}x {label} from {key.from_scale:g}x{shown}")
    return tuple(names)


def _quartiles(table: Table, timings: pd.DataFrame) -> dict[str, tuple[float, float]]:
    quartiles = {}
    for column in table.columns:
        low = _timing(timings, f"{column.metric}_q25")
        high = _timing(timings, f"{column.metric}_q75")
        if column.source == "timing" and low is not None and high is not None:
            quartiles[column.metric] = (low, high)
    return quartiles


def _paired(
    table: Table,
    row: TableRow,
    treated: pd.DataFrame,
    baseline: pd.DataFrame,
    published: dict[tuple[tuple[str, str], ...], dict[str, float]],
) -> list[PairedResult]:
    results = []
    uniform = table.baseline_of(row)
    for column in (column for column in table.columns if column.source == "score"):
        measured = paired_difference(
            _by_seed(treated, column.metric), _by_seed(baseline, column.metric)
        )
        if measured is None or uniform is None:
            continue
        theirs = None
        if column.published is not None and row.published:
            ours = published[row.published][column.metric]
            theirs = ours - published[uniform.published][column.metric]
        results.append(
            PairedResult(row, column, theirs, measured, verdict(measured, column.higher_is_better))
        )
    return results
