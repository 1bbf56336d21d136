"""Shares of 1 as result files hold them."""

import math


def percent(value: float, digits: int = 4) -> float | None:
    """A share in percent, rounded; None for NaN, which stands for "undefined"."""
    return None if math.isnan(value) else round(100 * float(value), digits)
