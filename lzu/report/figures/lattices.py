"""Figure 10: the quality of the warp as the lattice that it runs through shrinks."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from lzu.report.pictures.warps import Array, check_image, draw_grid, fit_frame
from lzu.report.style import BLUE, GREEN, MUTED, ORANGE, save_figure, styled

LINE = "#ffffffa0"
LINES = 17
MEAN = (BLUE, "s")
LARGEST = (ORANGE, "^")
PEAK = (GREEN, "P")


@dataclass(frozen=True)
class LatticeQuality:
    """A warp through the nodes of one lattice (h, w), against that of the finest lattice.

    Errors are in pixels of the zoomed map: how far what the zoom shows at a pixel lies from where
    the finest warp shows it, on average and at most. `peak` is the largest magnification of areas.
    """

    lattice: tuple[int, int]
    mean_error: float
    largest_error: float
    peak: float

    @property
    def name(self) -> str:
        return f"{self.lattice[0]}×{self.lattice[1]}"


@dataclass(frozen=True)
class LatticePicture:
    """A frame zoomed through one lattice: `zoomed` (H, W, 3) is uint8 RGB, and `inverse` (m, n, 2)
    the warp's inverse at Grid(m, n), (x, y)."""

    quality: LatticeQuality
    inverse: Array
    zoomed: NDArray[np.uint8]


def lattices_figure(
    qualities: Sequence[LatticeQuality], pictures: Sequence[LatticePicture]
) -> Figure:
    """Figure 10: frames zoomed through ever finer lattices, the error and the peak magnification.

    Lines on the frames are straight and evenly spaced in the source.

    Args:
        qualities: from the coarsest lattice to the finest, which is the reference of the errors.
        pictures: some of them, in the same order.

    Raises:
        ValueError: for images of wrong shapes or types, or a finest lattice that is not its own
            reference.
    """
    if qualities[-1].largest_error != 0:
        raise ValueError(f"the finest lattice, {qualities[-1].name}, must have no error")
    images = [check_image("zoomed", picture.zoomed) for picture in pictures]
    rows, columns = images[0].shape[:2]
    width = 3.1 * len(images)
    heights = (0.4 + 3.1 * rows / columns, 3.0)
    with styled():
        figure = Figure(figsize=(width, sum(heights)), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=heights)
        frames = above.subplots(1, len(images), squeeze=False)[0]
        for axes, picture, image in zip(frames, pictures, images, strict=True):
            axes.imshow(image, interpolation="antialiased")
            size = (image.shape[0], image.shape[1])
            draw_grid(axes, picture.inverse, size, LINE, 0.6, LINES)
            quality = picture.quality
            off = f"off by {quality.mean_error:.2g} px" if quality.mean_error else "the reference"
            fit_frame(axes, size, f"{quality.name}: {off}")
        errors, peak = below.subplots(1, 2)
        _draw_errors(errors, qualities)
        _draw_peak(peak, qualities)
    return figure


def _lattice_axis(axes: Axes, qualities: Sequence[LatticeQuality]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(qualities[0].lattice[0] / 1.1, qualities[-1].lattice[0] * 1.1)
    axes.xaxis.set_major_locator(FixedLocator([quality.lattice[0] for quality in qualities]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([quality.name for quality in qualities], fontsize=8)
    axes.set_xlabel("lattice h×w of the piecewise linear map (2×2: uniform resizing)")


def _draw_errors(axes: Axes, qualities: Sequence[LatticeQuality]) -> None:
    """Mean and largest error on a logarithmic axis, where the reference's zero has no place."""
    coarser = qualities[:-1]
    rows = [quality.lattice[0] for quality in coarser]
    for label, (colour, marker), errors in (
        ("largest", LARGEST, [quality.largest_error for quality in coarser]),
        ("mean", MEAN, [quality.mean_error for quality in coarser]),
    ):
        axes.plot(rows, errors, color=colour, marker=marker, markeredgecolor="white", label=label)
    axes.set_yscale("log")
    _lattice_axis(axes, qualities)
    axes.set(title=f"Error against {qualities[-1].name}", ylabel="pixels of the zoomed frame")
    axes.legend()


def _draw_peak(axes: Axes, qualities: Sequence[LatticeQuality]) -> None:
    finest = qualities[-1].peak
    rows = [quality.lattice[0] for quality in qualities]
    colour, marker = PEAK
    axes.axhline(finest, color=MUTED, linestyle=":")
    axes.plot(
        rows,
        [quality.peak for quality in qualities],
        color=colour,
        marker=marker,
        markeredgecolor="white",
    )
    _lattice_axis(axes, qualities)
    axes.set(title="Largest magnification of areas", ylabel="× uniform", ylim=(0, None))


def write_lattices(
    folder: str | os.PathLike[str],
    name: str,
    qualities: Sequence[LatticeQuality],
    pictures: Sequence[LatticePicture],
) -> dict[str, Path]:
    """Write `lattices_figure` to `folder`/`name`.<form>; return form -> path."""
    with styled():
        return save_figure(lattices_figure(qualities, pictures), folder, name)
