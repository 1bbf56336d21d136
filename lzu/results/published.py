"""The paper's tables, as committed under `results/published/`."""

import csv
import os
from pathlib import Path

from lzu.errors import UserError
from lzu.experiments.tables import Table


def read_published(
    table: Table, folder: str | os.PathLike[str]
) -> dict[tuple[tuple[str, str], ...], dict[str, float]]:
    """The paper's numbers for `table`: a row's `published` or `published_baseline` key -> metric ->
    value.

    A cell that the paper leaves empty has no value; a table beyond the paper has none at all.

    Args:
        folder: where the published CSV files are, `results/published`.

    Raises:
        UserError: if the file is missing, lacks a column or a row, has a row twice, or a value that
            is no number.
    """
    if not table.published_file:
        return {}
    path = Path(folder) / table.published_file
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            lines = list(csv.DictReader(stream))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error}); restore it from git") from error
    columns = {column.metric: column.published for column in table.columns if column.published}
    keys = [key for row in table.rows for key in (row.published, row.published_baseline) if key]
    needed = {name for key in keys for name, _ in key} | set(columns.values())
    absent = sorted(needed - set(lines[0] if lines else ()))
    if absent:
        raise UserError(f"{path}: no column {', '.join(absent)}; restore the file from git")
    values: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for key in dict.fromkeys(keys):
        found = [line for line in lines if all(line[name] == text for name, text in key)]
        said = ", ".join(f"{name}={text}" for name, text in key)
        if len(found) != 1:
            raise UserError(
                f"{path}: {len(found)} rows for {said}, expected one; restore the file from git"
            )
        try:
            values[key] = {
                metric: float(found[0][name]) for metric, name in columns.items() if found[0][name]
            }
        except ValueError as error:
            raise UserError(f"{path}: {said}: {error}; restore the file from git") from error
    return values
