"""The look of all figures: settings, and a palette that is safe for the colour-blind."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from lzu.files import write_atomic
from lzu.report.names import FIGURE_FORMS

INK = "#222222"
MUTED = "#8a8a8a"
GRID_COLOUR = "#e4e4e4"

# Okabe and Ito's palette, for what is no method (those have their own, in their rows)
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#009e73"
SKY = "#56b4e9"
YELLOW = "#f0e442"

SETTINGS = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID_COLOUR,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    # Without a fixed salt and without dates, an unchanged figure would change its bytes.
    "svg.hashsalt": "lzu",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}

NO_DATE = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}


# Of the process, not of a figure.
_NOT_OF_STYLE = ("backend", "interactive", "toolbar", "webagg", "timezone", "date.epoch")


def styled() -> AbstractContextManager[None]:
    """A context in which figures are made in this style, whatever the user's own matplotlibrc says
    (TeX for texts, say); it leaves global settings as they are."""
    default = {
        name: value
        for name, value in matplotlib.rcParamsDefault.items()
        if not name.startswith(_NOT_OF_STYLE)
    }
    return matplotlib.rc_context({**default, **SETTINGS})


def save_figure(
    figure: Figure,
    folder: str | os.PathLike[str],
    name: str,
    forms: tuple[str, ...] = FIGURE_FORMS,
) -> dict[str, Path]:
    """Write `figure` to `folder`/`name`.<form>, the same bytes for the same figure.

    Returns:
        A mapping of form to path.
    """
    paths = {form: Path(folder) / f"{name}.{form}" for form in forms}
    for form, path in paths.items():
        with write_atomic(path) as temporary:
            figure.savefig(temporary, format=form, metadata=NO_DATE[form], facecolor="white")
    return paths
