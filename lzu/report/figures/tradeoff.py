"""Figure 7: accuracy against latency, published beside measured, and against FLOPs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lzu.experiments.tables import Column, Row
from lzu.experiments.task import Task
from lzu.report import names
from lzu.report.compare.cells import TableReport
from lzu.report.compare.pareto import pareto_front
from lzu.report.figures.series import key_of, series_of
from lzu.report.style import INK, MUTED, save_figure, styled

LATENCIES = {
    "latency_ms": "latency (ms): baseline + added operations",
    "end_to_end_ms": "end-to-end latency (ms)",
}
FLOPS = {"gmac": "GMAC (10$^9$ multiply-accumulates of an image)"}
COSTS = LATENCIES | FLOPS
"""Metric of a timing -> how an axis names it."""


@dataclass(frozen=True)
class Point:
    """A marker of the figure: a row of the table, with its error bars where it has them."""

    row: Row
    cost: float
    accuracy: float
    cost_span: tuple[float, float] | None = None
    accuracy_span: tuple[float, float] | None = None

    @property
    def method(self) -> str:
        """The row's."""
        return self.row.method

    @property
    def scale(self) -> float:
        """That of what its network sees."""
        return self.row.to_scale


def published_points(report: TableReport) -> list[Point]:
    """The paper's points: headline metric against the published latency."""
    points = []
    for result in report.rows:
        accuracy = result.cells[report.table.headline].published
        latency = result.cells.get("latency_ms")
        if accuracy is not None and latency is not None and latency.published is not None:
            points.append(Point(result.row, latency.published, accuracy))
    return points


def measured_points(report: TableReport, cost: str = "latency_ms") -> list[Point]:
    """Our points: headline metric with its interval against a cost, with its quartiles
    where it is a latency.

    Rows that lack either are left out; the table lists them.
    """
    points = []
    for result in report.rows:
        accuracy = result.cells[report.table.headline].measured
        timed = result.cells.get(cost)
        if accuracy is None or timed is None or timed.measured is None:
            continue
        span = None
        if accuracy.low is not None and accuracy.high is not None:
            span = (accuracy.low, accuracy.high)
        points.append(
            Point(
                *(result.row, timed.measured.value, accuracy.value),
                cost_span=result.quartiles.get(cost),
                accuracy_span=span,
            )
        )
    return points


def _bars(span: tuple[float, float] | None, centre: float) -> list[list[float]] | None:
    """Lengths below and above `centre`; a median outside its own quartiles' rounding gives zero."""
    if span is None:
        return None
    return [[max(centre - span[0], 0.0)], [max(span[1] - centre, 0.0)]]


def _draw_front(axes: Axes, points: Sequence[Point], headline: Column) -> None:
    sign = 1 if headline.higher_is_better else -1
    qualities = [sign * p.accuracy for p in points]
    front = [points[i] for i in pareto_front([p.cost for p in points], qualities)]
    costs, accuracies = [p.cost for p in front], [p.accuracy for p in front]
    # Steps, not slopes: between two measured points no model is known to exist.
    axes.step(
        [*costs, max(p.cost for p in points)],
        [*accuracies, accuracies[-1]],
        where="post",
        color=MUTED,
        linewidth=4,
        alpha=0.3,
        solid_capstyle="butt",
        zorder=1,
    )


def _draw_scales(axes: Axes, points: Sequence[Point], task: Task) -> None:
    """Name each scale once, at the right of its lowest point, where no line passes."""
    for scale in sorted({point.scale for point in points}):
        lowest = min((p for p in points if p.scale == scale), key=lambda p: p.accuracy)
        low = lowest.accuracy_span[0] if lowest.accuracy_span else lowest.accuracy
        axes.annotate(
            task.scale_label(scale),
            (lowest.cost, low),
            xytext=(5, -5),
            textcoords="offset points",
            ha="left",
            va="top",
            fontsize=8,
            color=INK,
        )


def draw_tradeoff(axes: Axes, points: Sequence[Point], report: TableReport) -> None:
    """Draw points, a line over scales for each series, error bars, and the Pareto front."""
    _draw_front(axes, points, report.headline)
    for key, series in series_of(point.row for point in points).items():
        own = sorted((p for p in points if key_of(p.row) == key), key=lambda p: p.scale)
        style = series.style(0.8)
        axes.plot(
            [p.cost for p in own],
            [p.accuracy for p in own],
            color=style["color"],
            linestyle=style["linestyle"],
            zorder=2,
        )
        for p in own:
            axes.errorbar(
                p.cost,
                p.accuracy,
                xerr=_bars(p.cost_span, p.cost),
                yerr=_bars(p.accuracy_span, p.accuracy),
                markersize=6.5,
                elinewidth=1.2,
                capsize=2.5,
                zorder=3,
                **style,
            )
    _draw_scales(axes, points, report.task)
    axes.margins(x=0.11, y=0.1)


def tradeoff_figure(report: TableReport, latency: str = "latency_ms") -> Figure:
    """Figure 7's panel for the report's task: published at the left, measured at the right of it,
    and last against FLOPs if the table has them.

    Args:
        latency: what the measured panel's axis shows: "latency_ms" (the paper's protocol) or
            "end_to_end_ms".

    Raises:
        ValueError: for another latency.
    """
    if latency not in LATENCIES:
        raise ValueError(f"latency must be one of {', '.join(LATENCIES)}, got {latency!r}")
    counted = [column.metric for column in report.table.columns if column.metric in FLOPS]
    theirs = published_points(report)
    ours = {cost: measured_points(report, cost) for cost in (latency, *counted)}
    with styled():
        figure = Figure(figsize=(4.5 * (1 + len(ours)), 4), layout="constrained")
        left, *others = figure.subplots(1, 1 + len(ours))
        _draw_or_say(left, theirs, report, "nothing published")
        left.set_title(f"Published: {report.table.published_dataset}")
        left.set_xlabel(f"{LATENCIES['latency_ms']}, {report.table.published_device}")
        for axes, (cost, points) in zip(others, ours.items(), strict=True):
            _draw_or_say(axes, points, report, "nothing measured yet")
            axes.set_title(f"Measured: {report.data}, suite {report.suite}")
            axes.set_xlabel(COSTS[cost])
        for axes in (left, *others):
            axes.set_ylabel(report.headline.label)
        _legend(figure, [*theirs, *(point for points in ours.values() for point in points)])
    return figure


def _draw_or_say(axes: Axes, points: Sequence[Point], report: TableReport, nothing: str) -> None:
    if points:
        draw_tradeoff(axes, points, report)
    else:
        axes.text(0.5, 0.5, nothing, ha="center", transform=axes.transAxes)


def _legend(figure: Figure, points: Sequence[Point]) -> None:
    handles = [series.handle() for series in series_of(point.row for point in points).values()]
    handles.append(Line2D([], [], color=MUTED, linewidth=4, alpha=0.3, label="Pareto front"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)


def write_tradeoff(report: TableReport, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write Figure 7's panel of the report's task, for both latencies, as PNG, PDF and SVG.

    Returns:
        "png", "pdf", "svg" (the paper's protocol) and "end_to_end_png" and so on -> path.
    """
    with styled():
        paths = save_figure(tradeoff_figure(report), folder, names.FIGURE_7)
        whole = save_figure(tradeoff_figure(report, "end_to_end_ms"), folder, names.END_TO_END)
    return paths | {f"end_to_end_{form}": path for form, path in whole.items()}
