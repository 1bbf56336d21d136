"""Figure 6, its detection rows: images where a method gains and where it loses.

Everything comes in as NumPy arrays, so that no picture needs torch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from lzu.experiments.methods import BASELINE
from lzu.report.pictures.case_rows import draw_frame, outcome_legend, rows_figure
from lzu.report.pictures.warps import Array, draw_grid, fit_frame, map_extent
from lzu.report.style import ORANGE, SKY, YELLOW, save_figure, styled

GRID = "#ffffff90"
LINES = 17
# Told apart by line style too. All of them from the house palette, bright enough for streets.
BOX_STYLE = {
    "ground truth": ("#ffffff", "-"),
    "found": (SKY, "-"),
    "false": (ORANGE, (0, (3, 1.5))),
    "missed": (YELLOW, (0, (1, 1))),
}
MAGNIFICATIONS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


class Boxes(Protocol):
    """Boxes (n, 4): left, top, width, height in pixels."""

    @property
    def boxes(self) -> Array: ...


class Outcome(Protocol):
    """What was found in an image, which of it is `right` or `wrong`, and which true boxes were
    `missed` (booleans or indices)."""

    @property
    def found(self) -> Boxes: ...

    @property
    def right(self) -> NDArray[np.generic]: ...

    @property
    def wrong(self) -> NDArray[np.generic]: ...

    @property
    def missed(self) -> NDArray[np.generic]: ...


@dataclass(frozen=True)
class Case:
    """A row of the figure.

    `image` and `zoomed` are (H, W, 3) uint8, RGB, the latter as the method's network sees it;
    `inverse` (m, n, 2) is T^-1 at Grid(m, n), (x, y) in [0, 1]: where the zoomed image shows lines
    that are straight and evenly spaced in the image. `saliency` (h, w) is on its lattice;
    `magnification` (h, w) is that of areas, relative to uniform, at the saliency's cells. Boxes are
    in pixels of a frame of `native` (height, width), which the image shows at whatever size.
    `title` stands to the left.
    """

    title: str
    native: tuple[int, int]
    image: NDArray[np.uint8]
    zoomed: NDArray[np.uint8]
    inverse: Array
    saliency: Array
    magnification: Array
    truth: Boxes
    uniform: Outcome
    method: Outcome


def draw_boxes(axes: Axes, boxes: Array, kind: str, width: float = 1.0) -> None:
    """Outline boxes (n, 4): left, top, width, height in pixels, of a kind in `BOX_STYLE`."""
    colour, dashes = BOX_STYLE[kind]
    # Pixel i covers [i, i + 1] in a box's coordinates, and has its centre at i in the axes'.
    outlines = [Rectangle((x - 0.5, y - 0.5), w, h) for x, y, w, h in boxes]
    for edge, line, thickness in (("#000000a0", "-", width + 1), (colour, dashes, width)):
        axes.add_collection(
            PatchCollection(
                outlines,
                facecolors="none",
                edgecolors=edge,
                linestyles=[line],
                linewidths=thickness,
                zorder=4,
            )
        )


def draw_outcome(axes: Axes, result: Outcome, truth: Boxes) -> None:
    """Outline what was found, falsely found, and missed."""
    draw_boxes(axes, truth.boxes[result.missed], "missed")
    draw_boxes(axes, result.found.boxes[result.wrong], "false")
    draw_boxes(axes, result.found.boxes[result.right], "found")


def draw_saliency(axes: Axes, case: Case) -> None:
    """Show the saliency, with lines of equal magnification of areas."""
    extent = map_extent(case.saliency.shape, case.native)
    axes.imshow(case.saliency, extent=extent, cmap="viridis")
    low, high = case.magnification.min(), case.magnification.max()
    levels = [level for level in MAGNIFICATIONS if low < level < high]
    if levels:
        rows, columns = case.magnification.shape
        x, y = np.linspace(0, case.native[1] - 1, columns), np.linspace(0, case.native[0] - 1, rows)
        lines = axes.contour(x, y, case.magnification, levels, colors="white", linewidths=0.8)
        axes.clabel(lines, fmt=lambda level: f"{level:g}×", fontsize=6)
    fit_frame(axes, case.native, "")
    axes.set_xlabel(f"areas {low:.2f}× to {high:.2f}×", fontsize=7, labelpad=2)


def cases_figure(cases: Sequence[Case], method: str, score: float) -> Figure:
    """One row a case: the image, zoomed, detected in by uniform and by the method, saliency.

    Args:
        method: its label.
        score: from which on detections are shown; said in the legend.
    """
    columns = (
        "Image, ground truth",
        "Zoomed, with the warp grid",
        f"Detections: {BASELINE.label}",
        f"Detections: {method}",
        "Saliency, magnification",
    )

    def draw(row: Sequence[Axes], case: Case) -> None:
        shown, zoomed, uniform, own, saliency = row
        draw_frame(shown, case.image, case.native, "")
        draw_boxes(shown, case.truth.boxes, "ground truth")
        size = (case.zoomed.shape[0], case.zoomed.shape[1])
        draw_frame(zoomed, case.zoomed, size, "")
        draw_grid(zoomed, case.inverse, size, GRID, 0.5, LINES)
        for axes, result in ((uniform, case.uniform), (own, case.method)):
            draw_frame(axes, case.image, case.native, "")
            draw_outcome(axes, result, case.truth)
        draw_saliency(saliency, case)

    with styled():
        figure = rows_figure(cases, columns, draw)
        _legend(figure, score)
    return figure


def _legend(figure: Figure, score: float) -> None:
    labels = {
        "ground truth": "ground truth",
        "found": f"right: score from {score:g} on, IoU from 0.5 on",
        "false": "false positive",
        "missed": "missed",
    }
    outcome_legend(figure, labels, BOX_STYLE)


def write_cases(
    folder: str | os.PathLike[str], name: str, cases: Sequence[Case], method: str, score: float
) -> dict[str, Path]:
    """Write `cases_figure` to `folder`/`name`.<form>; return form -> path."""
    with styled():
        return save_figure(cases_figure(cases, method, score), folder, name)
