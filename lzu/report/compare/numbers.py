"""Numbers and estimates as the tables and the CSV files print them."""

from lzu.report.compare.statistics import Estimate
from lzu.report.tables.grid import DASH


def number(value: float | None, decimals: int, signed: bool = False) -> str:
    """`value` with so many decimals, a dash for None; with `signed`, a sign unless it is zero."""
    if value is None:
        return DASH
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    # A difference that rounds to zero has no sign worth printing.
    return text.lstrip("+-") if float(text) == 0 else text


def estimate_text(estimate: Estimate | None, decimals: int, signed: bool = False) -> str:
    """The value, and half its interval's width where it has one."""
    if estimate is None:
        return DASH
    text = number(estimate.value, decimals, signed)
    half = estimate.half_width
    return text if half is None else f"{text}±{half:.{decimals}f}"


def rounded(value: float | None) -> float | str:
    """`value` as the CSV files have it: to a millionth, empty for None."""
    return "" if value is None else round(value, 6)
