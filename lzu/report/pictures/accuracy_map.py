"""Figure 11: how often each place is right, minus uniform, and where methods look more closely.

Everything comes in as NumPy arrays, so that no picture needs torch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from lzu.experiments.methods import BASELINE
from lzu.report.pictures.warps import (
    NOTHING,
    Array,
    comparing_norm,
    draw_magnification,
    fit_frame,
    plain_ticks,
)
from lzu.report.style import INK, save_figure, styled

OUTLIERS = 98
"""Percent of places whose difference is within the colours' range."""


@dataclass(frozen=True)
class MethodMap:
    """A column of the figure.

    `accuracy` (h, w) is the share of a block's pixels, over images, that are right, NaN where none
    counts; `gain` (h, w) that minus uniform's. `magnification` (m, n) is that of areas relative to
    uniform, on nodes from border to border. `gain_enlarged` and `gain_reduced` are the gains of all
    pixels where it is above 1, and of the others; None if there are none.
    """

    label: str
    accuracy: Array
    gain: Array
    magnification: Array
    gain_enlarged: float | None
    gain_reduced: float | None


def accuracy_figure(
    uniform: Array, maps: Sequence[MethodMap], size: tuple[int, int], title: str
) -> Figure:
    """A column for uniform and one a method: accuracy, its difference from uniform, magnification.

    Args:
        uniform: (h, w) accuracy, as `MethodMap` has it.
        size: (height, width) in pixels of the image plane.
    """
    each = 2.2
    height = each * size[0] / size[1]
    count = 1 + len(maps)
    with styled():
        figure = Figure(figsize=(each * count + 1.0, 3 * height + 1.15), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.01, hspace=0.01)
        rows = figure.subplots(3, count, squeeze=False)
        accuracies = Normalize(0, 1)
        reach = _reach([one.gain for one in maps])
        gains = Normalize(-reach, reach)
        areas = comparing_norm()
        first = _draw(rows[0, 0], uniform, size, "viridis", accuracies)
        rows[0, 0].set_title(BASELINE.label)
        for axes, text in (
            (rows[1, 0], f"Accuracy minus\n{BASELINE.label}'s"),
            (rows[2, 0], "Magnification of areas,\nmean over images"),
        ):
            axes.set_axis_off()
            axes.text(0.97, 0.5, text, transform=axes.transAxes, ha="right", va="center")
        drawn: list[AxesImage] = [first]
        for column, one in zip(rows[:, 1:].T, maps, strict=True):
            _draw(column[0], one.accuracy, size, "viridis", accuracies)
            column[0].set_title(one.label)
            second = _draw(column[1], one.gain, size, "PRGn", gains)
            column[1].set_xlabel(_said(one), fontsize=7, labelpad=2)
            third = draw_magnification(column[2], one.magnification, size, areas)
            low, high = one.magnification.min(), one.magnification.max()
            column[2].set_xlabel(f"{low:.2f}× to {high:.2f}×", fontsize=7, labelpad=2)
            drawn[1:] = [second, third]
        labels = ("share of images\nwhere it is right", "points", "× uniform")
        for row, image, label, extend in zip(
            rows, drawn, labels, ("neither", "both", "both"), strict=True
        ):
            bar = figure.colorbar(
                image, ax=row, location="right", fraction=0.05, pad=0.01, extend=extend
            )
            bar.set_label(label, fontsize=8)
            bar.ax.tick_params(labelsize=7)
            if image.norm is areas:
                plain_ticks(bar, areas)
            else:
                bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
        rows[0, 0].set_ylabel("Accuracy of pixels, %", fontsize=8)
        figure.suptitle(title, fontsize=9, color=INK)
    return figure


def _reach(gains: Sequence[Array]) -> float:
    found = np.abs(np.concatenate([gain[~np.isnan(gain)] for gain in gains]))
    return max(float(np.percentile(found, OUTLIERS)) if found.size else 0.0, 0.001)


def _said(one: MethodMap) -> str:
    parts = (("enlarged", one.gain_enlarged), ("reduced", one.gain_reduced))
    said = (f"{name} {100 * gain:+.2f}" for name, gain in parts if gain is not None)
    return f"where {', '.join(said)}".replace("-", "−")


def _draw(
    axes: Axes, values: NDArray, size: tuple[int, int], colours: str, norm: Normalize
) -> AxesImage:
    """Show blocks of pixels."""
    shades = colormaps[colours].with_extremes(bad=NOTHING)
    extent = (-0.5, size[1] - 0.5, size[0] - 0.5, -0.5)
    found = axes.imshow(np.ma.masked_invalid(values), extent=extent, cmap=shades, norm=norm)
    fit_frame(axes, size, "")
    return found


def write_accuracy_maps(
    folder: str | os.PathLike[str],
    name: str,
    uniform: Array,
    maps: Sequence[MethodMap],
    size: tuple[int, int],
    title: str,
) -> dict[str, Path]:
    """Write `accuracy_figure` to `folder`/`name`.<form>; return form -> path."""
    with styled():
        return save_figure(accuracy_figure(uniform, maps, size, title), folder, name)
