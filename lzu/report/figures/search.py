"""A search over two options as heat maps: the headline metric minus the baseline's."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lzu.experiments.methods import BASELINE, METHODS
from lzu.report import names
from lzu.report.compare.cells import CellResult, TableReport
from lzu.report.compare.numbers import DASH, number
from lzu.report.style import INK, save_figure, styled
from lzu.report.tables.layouts import Searched, searched

# Orange loses, purple wins, white is the baseline's: told apart by colour-blind readers too.
COLOURS = "PuOr"
# darker than what is next to white, so that no gap looks like a tie
MISSING = "#d0d0d0"
VIEWS = ("published", "measured")


def differences(search: Searched, view: str) -> dict[str, np.ndarray]:
    """Method -> (values of the first option, of the second) of the metric minus the baseline's.

    NaN where either is missing. `view` is "published" or "measured"; measured are means over runs.
    """
    base = _value(search.baseline, view)

    def gain(method: str, row: float, column: float) -> float:
        cell = search.points.get((method, row, column))
        own = None if cell is None else _value(cell, view)
        return np.nan if own is None or base is None else own - base

    rows, columns = search.values
    return {
        method: np.array([[gain(method, row, column) for column in columns] for row in rows])
        for method in search.methods
    }


def _value(cell: CellResult, view: str) -> float | None:
    if view == "published":
        return cell.published
    return None if cell.measured is None else cell.measured.value


def _reach(maps: Mapping[str, np.ndarray]) -> float:
    """The largest difference of a view's maps; at least 1, so that no shade blows up a tie."""
    found = np.concatenate([values.ravel() for values in maps.values()])
    found = np.abs(found[np.isfinite(found)])
    return max(1.0, float(found.max(initial=0.0)))


def _draw(axes: Axes, search: Searched, values: np.ndarray, reach: float, decimals: int) -> object:
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_facecolor(MISSING)
    image = axes.imshow(
        np.ma.masked_invalid(values), cmap=COLOURS, vmin=-reach, vmax=reach, aspect="auto"
    )
    for (row, column), value in np.ndenumerate(values):
        missing = bool(np.isnan(value))
        dark = not missing and abs(value) > 0.55 * reach
        text = number(None if missing else value, decimals, signed=True)
        colour = "white" if dark else INK
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    rows, columns = search.values
    axes.set_xticks(range(len(columns)), [f"{value:g}" for value in columns])
    axes.set_yticks(range(len(rows)), [f"{value:g}" for value in rows])
    axes.tick_params(length=0)
    return image


def search_figure(report: TableReport) -> Figure:
    """The searched methods side by side, published above measured.

    Shades have one range in a row, symmetric about the baseline's value, which the colour bar
    gives.
    """
    search, column = searched(report), report.headline
    with styled():
        size = (1.1 + 3.2 * len(search.methods), 6.2)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(2, len(search.methods), sharex=True, sharey=True, squeeze=False)
        for row, view in zip(panels, VIEWS, strict=True):
            maps = differences(search, view)
            reach = _reach(maps)
            base = number(_value(search.baseline, view), column.decimals)
            for axes, (method, values) in zip(row, maps.items(), strict=True):
                image = _draw(axes, search, values, reach, column.decimals)
                axes.set_title(f"{view.capitalize()}: {METHODS[method].label}")
            row[0].set_ylabel(search.axes[0])
            if any(np.isfinite(values).any() for values in maps.values()):
                label = f"{column.label} minus {BASELINE.label}'s {base}"
                figure.colorbar(image, ax=row, label=label, aspect=14)
            else:
                row[0].set_title(f"{view.capitalize()}: nothing yet ({DASH})")
        for axes in panels[1]:
            axes.set_xlabel(search.axes[1])
        title = f"{report.table.title}; measured: {report.data}, suite {report.suite}"
        figure.suptitle(title, fontsize=9)
    return figure


def write_search(report: TableReport, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write the table's heat maps to `folder` as PNG, PDF and SVG; return form -> path."""
    with styled():
        return save_figure(search_figure(report), folder, names.search(report.table.name))
