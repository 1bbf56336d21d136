"""Figure 6, its 3-D rows: images where a method gains and where it loses, and from above.

Everything comes in as NumPy arrays, so that no picture needs torch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lzu.experiments.methods import BASELINE
from lzu.report.pictures.case_rows import draw_frame, outcome_legend
from lzu.report.pictures.warps import Array, draw_grid
from lzu.report.pictures.wire_boxes import (
    Ground,
    WireBoxes,
    draw_footprints,
    draw_ground,
    draw_wires,
)
from lzu.report.style import GREEN, INK, ORANGE, SKY, YELLOW, save_figure, styled

GRID = "#ffffff90"
LINES = 17
EACH = 3.0
"""Width of an image in inches."""
# Told apart by line style too. All of them from the house palette, bright enough for streets.
IN_IMAGE = {
    "ground truth": (GREEN, "-"),
    "found": (SKY, "-"),
    "false": (ORANGE, (0, (3, 1.5))),
    "missed": (YELLOW, (0, (1, 1))),
}
# On white the ground truth is told from the rest by being filled.
FROM_ABOVE = {
    "ground truth": (GREEN, "-"),
    "found": ("#0072b2", "-"),
    "false": (ORANGE, (0, (3, 1.5))),
}


@dataclass(frozen=True)
class WireOutcome:
    """What was found in an image, whether each of it is `right` (n,), and which true boxes were
    `missed` (m,). `score` is that from which on it is shown."""

    found: WireBoxes
    right: NDArray[np.bool_]
    missed: NDArray[np.bool_]
    score: float


@dataclass(frozen=True)
class WireCase:
    """A row of the figure.

    `image` and `zoomed` are (H, W, 3) uint8, RGB, the latter as the method's network sees it;
    `inverse` (m, n, 2) is T^-1 at Grid(m, n), (x, y) in [0, 1]: where the zoomed image shows lines
    that are straight and evenly spaced in the image. Boxes are in pixels of a frame of `native`
    (height, width), which the image shows at whatever size. `title` stands to the left.
    """

    title: str
    native: tuple[int, int]
    image: NDArray[np.uint8]
    zoomed: NDArray[np.uint8]
    inverse: Array
    ground: Ground
    truth: WireBoxes
    uniform: WireOutcome
    method: WireOutcome


def draw_outcome(axes: Axes, case: WireCase, result: WireOutcome) -> None:
    """Draw in the image what was found, falsely found, and missed."""
    draw_frame(axes, case.image, case.native, "")
    draw_wires(axes, case.truth.take(result.missed), IN_IMAGE["missed"])
    draw_wires(axes, result.found.take(~result.right), IN_IMAGE["false"])
    draw_wires(axes, result.found.take(result.right), IN_IMAGE["found"])


def draw_above(axes: Axes, case: WireCase, result: WireOutcome) -> None:
    """Draw from above what was found, and over what."""
    draw_ground(axes, case.ground)
    draw_footprints(axes, case.truth, FROM_ABOVE["ground truth"], width=0.8, fill=0.3)
    draw_footprints(axes, result.found.take(~result.right), FROM_ABOVE["false"])
    draw_footprints(axes, result.found.take(result.right), FROM_ABOVE["found"])


def wire_cases_figure(cases: Sequence[WireCase], method: str, distance: float) -> Figure:
    """A case is two rows of images and, beside them, the views from above of both detectors.

    Args:
        method: its label.
        distance: in metres, below which a detection is right; said in the legend.
    """
    heights = [2 * (EACH * case.native[0] / case.native[1] + 0.25) for case in cases]
    with styled():
        figure = Figure(figsize=(4 * EACH + 0.4, sum(heights) + 0.6), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.01, hspace=0.01)
        grid = figure.add_gridspec(
            2 * len(cases), 4, height_ratios=np.repeat(heights, 2), width_ratios=(1, 1, 1, 1)
        )
        for k, case in enumerate(cases):
            first = figure.add_subplot(grid[2 * k, 0])
            draw_frame(first, case.image, case.native, "Image, ground truth")
            draw_wires(first, case.truth, IN_IMAGE["ground truth"])
            first.set_ylabel(case.title, fontsize=8, color=INK)
            zoomed = figure.add_subplot(grid[2 * k, 1])
            size = (case.zoomed.shape[0], case.zoomed.shape[1])
            draw_frame(zoomed, case.zoomed, size, "Zoomed, with the warp grid")
            draw_grid(zoomed, case.inverse, size, GRID, 0.5, LINES)
            for column, (label, result) in enumerate(
                ((BASELINE.label, case.uniform), (method, case.method))
            ):
                axes = figure.add_subplot(grid[2 * k + 1, column])
                draw_outcome(axes, case, result)
                axes.set_title(f"{label}, from score {result.score:.2g} on")
                above = figure.add_subplot(grid[2 * k : 2 * k + 2, 2 + column])
                draw_above(above, case, result)
                above.set_title(f"{label}, from above")
        _legend(figure, distance)
    return figure


def _legend(figure: Figure, distance: float) -> None:
    labels = {
        "ground truth": "ground truth",
        "found": f"right: centre within {distance:g} m, on the ground",
        "false": "false positive",
        "missed": "missed (drawn in the image alone)",
    }
    outcome_legend(figure, labels, IN_IMAGE)


def write_wire_cases(
    folder: str | os.PathLike[str],
    name: str,
    cases: Sequence[WireCase],
    method: str,
    distance: float,
) -> dict[str, Path]:
    """Write `wire_cases_figure` to `folder`/`name`.<form>; return form -> path."""
    with styled():
        return save_figure(wire_cases_figure(cases, method, distance), folder, name)
