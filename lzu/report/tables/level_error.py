"""Eq. 18's table: the error of downsampled inverses, every reading of it beside the paper's."""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lzu.errors import UserError
from lzu.report import names
from lzu.report.compare.numbers import DASH
from lzu.report.tables.csv_files import write_csv
from lzu.report.tables.forms import write_forms
from lzu.report.tables.grid import Grid

PUBLISHED_FILE = "eq18.csv"
CELLS = {
    "aligned": "corners aligned",
    "half_pixel": "half-pixel",
    "stride": "every d-th point",
}
UNITS = {"image": "zoomed image", "finest": "Grid(H', W')", "level": "level", "any": "any"}
# Below this, in pixels, an error is rounding in float64.
NOTHING = 1e-9


@dataclass(frozen=True)
class Reading:
    """One reading of Eq. 18 and what it gives: divisor -> mean error in pixels of `unit`.

    `off` is the factor between it and the published errors, the geometric mean over divisors of the
    larger over the smaller. Where there is no error it is None, and the unit is "any".
    """

    separable: bool
    finest: tuple[int, int]
    cells: str
    unit: str
    errors: Mapping[int, float]
    off: float | None

    @property
    def warp(self) -> str:
        return "separable" if self.separable else "nonseparable"

    @property
    def grid(self) -> str:
        return f"{self.finest[0]}×{self.finest[1]}"


def read_published_errors(folder: str | os.PathLike[str]) -> dict[int, float]:
    """The paper's numbers: d -> error in pixels.

    Raises:
        UserError: if the file is missing or is no such table.
    """
    path = Path(folder) / PUBLISHED_FILE
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return {int(row["d"]): float(row["error_px"]) for row in csv.DictReader(stream)}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error!r}); restore it from git") from error


def readings_of(value: Mapping[str, Any], published: Mapping[int, float]) -> list[Reading]:
    """Every reading in the content of a level-error file, in its order.

    Where the grid is the zoomed image's, their pixels are the same, and shown once.

    Raises:
        UserError: if the file's divisors are not the published ones.
    """
    readings = []
    for found in value["readings"]:
        by_divisor = {level["divisor"]: level["mean_px"] for level in found["levels"]}
        if set(by_divisor) != set(published):
            raise UserError(
                f"Eq. 18: measured at d = {sorted(by_divisor)}, published at {sorted(published)}; "
                "run `lzu analysis` again"
            )
        units = ["image", "level"]
        if found["finest"] != found["image"]:
            units.insert(1, "finest")
        if all(by_divisor[d]["image"] < NOTHING for d in published):
            units = ["any"]
        for unit in units:
            errors = {d: 0.0 if unit == "any" else by_divisor[d][unit] for d in published}
            readings.append(
                Reading(
                    separable=found["separable"],
                    finest=(found["finest"][0], found["finest"][1]),
                    cells=found["cells"],
                    unit=unit,
                    errors=errors,
                    off=_off(errors, published),
                )
            )
    return readings


def _off(errors: Mapping[int, float], published: Mapping[int, float]) -> float | None:
    if min(errors.values()) < NOTHING:
        return None
    logarithms = [abs(math.log(errors[d] / published[d])) for d in published]
    return math.exp(sum(logarithms) / len(logarithms))


def level_error_grid(readings: Sequence[Reading], published: Mapping[int, float]) -> Grid:
    """The published line, then a line for each reading; a group for each warp and grid."""
    header = ("", "Grid(H', W')", "cells", "pixels of", *(f"d = {d}" for d in published), "off by")
    groups = [(("published", "?", "?", "?", *(f"{x:.4f}" for x in published.values()), ""),)]
    for key in dict.fromkeys((reading.warp, reading.grid) for reading in readings):
        lines = []
        for reading in readings:
            if (reading.warp, reading.grid) != key:
                continue
            errors = (f"{error:.5f}" if error else "0" for error in reading.errors.values())
            off = DASH if reading.off is None else f"×{reading.off:.3g}"
            head = (*key, CELLS[reading.cells], UNITS[reading.unit])
            lines.append((*head, *errors, off))
        groups.append(tuple(lines))
    return Grid(header, tuple(groups), left=4)


def notes(value: Mapping[str, Any], readings: Sequence[Reading]) -> list[str]:
    """What the readings are, which comes nearest, and why none need be equal."""
    prior, warp = value["prior"], value["warp"]
    lattice = f"{warp['lattice'][0]}×{warp['lattice'][1]}"
    source = prior["source"].get("source", "unknown")
    boxes = prior["source"].get("boxes", 0)
    lines = [
        "Mean over a level's cells of the distance between the exact inverse and the one "
        f"downsampled from Grid(H', W'), in {value['dtype']}.",
        f"Warp: fixed prior of {boxes:,} training boxes ({source} data), lattice {lattice}, fwhm "
        f"{warp['fwhm']:g}. The paper's own prior is not public, and the errors depend on where "
        "its nodes fall between the grids' points.",
        "The paper does not say which pixels, which interpolation, or whether Grid(H', W') is the "
        "zoomed image's (600×960) or the first feature level's (76×120, of an image padded to "
        "608×960): every reading is shown.",
        "Cells: corners of level and Grid(H', W') aligned, as Eq. 18 says; half-pixel, "
        "interpolated with align_corners=False and compared with the same exact inverse; or at "
        "every d-th point of Grid(H', W'), where a convolution's cells are, and which needs no "
        "interpolation.",
        "Off by: factor between measured and published, geometric mean over d.",
    ]
    # The paper's detector has a separable warp.
    own = [reading for reading in readings if reading.separable and reading.off is not None]
    if own:
        nearest = min(own, key=lambda reading: reading.off)
        lines.append(
            f"Nearest to the published, of the separable: Grid(H', W') = {nearest.grid}, "
            f"{CELLS[nearest.cells]}, pixels of the {UNITS[nearest.unit]} (×{nearest.off:.3g})."
        )
    return lines


def _fields(reading: Reading, published: Mapping[int, float]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "warp": reading.warp,
        "grid": f"{reading.finest[0]}x{reading.finest[1]}",
        "cells": reading.cells,
        "pixels_of": reading.unit,
    }
    for d in published:
        fields |= {f"d{d}_published": published[d], f"d{d}_measured": f"{reading.errors[d]:.6g}"}
    return {**fields, "off_by": "" if reading.off is None else f"{reading.off:.6g}"}


def write_level_error_table(
    value: Mapping[str, Any],
    published: Mapping[int, float],
    folder: str | os.PathLike[str],
    task: str,
) -> dict[str, Path]:
    """Write Eq. 18's table in every form to `folder`.

    Args:
        value: the content of a level-error file of `task`.
        published: d -> the paper's error.

    Returns:
        A mapping of form to path: "csv", "md", "tex" and "txt".
    """
    readings = readings_of(value, published)
    grid, below = level_error_grid(readings, published), notes(value, readings)
    title = (
        "Eq. 18, error of inverses downsampled by d, in pixels: published, and measured on the "
        f"prior of suite {value['suite']}"
    )
    stem = names.of_task(task, names.EQ_18)
    paths = {form: Path(folder) / f"{stem}.{form}" for form in names.TABLE_FORMS}
    rows = [_fields(reading, published) for reading in readings]
    write_csv(paths["csv"], list(rows[0]), rows)
    write_forms(folder, stem, title, f"eq18-{task}-{value['suite']}", grid, below)
    return paths
