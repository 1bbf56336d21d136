"""Figure 5: inverting one axis of a separable warp."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from lzu.report.pictures.warps import Array
from lzu.report.style import BLUE, GREEN, INK, ORANGE, save_figure, styled

TARGET = BLUE
SOURCE = ORANGE
QUERY = GREEN


@dataclass(frozen=True)
class AxisInverse:
    """One axis of a warp, in coordinates from 0 to 1.

    `sources` (n,) is T at `targets` (n,), both increasing; `inverse` (m,) is T^-1 at `queries`
    (m,), which lie in the range of T.
    """

    targets: Array
    sources: Array
    queries: Array
    inverse: Array

    def __post_init__(self) -> None:
        if self.targets.ndim != 1 or len(self.targets) < 2:
            raise ValueError(f"targets must be (n,), at least two, got {self.targets.shape}")
        for name in ("targets", "sources"):
            if not (np.diff(getattr(self, name)) > 0).all():
                raise ValueError(f"{name} must increase")
        for first, second in (("targets", "sources"), ("queries", "inverse")):
            shapes = getattr(self, first).shape, getattr(self, second).shape
            if shapes[0] != shapes[1]:
                raise ValueError(f"{first} {shapes[0]} and {second} {shapes[1]} must be alike")

    def tiles(self) -> NDArray[np.integer]:
        """The tile of each query: targets i and i + 1 are around its inverse."""
        return np.clip(np.searchsorted(self.sources, self.queries) - 1, 0, len(self.sources) - 2)

    def example(self) -> tuple[int, int]:
        """A tile and its query: that nearest to its tile's middle, off the border if it can."""
        tiles, last = self.tiles(), len(self.sources) - 2
        low, high = self.sources[tiles], self.sources[tiles + 1]
        off = np.abs((self.queries - low) / (high - low) - 0.5) + ((tiles == 0) | (tiles == last))
        best = int(off.argmin())
        return int(tiles[best]), best

    def part(self, tile: int, query: int) -> "AxisInverse":
        """One tile with one query."""
        ends, one = slice(tile, tile + 2), slice(query, query + 1)
        return AxisInverse(
            self.targets[ends], self.sources[ends], self.queries[one], self.inverse[one]
        )


def _forward(axes: Axes, target: float, source: float, corner: tuple[float, float]) -> None:
    """From a target, below at the axis, up to the map and across to its source."""
    style = {"color": TARGET, "linewidth": 0.9, "alpha": 0.75}
    axes.plot([target, target], [corner[1], source], zorder=1, **style)
    _arrow(axes, (target, source), (corner[0], source), **style)


def _backward(axes: Axes, query: float, target: float, corner: tuple[float, float]) -> None:
    """From a query, at the left axis, across to the map and down to its inverse."""
    style = {"color": QUERY, "linewidth": 1.2, "linestyle": (0, (1.5, 1.5))}
    axes.plot([corner[0], target], [query, query], zorder=2, **style)
    _arrow(axes, (target, query), (target, corner[1]), **style)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], **style) -> None:
    arrow = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 3, "mutation_scale": 7, **style}
    axes.annotate("", end, start, arrowprops=arrow, zorder=3)


def _mark(
    axes: Axes,
    x: ArrayLike,
    y: ArrayLike,
    marker: str,
    colour: str,
    label: str,
    filled: bool = True,
) -> Line2D:
    """Points on an axis, whole though half of each lies outside."""
    x, y = np.broadcast_arrays(np.atleast_1d(x), np.atleast_1d(y))
    [points] = axes.plot(
        *(x, y, marker),
        markersize=6 if marker == "o" else 5.5,
        markerfacecolor=colour if filled else "white",
        markeredgecolor="white" if filled else colour,
        markeredgewidth=0.6 if filled else 1.2,
        clip_on=False,
        zorder=5,
        label=label,
    )
    return points


def _draw(axes: Axes, axis: AxisInverse, corner: tuple[float, float]) -> list[Line2D]:
    """The map and its inverse, with their points on axes that meet at `corner`."""
    for target, source in zip(axis.targets, axis.sources, strict=True):
        _forward(axes, target, source, corner)
    for query, target in zip(axis.queries, axis.inverse, strict=True):
        _backward(axes, query, target, corner)
    axes.plot(axis.targets, axis.sources, "--", color=TARGET, linewidth=1.8, zorder=4)
    axes.grid(visible=False)
    left, below = corner
    return [
        _mark(axes, axis.targets, below, "o", TARGET, "uniform targets"),
        _mark(axes, left, axis.sources, "o", SOURCE, "their sources, $T$"),
        _mark(axes, left, axis.queries, "D", QUERY, "uniform queries"),
        _mark(axes, axis.inverse, below, "D", QUERY, r"their inverse, $\tilde{T}^{-1}$", False),
    ]


def axis_figure(axis: AxisInverse) -> Figure:
    """Figure 5: T at uniform targets, linear between them; its inverse at uniform queries.

    The panel at the right enlarges one tile and names what the inverse computes there.
    """
    with styled():
        figure = Figure(figsize=(10, 5), layout="constrained")
        whole, tile = figure.subplots(1, 2, width_ratios=(1.45, 1))
        handles = _draw(whole, axis, (0, 0))
        whole.set(
            xlim=(0, 1.02),
            ylim=(0, 1.02),
            xlabel="target: coordinate in the zoomed image",
            ylabel="source: coordinate in the image",
            title=r"$\tilde{T}$ (dashed), linear between its nodes",
        )
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
        _draw_tile(tile, axis)
    return figure


def _draw_tile(axes: Axes, axis: AxisInverse) -> None:
    """The tile around the example query, and the linear equation that its inverse solves."""
    tile, k = axis.example()
    query, inverse = axis.queries[k], axis.inverse[k]
    (left, right), (low, high) = axis.targets[tile : tile + 2], axis.sources[tile : tile + 2]
    width, height = right - left, high - low
    corner = left - 0.35 * width, low - 0.35 * height
    _draw(axes, axis.part(tile, k), corner)
    axes.set(
        xlim=(corner[0], right + 0.2 * width),
        ylim=(corner[1], high + 0.35 * height),
        title="One tile",
        xticks=[left, inverse, right],
        xticklabels=["$x_i$", r"$\tilde{T}^{-1}(q)$", "$x_{i+1}$"],
        yticks=[low, query, high],
        yticklabels=["$t_i$", "$q$", "$t_{i+1}$"],
    )
    axes.text(
        *(0.05, 0.97),
        r"$\tilde{T}^{-1}(q) = x_i + (x_{i+1} - x_i)\,\frac{q - t_i}{t_{i+1} - t_i}$",
        transform=axes.transAxes,
        va="top",
        fontsize=11,
        color=INK,
    )


def write_axis(folder: str | os.PathLike[str], name: str, axis: AxisInverse) -> dict[str, Path]:
    """Write `axis_figure` to `folder`/`name`.<form>; return form -> path."""
    with styled():
        return save_figure(axis_figure(axis), folder, name)
