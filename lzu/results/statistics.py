"""Means and medians with intervals, and Student's t."""

import math
from collections.abc import Sequence
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


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by the modified Lentz method.

    It converges fast for x < (a + 1) / (a + b + 2), in some tens of steps.
    """
    tiny = 1e-300  # instead of a zero that would be divided by
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d or tiny)
    fraction = d
    for step in range(1, 10_000):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for numerator in (even, odd):
            d = 1 / ((1 + numerator * d) or tiny)
            c = (1 + numerator / c) or tiny
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            return fraction
    raise ArithmeticError(f"no convergence for x={x}, a={a}, b={b}")


def _incomplete_beta(x: float, y: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), 0 <= x <= 1 and y = 1 - x.

    Both x and y are given, since 1 - x loses the digits of a small y.
    """
    if x == 0 or y == 0:
        return 1.0 if y == 0 else 0.0
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    power = math.exp(scale + a * math.log(x) + b * math.log(y))
    if x < (a + 1) / (a + b + 2):
        return power * _beta_fraction(x, a, b) / a
    return 1 - power * _beta_fraction(y, b, a) / b


def student_t_beyond(t: float, freedom: float) -> float:
    """Probability that |T| > t for Student's T with `freedom` degrees of freedom, t >= 0.

    It is the two-sided p-value of t. Degrees of freedom need not be whole: those of a sum of
    variances are not. Without SciPy, which the report runs without.

    Raises:
        ValueError: for fewer than one degree of freedom, a negative t, or one that is no number.
    """
    if not freedom >= 1:
        raise ValueError(f"freedom must be at least 1, got {freedom}")
    if not t >= 0:
        raise ValueError(f"t must be at least 0, got {t}")
    if math.isinf(t):
        return 0.0
    root = math.sqrt(freedom)
    length = math.hypot(t, root)  # t * t alone may overflow
    return _incomplete_beta((root / length) ** 2, (t / length) ** 2, freedom / 2, 0.5)


def student_t_quantile(confidence: float, freedom: float) -> float:
    """The t for which |T| < t holds with probability `confidence` (0 < confidence < 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    beyond = 1 - confidence
    high = 1.0
    while student_t_beyond(high, freedom) > beyond:
        high *= 2
    low = 0.0
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        if student_t_beyond(middle, freedom) > beyond:
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
