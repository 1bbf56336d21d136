"""What a floor under the saliency means for the warp: a bound on its magnification."""

import math
from collections.abc import Sequence

from lzu.core.arguments import as_fraction, as_positive
from lzu.core.lattice import as_size


def magnification_bound(
    floor: float, lattice: Sequence[int] = (31, 51), fwhm: float = 22.0
) -> tuple[float, float]:
    """Return what 1 / T'_x and 1 / T'_y of a separable, anti-cropping warp cannot exceed.

    It holds for every saliency S of sum 1 whose cells are all at least floor / (h w), and is about

        1 + 2 n (1 - floor) / (floor K)

    for an axis of n cells, with K = sum_d k(d), about 1.06 fwhm, the sum of the kernel k over its
    window. Derivation (ours), with sigma the kernel's, in cells:

    1. The sum of S across the axis (Eqs. 3-4) is at least floor / n in each cell.
    2. T at t cells is the mean place of the cells j, weighted by k(j - t) S(j). Within a fixed
       window its slope by t is Var / sigma^2, the variance of the place in cells under these
       weights, because d log k(j - t) / dt = (j - t) / sigma^2. From one node to the next the
       window also drops its first cell and takes in one after its last, and both only add to the
       mean. So the spacing of two nodes, in cells, is at least the integral of Var / sigma^2 over
       the t between them.
    3. A cell has at least 1 / R of the weight that it has under uniform saliency, where
       R = 1 + c n (1 - floor) / (floor K): the mass 1 - floor above the floor adds most to the
       sum of weights if it is all in one cell, and then c, the kernel at that cell and at its
       reflections at the border: 2, or up to 3 for a kernel wide against its window.
    4. So Var >= V / R, with V that of uniform saliency, as Var is the least mean square distance
       from any one place; and the magnification is at most sigma^2 / integral(V / R).

    At floor 0.3 and 31 x 51 cells the worst saliency that we found reaches 0.9 of the bound for
    fwhm 22, but 0.5 for fwhm 10, and 0.03 for fwhm 1: with a narrow kernel step 4 gives much away.

    Args:
        floor: above 0, at most 1.
        lattice: (h, w) cells.
        fwhm: of the warp's kernel, in cells.

    Returns:
        The bounds along x and along y; their product bounds the magnification of areas.

    Raises:
        ValueError: a setting out of range.

    >>> x, y = magnification_bound(0.3, lattice=(31, 51), fwhm=22)
    >>> round(x, 1), round(y, 1)
    (11.3, 7.3)
    """
    floor, fwhm = as_fraction(floor, "floor"), as_positive(fwhm, "fwhm")
    h, w = as_size(lattice, "lattice")
    return _axis_bound(w, min(h, w) - 1, fwhm, floor), _axis_bound(h, min(h, w) - 1, fwhm, floor)


def _axis_bound(n: int, radius: int, fwhm: float, floor: float) -> float:
    variance = fwhm**2 / (8 * math.log(2))

    def kernel(distance: float) -> float:
        return math.exp(-(distance**2) / (2 * variance))

    # More than two reflections of a cell lie in the window only if two of them are at its ends.
    heap = max(2.0, 1 + 2 * kernel(radius - 1))
    excess = heap * n * (1 - floor) / floor

    def slope(t: float) -> float:
        """V / (R sigma^2) at t cells past the middle of the window."""
        cells = range(-radius, radius + 1)
        weights = [kernel(cell - t) for cell in cells]
        mass = sum(weights)
        if mass == 0:
            return 0.0
        mean = sum(weight * cell for weight, cell in zip(weights, cells, strict=True)) / mass
        spread = sum(
            weight * (cell - mean) ** 2 for weight, cell in zip(weights, cells, strict=True)
        )
        return spread / (mass + excess) / variance

    # Simpson's rule; the integrand is smooth on the scale of sigma.
    steps = 2 * math.ceil(16 * max(1.0, 1 / fwhm))
    ordinates = [slope(step / steps) for step in range(steps + 1)]
    area = ordinates[0] + ordinates[-1] + 4 * sum(ordinates[1::2]) + 2 * sum(ordinates[2:-1:2])
    return 3 * steps / area if area > 0 else math.inf
