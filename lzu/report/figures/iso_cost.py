"""Differences from the baseline at the same cost, as points with intervals."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lzu.experiments.methods import BASELINE, METHODS
from lzu.experiments.tables import Row
from lzu.report.compare.cells import TableReport
from lzu.report.compare.iso_cost import CostKind, IsoCost, compare_at_equal_cost
from lzu.report.style import INK, MUTED, save_figure, styled

OUT_OF_RANGE = "out of range"


def iso_cost_figure(report: TableReport, kind: CostKind) -> Figure:
    """A row for each method and scale, a panel for each source of costs, in the headline metric.

    Zero is the baseline at the method's own cost. Where that is beyond the range of the
    baseline's models, it is said; nothing stands where nothing was measured.
    """
    metric = report.headline.label
    results = [r for r in compare_at_equal_cost(report, kind) if r.column == report.headline]
    rows = list(dict.fromkeys(result.row for result in results))
    with styled():
        figure = Figure(figsize=(9, 1.3 + 0.27 * max(len(rows), 4)), layout="constrained")
        panels = figure.subplots(1, len(kind.sources), sharey=True, squeeze=False)[0]
        for axes, source in zip(panels, kind.sources, strict=True):
            own = [r for r in results if (r.published, r.protocol) == source]
            axes.set_title(_title(kind.sources[source]))
            axes.tick_params(axis="y", length=0)
            if own:
                _draw(axes, own, rows)
            else:
                axes.text(0.5, 0.5, "nothing measured yet", ha="center", transform=axes.transAxes)
        _name_rows(panels[0], report, rows)
        below = f"{metric} minus {BASELINE.label}'s {metric} at the same {kind.noun}"
        if report.dataset:
            below += f"; measured on {report.data}, suite {report.suite}"
        figure.supxlabel(below, fontsize=9)
    return figure


def _title(source: str) -> str:
    return source.replace(" e2e", ", end to end").capitalize()


def _draw(axes: Axes, results: Sequence[IsoCost], rows: Sequence[Row]) -> None:
    axes.axvline(0, color=BASELINE.colour, linewidth=1.2, zorder=1)
    for result in results:
        place, difference = rows.index(result.row), result.estimate
        if difference is None:
            axes.text(
                *(0.98, place, OUT_OF_RANGE),
                transform=axes.get_yaxis_transform(),
                ha="right",
                va="center",
                fontsize=7,
                color=MUTED,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
            continue
        method, half = METHODS[result.row.method], difference.half_width
        axes.errorbar(
            difference.value,
            place,
            xerr=half,
            color=method.colour,
            marker=method.marker,
            markersize=6.5,
            markeredgecolor="white",
            markeredgewidth=0.8,
            elinewidth=1.4,
            capsize=2.5,
            zorder=3,
        )
    # at least a point to each side, so that nothing looks large that is not
    axes.dataLim.update_from_data_x([-1, 1], ignore=False)
    axes.margins(x=0.1)
    axes.autoscale_view(scaley=False)


def _name_rows(axes: Axes, report: TableReport, rows: Sequence[Row]) -> None:
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [report.name(row) for row in rows], color=INK)
    # a faint line between scales
    for place, (row, below) in enumerate(pairwise(rows)):
        if (row.from_scale, row.to_scale) != (below.from_scale, below.to_scale):
            for panel in axes.figure.axes:
                panel.axhline(place + 0.5, color=MUTED, linewidth=0.6, zorder=0)


def write_iso_cost_figure(
    report: TableReport, kind: CostKind, folder: str | os.PathLike[str]
) -> dict[str, Path]:
    """Write the kind's figure to `folder` as PNG, PDF and SVG; form -> path."""
    with styled():
        return save_figure(iso_cost_figure(report, kind), folder, kind.name)
