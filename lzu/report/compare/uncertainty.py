"""How sure a mean over runs is: the spread of seeds, of machines and of validation sequences.

A run is a seed on a machine. A score's mean over runs misses the value that other seeds and other
sequences would give, for two reasons that add up:

- Seeds: s^2 / n over the runs (n - 1 degrees of freedom). Repeating a seed on another machine moves
  AP as much as another seed does, so each (machine, seed) counts as a run.
- Sequences: the delete-a-group jackknife of the runs' mean (G - 1 degrees of freedom). Every run is
  scored on the same sequences, so more runs do not shrink it. Frames of a sequence are alike, hence
  whole sequences are left out. A jackknife and no bootstrap: its G values per run are kept with the
  metrics, it needs no predictions later, and it draws no random numbers.

What one run does on one sequence is in both parts, so the sum errs on the wide side: where that is
all the spread there is, 95 % intervals cover in 99 %.

Machines are a level. As long as their means differ by no more than their runs' spread explains, the
runs are pooled. Beyond it the variance between machines (one-way analysis of variance) is added
with its m - 1 degrees of freedom; for equally many runs each, the sum is the variance of the
machines' means over m, as if each machine were one value. The degrees of freedom come in by share
(Welch-Satterthwaite) and not all at once, or two machines that differ by chance alone, as one pair
in three does, would make the interval some five times wider. The price: two machines of 3 to 5 runs
that differ by as much as seeds do are covered in 85 to 90 % and not in 95 %. Pooling would cover
70 to 82 %, m - 1 degrees of freedom at once 89 to 92 %: two machines tell too little of machines.
"""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from lzu.results.statistics import (
    CONFIDENCE,
    Estimate,
    student_t_beyond,
    student_t_quantile,
)

RunKey = tuple[str, int]
"""(machine, seed)"""


@dataclass(frozen=True)
class Scores:
    """One metric of one method, run by run.

    `values` maps (machine, seed) to the metric. `left_out` maps some or all of these runs to the
    metric with sequence group g left out, g = 0 .. G-1; the groups are the same for all runs.

    Raises:
        ValueError: no values, one that is not finite, groups of a run without a value, fewer than
            two groups, or unequally many.
    """

    values: Mapping[RunKey, float]
    left_out: Mapping[RunKey, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("scores need at least one run")
        everything = [*self.values.values(), *(v for row in self.left_out.values() for v in row)]
        if not all(math.isfinite(value) for value in everything):
            raise ValueError(f"scores must be finite, got {self}")
        if not self.left_out.keys() <= self.values.keys():
            raise ValueError("left_out names runs that have no value")
        sizes = {len(row) for row in self.left_out.values()}
        if len(sizes) > 1 or sizes & {0, 1}:
            raise ValueError(f"runs need the same two or more groups, got {sorted(sizes)} groups")


@dataclass(frozen=True)
class Part:
    """A part of a mean's variance, in the metric's unit squared, and its degrees of freedom."""

    variance: float
    freedom: float


@dataclass(frozen=True)
class Mean:
    """A mean over `n` runs on `machines` machines, with the parts of its variance.

    `runs` is None for a single run, which has no interval. `between` is None where machines differ
    by no more than runs do, and `sequences` where no run has leave-one-out values: the interval
    then leaves the sequences out.
    """

    value: float
    n: int
    machines: int
    runs: Part | None
    between: Part | None
    sequences: Part | None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that are there."""
        return tuple(part for part in (self.runs, self.between, self.sequences) if part)

    @property
    def p_value(self) -> float | None:
        """Two-sided p-value of "the mean is zero"; None for a single run."""
        return None if self.runs is None else _p_value(self.value, self.parts)

    def estimate(self, confidence: float = CONFIDENCE) -> Estimate:
        """The mean with its t interval; without one for a single run."""
        if self.runs is None:
            return Estimate(self.value, None, None, self.n)
        variance, freedom = _total(self.parts)
        half = math.sqrt(variance) * student_t_quantile(confidence, freedom) if variance else 0.0
        return Estimate(self.value, self.value - half, self.value + half, self.n)

    def with_runs(self, n: int) -> "Mean":
        """As expected of `n` runs on the same machines, at the spread and mean that were seen."""
        if self.runs is None:
            raise ValueError("a single run has no spread")
        runs = Part(self.runs.variance * self.n / n, self.runs.freedom + n - self.n)
        return replace(self, n=n, runs=runs)

    def left_open_by(self, level: float) -> str | None:
        """What keeps p at `level` or above however many runs: "sequences", "machines" or None."""
        sequences = (self.sequences,) if self.sequences else ()
        if sequences and _p_value(self.value, sequences) >= level:
            return "sequences"
        if self.between and _p_value(self.value, (self.between, *sequences)) >= level:
            return "machines"
        return None


def _total(parts: tuple[Part, ...]) -> tuple[float, float]:
    """The sum of the parts' variances and its degrees of freedom (Welch-Satterthwaite)."""
    variance = math.fsum(part.variance for part in parts)
    if variance == 0:
        return 0.0, max(part.freedom for part in parts)
    shares = math.fsum((part.variance / variance) ** 2 / part.freedom for part in parts)
    return variance, max(1.0, 1 / shares)  # rounding alone gets below 1


def _p_value(value: float, parts: tuple[Part, ...]) -> float:
    variance, freedom = _total(parts)
    if variance == 0:
        return 1.0 if value == 0 else 0.0
    return student_t_beyond(abs(value) / math.sqrt(variance), freedom)


def _squares(values: list[float]) -> float:
    """The sum of squared distances to the mean."""
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values)


def _run_parts(values: Mapping[RunKey, float]) -> tuple[Part | None, Part | None]:
    """The runs' part of the mean's variance, and the machines' where they differ by more."""
    n = len(values)
    if n < 2:
        return None, None
    by_machine: dict[str, list[float]] = {}
    for (machine, _), value in values.items():
        by_machine.setdefault(machine, []).append(value)
    m = len(by_machine)
    total = _squares(list(values.values()))
    pooled = Part(total / (n - 1) / n, n - 1)
    if not 1 < m < n:  # with one run on each machine the spread of runs is that of machines
        return pooled, None
    inside = math.fsum(_squares(each) for each in by_machine.values())
    spread = inside / (n - m)
    unevenness = sum(len(each) ** 2 for each in by_machine.values()) / n
    machines = ((total - inside) / (m - 1) - spread) * (m - 1) / (n - unevenness)
    if machines <= 0:
        return pooled, None
    return Part(spread / n, n - m), Part(machines * unevenness / n, m - 1)


def _sequence_part(left_out: Mapping[RunKey, tuple[float, ...]]) -> Part | None:
    """The delete-a-group jackknife of the mean over the runs that have leave-one-out values."""
    if not left_out:
        return None
    means = [math.fsum(column) / len(column) for column in zip(*left_out.values(), strict=True)]
    groups = len(means)
    return Part((groups - 1) / groups * _squares(means), groups - 1)


def mean_over_runs(scores: Scores) -> Mean:
    """The mean over runs, with what seeds, machines and sequences add to its variance."""
    runs, between = _run_parts(scores.values)
    return Mean(
        value=math.fsum(scores.values.values()) / len(scores.values),
        n=len(scores.values),
        machines=len({machine for machine, _ in scores.values}),
        runs=runs,
        between=between,
        sequences=_sequence_part(scores.left_out),
    )


def paired_scores(treated: Scores, baseline: Scores) -> Scores | None:
    """treated - baseline, run by run; runs that only one of them has are left out.

    None if they share no run. The leave-one-out values are those of the runs where both have them.

    Raises:
        ValueError: unequally many sequence groups.
    """

    return _pairwise(operator.sub, treated, baseline)


def _pairwise(
    of: Callable[[float, float], float], treated: Scores, baseline: Scores
) -> Scores | None:
    """A function of both scores, run by run, of the runs that both have; None if there is none."""

    def shared(ours: Mapping, theirs: Mapping) -> list[RunKey]:
        return sorted(ours.keys() & theirs.keys())

    runs = shared(treated.values, baseline.values)
    if not runs:
        return None
    return Scores(
        {run: of(treated.values[run], baseline.values[run]) for run in runs},
        {
            run: tuple(
                of(a, b) for a, b in zip(treated.left_out[run], baseline.left_out[run], strict=True)
            )
            for run in shared(treated.left_out, baseline.left_out)
        },
    )


def paired_mean(treated: Scores, baseline: Scores) -> Mean | None:
    """The mean over shared runs of treated - baseline; None if they share none."""
    scores = paired_scores(treated, baseline)
    return None if scores is None else mean_over_runs(scores)


def relative_mean(treated: Scores, baseline: Scores) -> Mean | None:
    """100 (m - u) / u of the means m, u over shared runs, in percent; None if they share none or
    u is zero.

    Its variance is that of the ratio m / u to first order: run by run, and with each group of
    sequences left out, m / u is linear around the means, so that it is paired like a difference.
    """
    shared = treated.values.keys() & baseline.values.keys()
    if not shared:
        return None
    ours, theirs = (
        math.fsum(scores.values[run] for run in shared) / len(shared)
        for scores in (treated, baseline)
    )
    if theirs == 0:
        return None
    ratio = ours / theirs

    def linear(m: float, u: float) -> float:
        return 100 * (ratio - 1 + (m - ratio * u) / theirs)

    scores = _pairwise(linear, treated, baseline)
    return None if scores is None else replace(mean_over_runs(scores), value=100 * (ratio - 1))
