"""Pictures of a warp: its saliency, its grid, its magnification, and a frame that it zooms.

Everything comes in as NumPy arrays, so that no picture needs torch.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from lzu.report.style import BLUE, INK, save_figure, styled

Array = NDArray[np.floating]
GRID_LINE = BLUE
NOTHING = "#d0d0d0"
"""Colour of places where a map has no value."""
MOST_LINES = 26
MOST_SHOWN = 4.0
"""Magnification at the end of the colours where methods are compared."""


def grid_nodes(x: Array, y: Array) -> Array:
    """The warp at the nodes of its lattice as one array.

    Args:
        x, y: source coordinates in [0, 1] of the lattice's nodes: (w,) and (h,) for a separable
            warp, or (h, w) both.

    Returns:
        An array (h, w, 2), (x, y) of each node.

    Raises:
        ValueError: for other shapes.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim == 1 and y.ndim == 1:
        x, y = np.meshgrid(x, y)
    if x.ndim != 2 or x.shape != y.shape or min(x.shape) < 2:
        raise ValueError(
            f"nodes must be (w,) and (h,), or (h, w) both, at least 2 each way; "
            f"got {x.shape} and {y.shape}"
        )
    return np.stack([x, y], axis=-1)


def uniform_nodes(lattice: Sequence[int]) -> Array:
    """The nodes of the identity warp on a lattice of (h, w): (h, w, 2)."""
    rows, columns = lattice
    return grid_nodes(np.linspace(0, 1, columns), np.linspace(0, 1, rows))


def _lines(nodes: Array, axis: int, most: int) -> Array:
    """Evenly spaced lattice lines across `axis`, at most `most`: (lines, points, 2).

    Between nodes they are interpolated, which is exact: the warp is linear there.
    """
    nodes = np.moveaxis(nodes, axis, 0)
    count = nodes.shape[0]
    position = np.linspace(0, count - 1, min(count, most))
    before = np.minimum(position.astype(int), count - 2)
    share = (position - before)[:, None, None]
    return nodes[before] * (1 - share) + nodes[before + 1] * share


def draw_grid(
    axes: Axes,
    nodes: Array,
    size: tuple[int, int],
    colour: str,
    width: float,
    most: int = MOST_LINES,
) -> None:
    """Lattice lines, at most `most` each way, in pixels of an image of (height, width)."""
    pixels = nodes * [size[1] - 1, size[0] - 1]
    lines = [*_lines(pixels, 0, most), *_lines(pixels, 1, most)]
    axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, zorder=3))


def map_extent(shape: Sequence[int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Where to draw a map of `shape` over an image of (height, width), for `imshow`.

    The first and last cells are centred on the first and last pixels (align_corners=True), so that
    half of each reaches beyond the image.
    """
    half_y, half_x = ((n - 1) / (cells - 1) / 2 for n, cells in zip(size, shape, strict=True))
    return (-half_x, size[1] - 1 + half_x, size[0] - 1 + half_y, -half_y)


def fit_frame(axes: Axes, size: tuple[int, int], title: str) -> None:
    """Fit the axes to an image of (height, width), pixel centres at whole numbers, no ticks."""
    axes.set(xlim=(-0.5, size[1] - 0.5), ylim=(size[0] - 0.5, -0.5), xticks=[], yticks=[])
    axes.set_aspect("equal")
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(True)
    axes.set_title(title)


def magnification_norm(magnification: Array) -> LogNorm:
    """A logarithmic scale with 1 in its middle; what a cropping warp hides (zero) is left out."""
    shown = magnification[magnification > 0]
    if shown.size == 0:
        raise ValueError("magnification is zero everywhere")
    reach = max(float(np.exp(np.abs(np.log(shown)).max())), 1.05)
    return LogNorm(1 / reach, reach)


def comparing_norm() -> LogNorm:
    """The scale of pictures that compare methods: the same whatever they do."""
    return LogNorm(1 / MOST_SHOWN, MOST_SHOWN)


def prior_figure(
    saliency: Array,
    x: Array,
    y: Array,
    magnification: Array,
    image_size: tuple[int, int],
    title: str | None = None,
    names: Sequence[str] = (),
) -> Figure:
    """A prior in three panels: its saliency, its warp grid on the image plane, its magnification.

    Args:
        saliency: (h, w), positive, on the lattice.
        x, y: the warp at the lattice's nodes, see `grid_nodes`.
        magnification: (H, W) of areas, relative to uniform resizing, in source coordinates.
        image_size: (height, width) in pixels of the image plane.
        title: of the whole.
        names: of the n maps of a prior that has several: the arrays then have a dimension of n
            before these, and each map has a row of panels.

    Raises:
        ValueError: for wrong shapes.
    """
    arrays = [np.asarray(one) for one in (saliency, x, y, magnification)]
    rows = list(zip(*arrays, strict=True)) if names else [tuple(arrays)]
    height, width = image_size
    with styled():
        size = (11, (1.4 + 11 / 3 * height / width) * len(rows))
        figure = Figure(figsize=size, layout="constrained")
        parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0] if names else [figure]
        for part, row, name in zip(parts, rows, names or (None,), strict=True):
            _draw_prior(part, *row, image_size)
            if name is not None:
                part.suptitle(name, fontsize=10, color=INK)
        if title is not None:
            figure.suptitle(title, fontsize=10, color=INK)
    return figure


def _draw_prior(
    figure: FigureBase,
    saliency: Array,
    x: Array,
    y: Array,
    magnification: Array,
    image_size: tuple[int, int],
) -> None:
    for name, array in (("saliency", saliency), ("magnification", magnification)):
        if array.ndim != 2 or min(array.shape) < 2:
            raise ValueError(f"{name} must be (h, w), at least 2 each way; got {array.shape}")
    nodes = grid_nodes(x, y)
    (left, middle, right), bars = figure.subplots(2, 3, height_ratios=(1, 0.05))
    cells = left.imshow(
        saliency / saliency.sum(), extent=map_extent(saliency.shape, image_size), cmap="viridis"
    )
    fit_frame(left, image_size, f"Saliency, {saliency.shape[0]}×{saliency.shape[1]} cells")
    figure.colorbar(cells, cax=bars[0], orientation="horizontal", label="share of the sum")
    draw_grid(middle, nodes, image_size, GRID_LINE, 0.8)
    fit_frame(middle, image_size, "Warp grid on the image plane")
    bars[1].set_axis_off()
    bars[1].text(0.5, 0.5, "dense lines: enlarged by the zoom", ha="center", va="center")
    norm = magnification_norm(magnification)
    areas = draw_magnification(right, magnification, image_size, norm)
    right.set_title("Magnification of areas")
    bar = figure.colorbar(areas, cax=bars[2], orientation="horizontal", label="× uniform")
    plain_ticks(bar, norm)


def draw_magnification(
    axes: Axes, magnification: Array, size: tuple[int, int], norm: LogNorm
) -> AxesImage:
    """Show a magnification map (h, w) over an image plane of (height, width), see `map_extent`.

    What is hidden (zero) is grey.
    """
    found = axes.imshow(
        np.ma.masked_less_equal(magnification, 0),
        extent=map_extent(magnification.shape, size),
        cmap=colormaps["RdBu_r"].with_extremes(bad=NOTHING),
        norm=norm,
    )
    fit_frame(axes, size, "")
    return found


def plain_ticks(bar: Colorbar, norm: LogNorm) -> None:
    """Ticks at 1 and at round factors to both sides, written as plain numbers."""
    ticks = [
        t for t in (0.1, 0.2, 0.35, 0.5, 0.7, 1, 1.4, 2, 3, 5, 10) if norm.vmin < t < norm.vmax
    ]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()


def write_prior_picture(
    path: str | os.PathLike[str],
    saliency: Array,
    x: Array,
    y: Array,
    magnification: Array,
    image_size: tuple[int, int],
    title: str | None = None,
    names: Sequence[str] = (),
) -> Path:
    """Write `prior_figure` to `path`, whose suffix (.png, .pdf or .svg) chooses the form."""
    figure = prior_figure(saliency, x, y, magnification, image_size, title, names)
    return _save(figure, path)


def check_image(name: str, image: NDArray) -> NDArray:
    """Return `image`; a ValueError unless it is (H, W, 3) uint8."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"{name} must be (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
    return image


def zoom_figure(
    image: NDArray[np.uint8],
    zoomed: NDArray[np.uint8],
    unzoomed: NDArray[np.uint8],
    x: Array,
    y: Array,
) -> Figure:
    """A frame with its warp grid, the same zoomed, and unzoomed again, side by side.

    The zoomed panel shows the same lattice lines, which the zoom makes regular.

    Args:
        image, zoomed, unzoomed: (H, W, 3) uint8, RGB; sizes may differ.
        x, y: the warp at the lattice's nodes, see `grid_nodes`.

    Raises:
        ValueError: for wrong shapes or types.
    """
    nodes = grid_nodes(x, y)
    panels = [
        ("Image with the warp grid", check_image("image", image), nodes),
        ("Zoomed", check_image("zoomed", zoomed), uniform_nodes(nodes.shape[:2])),
        ("Unzoomed", check_image("unzoomed", unzoomed), nodes),
    ]
    height, width = panels[0][1].shape[:2]
    with styled():
        figure = Figure(figsize=(12, 0.4 + 4 * height / width), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.03, h_pad=0.02)
        for axes, (title, picture, lines) in zip(figure.subplots(1, 3), panels, strict=True):
            size = (picture.shape[0], picture.shape[1])
            axes.imshow(picture, interpolation="antialiased")
            draw_grid(axes, lines, size, "#ffffff90", 0.6)
            fit_frame(axes, size, title)
    return figure


def write_zoom_picture(
    path: str | os.PathLike[str],
    image: NDArray[np.uint8],
    zoomed: NDArray[np.uint8],
    unzoomed: NDArray[np.uint8],
    x: Array,
    y: Array,
) -> Path:
    """Write `zoom_figure` to `path`, whose suffix (.png, .pdf or .svg) chooses the form."""
    return _save(zoom_figure(image, zoomed, unzoomed, x, y), path)


def _save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    form = path.suffix.removeprefix(".")
    if form not in ("png", "pdf", "svg"):
        raise ValueError(f"{path}: the suffix must be .png, .pdf or .svg")
    with styled():
        return save_figure(figure, path.parent, path.stem, (form,))[form]
