"""When each operation is timed, and which of the times a timing file tells of."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
from torch import nn

from lzu.engine import time as timing
from lzu.engine.time import Timed, time_task
from lzu.results.schema import SAMPLES, read_timing
from tests.prepared import changed

CALLS = []
"""(run, name) of each operation, in the order of their calls."""
TAKES = {"baseline": 20, "added": 10, "end_to_end": 40, "end_to_end_baseline": 30}
CLOCK = SimpleNamespace(now=0.0)
WARMUP, ROUNDS = 2, 5


def takes(run, name, before):
    """Milliseconds of an operation that was called so many times before."""
    return TAKES[name] + len(run.method) + 100 * run.to_scale + before


def operations(context, run, model):
    """The step in place of the task's: operations that take a known time."""

    def operation(name):
        def call():
            CLOCK.now += takes(run, name, CALLS.count((run, name))) / 1000
            CALLS.append((run, name))

        return call

    return Timed({name: operation(name) for name in SAMPLES}, {"of": run.method}, [])


@pytest.fixture
def timed(context, tmp_path, monkeypatch):
    """Time all methods of the smoke suite or some; return its context and the rounds' calls."""
    monkeypatch.setattr(timing, "load_trained", lambda context, run: nn.Linear(1, 1))
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: CLOCK.now))
    steps = {**context.task.steps, "operations": f"{__name__}:operations"}

    def time_with(methods=None):
        CALLS.clear()
        own = context.settings.timing.model_copy(update={"warmup": WARMUP, "rounds": ROUNDS})
        settings = {"timing": own, "upsampling": None, "search": None}
        if methods is not None:
            settings["methods"] = {name: context.settings.methods[name] for name in methods}
        given = replace(context, task=replace(context.task, steps=steps), results=tmp_path)
        given = changed(given, **settings)
        time_task(given)
        size = len(set(CALLS))
        assert len(CALLS) == size * (WARMUP + ROUNDS)
        return given, [CALLS[i : i + size] for i in range(0, len(CALLS), size)]

    return time_with


def test_every_operation_is_timed_once_a_round_in_an_order_of_its_own(timed):
    context, rounds = timed()
    expected = {
        (run, name)
        for run in context.timed_runs
        for name in SAMPLES
        if (run.method == "uniform") == ("baseline" in name)
    }
    assert len(expected) == 2 * 2 + 6 * 2
    for calls in rounds:
        assert Counter(calls) == Counter(expected)
    orders = [tuple(calls) for calls in rounds[WARMUP:]]
    assert len(set(orders)) == ROUNDS
    assert len({order[0] for order in orders}) > 1
    # the same ones whenever it is timed
    assert [tuple(calls) for calls in timed()[1]][WARMUP:] == orders


def samples(run, name):
    """Of the rounds that count."""
    return [takes(run, name, before) for before in range(WARMUP, WARMUP + ROUNDS)]


def test_a_file_tells_of_its_own_times_beside_the_baseline_s_of_the_same_rounds(timed):
    context, _ = timed()
    assert {run.seed for run in context.timed_runs} == {0}
    for run in context.timed_runs:
        value = read_timing(context.paths.timing(run))
        uniform = run.baseline
        own = {name: samples(uniform if "baseline" in name else run, name) for name in SAMPLES}
        if run == uniform:
            # it adds nothing to itself
            own |= {"added": [0.0] * ROUNDS, "end_to_end": own["end_to_end_baseline"]}
        for name, expected in own.items():
            assert value["samples_ms"][name] == pytest.approx(expected), name
        assert value["shapes"] == {"of": run.method}
        assert value["warmup"] == WARMUP


def test_without_uniform_a_method_is_its_own_baseline(timed):
    context, rounds = timed(["lzu_fixed"])
    assert {run.method for run, _ in rounds[0]} == {"lzu_fixed"}
    for run in context.timed_runs:
        value = read_timing(context.paths.timing(run))
        for name in SAMPLES:
            assert value["samples_ms"][name] == pytest.approx(samples(run, name)), name
