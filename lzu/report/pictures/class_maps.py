"""Class maps in colours, and the legend of the classes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import Patch
from numpy.typing import NDArray

from lzu.report.style import MUTED


def coloured(classes: NDArray[np.uint8], colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A map of classes (H, W) as (H, W, 3) RGB; `colours` (256, 3) are those of its values."""
    found: NDArray[np.uint8] = colours[classes]
    return found


def class_legend(
    figure: Figure,
    names: Sequence[str],
    colours: NDArray[np.uint8],
    shown: Sequence[int],
    others: Sequence[Patch] = (),
) -> Legend:
    """A legend below a figure of the classes `shown` (indices into `names` and `colours`), and of
    `others`."""
    patches = [
        Patch(facecolor=colours[k] / 255, edgecolor=MUTED, label=names[k]) for k in sorted(shown)
    ]
    return figure.legend(
        handles=[*patches, *others], loc="outside lower center", ncols=10, fontsize=8
    )
