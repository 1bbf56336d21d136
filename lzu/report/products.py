"""All files that the report of a task is made of: the one list, for the workflow and for `show`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lzu.experiments.context import Context
from lzu.experiments.tables import Table
from lzu.report import names
from lzu.report.compare.iso_cost import KINDS, CostKind


@dataclass(frozen=True)
class Product:
    """A file, and the step (`lzu STEP`) that makes it.

    `caption` is the stem of its text in workflow/report/, None for a file that the Snakemake report
    does not show; `category` is where it stands there.
    """

    path: Path
    step: str
    caption: str | None
    category: str


def products(context: Context) -> list[Product]:
    """Every file that the report's steps make of a task in its suite.

    In cached mode there are no pictures of frames, and Eq. 18 only if its errors were kept.
    """
    found = [Product(context.paths.collected, "collect", None, "Tables")]
    found += _tables(context)
    found += _figures(context)
    if context.suite.mode != "cached":
        found += [
            Product(path, picture.name, caption, picture.category)
            for picture in context.task.pictures
            for path, caption in picture.files(context).items()
        ]
    return found


def main_table(context: Context) -> Table | None:
    """The task's first table, that Figure 7 and the comparisons show; None if it is not planned."""
    first = context.task.tables[0]
    return first if first in context.tables else None


def has_level_error(context: Context) -> bool:
    """Whether Eq. 18's errors are measured by the suite, or in cached mode kept."""
    if context.suite.mode == "cached":
        return bool(context.paths.kept_level_errors())
    made = (path for picture in context.task.pictures for path in picture.files(context))
    return context.paths.level_error in made


def costs_compared(context: Context) -> tuple[CostKind, ...]:
    """The costs at which the first table's methods are compared with the baseline."""
    return tuple(kind for kind in KINDS if kind.name in context.task.comparisons)


def _formed(
    folder: Path, stem: str, forms: tuple[str, ...], step: str, caption: str | None, category: str
) -> Iterator[Product]:
    """A file in each form, of which the report shows the first."""
    for form in forms:
        shown = caption if form == forms[0] else None
        yield Product(folder / f"{stem}.{form}", step, shown, category)


def _tables(context: Context) -> Iterator[Product]:
    folder, task = context.paths.tables, context.task.name
    for table in context.tables:
        caption = "tables" if table.is_published else "tables_beyond"
        shown = ("tables", caption, "Tables")
        yield from _formed(folder, table.name, names.TABLE_FORMS, *shown)
        yield Product(folder / f"{names.paired(table.name)}.csv", "tables", None, "Tables")
    if main_table(context) is not None:
        for kind in costs_compared(context):
            stem = names.of_task(task, kind.name)
            yield from _formed(folder, stem, names.TABLE_FORMS, "tables", None, "Tables")
        for bins in context.task.bins:
            yield Product(
                folder / f"{names.of_task(task, bins.name)}.csv", "tables", None, "Tables"
            )
    if has_level_error(context):
        stem = names.of_task(task, names.EQ_18)
        yield from _formed(folder, stem, names.TABLE_FORMS, "tables", "eq18", "Analysis")


def _figures(context: Context) -> Iterator[Product]:
    shown: dict[str, str | None] = {}
    if main_table(context) is not None:
        shown = {names.FIGURE_7: "figure7", names.END_TO_END: None}
        compared = (*costs_compared(context), *context.task.bins)
        shown |= {comparison.name: comparison.name for comparison in compared}
    for table in context.tables:
        if table.layout == "search":
            shown[names.search(table.name)] = table.name
    for stem, caption in shown.items():
        forms = (names.FIGURE_FORMS, "figures", caption, "Figures")
        yield from _formed(context.paths.figures, stem, *forms)
