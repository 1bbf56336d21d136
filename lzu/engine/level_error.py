"""Eq. 18: how far a pyramid level's downsampled inverse is from the exact one (A.3)."""

from datetime import datetime
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import lzu
from lzu.core.lattice import Size
from lzu.core.pyramid import downsampled_grid
from lzu.experiments.suite import Suite
from lzu.results.prior import Prior
from lzu.results.provenance import collect_provenance
from lzu.results.schema import LEVEL_CELLS, LEVEL_ERROR_SCHEMA_NAME, LEVEL_UNITS

DIVISORS = (2, 4, 8)
# The zoomed image, and where the inverse is exact. The paper's own size, whatever the suite's; and
# the first level of its RetinaNet, whose input is padded to multiples of 32.
GRIDS = (((600, 960), (600, 960)), ((608, 960), (76, 120)))


def level_error(suite: Suite, fwhm: float, prior: Prior, started: datetime) -> dict[str, Any]:
    """Return the content of a file of Eq. 18's errors for the warp of a prior, in float64.

    Eq. 18 averages ||T^-1(x) - T_d^-1(x)|| over x in Grid(H'/d, W'/d), with T_d^-1 downsampled from
    Grid(H', W'). Neither the pixels nor the interpolation is said in the paper, and H', W' may be
    the zoomed image's or those of the first level, so all these readings are measured, for the
    prior's separable warp (which the paper means) and for its nonseparable one.
    """
    saliency = torch.from_numpy(prior.saliency).double()
    readings = []
    for separable in (True, False):
        warp = lzu.Warp.from_saliency(saliency, fwhm=fwhm, separable=separable).fixed()
        for image, finest in GRIDS:
            for cells in LEVEL_CELLS:
                levels = [level(warp, image, finest, cells, divisor) for divisor in DIVISORS]
                readings.append(
                    {
                        "separable": separable,
                        "image": list(image),
                        "finest": list(finest),
                        "cells": cells,
                        "levels": levels,
                    }
                )
    return {
        "schema": LEVEL_ERROR_SCHEMA_NAME,
        "suite": suite.suite,
        "prior": {"parameters": prior.parameters, "source": prior.source},
        "warp": {"lattice": list(warp.lattice), "fwhm": fwhm, "anti_crop": True},
        "dtype": "float64",
        "readings": readings,
        "provenance": collect_provenance(started, suite.machine_name),
    }


def level(warp: lzu.Warp, image: Size, finest: Size, cells: str, divisor: int) -> dict[str, Any]:
    """Return the errors of one level, on average over its cells and at most.

    Args:
        image: (height, width) in pixels of the zoomed image, which unit coordinates span.
        finest: (H', W').
        cells: how the level lies to Grid(finest), one of `LEVEL_CELLS`; see `read_level_error`.
        divisor: d. A level is as large as convolutions make it, rounded up.
    """
    rows, columns = (-(-n // divisor) for n in finest)
    size = (rows, columns)
    extent = (rows - 1.0, columns - 1.0)
    if cells == "stride":
        extent = tuple((n - 1) / divisor for n in finest)
    exact = warp.unzoom_grid(size, extent)
    if cells == "half_pixel":
        full = warp.unzoom_grid(finest).permute(0, 3, 1, 2)
        estimate = F.interpolate(full, size, mode="bilinear", align_corners=False)
        estimate = estimate.permute(0, 2, 3, 1)
    else:
        estimate = downsampled_grid(warp, size, extent, finest=finest)
    # From [-1, 1] over the level's map to unit coordinates over its content.
    error = (estimate - exact) / 2 * exact.new_tensor([columns - 1, rows - 1])
    error = error / exact.new_tensor(extent[::-1])
    pixels = {
        "image": (image[0] - 1, image[1] - 1),
        "finest": (finest[0] - 1, finest[1] - 1),
        "level": extent,
    }
    found = {unit: _norms(error, *pixels[unit]) for unit in LEVEL_UNITS}
    return {
        "divisor": divisor,
        "size": list(size),
        "mean_px": {unit: norms.mean().item() for unit, norms in found.items()},
        "largest_px": {unit: norms.max().item() for unit, norms in found.items()},
    }


def _norms(error: Tensor, vertical: float, horizontal: float) -> Tensor:
    return (error * error.new_tensor([horizontal, vertical])).norm(dim=-1)
