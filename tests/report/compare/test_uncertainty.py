"""Intervals from seeds, machines and sequences: against NumPy and SciPy, and simulated truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lzu.report.compare.uncertainty import (
    Part,
    Scores,
    mean_over_runs,
    paired_mean,
    paired_scores,
    relative_mean,
)
from lzu.results.statistics import Estimate
from tests.report.compare.simulation import World, simulated

EXPERIMENTS = 4000


def runs(*values, machine="a"):
    return {(machine, seed): value for seed, value in enumerate(values)}


def coverage(world, n, groups, machines=1):
    """How often the 95 % interval holds the true mean, 0."""
    generator = np.random.default_rng([n, groups, machines])
    draws = (simulated(generator, world, n, groups, machines) for _ in range(EXPERIMENTS))
    return np.mean([mean_over_runs(draw).p_value >= 0.05 for draw in draws])


@pytest.mark.parametrize("machines", [1, 2])
@pytest.mark.parametrize("groups", [8, 24])
@pytest.mark.parametrize("n", [3, 5, 10])
def test_intervals_cover_the_truth_at_spreads_as_seen(n, groups, machines):
    assert 0.93 <= coverage(World(), n, groups, machines) <= 0.995


@pytest.mark.parametrize(
    "world",
    [
        World(seed=0.3, sequence=0.8, interaction=0.3, uneven=0.7),
        World(uneven=0.7),
        World(seed=0.1, sequence=0.1, interaction=1.0),
        World(sequence=0.0, interaction=0.0),
    ],
    ids=["sequences matter most", "uneven sequences", "interaction alone", "seeds alone"],
)
def test_intervals_cover_the_truth_whatever_matters_most(world):
    assert 0.93 <= coverage(world, 5, 24) <= 0.995


def test_machines_that_differ_a_little_are_covered():
    assert 0.93 <= coverage(World(machine=0.4), 6, 24, 2) <= 0.995


def test_machines_that_differ_as_much_as_seeds_do_are_nearly_covered():
    world = World(machine=1.4, sequence=0.0, interaction=0.0)
    assert 0.83 <= coverage(world, 10, 24, 2) <= 0.93
    assert coverage(world, 15, 24, 5) >= 0.9


def test_seeds_alone_miss_what_sequences_add():
    world = World(seed=0.3, sequence=0.8, interaction=0.3)
    generator = np.random.default_rng(0)
    draws = (simulated(generator, world, 5, 24) for _ in range(300))
    covered = [mean_over_runs(Scores(draw.values)).p_value >= 0.05 for draw in draws]
    assert np.mean(covered) < 0.6


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=9))
def test_runs_alone_give_the_t_interval(values):
    found = mean_over_runs(Scores(runs(*values)))
    assert (found.between, found.sequences) == (None, None)
    spread = stats.sem(values)
    if spread == 0:
        assert found.estimate() == Estimate(values[0], values[0], values[0], len(values))
        assert found.p_value == (values[0] == 0)
        return
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), spread)
    estimate = found.estimate()
    assert (estimate.low, estimate.high) == pytest.approx((low, high), rel=1e-7, abs=1e-7)
    expected = stats.ttest_1samp(values, 0).pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-7, abs=1e-12)


def test_both_parts_add_up_with_welch_and_satterthwaites_freedom():
    scores = Scores(runs(1.0, 2.0, 6.0), runs((1, 2, 3, 6), (2, 2, 3, 1), (6, 5, 6, 8)))
    found = mean_over_runs(scores)
    seeds = np.var([1, 2, 6], ddof=1) / 3
    sequences = 3 / 4 * np.sum((np.array([9, 9, 12, 15]) / 3 - 45 / 12) ** 2)
    assert found.runs == Part(pytest.approx(seeds), 2)
    assert found.sequences == Part(pytest.approx(sequences), 3)
    total = seeds + sequences
    freedom = total**2 / (seeds**2 / 2 + sequences**2 / 3)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(total)
    assert found.estimate().half_width == pytest.approx(half)
    assert found.p_value == pytest.approx(2 * stats.t.sf(3 / math.sqrt(total), freedom))


@given(seed=st.integers(0, 1000), n=st.integers(2, 10), machines=st.integers(1, 3))
def test_the_interval_holds_zero_exactly_if_p_is_at_least_5_percent(seed, n, machines):
    world = World(seed=0.5, machine=0.5)
    draw = simulated(np.random.default_rng(seed), world, n, 8, machines)
    found = mean_over_runs(draw)
    estimate = found.estimate()
    assert (estimate.low <= 0 <= estimate.high) == (found.p_value >= 0.05)


def test_one_run_has_no_interval():
    found = mean_over_runs(Scores(runs(3.0), runs((2.0, 4.0))))
    assert found.estimate() == Estimate(3.0, None, None, 1)
    assert found.p_value is None
    with pytest.raises(ValueError, match="single run"):
        found.with_runs(5)


def test_machines_alike_are_pooled():
    values = {**runs(1.0, 2.0, 3.0, machine="a"), **runs(1.5, 2.5, 2.0, machine="b")}
    found = mean_over_runs(Scores(values))
    assert (found.machines, found.n, found.between) == (2, 6, None)
    assert found.runs == Part(pytest.approx(np.var(list(values.values()), ddof=1) / 6), 5)


def test_machines_that_differ_count_as_one_value_each():
    a, b = [1.0, 2.0, 3.0], [11.0, 12.0, 13.0]
    found = mean_over_runs(Scores({**runs(*a, machine="a"), **runs(*b, machine="b")}))
    assert (found.runs.freedom, found.between.freedom) == (4, 1)
    assert sum(part.variance for part in found.parts) == pytest.approx(np.var([2, 12], ddof=1) / 2)
    assert found.estimate().low < 0


def test_machines_with_unequal_runs():
    a, b = [0.0, 1.0, 2.0, 1.0, 1.0], [9.0]
    found = mean_over_runs(Scores({**runs(*a, machine="a"), **runs(*b, machine="b")}))
    within = np.var(a, ddof=1)
    mean = 14 / 6
    msb = 5 * (1 - mean) ** 2 + (9 - mean) ** 2
    machine = (msb - within) / (6 - 26 / 6)
    assert found.runs == Part(pytest.approx(within / 6), 4)
    assert found.between == Part(pytest.approx(machine * 26 / 36), 1)


def test_one_run_on_each_machine_is_a_sample_of_both():
    found = mean_over_runs(Scores({("a", 0): 1.0, ("b", 0): 2.0, ("c", 0): 4.0}))
    assert found.runs == Part(pytest.approx(np.var([1, 2, 4], ddof=1) / 3), 2)
    assert found.between is None


def test_pairs_are_of_the_same_machine_and_seed():
    treated = Scores({("a", 0): 5.0, ("a", 1): 7.0, ("b", 0): 9.0}, {("a", 1): (7.0, 8.0)})
    baseline = Scores(
        {("a", 0): 1.0, ("a", 1): 2.0, ("b", 1): 0.0}, {("a", 0): (1.0, 2.0), ("a", 1): (1.0, 3.0)}
    )
    found = paired_scores(treated, baseline)
    assert found == Scores({("a", 0): 4.0, ("a", 1): 5.0}, {("a", 1): (6.0, 5.0)})
    assert paired_mean(treated, baseline) == mean_over_runs(found)
    assert paired_mean(treated, Scores({("c", 0): 1.0})) is None


def test_pairs_need_the_same_groups():
    with pytest.raises(ValueError, match="longer"):
        paired_scores(Scores(runs(1.0), runs((1.0, 2.0))), Scores(runs(1.0), runs((1.0, 2.0, 3.0))))


@pytest.mark.parametrize(
    ("values", "left_out", "complaint"),
    [
        ({}, {}, "at least one run"),
        (runs(math.nan), {}, "finite"),
        (runs(1.0), runs((1.0, math.inf)), "finite"),
        (runs(1.0), runs((1.0, 2.0), machine="b"), "no value"),
        (runs(1.0), runs((1.0,)), "groups"),
        (runs(1.0), runs(()), "groups"),
        (runs(1.0, 2.0), runs((1.0, 2.0), (1.0, 2.0, 3.0)), "groups"),
    ],
)
def test_bad_scores_are_refused(values, left_out, complaint):
    with pytest.raises(ValueError, match=complaint):
        Scores(values, left_out)


def test_more_runs_shrink_the_runs_part_alone():
    draw = simulated(np.random.default_rng(3), World(machine=3.0), 6, 8, 2)
    seen = mean_over_runs(draw)
    more = seen.with_runs(24)
    assert more.runs == Part(pytest.approx(seen.runs.variance / 4), seen.runs.freedom + 18)
    assert (more.between, more.sequences, more.value) == (seen.between, seen.sequences, seen.value)


def ratio_by_hand(ours, theirs):
    """100 (m / u - 1) of two rows of values, and its variance by propagating their covariance."""
    m, u = np.mean(ours), np.mean(theirs)
    slopes = np.array([100 / u, -100 * m / u**2])
    return 100 * (m / u - 1), slopes @ np.cov(ours, theirs) @ slopes / len(ours)


def test_a_relative_mean_is_paired_and_propagates_the_baselines_spread():
    generator = np.random.default_rng(0)
    theirs = generator.normal(30, 2, 8)
    ours = 1.1 * theirs + generator.normal(0, 0.3, 8)
    found = relative_mean(Scores(runs(*ours)), Scores(runs(*theirs)))
    value, variance = ratio_by_hand(ours, theirs)
    assert found.value == pytest.approx(value)
    assert found.runs.variance == pytest.approx(variance)
    assert (found.n, found.runs.freedom) == (8, 7)


def test_the_sequences_part_of_a_relative_mean_is_nearly_the_ratios_own_jackknife():
    generator = np.random.default_rng(1)
    n, groups = 4, 12
    theirs = 40 + generator.normal(0, 0.2, groups) + generator.normal(0, 0.05, (n, groups))
    ours = 1.05 * theirs + generator.normal(0, 0.1, (n, groups))
    found = relative_mean(*(
        Scores(runs(*values.mean(1)), runs(*map(tuple, values))) for values in (ours, theirs)
    ))  # fmt: skip
    left_out = 100 * (ours.mean(0) / theirs.mean(0) - 1)
    exact = (groups - 1) * np.var(left_out)
    assert found.sequences.variance == pytest.approx(exact, rel=0.02)


def test_what_a_relative_mean_is_of():
    one, other = Scores(runs(3.0, 5.0)), Scores(runs(2.0, machine="b"))
    assert relative_mean(one, other) is None
    assert relative_mean(one, Scores(runs(0.0, 0.0))) is None
    single = relative_mean(Scores(runs(36.0)), Scores(runs(29.0, 31.0)))
    assert single.value == pytest.approx(100 * 7 / 29)
    assert single.estimate().low is None
