"""The headline metric against object size, and the differences from the baseline below."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lzu.experiments.methods import BASELINE, METHODS
from lzu.report import names
from lzu.report.compare.cells import TableReport
from lzu.report.compare.size_bins import HEIGHTS, PIXELS, SizeCurve, SizeReport, by_size
from lzu.report.style import GRID_COLOUR, MUTED, save_figure, styled
from lzu.report.tables.layouts import scales_text
from lzu.results.statistics import Estimate

NOTHING = "no result has bins of object size yet: score the runs again"
UNIT_TEXTS = {PIXELS: "native pixels", HEIGHTS: "% of the image's height"}
# Of a bin's width, so that methods' error bars do not cover one another.
SPREAD = 0.6


def size_figure(report: TableReport) -> Figure:
    """A column for each pair of scales: the metric by bin above, differences from the baseline
    below.

    Sizes are in heights of the image where results have them, as these compare with the paper's
    images; else in pixels. Bars are 95 % intervals, paired ones below; the faint histogram, and the
    number at the foot of each of its columns, is how many annotated boxes a bin has.
    """
    found = by_size(report)
    with styled():
        if not found:
            figure = Figure(figsize=(9, 4), layout="constrained")
            figure.text(0.5, 0.5, NOTHING, ha="center", color=MUTED)
            return figure
        sizes = next((sizes for sizes in found if sizes.unit == HEIGHTS), found[0])
        scales = _compared(sizes)
        figure = Figure(figsize=(max(8.5, 1 + 3.6 * len(scales)), 5.6), layout="constrained")
        panels = figure.subplots(2, len(scales), sharex=True, sharey="row", squeeze=False)
        for column, pair in zip(panels.T, scales, strict=True):
            own = [c for c in sizes.curves if (c.row.from_scale, c.row.to_scale) == pair]
            _draw_column(*column, sizes, own)
            column[0].set_title(scales_text(report, own[0].row))
        metric = report.headline.label
        panels[0, 0].set_ylabel(metric)
        panels[0, 0].set_ylim(bottom=0)
        panels[1, 0].set_ylabel(f"{metric} minus {BASELINE.label}'s")
        data = f"{report.data}, suite {report.suite}"
        figure.supxlabel(f"√area of the object, {UNIT_TEXTS[sizes.unit]}; {data}", fontsize=9)
        _legend(figure, sizes)
    return figure


def _compared(sizes: SizeReport) -> list[tuple[float, float]]:
    """The pairs of scales at which another method stands beside the baseline; all, if none does."""
    pairs = [((c.row.from_scale, c.row.to_scale), c.row.method) for c in sizes.curves]
    others = [pair for pair, method in pairs if method != BASELINE.name]
    return list(dict.fromkeys(others or [pair for pair, _ in pairs]))


def _draw_column(upper: Axes, lower: Axes, sizes: SizeReport, own: Sequence[SizeCurve]) -> None:
    """The curves of one pair of scales."""
    below = [curve.against_baseline for curve in own]
    # First, so that axes of counts lie behind.
    _draw_counts(upper, sizes)
    _draw(upper, own, [curve.values for curve in own])
    _draw(lower, own, below)
    lower.axhline(0, color=BASELINE.colour, linewidth=1.2, zorder=1)
    if not any(any(estimates) for estimates in below):
        style = {"color": MUTED, "fontsize": 8, "ha": "center"}
        lower.text(0.5, 0.6, "no other method", transform=lower.transAxes, **style)
    _name_bins(lower, sizes)


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
        about = METHODS[curve.row.method]
        axes.errorbar(
            np.arange(len(estimates)) + 0.5 + offset,
            [math.nan if e is None else e.value for e in estimates],
            yerr=[math.nan if e is None else e.half_width or 0 for e in estimates],
            color=about.colour,
            marker=about.marker,
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
    unit = 100 if sizes.unit == HEIGHTS else 1
    edges = ["∞" if math.isinf(edge) else f"{unit * edge:.3g}" for edge in sizes.edges]
    axes.set_xticks(range(len(edges)), edges, fontsize=7.5)
    # bins without a box, at the ends, have nothing to show
    filled = [place for place, boxes in enumerate(sizes.boxes) if boxes] or [0]
    axes.set_xlim(filled[0], filled[-1] + 1)


def _legend(figure: Figure, sizes: SizeReport) -> None:
    shown = {curve.row.method for curve in sizes.curves}
    handles = [
        Line2D([], [], color=method.colour, marker=method.marker, label=method.label)
        for method in METHODS.values()
        if method.name in shown
    ]
    handles.append(Line2D([], [], color=GRID_COLOUR, linewidth=6, label="number of boxes"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8)


def write_size_figure(report: TableReport, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write `size_bins.*` to `folder` as PNG, PDF and SVG; form -> path."""
    with styled():
        return save_figure(size_figure(report), folder, names.SIZE_BINS)
