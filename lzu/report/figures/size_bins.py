"""AP against object size, method by method, and the differences from uniform below."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lzu.experiments.registry import METHOD_LABELS
from lzu.report.compare.comparison import TableReport
from lzu.report.compare.size_bins import SizeCurve, SizeReport, by_size
from lzu.results.statistics import Estimate
from lzu.report.style import GRID_COLOUR, METHOD_STYLE, MUTED, save_figure, styled

NOTHING = "no result has bins of object size yet: score the runs again"
# Of a bin's width, so that methods' error bars do not cover one another.
SPREAD = 0.6


def size_figure(report: TableReport) -> Figure:
    """A column for each pair of scales: AP by bin above, difference from uniform below.

    Bars are 95 % t intervals over seeds, paired ones below; the faint histogram, and the number at
    the foot of each of its columns, is how many annotated boxes a bin has.
    """
    sizes = by_size(report)
    with styled():
        if sizes is None:
            figure = Figure(figsize=(9, 4), layout="constrained")
            figure.text(0.5, 0.5, NOTHING, ha="center", color=MUTED)
            return figure
        scales = list(dict.fromkeys((c.row.from_scale, c.row.to_scale) for c in sizes.curves))
        figure = Figure(figsize=(max(5, 1 + 3.6 * len(scales)), 5.6), layout="constrained")
        panels = figure.subplots(2, len(scales), sharex=True, sharey="row", squeeze=False)
        for column, pair in enumerate(scales):
            own = [c for c in sizes.curves if (c.row.from_scale, c.row.to_scale) == pair]
            upper, lower = panels[:, column]
            above, below = [c.values for c in own], [c.against_uniform for c in own]
            # First, so that axes of counts lie behind.
            _draw_counts(upper, sizes)
            _draw(upper, own, above)
            _draw(lower, own, below)
            lower.axhline(0, color=METHOD_STYLE["uniform"][0], linewidth=1.2, zorder=1)
            if not any(any(estimates) for estimates in below):
                style = {"color": MUTED, "fontsize": 8, "ha": "center"}
                lower.text(0.5, 0.6, "no other method", transform=lower.transAxes, **style)
            upper.set_title(_title(pair))
            _name_bins(lower, sizes)
        panels[0, 0].set_ylabel("AP")
        panels[0, 0].set_ylim(bottom=0)
        panels[1, 0].set_ylabel("AP minus uniform")
        data = f"{report.dataset} ({report.source}), suite {report.suite}"
        figure.supxlabel(f"√area of the object, native pixels; {data}", fontsize=9)
        _legend(figure, sizes)
    return figure


def _title(pair: tuple[float, float]) -> str:
    given = "" if pair[0] == 1 else f" from {pair[0]:g}×"
    return f"{pair[1]:g}×{given}"


def _draw_counts(axes: Axes, sizes: SizeReport) -> None:
    counts = axes.twinx()
    counts.bar(np.arange(len(sizes.boxes)) + 0.5, sizes.boxes, width=1, color=GRID_COLOUR)
    counts.set_ylim(0, 1.6 * max(sizes.boxes))
    counts.axis("off")
    for place, number in enumerate(sizes.boxes):
        counts.annotate(
            f"{number}",
            (place + 0.5, 0),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=5.5,
            color=MUTED,
        )
    axes.set_zorder(counts.get_zorder() + 1)
    axes.patch.set_visible(False)


def _draw(
    axes: Axes, curves: Sequence[SizeCurve], rows: Sequence[Sequence[Estimate | None]]
) -> None:
    offsets = SPREAD * ((np.arange(len(curves)) + 0.5) / len(curves) - 0.5)
    for curve, estimates, offset in zip(curves, rows, offsets, strict=True):
        if not any(estimates):
            continue
        colour, marker = METHOD_STYLE[curve.row.method]
        axes.errorbar(
            np.arange(len(estimates)) + 0.5 + offset,
            [math.nan if e is None else e.value for e in estimates],
            yerr=[math.nan if e is None else e.half_width or 0 for e in estimates],
            color=colour,
            marker=marker,
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            linewidth=1,
            elinewidth=1,
            capsize=1.5,
            zorder=3,
        )


def _name_bins(axes: Axes, sizes: SizeReport) -> None:
    """Name the bins by their edges, the open end by infinity."""
    names = ["∞" if math.isinf(edge) else f"{edge:g}" for edge in sizes.edges]
    axes.set_xticks(range(len(names)), names, fontsize=7.5)
    axes.set_xlim(0, len(sizes.boxes))


def _legend(figure: Figure, sizes: SizeReport) -> None:
    shown = {curve.row.method for curve in sizes.curves}
    handles = [
        Line2D([], [], color=colour, marker=marker, label=METHOD_LABELS[method])
        for method, (colour, marker) in METHOD_STYLE.items()
        if method in shown
    ]
    handles.append(Line2D([], [], color=GRID_COLOUR, linewidth=6, label="number of boxes"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8)


def write_size_figure(report: TableReport, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write `size_bins.*` to `folder` as PNG, PDF and SVG; form -> path."""
    with styled():
        return save_figure(size_figure(report), folder, "size_bins")
