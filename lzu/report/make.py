"""The report of a task, step by step: collect, tables, figures; and what a suite prints last."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.tables import Table
from lzu.report.compare.cells import TableReport
from lzu.report.compare.comparison import compare
from lzu.report.figures.bins import write_bin_figure
from lzu.report.figures.iso_cost import write_iso_cost_figure
from lzu.report.figures.search import write_search
from lzu.report.figures.tradeoff import write_tradeoff
from lzu.report.products import costs_compared, has_level_error, main_table, products
from lzu.report.tables.bins import write_bin_table
from lzu.report.tables.forms import write_table
from lzu.report.tables.iso_cost import write_iso_cost_table
from lzu.report.tables.level_error import read_published_errors, write_level_error_table
from lzu.results.agreement import agreeing, level_error_problem
from lzu.results.collect import collect, kept_files, read_collected, write_collected
from lzu.results.keep import kept_runs, timing_files
from lzu.results.schema import read_level_error


def collect_task(context: Context) -> None:
    """Write all results of a task to one long table, a row for each run and quantity.

    In compute mode the planned runs' files are read, so that what an earlier setting of the suite
    left behind stays out; in cached mode all that is kept of the suite, of all machines.

    Raises:
        UserError: for a file that is missing or broken, or of other settings, data or prior than
            the suite has; in cached mode if nothing is kept.
    """
    if context.suite.mode == "cached":
        metrics, timings = kept_files(context.paths.suite.measured, context.task.name)
        if not metrics:
            raise UserError(
                f"{context.paths.suite.measured}: no kept results of {context.task.name}; "
                "set mode: compute in the suite file"
            )
    else:
        # What is kept was found by its stamp.
        reused = kept_runs(context) if context.suite.reuse else {}
        metrics, timings = _planned_metrics(context, reused), timing_files(context, reused)
    found = collect(context.task, metrics, timings)
    write_collected(agreeing(context, found), context.paths.collected)


def _planned_metrics(context: Context, reused: Mapping[Run, Path]) -> list[Path]:
    """The metrics file of each planned run: its own, or the kept one if it is `reused`."""
    return [reused.get(run, context.paths.run(run, "metrics.json")) for run in context.runs]


def make_tables(context: Context) -> None:
    """Write the suite's tables of a task, the comparisons beyond the paper, and Eq. 18's errors if
    they were measured."""
    folder, main = context.paths.tables, main_table(context)
    for table in context.tables:
        report = _report(context, table)
        write_table(report, folder)
        if table == main:
            for kind in costs_compared(context):
                write_iso_cost_table(report, kind, folder)
            for bins in context.task.bins:
                write_bin_table(report, bins, folder)
    if has_level_error(context):
        published = read_published_errors(context.paths.suite.published)
        path = _level_error(context)
        errors = read_level_error(path)
        if problem := level_error_problem(context, errors):
            raise UserError(
                f"{path}: of other settings or data than the suite has: {problem}; run `lzu "
                "analysis` again, and keep what it gives where this is kept"
            )
        write_level_error_table(errors, published, folder, context.task.name)


def make_figures(context: Context) -> None:
    """Draw the suite's figures of a task."""
    folder, main = context.paths.figures, main_table(context)
    if main is not None:
        report = _report(context, main)
        write_tradeoff(report, folder)
        for kind in costs_compared(context):
            write_iso_cost_figure(report, kind, folder)
        for bins in context.task.bins:
            write_bin_figure(report, bins, folder)
    for table in context.tables:
        if table.layout == "search":
            write_search(_report(context, table), folder)


def show(contexts: Iterable[Context]) -> None:
    """Print each task's first table, and below them where everything is that there is.

    Raises:
        UserError: if a first table was not made yet.
    """
    contexts = list(contexts)
    for context in contexts:
        main = main_table(context)
        if main is not None:
            path = context.paths.tables / f"{main.name}.txt"
            try:
                print(path.read_text(encoding="utf-8").rstrip(), end="\n\n")
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error}); run `lzu tables`") from error
    made = [product.path for context in contexts for product in products(context)]
    # of the whole suite, so once
    made += dict.fromkeys(context.paths.suite.report for context in contexts)
    print("Written:")
    for line in _listed(path for path in made if path.exists()):
        print(f"  {line}")


def _listed(paths: Iterable[Path]) -> list[str]:
    """The paths, those that differ in their form alone on one line: `table1.{csv,md}`."""
    lines = []
    for stem, alike in groupby(paths, key=lambda path: path.with_suffix("")):
        forms = ",".join(path.suffix[1:] for path in alike)
        lines.append(f"{stem.as_posix()}.{f'{{{forms}}}' if ',' in forms else forms}")
    return lines


def _report(context: Context, table: Table) -> TableReport:
    """A table, published and measured."""
    frame = agreeing(context, read_collected(context.paths.collected))
    machine = context.suite.machine
    # `machine` chooses among kept results: it is no condition on the machine that computes today.
    if context.suite.mode != "cached" and machine not in set(frame["machine"].dropna()):
        machine = None
    return compare(
        table,
        context.task,
        context.suite.suite,
        frame,
        context.paths.suite.published,
        context.plan[table.name],
        machine,
    )


def _level_error(context: Context) -> Path:
    """The file of Eq. 18's errors: this suite's, or the one that is kept."""
    if context.suite.mode != "cached":
        return context.paths.level_error
    kept = context.paths.kept_level_errors()
    if context.suite.machine in kept:
        return kept[context.suite.machine]
    if len(kept) > 1:
        raise UserError(
            f"Eq. 18's errors are kept of several machines ({', '.join(kept)}); set `machine` in "
            "the suite file to one of them"
        )
    return next(iter(kept.values()))
