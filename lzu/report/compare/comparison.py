"""Published and measured values of a table side by side, before any formatting."""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from lzu.experiments.methods import METHODS
from lzu.experiments.run import SEARCH, Run
from lzu.experiments.tables import Column, Key, Row, Table, baseline_row
from lzu.experiments.task import Task
from lzu.report.compare.cells import (
    CellResult,
    Cost,
    PairedResult,
    RowResult,
    TableReport,
    row_name,
)
from lzu.report.compare.contrasts import judge
from lzu.report.compare.footnotes import footnotes
from lzu.report.compare.missing import missing
from lzu.report.compare.scores import RELATIVE, of_row, runs_of, scores_by_metric
from lzu.report.compare.selection import Selected, select
from lzu.report.compare.uncertainty import (
    RunKey,
    Scores,
    mean_over_runs,
    paired_mean,
    relative_mean,
)
from lzu.results.collect import options_text
from lzu.results.published import read_published
from lzu.results.statistics import Estimate

Published = Mapping[tuple[tuple[str, str], ...], Mapping[str, float]]


def compare(
    table: Table,
    task: Task,
    suite: str,
    collected: pd.DataFrame,
    published_folder: str | os.PathLike[str],
    planned: Sequence[Run],
    machine: str | None = None,
) -> TableReport:
    """Set the measured values of a table beside the published ones.

    Args:
        table, task: the table, and the task that it is of.
        suite: its name.
        collected: what `lzu.results.collect.collect` gives of the suite and the task.
        published_folder: `results/published`.
        planned: the runs that the suite plans for this table: they tell a run that is missing from
            one not meant to be, and give the rows beyond the paper.
        machine: whose timings to show, needed where there are several; its scores alone are shown
            where those of several machines cannot be pooled.

    Raises:
        UserError: for results that must not stand in one table (see `select`), and a broken file of
            published values.
    """
    measured = _on_its_data(table, collected)
    selected = select(measured, machine)
    scores = selected.scores
    source = None if scores.empty else str(scores["dataset_source"].iloc[0])
    published = read_published(table, published_folder)
    shown = table.with_planned(planned)
    by_row = {row: scores_by_metric(of_row(scores, row)) for row in shown}
    relative = _relative(table, by_row.values())
    columns = (*table.columns, *relative)
    # Of other data than the paper's a difference from the paper means nothing.
    comparable = source != "synthetic"
    rows = [_row(table, row, columns, by_row, selected, published, comparable) for row in shown]
    paired = _paired(table, columns, by_row, published)
    return TableReport(
        table=table,
        task=task,
        suite=suite,
        dataset=None if scores.empty else str(scores["dataset"].iloc[0]),
        source=source,
        rows=tuple(rows),
        paired=tuple(paired),
        relative=relative,
        missing=missing(
            table.columns,
            {row_name(result.row, task): result for result in rows},
            planned,
            suite,
            measured,
        ),
        unlisted=_unlisted(scores, (*shown, *(r for t in task.tables for r in t.rows)), task),
        notes=(*table.notes, *footnotes(table, task, selected, relative, bool(paired))),
    )


def _on_its_data(table: Table, collected: pd.DataFrame) -> pd.DataFrame:
    """The scores on the data that the table is about, and timings if it has a column of them."""
    searched = {text: SEARCH in json.loads(text).items() for text in set(collected["options"])}
    own = collected[collected["options"].map(searched).eq(table.searched)]
    if any(column.source == "timing" for column in table.columns):
        return own
    return own[own["kind"] != "timing"]


def _relative(table: Table, measured: Collection[dict[str, Scores]]) -> tuple[Column, ...]:
    """The relative forms of score columns, where they differ from what is measured in pixels.

    The paper's images have the height for which both are the same, so its numbers are both.
    """
    found = []
    for column in table.columns:
        name = f"{column.metric}{RELATIVE}"
        own = [scores for scores in measured if name in scores]
        if any(scores[name].values != _values(scores, column.metric) for scores in own):
            found.append(replace(column, metric=name, label=f"{column.label}{RELATIVE}"))
    return tuple(found)


def _values(scores: Mapping[str, Scores], metric: str) -> Mapping[RunKey, float]:
    return scores[metric].values if metric in scores else {}


def _timing(timings: pd.DataFrame, metric: str) -> float | None:
    found = timings.loc[timings["metric"] == metric, "value"].dropna()
    return None if found.empty else float(found.iloc[0])


def _row(
    table: Table,
    row: Row,
    columns: Sequence[Column],
    by_row: Mapping[Row, dict[str, Scores]],
    selected: Selected,
    published: Published,
    comparable: bool,
) -> RowResult:
    timings = of_row(selected.timings, row)
    scores = by_row[row]
    cells, quartiles = {}, {}
    for column in columns:
        name = column.metric
        if column.source == "improvement":
            measured = _improvement(table.headline, row, by_row)
        else:
            measured = _measured(column, scores, timings)
        theirs = _published(row.published, column, published)
        both = comparable and theirs is not None and measured is not None
        cells[name] = CellResult(theirs, measured, measured.value - theirs if both else None)
        low, high = (_timing(timings, f"{name}_{end}") for end in ("q25", "q75"))
        if column.source == "timing" and low is not None and high is not None:
            quartiles[name] = (low, high)
    runs = runs_of(of_row(selected.scores, row))
    return RowResult(row, cells, runs, scores, quartiles, _cost(timings))


def _measured(
    column: Column, scores: Mapping[str, Scores], timings: pd.DataFrame
) -> Estimate | None:
    if column.source == "timing":
        value = _timing(timings, column.metric)
        return None if value is None else Estimate(value, None, None, 1)
    own = scores.get(column.metric)
    return None if own is None else mean_over_runs(own).estimate()


def _improvement(
    headline: str, row: Row, by_row: Mapping[Row, dict[str, Scores]]
) -> Estimate | None:
    """The headline relative to the baseline's, in percent; None where one of them is missing."""
    base = baseline_row(row, by_row)
    if base is None or headline not in by_row[row] or headline not in by_row[base]:
        return None
    mean = relative_mean(by_row[row][headline], by_row[base][headline])
    return None if mean is None else mean.estimate()


def _published(key: Key, column: Column, published: Published) -> float | None:
    return published[key].get(column.metric.removesuffix(RELATIVE)) if key else None


def _cost(timings: pd.DataFrame) -> Cost | None:
    added, ratio = _timing(timings, "added_ms"), _timing(timings, "end_to_end_ratio")
    if added is None or ratio is None:
        return None
    ends = (_timing(timings, f"end_to_end_ratio_{end}") for end in ("low", "high"))
    return Cost(added, ratio, *ends)


def _paired(
    table: Table,
    columns: Sequence[Column],
    by_row: Mapping[Row, dict[str, Scores]],
    published: Published,
) -> list[PairedResult]:
    """Each method's differences from the baseline, with verdicts in the headline metric."""
    results = []
    for row, scores in by_row.items():
        base = baseline_row(row, by_row)
        if base is None:
            continue
        for column in columns:
            name = column.metric
            if name not in scores or name not in by_row[base]:
                continue
            measured = paired_mean(scores[name], by_row[base][name])
            ours = _published(row.published, column, published)
            theirs = _published(row.published_baseline or base.published, column, published)
            known = ours is not None and theirs is not None
            if measured is not None:
                difference = ours - theirs if known else None
                results.append(PairedResult(row, column, difference, measured, None))
    return _judged(table, results)


def _judged(table: Table, results: Sequence[PairedResult]) -> list[PairedResult]:
    headline = table.column(table.headline)
    own = {result.row: result.measured for result in results if result.column == headline}
    declared = [row for row in own if (row.method, row.to_scale) == table.primary]
    primary = next((row for row in declared if row.from_scale == 1), None)
    contrasts = judge(own, primary, headline.higher_is_better)
    return [
        replace(result, contrast=contrasts[result.row]) if result.column == headline else result
        for result in results
    ]


def _unlisted(scores: pd.DataFrame, rows: Sequence[Row], task: Task) -> tuple[str, ...]:
    """Names of the measured runs that are no row of any table."""
    listed = {(row.method, row.from_scale, row.to_scale, options_text(row.options)) for row in rows}
    found = scores[["method", "from_scale", "to_scale", "options"]].drop_duplicates()
    names = []
    for key in found.itertuples(index=False):
        if tuple(key) not in listed:
            shown = "" if key.options == "{}" else f" {key.options}"
            label = METHODS[key.method].label if key.method in METHODS else key.method
            given, seen = task.scale_label(key.from_scale), task.scale_label(key.to_scale)
            names.append(f"{seen} {label} from {given}{shown}")
    return tuple(names)
