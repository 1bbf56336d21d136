"""A metric by bins, and the differences from the baseline below."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lzu.experiments.methods import BASELINE
from lzu.experiments.task import Bins
from lzu.report.compare.bins import BinCurve, BinReport, by_bin
from lzu.report.compare.cells import TableReport
from lzu.report.figures.series import key_of, series_of
from lzu.report.style import GRID_COLOUR, MUTED, save_figure, styled
from lzu.report.tables.layouts import scales_text
from lzu.results.statistics import Estimate

NOTHING = "no result has bins of {} yet: score the runs again"
# Of a bin's width, so that methods' error bars do not cover one another.
SPREAD = 0.6


def bin_figure(report: TableReport, bins: Bins) -> Figure:
    """A column for each pair of scales: the metric by bin above, differences from the baseline
    below.

    Bins are in the last of their units that results have. Bars are 95 % intervals, paired ones
    below; the faint histogram, and the number at the foot of each of its columns, is how much a bin
    counts.
    """
    found = by_bin(report, bins)
    with styled():
        if not found:
            figure = Figure(figsize=(9, 4), layout="constrained")
            figure.text(0.5, 0.5, NOTHING.format(bins.quantity), ha="center", color=MUTED)
            return figure
        drawn = found[-1]
        scales = _compared(drawn)
        figure = Figure(figsize=(max(8.5, 1 + 3.6 * len(scales)), 5.6), layout="constrained")
        panels = figure.subplots(2, len(scales), sharex=True, sharey="row", squeeze=False)
        for column, pair in zip(panels.T, scales, strict=True):
            own = [c for c in drawn.curves if (c.row.from_scale, c.row.to_scale) == pair]
            _draw_column(*column, drawn, own)
            column[0].set_title(scales_text(report, own[0].row))
        panels[0, 0].set_ylabel(bins.label)
        panels[0, 0].set_ylim(bottom=0)
        panels[1, 0].set_ylabel(f"{bins.label} minus {BASELINE.label}'s")
        data = f"{report.data}, suite {report.suite}"
        figure.supxlabel(f"{bins.axis}, {drawn.unit.label}; {data}", fontsize=9)
        _legend(figure, drawn)
    return figure


def _compared(drawn: BinReport) -> list[tuple[float, float]]:
    """The pairs of scales at which another method stands beside the baseline; all, if none does."""
    pairs = [((c.row.from_scale, c.row.to_scale), c.row.method) for c in drawn.curves]
    others = [pair for pair, method in pairs if method != BASELINE.name]
    return list(dict.fromkeys(others or [pair for pair, _ in pairs]))


def _draw_column(upper: Axes, lower: Axes, drawn: BinReport, own: Sequence[BinCurve]) -> None:
    """The curves of one pair of scales."""
    below = [curve.against_baseline for curve in own]
    # First, so that axes of counts lie behind.
    _draw_counts(upper, drawn)
    _draw(upper, drawn, own, [curve.values for curve in own])
    _draw(lower, drawn, own, below)
    lower.axhline(0, color=BASELINE.colour, linewidth=1.2, zorder=1)
    if not any(any(estimates) for estimates in below):
        style = {"color": MUTED, "fontsize": 8, "ha": "center"}
        lower.text(0.5, 0.6, "no other method", transform=lower.transAxes, **style)
    _name_bins(lower, drawn)


def _draw_counts(axes: Axes, drawn: BinReport) -> None:
    counts = axes.twinx()
    counts.bar(np.arange(len(drawn.counts)) + 0.5, drawn.counts, width=1, color=GRID_COLOUR)
    counts.set_ylim(0, 1.6 * max(drawn.counts))
    counts.axis("off")
    for place, number in enumerate(drawn.counts):
        counts.annotate(
            _short(number),
            (place + 0.5, 0),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=5.5,
            color=MUTED,
        )
    axes.set_zorder(counts.get_zorder() + 1)
    axes.patch.set_visible(False)


def _short(number: int) -> str:
    """A count in few characters: 1234, 12k, 3.4M."""
    for size, letter in ((10**6, "M"), (10**3, "k")):
        if number >= 10 * size or (number >= size and letter == "M"):
            return f"{number / size:.{int(number < 10 * size)}f}{letter}"
    return str(number)


def _draw(
    axes: Axes,
    drawn: BinReport,
    curves: Sequence[BinCurve],
    rows: Sequence[Sequence[Estimate | None]],
) -> None:
    series = series_of(curve.row for curve in drawn.curves)
    offsets = SPREAD * ((np.arange(len(curves)) + 0.5) / len(curves) - 0.5)
    for curve, estimates, offset in zip(curves, rows, offsets, strict=True):
        if not any(estimates):
            continue
        axes.errorbar(
            np.arange(len(estimates)) + 0.5 + offset,
            [math.nan if e is None else e.value for e in estimates],
            yerr=[math.nan if e is None else e.half_width or 0 for e in estimates],
            markersize=4.5,
            linewidth=1,
            elinewidth=1,
            capsize=1.5,
            zorder=3,
            **series[key_of(curve.row)].style(0.6),
        )


def _name_bins(axes: Axes, drawn: BinReport) -> None:
    """Name the bins by their edges, the open end by infinity."""
    factor = drawn.unit.factor
    edges = ["∞" if math.isinf(edge) else f"{factor * edge:.3g}" for edge in drawn.edges]
    axes.set_xticks(range(len(edges)), edges, fontsize=7.5)
    # bins that count none, at the ends, have nothing to show
    filled = [place for place, count in enumerate(drawn.counts) if count] or [0]
    axes.set_xlim(filled[0], filled[-1] + 1)


def _legend(figure: Figure, drawn: BinReport) -> None:
    handles = [series.handle() for series in series_of(c.row for c in drawn.curves).values()]
    handles.append(
        Line2D([], [], color=GRID_COLOUR, linewidth=6, label=f"number of {drawn.bins.count}")
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8)


def write_bin_figure(
    report: TableReport, bins: Bins, folder: str | os.PathLike[str]
) -> dict[str, Path]:
    """Write the figure of bins to `folder` as PNG, PDF and SVG; form -> path."""
    with styled():
        return save_figure(bin_figure(report, bins), folder, bins.name)
