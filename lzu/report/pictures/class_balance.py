"""How pixels are spread over classes, beside an image and its labels in the classes' colours."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from lzu.report.pictures.case_rows import draw_frame
from lzu.report.pictures.class_maps import coloured
from lzu.report.pictures.warps import check_image
from lzu.report.style import INK, MUTED, save_figure, styled


def class_balance_figure(
    shares: Mapping[str, float],
    ignored: float,
    reference: Mapping[str, float],
    reference_label: str,
    colours: NDArray[np.uint8],
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    title: str,
) -> Figure:
    """Bars of the classes' shares in their colours, which so are the legend of the label map.

    Args:
        shares: class -> its share of the pixels that count, in the order of the classes' numbers.
        ignored: share of all pixels that count for none.
        reference: class -> its share elsewhere, drawn as a mark.
        reference_label: what that is of.
        colours: (256, 3) of the values of `labels`.
        image, labels: (H, W, 3) uint8 RGB, and (H, W) uint8.

    Raises:
        ValueError: an image of another shape or type.
    """
    check_image("image", image)
    height, width = labels.shape
    with styled():
        figure = Figure(figsize=(4.3 + 2 * 4.1 * width / height, 4.9), layout="constrained")
        bars, shown, mapped = figure.subplots(1, 3, width_ratios=(3.6, *2 * [4.1 * width / height]))
        _draw_bars(bars, shares, ignored, reference, reference_label, colours)
        draw_frame(shown, image, (height, width), "A crop")
        draw_frame(mapped, coloured(labels, colours), (height, width), "Its labels")
        figure.suptitle(title, fontsize=9, color=INK)
    return figure


def _draw_bars(
    axes: Axes,
    shares: Mapping[str, float],
    ignored: float,
    reference: Mapping[str, float],
    reference_label: str,
    colours: NDArray[np.uint8],
) -> None:
    order = sorted(shares, key=lambda name: -shares[name])
    number = {name: k for k, name in enumerate(shares)}
    names = [*order, "ignored (of all)"]
    values = [*(shares[name] for name in order), ignored]
    shades = [*(colours[number[name]] / 255 for name in order), (0, 0, 0)]
    rows = np.arange(len(names), dtype=float)
    rows[-1] += 0.5
    present = [value for value in (*values, *reference.values()) if value > 0]
    least = 10 ** np.floor(np.log10(min(present, default=1e-3)))
    axes.barh(rows, np.maximum(values, least), color=shades, edgecolor=MUTED, linewidth=0.5)
    axes.scatter(
        [reference[name] for name in order if name in reference],
        [row for row, name in zip(rows, order, strict=False) if name in reference],
        marker="D", s=22, facecolors="white", edgecolors=INK, zorder=3, label=reference_label,
    )  # fmt: skip
    for row, value in zip(rows, values, strict=True):
        said = f"{100 * value:.2g} %" if value else "none"
        axes.text(1.1, row, said, va="center", fontsize=7)
    axes.set_xscale("log")
    axes.set_xlim(least, 1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.set_yticks(rows, names)
    axes.grid(visible=False, axis="y")
    axes.invert_yaxis()
    axes.set(title="Shares of the counted pixels")
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.45, -0.06))


def write_class_balance(
    path: str | os.PathLike[str],
    shares: Mapping[str, float],
    ignored: float,
    reference: Mapping[str, float],
    reference_label: str,
    colours: NDArray[np.uint8],
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    title: str,
) -> Path:
    """Write `class_balance_figure` to `path`, a .png file."""
    path = Path(path)
    figure = class_balance_figure(
        shares, ignored, reference, reference_label, colours, image, labels, title
    )
    with styled():
        return save_figure(figure, path.parent, path.stem, ("png",))["png"]
