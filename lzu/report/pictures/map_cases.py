"""Figure 6, its segmentation rows: images where a method's class maps gain and where they lose.

Everything comes in as NumPy arrays, so that no picture needs torch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from lzu.experiments.methods import BASELINE
from lzu.report.pictures.case_rows import draw_frame, rows_figure
from lzu.report.pictures.class_maps import class_legend, coloured
from lzu.report.pictures.warps import (
    Array,
    comparing_norm,
    draw_grid,
    draw_magnification,
)
from lzu.report.style import BLUE, MUTED, ORANGE, save_figure, styled

GRID = "#ffffff90"
LINES = 17
FADED = 0.65
"""How far an image is faded to white below marks."""


@dataclass(frozen=True)
class MapCase:
    """A row of the figure.

    `image` (H, W, 3) is uint8, RGB; `grid` (m, n, 2) are the places in it, (x, y) in [0, 1], of an
    evenly spaced grid of what the network sees; `magnification` (i, j) is that of areas, relative
    to uniform, on nodes from border to border. `truth`, `uniform` and `method` are maps (H, W) of
    classes, uint8, the last two predicted; where `truth` is the value `ignored`, nothing counts.
    `title` stands to the left.
    """

    title: str
    image: NDArray[np.uint8]
    grid: Array
    magnification: Array
    truth: NDArray[np.uint8]
    uniform: NDArray[np.uint8]
    method: NDArray[np.uint8]
    ignored: int

    @property
    def native(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which pixels count (H, W)."""
        found: NDArray[np.bool_] = self.truth != self.ignored
        return found


def shown_map(case: MapCase, predicted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A prediction with what does not count as in the truth."""
    return np.where(case.counted, predicted, case.truth)


def differences(case: MapCase) -> NDArray[np.uint8]:
    """The image, faded, with the pixels that the method alone has right and those that uniform
    alone has right in the colours of `MARKS`: (H, W, 3) uint8."""
    grey = case.image.mean(axis=2, keepdims=True)
    shown = np.repeat(255 * FADED + grey * (1 - FADED), 3, axis=2)
    right = [(predicted == case.truth) & case.counted for predicted in (case.method, case.uniform)]
    for colour, where in ((BLUE, right[0] & ~right[1]), (ORANGE, right[1] & ~right[0])):
        shown[where] = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return shown.round().astype(np.uint8)


def map_cases_figure(
    cases: Sequence[MapCase], method: str, names: Sequence[str], colours: NDArray[np.uint8]
) -> Figure:
    """One row a case: the image under the method's grid, magnification, maps, and who is right.

    Args:
        method: its label.
        names: of the classes.
        colours: (256, 3) of the maps' values.
    """
    columns = (
        "Image, with the warp grid",
        "Magnification",
        "Ground truth",
        BASELINE.label,
        method,
        "Right in one alone",
    )
    norm = comparing_norm()
    seen: set[int] = set()

    def draw(row: Sequence[Axes], case: MapCase) -> None:
        image, magnified, *maps, alone = row
        draw_frame(image, case.image, case.native, "")
        draw_grid(image, case.grid, case.native, GRID, 0.5, LINES)
        draw_magnification(magnified, case.magnification, case.native, norm)
        low, high = case.magnification.min(), case.magnification.max()
        magnified.set_xlabel(f"areas {low:.2f}× to {high:.2f}×", fontsize=7, labelpad=2)
        for axes, own in zip(maps, (case.truth, case.uniform, case.method), strict=True):
            shown = shown_map(case, own)
            seen.update(np.unique(shown[case.counted]).tolist())
            draw_frame(axes, coloured(shown, colours), case.native, "")
        draw_frame(alone, differences(case), case.native, "")

    with styled():
        figure = rows_figure(cases, columns, draw, each=2.4, legend=1.0)
        others = [
            Patch(facecolor=colour, edgecolor=MUTED, label=label)
            for colour, label in (
                ("black", "ignored"),
                (BLUE, f"right: {method} alone"),
                (ORANGE, f"right: {BASELINE.label} alone"),
            )
        ]
        class_legend(figure, names, colours, sorted(seen), others)
    return figure


def write_map_cases(
    folder: str | os.PathLike[str],
    name: str,
    cases: Sequence[MapCase],
    method: str,
    names: Sequence[str],
    colours: NDArray[np.uint8],
) -> dict[str, Path]:
    """Write `map_cases_figure` to `folder`/`name`.<form>; return form -> path."""
    with styled():
        return save_figure(map_cases_figure(cases, method, names, colours), folder, name)
