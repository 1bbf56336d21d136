"""3-D boxes as wire frames in an image, and from above.

Everything comes in as NumPy arrays, so that no picture needs torch. A box's edges are cut where
they pass behind the camera; what is not to be seen is NaN.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from lzu.report.pictures.warps import Array
from lzu.report.style import GRID_COLOUR, INK, MUTED

Style = tuple[str, Any]
"""A colour and a line style."""

HALO = "#000000a0"
FRONT_SHADE = 0.25
BEYOND = 3.0
"""Metres that a view from above shows behind the camera, and beyond what else it has to show."""
RING = 10.0
"""Metres between the rings of a view from above."""
MOST_RINGS = 8


@dataclass(frozen=True)
class WireBoxes:
    """n boxes as a camera sees them.

    Attributes:
        edges: (n, 12, 2, 2): the ends, (x, y) in pixels, of each edge; NaN for one that is behind
            the camera.
        front: (n, 4, 2): the corners of the front face in pixels, in their order around it; NaN
            unless all are before the camera.
        footprint: (n, 4, 2): the bottom from above, in metres to the right of the camera and ahead
            of it: front left, front right, rear right, rear left.
    """

    edges: Array
    front: Array
    footprint: Array

    def take(self, rows: NDArray[Any]) -> "WireBoxes":
        """The boxes at these indices, or of a mask."""
        return WireBoxes(self.edges[rows], self.front[rows], self.footprint[rows])


@dataclass(frozen=True)
class Ground:
    """What a view from above shows of the ground.

    `field` are the bearings, in metres to the right for each metre ahead, of the image's left and
    right borders; `reach` is how far ahead it shows and `side` how far to the left and to the
    right, in metres.
    """

    field: tuple[float, float]
    reach: float
    side: float


def draw_wires(axes: Axes, boxes: WireBoxes, style: Style, width: float = 0.8) -> None:
    """Draw boxes in an image, their front faces shaded."""
    colour, dashes = style
    # Pixel i covers [i, i + 1] in a box's coordinates, and has its centre at i in the axes'.
    edges = boxes.edges.reshape(-1, 2, 2) - 0.5
    seen = edges[np.isfinite(edges).all(axis=(1, 2))]
    for shade, line, thickness in ((HALO, "-", width + 0.8), (colour, dashes, width)):
        axes.add_collection(
            LineCollection(seen, colors=shade, linestyles=[line], linewidths=thickness, zorder=4)
        )
    fronts = boxes.front - 0.5
    fronts = fronts[np.isfinite(fronts).all(axis=(1, 2))]
    axes.add_collection(
        PolyCollection(fronts, facecolors=colour, edgecolors="none", alpha=FRONT_SHADE, zorder=3.5)
    )


def draw_ground(axes: Axes, ground: Ground) -> None:
    """Prepare axes for boxes from above: the camera below, its field of view, rings of distance."""
    across = ground.side + BEYOND
    axes.set(xlim=(-across, across), ylim=(-BEYOND, ground.reach + BEYOND), xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="box", anchor="S")
    axes.grid(visible=False)
    axes.set_facecolor("#f6f6f6")
    for side in axes.spines.values():
        side.set(visible=True, color=GRID_COLOUR)
    far = 4 * ground.reach
    ends = [(bearing * far, far) for bearing in ground.field]
    axes.add_patch(Polygon([(0, 0), *ends], facecolor="white", edgecolor=MUTED, linewidth=0.8))
    step = RING * max(1, int(np.ceil(ground.reach / RING / MOST_RINGS)))
    angles = np.linspace(*np.arctan(ground.field), 181)
    for distance in np.arange(step, ground.reach + BEYOND, step):
        x, y = distance * np.sin(angles), distance * np.cos(angles)
        axes.plot(x, y, color=MUTED, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
        # where the ring ends, or leaves the view at its right
        shown = np.flatnonzero(x <= ground.side)[-1]
        within = shown < len(x) - 1
        axes.annotate(
            f"{distance:g} m", (x[shown], y[shown]), xytext=(0, 1) if within else (2, 0),
            textcoords="offset points", ha="right" if within else "left",
            va="bottom" if within else "center", fontsize=6, color=MUTED, zorder=1,
        )  # fmt: skip
    axes.plot([0], [0], marker="^", markersize=7, color=INK, zorder=5, clip_on=False)


def draw_footprints(
    axes: Axes, boxes: WireBoxes, style: Style, width: float = 1.2, fill: float = 0.0
) -> None:
    """Draw boxes from above, with a line from the middle of each to its front.

    `fill` is how opaque they are filled.
    """
    colour, dashes = style
    outlines = boxes.footprint
    if fill:
        axes.add_collection(
            PolyCollection(outlines, facecolors=colour, edgecolors="none", alpha=fill, zorder=2)
        )
    middle, front = outlines.mean(axis=1), outlines[:, :2].mean(axis=1)
    headings = np.stack([middle, front], axis=1)
    axes.add_collection(
        PolyCollection(
            outlines, facecolors="none", edgecolors=colour, linestyles=[dashes],
            linewidths=width, zorder=3,
        )
    )  # fmt: skip
    axes.add_collection(LineCollection(headings, colors=colour, linewidths=width, zorder=3))
