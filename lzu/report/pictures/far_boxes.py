"""How far the boxes of a data set are, how high in the image, and of which class, as a picture."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter
from numpy.typing import NDArray

from lzu.errors import UserError
from lzu.report.pictures.boxes import draw_class_bins
from lzu.report.pictures.warps import Array
from lzu.report.style import BLUE, INK, MUTED, save_figure, styled

DISTANCE_EDGES = (0.0, 10.0, 20.0, 30.0, 40.0, 50.0)
"""Edges of the bins of distance in metres; the last one is open."""
FAR = 30.0
LOW = 0.05
"""Metres and share of the image's height that the titles tell of."""
DISTANCES = (2, 5, 10, 20, 50, 100, 200)
HEIGHTS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def far_boxes_figure(
    distance: Array,
    height: Array,
    label: NDArray[np.integer],
    names: Sequence[str],
    title: str,
) -> Figure:
    """Cumulative distances, heights over distances, and the classes' distances.

    Args:
        distance: (n,) of each box from the camera, in metres.
        height: (n,) of it in the image, as a share of the image's height.
        label: (n,) index of its class into `names`.

    Raises:
        UserError: there is no box.
    """
    if not len(distance):
        raise UserError("the training data holds no box, so there is no distribution of distances")
    with styled():
        figure = Figure(figsize=(11.5, 4.1), layout="constrained")
        distances, heights, classes = figure.subplots(1, 3)
        ordered = np.sort(distance)
        distances.step(ordered, np.arange(1, len(ordered) + 1) / len(ordered), color=BLUE)
        distances.axvline(FAR, color=MUTED, linestyle=":")
        distances.set(
            title=f"{(distance > FAR).mean():.0%} farther than {FAR:g} m",
            xlabel="distance from the camera (m)",
            ylabel="share of boxes at most as far",
            xlim=(0, None),
            ylim=(0, 1),
        )
        distances.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))

        cells = heights.hexbin(
            distance, height, xscale="log", yscale="log", gridsize=32, mincnt=1,
            norm=LogNorm(), cmap="viridis", linewidths=0.1,
        )  # fmt: skip
        heights.axhline(LOW, color=INK, linestyle=":")
        heights.xaxis.set(
            major_locator=FixedLocator(DISTANCES),
            minor_locator=NullLocator(),
            major_formatter=FuncFormatter(lambda value, _: f"{value:g}"),
        )
        heights.yaxis.set(
            major_locator=FixedLocator(HEIGHTS),
            minor_locator=NullLocator(),
            major_formatter=FuncFormatter(lambda value, _: f"{100 * value:g} %"),
        )
        heights.set(
            title=f"{(height < LOW).mean():.0%} lower than {LOW:.0%} of the image",
            xlabel="distance from the camera (m)",
            ylabel="height of the box, of the image's height",
        )
        heights.grid(visible=False)
        figure.colorbar(cells, ax=heights, label="boxes")

        shares = np.bincount(label, minlength=len(names)) / len(label)
        edges = (*DISTANCE_EDGES, np.inf)
        draw_class_bins(
            classes,
            {name: float(shares[k]) for k, name in enumerate(names) if shares[k]},
            {
                name: np.histogram(distance[label == k], edges)[0] / max((label == k).sum(), 1)
                for k, name in enumerate(names)
            },
            [*(f"to {edge:g} m" for edge in DISTANCE_EDGES[1:]), "farther"],
            "distance",
        )
        figure.suptitle(title, fontsize=9, color=INK)
    return figure


def write_far_boxes(
    path: str | os.PathLike[str],
    distance: Array,
    height: Array,
    label: NDArray[np.integer],
    names: Sequence[str],
    title: str,
) -> Path:
    """Write `far_boxes_figure` to `path`, a .png file."""
    path = Path(path)
    figure = far_boxes_figure(distance, height, label, names, title)
    with styled():
        return save_figure(figure, path.parent, path.stem, ("png",))["png"]
