"""Table 6 as heat maps: AP over amplitude and kernel width, minus that of uniform."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lzu.experiments.registry import AMPLITUDES, FWHMS, SEARCHED
from lzu.report.compare.comparison import CellResult, TableReport
from lzu.report.compare.numbers import number
from lzu.report.style import INK, save_figure, styled
from lzu.report.tables.grid import DASH
from lzu.report.tables.layouts import search_points

# Orange loses, purple wins, white is uniform's: told apart by colour-blind readers too.
COLOURS = "PuOr"
# darker than what is next to white, so that no gap looks like a tie
MISSING = "#d0d0d0"
VIEWS = ("published", "measured")


def differences(report: TableReport, view: str) -> dict[str, np.ndarray]:
    """Method -> (amplitudes, widths) of AP minus uniform's, NaN where either is missing.

    `view` is "published" or "measured"; measured are means over seeds.
    """
    uniform, points = search_points(report)
    base = _value(uniform, view)

    def gain(method: str, amplitude: float, fwhm: float) -> float:
        own = _value(points[method, amplitude, fwhm], view)
        return np.nan if own is None or base is None else own - base

    return {
        method: np.array([[gain(method, a, width) for width in FWHMS] for a in AMPLITUDES])
        for method in SEARCHED
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


def _draw(axes: Axes, values: np.ndarray, reach: float, decimals: int) -> object:
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
    axes.set_xticks(range(len(FWHMS)), [f"{fwhm:g}" for fwhm in FWHMS])
    axes.set_yticks(range(len(AMPLITUDES)), [f"{amplitude:g}" for amplitude in AMPLITUDES])
    axes.tick_params(length=0)
    return image


def search_figure(report: TableReport) -> Figure:
    """Fixed and adaptive saliency side by side, published above measured.

    Shades have one range in a row, symmetric about uniform's AP, which the row's title gives.
    """
    uniform, _ = search_points(report)
    metric = report.table.headline
    decimals = report.table.column(metric).decimals
    with styled():
        figure = Figure(figsize=(7.5, 6.2), layout="constrained")
        panels = figure.subplots(2, 2, sharex=True, sharey=True)
        for row, view in zip(panels, VIEWS, strict=True):
            maps = differences(report, view)
            reach = _reach(maps)
            base = number(_value(uniform, view), decimals)
            for axes, (method, values) in zip(row, maps.items(), strict=True):
                image = _draw(axes, values, reach, decimals)
                axes.set_title(f"{view.capitalize()}: {SEARCHED[method]} saliency")
            row[0].set_ylabel("amplitude")
            if any(np.isfinite(values).any() for values in maps.values()):
                figure.colorbar(image, ax=row, label=f"{metric} - uniform's {base}", aspect=14)
            else:
                row[0].set_title(f"{view.capitalize()}: nothing yet ({DASH})")
        for axes in panels[1]:
            axes.set_xlabel("fwhm of the attraction kernel (cells)")
        data = f"{report.dataset} ({report.source})" if report.dataset else "no data"
        figure.suptitle(f"Table 6 at 0.5x; measured: {data}, suite {report.suite}", fontsize=9)
    return figure


def write_search(report: TableReport, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write Table 6's heat maps to `folder` as PNG, PDF and SVG; return form -> path."""
    with styled():
        return save_figure(search_figure(report), folder, "table6_search")
