"""Numbers and estimates as the tables and the CSV files print them."""

from lzu.results.statistics import Estimate

DASH = "–"


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


def interval_text(metric: str, estimate: Estimate, decimals: int) -> str:
    """A difference with its interval, as "AP +2.03, 95 % interval +1.20 to +2.86"."""
    value = f"{metric} {number(estimate.value, decimals, signed=True)}"
    if estimate.low is None or estimate.high is None:
        return value
    low, high = (number(x, decimals, signed=True) for x in (estimate.low, estimate.high))
    return f"{value}, 95 % interval {low} to {high}"
