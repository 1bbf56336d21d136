"""Figures 2 and 3: how saliency attracts samples, and the variants of the warp.

Everything comes in as NumPy arrays that the library computed, so that no picture needs torch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lzu.report.pictures.warps import (
    Array,
    check_image,
    draw_grid,
    fit_frame,
    map_extent,
    uniform_nodes,
)
from lzu.report.style import save_figure, styled

POINT = "#ffffff"
ARROW = "#ffd166"
LINE = "#ffffffb0"
VARIANT_LINES = 17


def _draw_points(axes: Axes, points: Array, size: tuple[int, int], diameter: float) -> None:
    """Dots at points (h, w, 2) in [0, 1], in pixels of an image of (height, width)."""
    x, y = (points * [size[1] - 1, size[0] - 1]).reshape(-1, 2).T
    axes.plot(x, y, "o", color=POINT, markersize=diameter, markeredgewidth=0)


def _draw_arrows(axes: Axes, nodes: Array, size: tuple[int, int]) -> None:
    """Arrows from the uniform grid to nodes (h, w, 2), in pixels of the image."""
    scale = [size[1] - 1, size[0] - 1]
    start = uniform_nodes(nodes.shape[:2]) * scale
    x, y = start.reshape(-1, 2).T
    u, v = (nodes * scale - start).reshape(-1, 2).T
    axes.quiver(
        *(x, y, u, v),
        angles="xy",
        scale_units="xy",
        scale=1,
        color=ARROW,
        width=0.006,
        headwidth=4,
        headlength=4.5,
        headaxislength=4,
        minlength=0.6,
        zorder=4,
    )


def attraction_figure(
    image: NDArray[np.uint8],
    saliency: Array,
    nodes: Array,
    upsampled: Array,
    zoomed: NDArray[np.uint8],
) -> Figure:
    """Figure 2: a uniform grid over the saliency, its attraction, and what follows from it.

    Args:
        image, zoomed: (H, W, 3) uint8, RGB: the frame, and the frame under the warp.
        saliency: (h, w), positive.
        nodes: (h, w, 2), T at the lattice's nodes, (x, y) in [0, 1].
        upsampled: (m, n, 2), T between the nodes: at Grid(m, n).

    Raises:
        ValueError: for wrong shapes or types.
    """
    image, zoomed = check_image("image", image), check_image("zoomed", zoomed)
    if nodes.shape != (*saliency.shape, 2) or upsampled.ndim != 3:
        raise ValueError(
            f"saliency {saliency.shape}, nodes {nodes.shape} and upsampled {upsampled.shape} must "
            "be (h, w), (h, w, 2) and (m, n, 2)"
        )
    size, (h, w) = image.shape[:2], saliency.shape
    with styled():
        figure = Figure(figsize=(11, 0.6 + 22 / 3 * size[0] / size[1]), layout="constrained")
        panels = figure.subplots(2, 3)
        one, two, three, four, five, six = panels.flat
        for axes in (one, two, three, four):
            axes.imshow(saliency, extent=map_extent(saliency.shape, size), cmap="viridis")
        _draw_points(one, uniform_nodes((h, w)), size, 3)
        fit_frame(one, size, rf"(1) Grid({h}, {w}) over the saliency")
        _draw_points(two, uniform_nodes((h, w)), size, 1.5)
        _draw_arrows(two, nodes, size)
        fit_frame(two, size, "(2) Attraction")
        draw_grid(three, nodes, size, "#ffffff60", 0.6)
        _draw_points(three, nodes, size, 3)
        fit_frame(three, size, rf"(3) $T$[Grid({h}, {w})]")
        _draw_points(four, upsampled, size, 1.2)
        m, n = upsampled.shape[:2]
        fit_frame(four, size, rf"(4) Upsampled: $\tilde{{T}}$[Grid({m}, {n})]")
        for axes, picture, title in ((five, image, "The frame"), (six, zoomed, "The frame zoomed")):
            axes.imshow(picture, interpolation="antialiased")
            fit_frame(axes, (picture.shape[0], picture.shape[1]), title)
    return figure


@dataclass(frozen=True)
class Variant:
    """A warp of Figure 3.

    `nodes` (h, w, 2) is T at a lattice, `inverse` (m, n, 2) is T^-1 at Grid(m, n), (x, y) in the
    unit square or, with cropping, beyond; `zoomed` (H, W, 3) is the frame under T, uint8.
    """

    title: str
    nodes: Array
    inverse: Array
    zoomed: NDArray[np.uint8]


def variants_figure(image: NDArray[np.uint8], variants: Sequence[Variant]) -> Figure:
    """Figure 3: the frame with each variant's grid, and zoomed.

    Lines that are straight in the zoomed frame are drawn on the frame, and lines that are straight
    in the frame on the zoomed one.

    Raises:
        ValueError: for images of wrong shapes or types.
    """
    image = check_image("image", image)
    size = image.shape[:2]
    columns = len(variants)
    width = 3.1 * columns
    with styled():
        figure = Figure(
            figsize=(width, 0.3 + 2 * width / columns * size[0] / size[1]), layout="constrained"
        )
        figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
        panels = figure.subplots(2, columns, squeeze=False)
        for (top, bottom), variant in zip(panels.T, variants, strict=True):
            zoomed = check_image("zoomed", variant.zoomed)
            top.imshow(image, interpolation="antialiased")
            draw_grid(top, variant.nodes, size, LINE, 0.6, VARIANT_LINES)
            fit_frame(top, size, variant.title)
            bottom.imshow(zoomed, interpolation="antialiased")
            own = (zoomed.shape[0], zoomed.shape[1])
            draw_grid(bottom, variant.inverse, own, LINE, 0.6, VARIANT_LINES)
            fit_frame(bottom, own, "")
        panels[0, 0].set_ylabel("frame, grid of $T$")
        panels[1, 0].set_ylabel("zoomed, grid of $T^{-1}$")
    return figure


def write_attraction(
    folder: str | os.PathLike[str], name: str, *arrays: NDArray
) -> dict[str, Path]:
    """Write `attraction_figure` of `arrays` to `folder`/`name`.<form>; return form -> path."""
    with styled():
        return save_figure(attraction_figure(*arrays), folder, name)


def write_variants(
    folder: str | os.PathLike[str],
    name: str,
    image: NDArray[np.uint8],
    variants: Sequence[Variant],
) -> dict[str, Path]:
    """Write `variants_figure` to `folder`/`name`.<form>; return form -> path."""
    with styled():
        return save_figure(variants_figure(image, variants), folder, name)
