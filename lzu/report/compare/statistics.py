"""Means and medians with intervals, and paired differences over seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean or median over `n` values with its interval; `low` and `high` are None if too few."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float | None:
        """Half the interval's width, None without an interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def student_t_within(t: float, freedom: int) -> float:
    """Probability that |T| < t for Student's T with `freedom` degrees of freedom, t >= 0.

    The finite trigonometric series for whole degrees of freedom: it needs no special functions, so
    that the report runs without SciPy.
    """
    if freedom < 1:
        raise ValueError(f"freedom must be at least 1, got {freedom}")
    if t < 0 or math.isnan(t):
        raise ValueError(f"t must be at least 0, got {t}")
    theta = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(theta), math.sin(theta)
    odd = freedom % 2
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for step in range(2 + odd, freedom + 1, 2):
        total += term
        term *= cosine * cosine * (step - 1) / step
    if odd:
        return 2 / math.pi * (theta + sine * total)
    return sine * total


def student_t_quantile(confidence: float, freedom: int) -> float:
    """The t for which |T| < t holds with probability `confidence` (0 < confidence < 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    high = 1.0
    while student_t_within(high, freedom) < confidence:
        high *= 2
    low = 0.0
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        if student_t_within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle


def _require_finite(values: Sequence[float], name: str) -> None:
    if len(values) == 0:
        raise ValueError(f"{name} needs at least one value")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"{name} needs finite values, got {list(values)}")


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Mean of `values` with its t interval, mean -+ t * s / sqrt(n); one value has no interval.

    Raises:
        ValueError: for no values, or one that is not finite.
    """
    _require_finite(values, "mean_interval")
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(mean, None, None, 1)
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    half = student_t_quantile(confidence, n - 1) * math.sqrt(variance / n)
    return Estimate(mean, mean - half, mean + half, n)


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Median of `values` with its exact interval between two of them, whatever their distribution.

    From the k-th smallest to the k-th largest the median is missed with probability
    2 P(Binomial(n, 1/2) < k); k is the largest that keeps within `confidence`. At 95 % fewer than
    6 values have no interval.

    Raises:
        ValueError: for no values, or one that is not finite.
    """
    _require_finite(values, "median_interval")
    n = len(values)
    ordered = sorted(values)
    missed, k = 0.0, 0
    while k < n // 2:
        missed += 2 * math.comb(n, k) / 2**n
        if missed > 1 - confidence:
            break
        k += 1
    low, high = (ordered[k - 1], ordered[n - k]) if k else (None, None)
    return Estimate(median(ordered), low, high, n)


def paired_difference(
    treated: Mapping[int, float], baseline: Mapping[int, float], confidence: float = CONFIDENCE
) -> Estimate | None:
    """Mean over seeds of treated - baseline, with its paired t interval.

    Args:
        treated, baseline: seed -> value. Seeds that only one of them has are left out; None if they
            share no seed.
    """
    shared = sorted(treated.keys() & baseline.keys())
    if not shared:
        return None
    return mean_interval([treated[seed] - baseline[seed] for seed in shared], confidence)


def verdict(difference: Estimate, higher_is_better: bool = True) -> str:
    """What the interval of a paired difference says: "win", "loss" or "undecided".

    Undecided is an interval that holds zero, and a single seed, which has no interval.
    """
    if difference.low is None or difference.high is None:
        return "undecided"
    if difference.low > 0:
        return "win" if higher_is_better else "loss"
    if difference.high < 0:
        return "loss" if higher_is_better else "win"
    return "undecided"
