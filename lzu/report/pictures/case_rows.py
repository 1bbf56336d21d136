"""What the rows of Figure 6 have in common: an image a row, the same columns in each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from lzu.report.pictures.warps import fit_frame
from lzu.report.style import INK, styled


class Row(Protocol):
    """A row: the `title` to its left, and the `native` (height, width) of its image."""

    @property
    def title(self) -> str: ...

    @property
    def native(self) -> tuple[int, int]: ...


AnyRow = TypeVar("AnyRow", bound=Row)


def draw_frame(axes: Axes, image: NDArray[np.uint8], native: tuple[int, int], title: str) -> None:
    """Show an image, given at any size, in pixels of its native (height, width)."""
    axes.imshow(
        image, extent=(-0.5, native[1] - 0.5, native[0] - 0.5, -0.5), interpolation="antialiased"
    )
    fit_frame(axes, native, title)


def rows_figure(
    cases: Sequence[AnyRow],
    columns: Sequence[str],
    draw: Callable[[Any, AnyRow], None],
    each: float = 2.9,
    legend: float = 0.7,
) -> Figure:
    """A figure of one row a case.

    Args:
        columns: their headings.
        draw: fills the axes of a row, as many as there are columns, with a case.
        each: width of a column in inches.
        legend: height of what stands above and below the rows in inches.
    """
    heights = [each * case.native[0] / case.native[1] + 0.12 for case in cases]
    with styled():
        figure = Figure(
            figsize=(each * len(columns) + 0.3, sum(heights) + legend), layout="constrained"
        )
        figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.005)
        rows = figure.subplots(len(cases), len(columns), squeeze=False)
        for row, case in zip(rows, cases, strict=True):
            draw(row, case)
            row[0].set_ylabel(case.title, fontsize=8, color=INK)
        for axes, title in zip(rows[0], columns, strict=True):
            axes.set_title(title)
    return figure


def outcome_legend(
    figure: Figure, labels: Mapping[str, str], styles: Mapping[str, tuple[str, Any]]
) -> None:
    """A legend below, of kinds of boxes: kind -> what is said of it; kind -> colour and dashes."""
    handles = [
        Line2D([], [], color=colour, linestyle=dashes, linewidth=2, label=labels[kind])
        for kind, (colour, dashes) in styles.items()
    ]
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8)
    legend.set_frame_on(True)
    # the lines are bright, for streets
    legend.get_frame().set(facecolor="#55595c", edgecolor="none")
    for text in legend.get_texts():
        text.set_color("white")
