"""Verdicts on a table's contrasts: one declared before, the others corrected for their number.

A contrast is a method's paired difference to its baseline in the table's headline metric. The
table's primary contrast is tested at 5 % by itself, the others together at 5 % (Holm): at most one
false verdict in ten tables without any true difference. Other metrics are not judged: they have
intervals and no verdict.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from lzu.report.compare.uncertainty import Mean

LEVEL = 0.05
FEWEST_RUNS = 5
"""Below it the spread itself is a guess, and there is no verdict."""
MOST_RUNS = 1000
"""As far as `runs_needed` looks."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Contrast:
    """A judged difference.

    `level` is what the contrast's own p-value was held against: 5 % for the primary one, less for
    the others. `p_value` is corrected, to be held against 5 %; both are None for a single run.
    The interval of `difference` is of that difference alone: it may leave zero out where the
    corrected verdict is "undecided".
    """

    difference: Mean
    primary: bool
    p_value: float | None
    level: float | None
    verdict: str


def holm(p_values: Mapping[K, float], level: float = LEVEL) -> dict[K, tuple[float, float]]:
    """Holm's correction: each contrast's corrected p-value, and the level its own p is held to.

    The k-th smallest of m p-values is held to level / (m - k + 1); from the first that fails on,
    all are held to the level at which that one failed. A corrected p-value is below `level` exactly
    if its own is below that.
    """
    m, largest, open_level = len(p_values), 0.0, None
    found = {}
    for rank, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (m - rank) * p_values[name]))
        if largest >= level and open_level is None:
            open_level = level / (m - rank)
        found[name] = (largest, open_level or level / (m - rank))
    return found


def _verdict(difference: Mean, p_value: float | None, higher_is_better: bool) -> str:
    if p_value is None:
        return "one seed"
    if p_value >= LEVEL:
        return "undecided"
    better = (difference.value > 0) == higher_is_better
    if difference.n < FEWEST_RUNS:
        return "suggests a gain" if better else "suggests a loss"
    return "win" if better else "loss"


def judge(
    differences: Mapping[K, Mean], primary: K | None, higher_is_better: bool = True
) -> dict[K, Contrast]:
    """The verdicts on a table's contrasts in its headline metric.

    Args:
        differences: each contrast's paired difference.
        primary: the contrast that the table declares, tested by itself. Without it, declared or
            measured, all others are corrected together as ever.
        higher_is_better: of the metric.
    """
    tested = {name: one.p_value for name, one in differences.items() if one.p_value is not None}
    held = holm({name: p for name, p in tested.items() if name != primary})
    if primary in tested:
        held[primary] = (tested[primary], LEVEL)
    judged = {}
    for name, difference in differences.items():
        p_value, level = held.get(name, (None, None))
        word = _verdict(difference, p_value, higher_is_better)
        judged[name] = Contrast(difference, name == primary, p_value, level, word)
    return judged


def runs_needed(difference: Mean, level: float = LEVEL, fewest: int = 2) -> int | None:
    """The fewest runs, from `fewest` on, whose p-value would be below `level`.

    For runs on the same machines and sequences, if difference and spread stay as they were seen.
    It is a guess: of a few runs the spread is not well known, and a difference that is just seen is
    seen every other time. None if no number up to `MOST_RUNS` would do: either sequences or
    machines leave it open (`Mean.left_open_by`), or the difference is too small.
    """
    for n in range(max(fewest, difference.machines + 1, 2), MOST_RUNS + 1):
        if difference.with_runs(n).p_value < level:
            return n
    return None


def _outlook(contrast: Contrast) -> str:
    """What it would take to decide an undecided contrast."""
    difference, level = contrast.difference, contrast.level
    if difference.value == 0:
        return "no difference"
    needed = runs_needed(difference, level, max(FEWEST_RUNS, difference.n + 1))
    if needed is not None:
        return f"about {needed} would decide"
    return {
        "sequences": "the validation sequences alone leave it open",
        "machines": "the machines differ too much to tell",
        None: f"more than {MOST_RUNS} would decide",
    }[difference.left_open_by(level)]


def contrast_text(contrast: Contrast) -> str:
    """The verdict in words, as "undecided (3 seeds; about 41 would decide)"."""
    if contrast.p_value is None:
        return contrast.verdict
    difference = contrast.difference
    if difference.machines > 1:
        notes = [f"{difference.n} runs on {difference.machines} machines"]
    else:
        notes = [f"{difference.n} seeds"]
    if contrast.verdict == "undecided":
        notes.append(_outlook(contrast))
    elif difference.n < FEWEST_RUNS:
        notes.append(f"a verdict takes {FEWEST_RUNS}")
    if difference.sequences is None:
        notes.append("spread of sequences unknown")
    return f"{contrast.verdict} ({'; '.join(notes)})"
