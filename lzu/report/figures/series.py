"""How figures tell series apart: methods by colour and marker, their variants by hollow markers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from matplotlib.lines import Line2D

from lzu.experiments.methods import METHODS
from lzu.experiments.tables import Row
from lzu.report.tables.layouts import options_text

DASHES = ((0, (4, 2)), (0, (1, 1.5)), (0, (4, 1.5, 1, 1.5)))
"""Line styles of a method's variants, again from the first on if there are more."""


@dataclass(frozen=True)
class Series:
    """The rows of a method with one set of options; `variant` is 0 without any, else its number."""

    method: str
    options: str
    variant: int

    @property
    def label(self) -> str:
        """In legends."""
        return ", ".join(filter(None, (METHODS[self.method].label, self.options)))

    def style(self, edge: float) -> dict[str, Any]:
        """Matplotlib's arguments for its line and markers; `edge` is the width of their edges."""
        about = METHODS[self.method]
        plain = not self.variant
        return {
            "color": about.colour,
            "marker": about.marker,
            "linestyle": "-" if plain else DASHES[(self.variant - 1) % len(DASHES)],
            "markerfacecolor": about.colour if plain else "white",
            "markeredgecolor": "white" if plain else about.colour,
            "markeredgewidth": edge,
        }

    def handle(self) -> Line2D:
        """Its line in a legend."""
        return Line2D([], [], label=self.label, **self.style(0 if not self.variant else 1))


def series_of(rows: Iterable[Row]) -> dict[tuple[str, str], Series]:
    """(method, options as a text) -> the series of rows, in the order of the methods and, within
    one, of the rows; each method's own first."""
    found = dict.fromkeys(key_of(row) for row in rows)
    methods = list(METHODS)
    ordered = sorted(found, key=lambda key: (methods.index(key[0]), key[1] != ""))
    series: dict[tuple[str, str], Series] = {}
    for method, options in ordered:
        number = sum(1 for other in series.values() if other.method == method and other.options)
        series[method, options] = Series(method, options, number + 1 if options else 0)
    return series


def key_of(row: Row) -> tuple[str, str]:
    """The key of a row's series."""
    return row.method, options_text(row)
